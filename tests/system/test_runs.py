"""Whole runs in subprocesses: what fails, what is killed, what is resumed."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from harness.records import TrialRecord
from harness.store import RunFolder

ROOT = Path(__file__).parents[2]
PLUGINS = ROOT / "tests" / "plugins"
SUITE = """\
schema: 1
name: trouble
profile: quick
protocol:
  rounds: {rounds}
  warmup: {{min: 0 s, max: 100 ms}}
  window: {{min: {window}}}
  idle: 0 s
  timeout: {timeout}
matrix:
  workload: [trouble]
  phase: [infer]
  precision: [fp32]
  device: [cpu]
  batch_size: [4]
  options: {{trouble: {{what: {what}}}}}
site: {{place: FRA}}
"""


def write_suite(
    folder: Path, what: str, rounds: int = 1, window: str = "50 ms", timeout: str = "1s"
) -> Path:
    path = folder / "suite.yaml"
    path.write_text(
        SUITE.format(what=what, rounds=rounds, window=window, timeout=timeout)
    )
    return path


def start(*arguments: object) -> subprocess.Popen[str]:
    """A bench command that knows the workload of tests/plugins."""
    return subprocess.Popen(
        [sys.executable, "-P", "-m", "harness", *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
        text=True,
        env=os.environ | {"PYTHONPATH": f"{PLUGINS}{os.pathsep}{ROOT}"},
    )


def bench(*arguments: object) -> tuple[int, str, str]:
    process = start(*arguments)
    out, err = process.communicate(timeout=120)
    return process.returncode, out, err


def by_behaviour(folder: Path) -> dict[str, TrialRecord]:
    records = RunFolder(folder).records().records
    return {str(r.configuration.options["what"]): r for r in records}


def test_a_run_outlives_every_failing_trial(tmp_path: Path) -> None:
    suite = write_suite(
        tmp_path, "[work, raise, explain, exit, kill, hang, skip, print]"
    )

    code, out, err = bench("run", suite, "-o", tmp_path / "run")

    records = by_behaviour(tmp_path / "run")
    assert code == 1
    assert "Traceback" not in err
    assert {name: r.status for name, r in records.items()} == {
        "work": "ok",
        "print": "ok",
        "skip": "skipped",
        "raise": "failed",
        "explain": "failed",
        "exit": "failed",
        "kill": "failed",
        "hang": "failed",
    }
    assert records["raise"].reason == "ValueError: asked to fail"
    assert records["explain"].reason == "the disk is on fire; call someone"
    assert records["exit"].reason == "the trial ended with status 3; see its log"
    assert "killed by SIGKILL" in str(records["kill"].reason)
    assert records["hang"].reason == "timed out after 1 s"
    assert records["skip"].reason == "asked to skip"
    assert out.splitlines()[-1] == str(tmp_path / "run")
    assert "asked to skip" in out


def test_a_run_folder_is_complete(tmp_path: Path) -> None:
    suite = write_suite(tmp_path, "[work, raise, print]")

    bench("run", suite, "-o", tmp_path / "run")

    folder = tmp_path / "run"
    record = by_behaviour(folder)["work"]
    logs = {path.stem: path.read_text() for path in (folder / "logs").iterdir()}
    assert (folder / "suite.yaml").read_text() == suite.read_text()
    assert json.loads((folder / "plan.json").read_text())["suite"] == "trouble"
    assert json.loads((folder / "machine.json").read_text())["channels"]
    assert (folder / "traces" / f"{record.trial}.parquet").stat().st_size > 0
    assert (folder / "outcomes" / f"{record.trial}.npz").stat().st_size > 0
    failed, _again = [log for log in logs.values() if "a line for the log" in log]
    assert "ValueError: asked to fail" in failed
    assert "Traceback" in failed
    assert any('{"event": "outcome"}' in log for log in logs.values())


def test_a_metered_trial_has_its_numbers(tmp_path: Path) -> None:
    suite = write_suite(tmp_path, "work", window="300 ms")

    code, _, _ = bench("run", suite, "-o", tmp_path / "run")

    record = by_behaviour(tmp_path / "run")["work"]
    assert code == 0
    assert record.window is not None
    assert record.window.duration_s >= 0.3
    assert record.window.items == 4 * record.window.steps
    assert record.total is not None
    assert record.total.energy_j is not None
    assert record.total.energy_j > 0
    assert record.total.provenance in ("measured", "modelled")
    assert record.carbon is not None
    assert record.carbon.place == "FRA"
    assert record.meter.cpu_s is not None
    assert record.utilization.memory_peak_bytes


def wait_for(folder: Path, lines: int) -> None:
    """Wait until so many trials are on disk."""
    target = folder / "trials.jsonl"
    for _ in range(600):
        if target.exists() and target.read_bytes().count(b"\n") >= lines:
            return
        time.sleep(0.05)
    raise TimeoutError


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_what_is_interrupted_is_resumed(tmp_path: Path, how: signal.Signals) -> None:
    suite = write_suite(tmp_path, "work", rounds=6, window="700 ms", timeout="60 s")
    folder = tmp_path / "run"
    process = start("run", suite, "-o", folder)
    wait_for(folder, 2)
    children = psutil.Process(process.pid).children(recursive=True)

    process.send_signal(how)
    _, err = process.communicate(timeout=30)
    kept = RunFolder(folder).records()

    assert process.returncode == (130 if how == signal.SIGINT else -signal.SIGKILL)
    assert 2 <= len(kept.records) < 6
    assert not kept.faults
    assert "Traceback" not in err
    _, alive = psutil.wait_procs(children, timeout=10)
    assert not alive
    plan = (folder / "plan.json").read_text()

    code, _, err = bench("resume", folder)

    done = RunFolder(folder).records().records
    assert code == 0
    assert f"{len(kept.records)} of 6 trials are done" in err
    assert len({r.trial for r in done}) == len(done) == 6
    assert done[: len(kept.records)] == kept.records
    assert (folder / "plan.json").read_text() == plan

    before = (folder / "trials.jsonl").read_bytes()
    assert bench("resume", folder)[0] == 0
    assert (folder / "trials.jsonl").read_bytes() == before


def test_two_processes_never_run_one_folder(tmp_path: Path) -> None:
    suite = write_suite(tmp_path, "work", rounds=4, window="1 s", timeout="60 s")
    folder = tmp_path / "run"
    process = start("run", suite, "-o", folder)
    wait_for(folder, 1)

    code, _, err = bench("resume", folder)

    process.send_signal(signal.SIGINT)
    process.communicate(timeout=30)
    assert code == 2
    assert "another process is running this folder" in err


def test_a_run_is_never_written_over(tmp_path: Path) -> None:
    suite = write_suite(tmp_path, "work")
    bench("run", suite, "-o", tmp_path / "run")

    code, _, err = bench("run", suite, "-o", tmp_path / "run")

    assert code == 2
    assert "already holds a run" in err


def test_a_broken_folder_is_read_as_far_as_it_goes(tmp_path: Path) -> None:
    suite = write_suite(tmp_path, "work", rounds=2)
    folder = tmp_path / "run"
    bench("run", suite, "-o", folder)
    (folder / "plan.json").unlink()
    (folder / "machine.json").write_text("{")
    with (folder / "trials.jsonl").open("a") as file:
        file.write('{"schema": 9, "trial": "x"}\n{"schema": 1, "trial"')

    code, out, err = bench("rank", folder)

    assert code == 0
    assert "trouble infer on cpu" in out
    assert "plan.json: missing or broken" in err
    assert "trials.jsonl:3: left out: schema 9 is newer" in err
    assert "trials.jsonl:4: left out" in err


@pytest.mark.timeout(240)
def test_real_training_and_inference_end_in_a_ranking(tmp_path: Path) -> None:
    suite = tmp_path / "suite.yaml"
    suite.write_text(
        "schema: 1\nname: first\nprofile: quick\n"
        "protocol: {rounds: 1, window: {min: 1 s}, idle: 100 ms}\n"
        "matrix:\n  workload: [rnn]\n  phase: [train, infer]\n"
        "  precision: [fp32, int8-dynamic]\n  device: [cpu]\n  batch_size: [32]\n"
        "  exclude: [{phase: train, precision: int8-*}]\n"
    )

    code, out, err = bench("run", suite, "-o", tmp_path / "run")

    assert code == 0, err
    records = {r.key: r for r in RunFolder(tmp_path / "run").records().records}
    assert len(records) == 3
    for record in records.values():
        assert record.quality is not None
        assert record.quality.accuracy is not None
        assert record.quality.constant_baseline is not None
        assert record.quality.accuracy > record.quality.constant_baseline + 0.2
    int8 = records["rnn/infer/int8-dynamic/cpu/b32"].model
    assert int8 is not None
    assert int8.quantised_ratio > 0.2
    assert int8.original_weight_bytes is not None
    assert int8.weight_bytes < int8.original_weight_bytes
    assert "rnn infer on cpu: Accuracy per joule, best first" in out
    assert "carbon: the suite names no place" in out


def test_every_scenario_runs_for_real_and_is_derived_again(tmp_path: Path) -> None:
    suite = write_suite(tmp_path, "work", window="400 ms", timeout="60 s")
    settings = (
        "matrix.batch_size=[1]",
        "matrix.scenario=[offline, single-stream, server, load-curve]",
        "protocol.scenario.server={latency: 20 ms, percentile: 90}",
        "protocol.scenario.load-curve={levels: [0, 50, 100]}",
    )
    sets = [word for setting in settings for word in ("--set", setting)]

    code, _, err = bench("run", suite, "-o", tmp_path / "run", *sets)

    assert code == 0, err
    records = RunFolder(tmp_path / "run").records().records
    found = {r.configuration.scenario: r for r in records}
    assert {r.status for r in records} == {"ok"}
    single = found["single-stream"].performance
    assert single is not None
    assert 0.001 <= (single.latency_s.p50 or 0.0) < 0.1
    served, curve = found["server"].load, found["load-curve"].load
    assert served is not None
    assert curve is not None
    (level,) = served.levels
    assert served.tries
    assert level.n >= 64
    assert level.late_s is not None
    shares = [each.load_ratio for each in curve.levels]
    assert shares == [0.0, 0.5, 1.0]
    assert curve.levels[0].n == 0
    assert all(each.power_w is not None for each in curve.levels)
    assert curve.proportionality_ratio is not None
    code, out, err = bench("recompute", tmp_path / "run")
    assert code == 0, out + err
