"""Faults of trials, disks and harness: what is finished stays, resume completes."""

import json
import os
import random
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

from harness.store import RunFolder
from tests.system.test_runs import PLUGINS, ROOT, bench, start, write_suite

LINES = "trials.jsonl"
LIMITED = """
import resource, runpy
resource.setrlimit(resource.RLIMIT_FSIZE, ({0}, {0}))
runpy.run_module("harness", run_name="__main__")
"""


def lines(folder: Path) -> bytes:
    path = folder / LINES
    return path.read_bytes() if path.exists() else b""


def suite_of(folder: Path, what: str, protocol: str = "", **more: object) -> Path:
    path = write_suite(folder, what, **more)  # type: ignore[arg-type]
    text = path.read_text()
    path.write_text(text.replace("protocol:\n", f"protocol:\n{protocol}", 1))
    return path


def test_each_kind_of_trouble_is_a_record_and_the_run_goes_on(tmp_path: Path) -> None:
    suite = suite_of(
        tmp_path,
        "[hungry, greedy, fork, flood, nan, work]",
        "  on_oom: halve_batch\n",
        timeout="2 s",
    )

    code, out, err = bench("run", suite, "-o", tmp_path / "run")

    records = RunFolder(tmp_path / "run").records().records
    said: dict[str, list[tuple[int, Any]]] = {}
    for r in records:
        what = str(r.configuration.options["what"])
        said.setdefault(what, []).append((r.configuration.batch_size, r))
    assert code == 1
    assert "Traceback" not in err + out
    hungry = [
        (size, r.status, r.configuration.halved_from) for size, r in said["hungry"]
    ]
    key = "trouble/infer/fp32/cpu/b{}/what=hungry"
    assert hungry == [
        (4, "failed", None),
        (2, "failed", key.format(4)),
        (1, "ok", key.format(2)),
    ]
    assert said["hungry"][0][1].reason == (
        "out of memory: RuntimeError: CUDA out of memory. Tried to allocate 2 GiB"
    )
    assert [r.status for _, r in said["greedy"]] == ["failed"] * 3
    assert str(said["greedy"][0][1].reason).startswith("out of memory: MemoryError")
    assert said["fork"][0][1].reason == "timed out after 2 s"
    assert [r.trial.endswith("-again") for _, r in said["fork"]] == [False, True]
    nan = said["nan"][0][1].quality
    assert nan is not None
    assert (nan.accuracy, nan.reason) == (None, "not a number: accuracy")
    flood = said["flood"][0][1]
    assert flood.status in ("ok", "failed")
    log = tmp_path / "run" / "logs" / f"{flood.trial}.log"
    assert log.stat().st_size < 1_300_000
    assert said["work"][0][1].status == "ok"
    assert not [p for p in psutil.process_iter() if is_of(p, tmp_path)]


def test_a_checkpoint_at_fault_is_a_record_of_its_own(tmp_path: Path) -> None:
    suite = write_suite(tmp_path, "[work]", timeout="1 min")
    (tmp_path / "empty").mkdir()
    text = suite.read_text().replace("[trouble]", "[trouble, bert]")
    options = f"options: {{bert: {{checkpoint: 'hf:{tmp_path}/empty'}}, "
    suite.write_text(text.replace("options: {", options))

    code, _, err = bench("run", suite, "-o", tmp_path / "run")

    records = RunFolder(tmp_path / "run").records().records
    said = {r.configuration.workload: (r.status, r.reason) for r in records}
    assert code == 1, err
    assert said["trouble"] == ("ok", None)
    assert "config.json cannot be read" in str(said["bert"][1])


def is_of(process: psutil.Process, folder: Path) -> bool:
    """Whether a process still has something of a run open."""
    try:
        return any(str(folder) in f.path for f in process.open_files())
    except psutil.Error:
        return False


def test_a_trial_made_good_is_no_failure_and_a_control_stands_apart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TROUBLE_MARKER", str(tmp_path / "marker"))
    suite = suite_of(tmp_path, "flaky", "  control: trouble\n")

    code, _, _ = bench("run", suite, "-o", tmp_path / "run")

    folder = RunFolder(tmp_path / "run")
    records = folder.records().records
    events = [json.loads(line) for line in folder.lines("sessions.jsonl")]
    assert code == 0
    assert [r.status for r in records] == ["failed", "ok"]
    assert records[1].trial == f"{records[0].trial}-again"
    assert [e["event"] for e in events] == ["started", "control", "ended"]
    assert isinstance(events[1]["drift_ratio"], float)
    assert len(folder.lines("control.jsonl")) == 2
    assert events[-1]["supervisor_cpu_s"] > 0


def test_the_supervisor_blocks(tmp_path: Path) -> None:
    suite = suite_of(tmp_path, "work", window="1 s", timeout="60 s")

    bench("run", suite, "-o", tmp_path / "run")

    (record,) = RunFolder(tmp_path / "run").records().records
    assert record.meter.supervisor_cpu_s is not None
    assert record.meter.duration_s is not None
    assert record.meter.supervisor_cpu_s < 0.05 * record.meter.duration_s


def test_a_finished_run_on_a_read_only_disk_is_left_alone(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    bench("run", suite_of(tmp_path, "work"), "-o", folder)
    before = lines(folder)
    shutil.rmtree(folder / "logs")
    folder.chmod(0o500)

    code, _, err = bench("resume", folder)

    folder.chmod(0o700)
    assert code == 0, err
    assert lines(folder) == before


def test_a_vanished_folder_is_a_clear_error(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    suite = suite_of(tmp_path, "work", rounds=4, window="300 ms", timeout="60 s")
    process = start("run", suite, "-o", folder)
    wait_for_lines(folder, 1)
    shutil.move(folder, tmp_path / "moved")

    _, err = process.communicate(timeout=60)

    assert process.returncode == 1
    assert "Traceback" not in err
    assert "error:" in err
    kept = lines(tmp_path / "moved")
    assert bench("resume", tmp_path / "moved")[0] == 0
    assert lines(tmp_path / "moved").startswith(kept)
    assert len(RunFolder(tmp_path / "moved").records().records) == 4


def wait_for_lines(folder: Path, count: int) -> None:
    deadline_s = time.monotonic() + 60
    while lines(folder).count(b"\n") < count:
        if time.monotonic() > deadline_s:
            raise TimeoutError
        time.sleep(0.02)


def test_a_full_disk_keeps_what_is_finished_and_resume_completes(
    tmp_path: Path,
) -> None:
    folder = RunFolder.create(tmp_path / "run")
    bench("run", suite_of(tmp_path, "work", rounds=5), "-o", folder.path)
    whole = lines(folder.path).splitlines(keepends=True)
    (folder.path / LINES).write_bytes(b"".join(whole[:3]))
    limit = sum(map(len, whole[:4])) + 100

    process = subprocess.Popen(
        [sys.executable, "-P", "-c", LIMITED.format(limit), "resume", folder.path],
        env=os.environ | {"PYTHONPATH": f"{PLUGINS}{os.pathsep}{ROOT}"},
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
    )
    _, err = process.communicate(timeout=60)

    assert process.returncode == 1
    assert "Traceback" not in err
    assert "File too large" in err
    assert "bench resume" in err
    assert not folder.records().faults
    assert lines(folder.path).startswith(b"".join(whole[:3]))
    assert bench("resume", folder.path)[0] == 0
    assert len({r.trial for r in folder.records().records}) == 5


def chaos(tmp_path: Path, kills: int, seed: int, longest_s: float = 5.0) -> None:
    """Kill the harness at random instants; what was finished is never lost."""
    chance = random.Random(seed)
    folder = tmp_path / "run"
    suite = suite_of(
        tmp_path,
        "[work, hungry]",
        "  on_oom: halve_batch\n",
        rounds=kills,
        timeout="60 s",
    )
    kept = b""
    command: tuple[object, ...] = ("run", suite, "-o", folder)
    for _ in range(kills):
        process = start(*command)
        time.sleep(chance.uniform(0.0, longest_s))
        children = offspring(process.pid)
        process.kill()
        process.communicate(timeout=30)
        _, alive = psutil.wait_procs(children, timeout=15)
        assert not alive
        assert lines(folder).startswith(whole(kept))
        kept = lines(folder)
        if (folder / "plan.json").exists():
            command = ("resume", folder)
        else:
            shutil.rmtree(folder, ignore_errors=True)

    code, _, err = bench(*command)

    read = RunFolder(folder).records()
    assert code == 0, err
    assert lines(folder).startswith(whole(kept))
    names = [r.trial for r in read.records]
    assert len(names) == len(set(names))
    planned = json.loads((folder / "plan.json").read_text())["trials"]
    work = {
        t["trial"] for t in planned if t["configuration"]["options"]["what"] == "work"
    }
    assert work <= set(names)
    assert sum(r.configuration.batch_size == 1 for r in read.records) == kills
    assert bench("resume", folder)[0] == 0


def whole(text: bytes) -> bytes:
    """Complete lines: of a torn one nobody was told."""
    return text[: text.rfind(b"\n") + 1]


def offspring(pid: int) -> list[psutil.Process]:
    try:
        return psutil.Process(pid).children(recursive=True)
    except psutil.Error:
        return []


def test_five_kills_at_random_instants_lose_nothing(tmp_path: Path) -> None:
    chaos(tmp_path, kills=5, seed=int(time.time()))


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_a_hundred_kills_at_random_instants_lose_nothing(tmp_path: Path) -> None:
    chaos(tmp_path, kills=100, seed=7)
