"""Side-by-side timings; they report and never fail: `make figures` runs them."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from harness.metering import start_meter
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


def many(count: int) -> list[TrialRecord]:
    """So many trials of a hundred configurations."""
    return [
        trial(
            ["fp32", "bf16", "int8"][number % 3],
            50.0 + number % 17,
            batch_size=1 + number % 34,
            round=number // 102,
        )
        for number in range(count)
    ]


@pytest.mark.benchmark(group="100,000 trials")
def test_ranking(benchmark: Any) -> None:
    records = many(100_000)

    benchmark.pedantic(rank, args=(records,), rounds=3)


@pytest.mark.benchmark(group="100,000 trials")
def test_reading_a_run_folder(benchmark: Any, tmp_path: Path) -> None:
    lines = "\n".join(record.to_json() for record in many(100_000))
    (tmp_path / "trials.jsonl").write_text(lines + "\n")

    benchmark.pedantic(RunFolder(tmp_path).records, rounds=3)
