"""The gate on measured joules: what a timer cannot see."""

import json
import math
from pathlib import Path

import pytest

from harness.records import TrialRecord
from harness.stats import geometric_mean
from harness.store import RunFolder
from tests.nvml_stub import Gpu, NvmlStub, has_compiler
from tests.system.test_runs import write_suite
from tests.system.test_scripted_gpu import UUID, bench

pytestmark = [
    pytest.mark.skipif(not has_compiler(), reason="gcc builds the stub"),
    pytest.mark.slow,
]


def item_s(records: tuple[TrialRecord, ...]) -> float:
    """Seconds an item, the geometric mean over rounds."""
    windows = [r.window for r in records if r.window]
    return geometric_mean([w.duration_s / w.items for w in windows]) or math.nan


def test_eight_percent_more_joules_at_equal_time_are_caught(
    built_stub: NvmlStub, tmp_path: Path
) -> None:
    suite = write_suite(tmp_path, "work", rounds=5, window="1 s", timeout="60 s")
    policy = tmp_path / "gate.yaml"
    policy.write_text("schema: 1\ndelta: 5 %\n")
    runs = {watts: tmp_path / f"run-{watts}" for watts in (200.0, 216.0)}
    for watts, folder in runs.items():
        gpu = Gpu(uuid=UUID, curve=((0.0, watts),), counter_period_s=0.02)
        done = bench(built_stub, gpu, "run", suite, "-o", folder)
        assert done.returncode == 0, done.stderr

    gated = bench(
        built_stub, Gpu(uuid=UUID), "gate", "--baseline", runs[200.0],
        "--candidate", runs[216.0], "--policy", policy, "--json",
    )  # fmt: skip

    report = json.loads(gated.stdout)
    (row,) = report["rows"]
    seconds = [item_s(RunFolder(f).records().records) for f in runs.values()]
    assert seconds[1] / seconds[0] == pytest.approx(1, abs=0.02)
    assert row["metric"] == "energy_per_item_j"
    assert row["ratio"]["value"] == pytest.approx(1.08, abs=0.02)
    assert (row["verdict"], gated.returncode) == ("regressed", 1), row
    assert report["energy_checked"]
