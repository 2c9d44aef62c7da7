"""Side-by-side timings; they report and never fail: `make figures` runs them."""

import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.metering import start_meter
from harness.outcomes import Outcomes
from harness.records import TrialRecord
from harness.registry import PROBES, create
from harness.sampler import Sampler
from harness.store import RunFolder
from reports.ranking import rank
from tests.unit.test_ranking import trial

pytestmark = pytest.mark.slow
HELP = [str(Path(sys.executable).with_name("bench")), "--help"]
NOTHING = [sys.executable, "-c", "pass"]


@pytest.mark.benchmark(group="start")
@pytest.mark.parametrize("command", [NOTHING, HELP], ids=["python -c pass", "help"])
def test_start(benchmark: Any, command: list[str]) -> None:
    benchmark.pedantic(
        lambda: subprocess.run(command, check=True, stdout=subprocess.DEVNULL),
        rounds=20,
        warmup_rounds=2,
    )


@pytest.mark.benchmark(group="one reading of every meter")
def test_reading(benchmark: Any) -> None:
    sampler = Sampler([create("probe", PROBES, name) for name in PROBES])
    sampler.open()
    try:
        benchmark(sampler.edge)
    finally:
        sampler.close()


@pytest.mark.benchmark(group="one reading of every meter")
def test_reading_from_a_trial(benchmark: Any) -> None:
    with start_meter(list(PROBES)) as meter:
        benchmark(meter.edge)


def many(configurations: int, rounds: int) -> list[TrialRecord]:
    """Trials of so many configurations, whose joules differ and vary by round."""
    records = []
    for number in range(configurations):
        template = trial(f"p{number}" if number else "fp32", 50.0)
        total = template.total
        assert total is not None
        for turn in range(rounds):
            energy_j = 50 + number % 997 / 100 + turn % 7 / 10 + number * turn % 11 / 20
            change = {
                "trial": f"{template.key}#{turn}",
                "round": turn,
                "total": total.model_copy(update={"energy_j": energy_j}),
            }
            records.append(template.model_copy(update=change))
    return records


@pytest.mark.benchmark(group="100,000 trials, CPU time", timer=time.process_time)
@pytest.mark.parametrize(("configurations", "rounds"), [(1000, 100), (33_333, 3)])
def test_ranking(benchmark: Any, configurations: int, rounds: int) -> None:
    records = many(configurations, rounds)

    benchmark.pedantic(rank, args=(records,), rounds=3)


@pytest.mark.benchmark(group="100,000 trials, CPU time", timer=time.process_time)
def test_reading_a_run_folder(benchmark: Any, tmp_path: Path) -> None:
    lines = "\n".join(record.to_json() for record in many(1000, 100))
    (tmp_path / "trials.jsonl").write_text(lines + "\n")

    benchmark.pedantic(RunFolder(tmp_path).records, rounds=3)


def answered(
    records: list[TrialRecord], folder: Path, rounds: int
) -> list[TrialRecord]:
    """The same, whose rounds answer alike: 1000 items, in one of a thousand ways."""
    (folder / "outcomes").mkdir()
    chance = np.random.default_rng(0)
    for way in range(1000):
        correct = chance.permutation(1000) < 800
        file = folder / "outcomes" / f"t{way}.npz"
        np.savez_compressed(file, correct=correct, item=np.arange(1000))
    return [
        record.model_copy(update={"trial": f"t{place // rounds % 1000}"})
        for place, record in enumerate(records)
    ]


@pytest.mark.benchmark(group="100,000 trials, CPU time", timer=time.process_time)
def test_reading_answers(benchmark: Any, tmp_path: Path) -> None:
    records = answered(many(33_333, 3), tmp_path, 3)

    def read() -> None:
        outcomes = Outcomes(records, [tmp_path] * len(records))
        assert all(outcomes.read(record) for record in records)

    benchmark.pedantic(read, rounds=3)


@pytest.mark.benchmark(group="100,000 trials, CPU time", timer=time.process_time)
def test_ranking_with_answers(benchmark: Any, tmp_path: Path) -> None:
    records = answered(many(33_333, 3), tmp_path, 3)

    def ranked() -> None:
        outcomes = Outcomes(records, [tmp_path] * len(records))
        rank(records, outcomes=outcomes)
        assert not outcomes.faults

    benchmark.pedantic(ranked, rounds=3)
