"""The run folder keeps what was finished, whatever happened after."""

import json
import resource
from pathlib import Path

import pytest

from harness.errors import NothingMeasured, StorageError, UsageError
from harness.store import RunFolder, read_runs
from tests.makers import record


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    return RunFolder.create(tmp_path / "run")


def test_what_was_appended_is_read_back(folder: RunFolder) -> None:
    folder.append(record("r0-000"))
    folder.append(record("r0-001"))

    assert [r.trial for r in folder.records().records] == ["r0-000", "r0-001"]


def test_a_torn_last_line_costs_that_line_alone(folder: RunFolder) -> None:
    folder.append(record("r0-000"))
    with (folder.path / "trials.jsonl").open("a") as file:
        file.write('{"schema": 1, "trial": "r0-0')

    result = folder.records()

    assert [r.trial for r in result.records] == ["r0-000"]
    assert "trials.jsonl:2: left out" in result.faults[0]


def test_appending_after_a_torn_line_loses_nothing(folder: RunFolder) -> None:
    (folder.path / "trials.jsonl").write_text('{"torn')

    folder.append(record("r0-001"))

    assert [r.trial for r in folder.records().records] == ["r0-001"]


def test_a_record_of_a_newer_schema_is_said(folder: RunFolder) -> None:
    newer = json.dumps({"schema": 7, "trial": "x"})
    (folder.path / "trials.jsonl").write_text(newer + "\n")
    folder.append(record("r0-001"))

    result = folder.records()

    assert len(result.records) == 1
    assert "schema 7 is newer" in result.faults[0]


def test_a_newer_record_that_can_be_read_is_read_and_said(folder: RunFolder) -> None:
    newer = json.loads(record("r0-000").to_json()) | {"schema": 7, "extra": 1}
    (folder.path / "trials.jsonl").write_text(json.dumps(newer) + "\n")

    result = folder.records()

    assert len(result.records) == 1
    assert "schema 7 is newer" in result.faults[0]


def test_a_line_nested_without_end_costs_that_line_alone(folder: RunFolder) -> None:
    folder.append(record("r0-000"))
    with (folder.path / "trials.jsonl").open("a") as file:
        file.write("[" * 100_000 + "\n")

    result = folder.records()

    assert len(result.records) == 1
    assert len(result.faults) == 1


def test_lines_that_are_not_records_are_said(folder: RunFolder) -> None:
    (folder.path / "trials.jsonl").write_bytes(b'[1]\n\xff\xfe\n"text"\n\n')

    result = folder.records()

    assert result.records == ()
    assert len(result.faults) == 3


def test_a_folder_that_holds_a_run_is_not_run_into(folder: RunFolder) -> None:
    folder.write("plan.json", "{}")

    with pytest.raises(UsageError, match="already holds a run"):
        RunFolder.create(folder.path)


def test_a_missing_folder_is_the_users_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no such run folder"):
        RunFolder(tmp_path / "nowhere").records()


def test_runs_without_a_finished_trial_measured_nothing(folder: RunFolder) -> None:
    with pytest.raises(NothingMeasured, match="no trial has finished"):
        read_runs([folder.path])


def test_several_runs_are_read_together(tmp_path: Path) -> None:
    folders = [RunFolder.create(tmp_path / name) for name in ("a", "b")]
    for each in folders:
        each.append(record(each.path.name))

    assert len(read_runs([f.path for f in folders]).records) == 2


def test_a_line_that_does_not_fit_is_not_there_and_the_others_are(
    folder: RunFolder,
) -> None:
    folder.append(record("r0-000"))
    before = (folder.path / "trials.jsonl").read_bytes()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)

    resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) + 100, hard))
    try:
        with pytest.raises(StorageError, match="File too large") as caught:
            folder.append(record("r0-001"))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))

    assert "bench resume" in caught.value.hint
    assert (folder.path / "trials.jsonl").read_bytes() == before
    folder.append(record("r0-001"))
    assert len(folder.records().records) == 2


def test_a_folder_that_is_gone_is_said_to_be(folder: RunFolder) -> None:
    with pytest.raises(StorageError, match="No such file"):
        RunFolder(folder.path / "gone").append(record("r0-000"))
