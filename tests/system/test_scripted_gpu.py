"""Whole commands on a scripted GPU: measured joules, from the library to the report."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from harness.ledger import machine_names
from harness.store import RunFolder
from tests.nvml_stub import Gpu, NvmlStub, has_compiler
from tests.system.test_runs import PLUGINS, ROOT, write_suite

pytestmark = pytest.mark.skipif(not has_compiler(), reason="gcc builds the stub")
UUID = "GPU-aaaaaaaa-0000"


def bench(
    stub: NvmlStub, gpu: Gpu, *arguments: object
) -> subprocess.CompletedProcess[str]:
    scripted = stub.environment([gpu], origin_ns=time.monotonic_ns())
    return subprocess.run(
        [sys.executable, "-P", "-m", "harness", *map(str, arguments)],
        env=os.environ | scripted | {"PYTHONPATH": f"{PLUGINS}{os.pathsep}{ROOT}"},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def test_measure_gives_the_true_joules_of_the_window(built_stub: NvmlStub) -> None:
    done = bench(built_stub, Gpu(uuid=UUID), "measure", "--json", "--", "sleep", "1.5")

    report = json.loads(done.stdout)
    (gpu,) = [r for r in report["energy"] if r["domain"] == "gpu"]
    assert gpu["method"] == "counter"
    assert gpu["energy_j"] == pytest.approx(
        200.0 * report["window"]["duration_s"], abs=gpu["relative_bound_j"]
    )
    assert gpu["relative_bound_j"] <= 0.02 * gpu["energy_j"]
    assert gpu["update_period_s"] == pytest.approx(0.1, rel=0.05)


def test_doctor_measures_the_period_and_says_what_a_run_would_report(
    built_stub: NvmlStub,
) -> None:
    gpu = Gpu(uuid=UUID, counter_period_s=0.02)

    report = json.loads(bench(built_stub, gpu, "doctor", "--json").stdout)

    (counter,) = [c for c in report["channels"] if c["source"] == "nvml.total_energy"]
    assert counter["measured_period_s"] == pytest.approx(0.02, rel=0.1)
    assert "gpu" in report["would_report"]["total"]["perimeter"]


def test_a_run_is_measured_and_comes_out_again_byte_for_byte(
    built_stub: NvmlStub, tmp_path: Path
) -> None:
    suite = write_suite(tmp_path, "work", rounds=2, window="700 ms", timeout="60 s")
    gpu = Gpu(uuid=UUID, throttle=((0.0, 1e9, 0x40),), processes=(4711,))

    done = bench(built_stub, gpu, "run", suite, "-o", tmp_path / "run")
    again = bench(built_stub, gpu, "recompute", tmp_path / "run")

    assert done.returncode == 0, done.stderr
    assert "2 of 2 records came out byte for byte" in again.stdout
    machine = json.loads((tmp_path / "run" / "machine.json").read_text())
    facts = {"driver": "580.00", "power_limit_w": "700"}
    assert machine["gpus"] == [{"uuid": UUID, "name": gpu.name, **facts}]
    assert gpu.name in machine_names(machine)
    frozen = json.loads((tmp_path / "run" / "factors.json").read_text())["intensity"]
    assert again.returncode == 0
    for record in RunFolder(tmp_path / "run").records().records:
        (reading,) = [r for r in record.energy if r.domain == "gpu"]
        assert record.window is not None
        truth_j = 200.0 * record.window.duration_s
        assert reading.energy_j == pytest.approx(truth_j, rel=0.01)
        assert record.carbon is not None
        assert record.carbon.intensity_g_per_kwh == frozen["value"]
        codes = {doubt.code for doubt in record.doubts}
        assert {"throttled", "foreign-gpu-process", "short-window"} <= codes
        assert not record.window.steady


def test_a_gpu_that_is_lost_has_no_joules_and_the_run_goes_on(
    built_stub: NvmlStub, tmp_path: Path
) -> None:
    suite = write_suite(tmp_path, "work", window="3 s", timeout="60 s")
    gpu = Gpu(uuid=UUID, errors=(("*", 3.0, 1e9, 15),))

    done = bench(built_stub, gpu, "run", suite, "-o", tmp_path / "run")

    (record,) = RunFolder(tmp_path / "run").records().records
    assert done.returncode == 0, done.stderr
    assert record.status == "ok"
    (reading,) = [r for r in record.energy if r.domain == "gpu"]
    assert (reading.energy_j, reading.device) == (None, UUID)
    assert reading.reason
    assert record.total is not None
    assert "gpu" not in record.total.perimeter
    assert not record.total.complete
    assert UUID in (record.total.reason or "")


def test_a_device_list_that_fits_nothing_is_said_where_the_joules_are(
    built_stub: NvmlStub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "7")

    done = bench(built_stub, Gpu(uuid=UUID), "measure", "--json", "--", "sleep", "0.5")

    report = json.loads(done.stdout)
    (gpu,) = [r for r in report["energy"] if r["domain"] == "gpu"]
    assert gpu["energy_j"] is None
    assert "names 7, but there are 1 GPUs" in gpu["reason"]
    assert not report["total"]["complete"]
    assert "CUDA_VISIBLE_DEVICES=7" in report["total"]["reason"]


def test_a_window_lasts_until_the_slowest_meter_has_told_enough(
    built_stub: NvmlStub, tmp_path: Path
) -> None:
    suite = write_suite(tmp_path, "work", window="100 ms", timeout="60 s")
    asked = "protocol.window={min: 100 ms, min_updates: 12}"

    done = bench(
        built_stub, Gpu(uuid=UUID), "run", suite, "--set", asked, "-o", tmp_path / "run"
    )

    (record,) = RunFolder(tmp_path / "run").records().records
    assert done.returncode == 0, done.stderr
    (reading,) = [r for r in record.energy if r.domain == "gpu"]
    assert reading.updates >= 12
    assert record.window is not None
    assert record.window.duration_s < 4.0
