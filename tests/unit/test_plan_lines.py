"""What `bench plan` tells a reader of what would not run, and where it looks back."""

import json
from pathlib import Path

import pytest

from harness.commands.running import skipped_lines
from harness.forecast import LATEST, earlier
from harness.matrix import Skipped
from harness.plan import Plan, make_plan
from harness.records import Configuration
from harness.store import RunFolder
from harness.suite import load_suite
from tests.unit.test_ranking import trial


def skipped(reason: str, **given: object) -> Skipped:
    plain = {"workload": "bert", "phase": "infer", "precision": "fp32"}
    asked = {**plain, "device": "cuda", "batch_size": 8, **given}
    configuration = Configuration.model_validate(asked)
    return Skipped(configuration=configuration, reason=reason)


def test_a_reason_is_said_once_the_most_frequent_first() -> None:
    rare = skipped("too large", workload="rnn")
    often = [skipped("no GPU", batch_size=size) for size in (1, 2, 4, 8)]

    assert skipped_lines([rare, *often]) == [
        "skipped 4: no GPU: bert/infer/fp32/cuda/*",
        "skipped 1: too large: rnn/infer/fp32/cuda/b8",
    ]


def test_what_many_keys_share_is_shown_also_where_some_are_longer() -> None:
    sizes = [skipped("x", suffix=suffix) for suffix in ("", "/size=base", "", "/open")]

    assert skipped_lines(sizes) == ["skipped 4: x: bert/infer/fp32/cuda/b8*"]


def test_keys_that_share_nothing_are_a_few_and_more() -> None:
    keys = [
        skipped(
            "x",
            workload=f"w{number}",
            phase=("infer", "train")[number % 2],
            precision=f"p{number}",
            device=f"d{number}",
            batch_size=number + 1,
        )
        for number in range(5)
    ]

    (line,) = skipped_lines(keys)

    assert line.endswith("w2/infer/p2/d2/b3 and 2 more")


def test_nothing_skipped_is_nothing_said() -> None:
    assert skipped_lines([]) == []


@pytest.fixture(name="plan")
def _plan() -> Plan:
    return make_plan(load_suite("quick", []), "bert/infer/fp32/*")


def test_a_forecast_reads_the_latest_trials_of_its_configurations(
    plan: Plan, tmp_path: Path
) -> None:
    for name in ("run-1", "run-2"):
        folder = RunFolder.create(tmp_path / name)
        for number in range(LATEST):
            for precision in ("fp32", "int4"):
                record = trial(precision, float(number), round=number, batch_size=32)
                folder.append_line("trials.jsonl", record.to_json())
        folder.append_line("trials.jsonl", '{"key":"bert/infer/fp32/cpu/b32", torn')
    (tmp_path / "empty").mkdir()

    found = earlier(plan, tmp_path)

    assert {record.key for record in found} == {"bert/infer/fp32/cpu/b32"}
    assert [record.round for record in found] == list(reversed(range(LATEST)))


def test_a_key_is_found_however_its_line_is_spaced(plan: Plan, tmp_path: Path) -> None:
    record = trial("fp32", 50.0, batch_size=32)
    spaced = json.dumps(json.loads(record.to_json()), indent=None)
    RunFolder.create(tmp_path / "run").append_line("trials.jsonl", spaced)

    assert len(earlier(plan, tmp_path)) == 1
