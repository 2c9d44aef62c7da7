"""The history in SQLite: what is added, kept, found and refused."""

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from sqlalchemy import Engine

from harness.errors import NothingMeasured, UsageError
from harness.history import places, reading
from harness.history.database import opened
from harness.history.folders import find, run_row
from harness.history.places import Place, place
from harness.store import RUN_ID, RunFolder
from tests.history_makers import added, at, file, rows, run_folder


@pytest.fixture
def where(tmp_path: Path) -> Place:
    return place(str(tmp_path / "data" / "history.sqlite"))


@pytest.fixture
def engine(where: Place) -> Iterator[Engine]:
    with opened(where, writing=True) as engine:
        yield engine


def test_a_trial_is_kept_with_its_main_fields_and_as_it_was_written(
    engine: Engine, tmp_path: Path
) -> None:
    path = run_folder(tmp_path / "run", trials=1)
    line = (path / "trials.jsonl").read_text().rstrip()

    added(engine, path)

    asked = ("workload", "energy_j", "energy_per_item_j", "perimeter", "record")
    assert rows(engine, columns=asked) == [
        {
            "workload": "bert",
            "energy_j": 50.0,
            "energy_per_item_j": 0.5,
            "perimeter": "cpu",
            "record": line,
        }
    ]


def test_missing_joules_stay_missing(engine: Engine, tmp_path: Path) -> None:
    path = run_folder(tmp_path / "run", trials=1, status="failed", reason="killed")

    added(engine, path)

    (row,) = rows(engine, columns=("energy_j", "energy_per_item_j", "reason"))
    assert row == {"energy_j": None, "energy_per_item_j": None, "reason": "killed"}


def test_adding_again_changes_nothing_and_adds_what_is_new(
    engine: Engine, tmp_path: Path
) -> None:
    path = run_folder(tmp_path / "run")
    added(engine, path)
    RunFolder(path).append(at(1, 3))

    again = [added(engine, path) for _ in range(2)]

    assert [each.trials for each in again] == [4, 4]
    assert len(rows(engine)) == 4


def test_a_moved_folder_is_the_same_run(engine: Engine, tmp_path: Path) -> None:
    path = run_folder(tmp_path / "run")
    first = added(engine, path)
    moved = path.rename(tmp_path / "elsewhere")

    again = added(engine, moved)

    assert again.run == first.run
    with engine.begin() as connection:
        (row,) = reading.runs(connection)
    assert row["folder"] == str(moved)


def test_a_folder_without_an_id_has_one_that_stays(tmp_path: Path) -> None:
    path = run_folder(tmp_path / "run", trials=1)
    other = run_folder(tmp_path / "other", trials=1, day=2)
    for each in (path, other):
        (each / RUN_ID).unlink()
    first = run_row(path)["run"]

    RunFolder(path).append(at(1, 1))

    assert run_row(path.rename(tmp_path / "moved"))["run"] == first
    assert run_row(other)["run"] != first


def test_an_id_of_another_run_replaces_nothing(engine: Engine, tmp_path: Path) -> None:
    path = run_folder(tmp_path / "run", trials=2)
    other = run_folder(tmp_path / "other", precision="int8")
    added(engine, path)
    shutil.copy(path / RUN_ID, other / RUN_ID)

    with pytest.raises(UsageError, match="id of another run"):
        added(engine, other)

    assert {row["precision"] for row in rows(engine, columns=("precision",))} == {
        "fp32"
    }


@pytest.mark.parametrize("text", ['{"id": "../../x"}', "[]", "{", '{"id": 7}'])
def test_an_id_that_is_none_is_refused(tmp_path: Path, text: str) -> None:
    path = run_folder(tmp_path / "run")
    (path / RUN_ID).write_text(text)

    with pytest.raises(UsageError, match="holds no id"):
        run_row(path)


def test_a_torn_last_line_is_left_for_the_next_time(
    engine: Engine, tmp_path: Path
) -> None:
    path = run_folder(tmp_path / "run", trials=2)
    target = path / "trials.jsonl"
    whole = target.read_bytes() + at(1, 2).to_json().encode()
    target.write_bytes(whole[:-40])

    first = added(engine, path)
    target.write_bytes(whole)
    second = added(engine, path)

    assert (first.trials, first.faults) == (2, ())
    assert second.trials == 3


@pytest.mark.parametrize(
    "line",
    [
        b"{",
        b"\xff",
        b'{"trial": 1}',
        b"[" * 100_000,
        at(1, 9).to_json().replace('"round":9', f'"round":{10**30}').encode(),
        at(1, 9).to_json().replace("bert", "\\ud800").encode(),
    ],
)
def test_a_line_that_is_no_trial_is_left_out_with_its_place(
    engine: Engine, tmp_path: Path, line: bytes
) -> None:
    path = run_folder(tmp_path / "run", trials=1)
    with (path / "trials.jsonl").open("ab") as target:
        target.write(line + b"\n" + at(1, 1).to_json().encode() + b"\n")

    done = added(engine, path)

    assert done.trials == 2
    assert f"{path}/trials.jsonl:2: left out" in done.faults[0]


def test_text_of_others_is_a_value_and_nothing_else(
    engine: Engine, tmp_path: Path
) -> None:
    evil = "'); DROP TABLE trials; --\\u0000"
    path = run_folder(tmp_path / "run", trials=1, suite=evil)
    line = at(1, 0, workload="%_x").to_json().replace("%_x", evil)
    (path / "trials.jsonl").write_text(line + "\n")

    added(engine, path)

    assert len(rows(engine, globs={"workload": "'); drop table*"})) == 1
    assert rows(engine, globs={"workload": "%"}) == []


def test_globs_times_and_limits_choose_trials(engine: Engine, tmp_path: Path) -> None:
    for day, precision in enumerate(("fp32", "int8-static", "int8-dynamic"), 1):
        name = tmp_path / precision
        added(engine, run_folder(name, day=day, precision=precision, suite=f"s{day}"))

    def precisions(**asked: object) -> list[str]:
        found = rows(engine, columns=("precision",), **asked)
        return [str(row["precision"]) for row in found]

    assert set(precisions(globs={"precision": "INT8-*"})) == {
        "int8-static",
        "int8-dynamic",
    }
    assert set(precisions(globs={"suite": "s1"})) == {"fp32"}
    assert set(precisions(globs={"batch_size": "?", "status": "ok"})) > {"fp32"}
    assert precisions(globs={"precision": "int8"}) == []
    assert set(precisions(since="2026-11-03")) == {"int8-dynamic"}
    assert len(precisions(since="2026-11-03T13:00:02+01:00")) == 1
    assert set(precisions(until="2026-11-02")) == {"fp32"}
    assert precisions(limit=4) == ["int8-dynamic"] * 3 + ["int8-static"]


def test_a_run_is_shown_with_the_medians_of_its_configurations(
    engine: Engine, tmp_path: Path
) -> None:
    path = run_folder(tmp_path / "run", trials=3)
    failed = at(1, 3).model_copy(update={"status": "failed", "reason": "killed"})
    RunFolder(path).append(failed)
    run = added(engine, path).run

    with engine.begin() as connection:
        shown = reading.run(connection, run[:6])
        with pytest.raises(UsageError, match="no run 'zz'"):
            reading.run(connection, "zz")
        with pytest.raises(UsageError, match="no run '%'"):
            reading.run(connection, "%")

    (each,) = shown["configurations"]
    assert (each["trials"], each["ok"], each["reason"]) == (4, 3, "killed")
    assert each["energy_per_item_j"] == pytest.approx(0.51)


def test_run_folders_are_found_below_others(tmp_path: Path) -> None:
    for name in ("b", "a/deep"):
        run_folder(tmp_path / "runs" / name)
    (tmp_path / "runs" / "loop").symlink_to(tmp_path)

    found = find([tmp_path / "runs", tmp_path / "runs" / "b"])

    assert [str(path.relative_to(tmp_path / "runs")) for path in found] == [
        "a/deep",
        "b",
    ]
    with pytest.raises(UsageError, match="no run folder"):
        find([tmp_path / "nowhere"])


def test_commits_are_synced_through_a_log(engine: Engine, where: Place) -> None:
    with engine.begin() as connection:
        said = [
            connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "synchronous", "busy_timeout")
        ]

    assert said == ["wal", 2, 60_000]


def test_there_is_nothing_to_read_before_the_first_run(where: Place) -> None:
    with pytest.raises(NothingMeasured), opened(where):
        pass

    assert not file(where).parent.exists()


@pytest.mark.parametrize(
    "question",
    [
        "DELETE FROM trials",
        "DROP TABLE trials",
        "ATTACH 'other.sqlite' AS other",
        "PRAGMA query_only=OFF",
        "SELECT load_extension('x')",
        "VACUUM INTO 'copy.sqlite'",
        "SELECT 1; SELECT 2",
        "SELEC",
    ],
)
def test_own_sql_reads_and_does_nothing_else(
    engine: Engine, where: Place, tmp_path: Path, question: str
) -> None:
    added(engine, run_folder(tmp_path / "run"))

    with pytest.raises(UsageError, match="--sql"):
        reading.answer(file(where), question)

    assert len(rows(engine)) == 3
    assert not list(Path.cwd().glob("*.sqlite"))


def test_own_sql_gives_rows(engine: Engine, where: Place, tmp_path: Path) -> None:
    added(engine, run_folder(tmp_path / "run"))

    found = reading.answer(file(where), "SELECT status, count(*) AS n FROM trials")

    assert found == [{"status": "ok", "n": 3}]


def test_the_place_is_said_or_the_environments_or_the_users(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv(places.VARIABLE, raising=False)
    monkeypatch.setenv("XDG_DATA_HOME", "/data")
    assert str(place()) == "/data/joulebench/history.sqlite"
    monkeypatch.setenv(places.VARIABLE, "/env.sqlite")
    assert str(place()) == "/env.sqlite"
    assert str(place("sqlite:////said.sqlite")) == "/said.sqlite"
    team = place("postgres://me:secret@host/db")
    assert (team.path, team.url.drivername) == (None, "postgresql+psycopg")
    assert "secret" not in str(team)
    for other in ("mysql://host/db", "http://x", "sqlite://"):
        with pytest.raises(UsageError):
            place(other)


def test_a_network_file_system_is_known() -> None:
    partitions = [
        SimpleNamespace(mountpoint="/", fstype="ext4"),
        SimpleNamespace(mountpoint="/home", fstype="nfs4"),
    ]

    assert places.file_system(Path("/home/me/x.sqlite"), partitions) in places.REMOTE
    assert places.file_system(Path("/homes/x.sqlite"), partitions) == "ext4"


@pytest.mark.skipif(os.getuid() == 0, reason="root may write everywhere")
def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir(mode=0o555)
    where = place(str(tmp_path / "data" / "history.sqlite"))

    with (
        pytest.raises(UsageError, match="cannot be written"),
        opened(where, writing=True),
    ):
        pass


def test_a_place_below_a_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file")
    where = place(str(tmp_path / "data" / "history.sqlite"))

    with (
        pytest.raises(UsageError, match="cannot be written"),
        opened(where, writing=True),
    ):
        pass


def test_records_come_back_as_json(engine: Engine, tmp_path: Path) -> None:
    path = run_folder(tmp_path / "run", trials=2)
    added(engine, path)

    found = rows(engine, columns=("record",))

    lines = (path / "trials.jsonl").read_text().splitlines()
    assert [json.loads(row["record"]) for row in reversed(found)] == [
        json.loads(line) for line in lines
    ]
