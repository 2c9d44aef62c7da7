"""The process that trials run in: imports once, then one forked child a trial.

`python -P -m harness.worker` reads JSON lines from standard input. The first names
the modules to import; each further one is a job. A fork has a fresh copy of a
process that has imported torch and computed nothing, so a trial starts clean and
without seconds of imports. The end of standard input is the end of the supervisor:
the running child is killed and the process ends.
"""

import contextlib
import json
import os
import select
import signal
import sys
import traceback
from importlib import import_module
from pathlib import Path
from typing import Any

from harness import registry
from harness.bench import Bench
from harness.clock import SystemClock
from harness.contracts import Setting
from harness.errors import BenchError
from harness.jobs import Job, Outcome
from harness.lines import LineReader
from harness.logs import Log
from harness.memory import is_out_of_memory
from harness.metering import MeterClient
from harness.trial import run_trial

CACHE = "workloads.sources:cache_dir"
SAVE_ARRAYS = "numpy:savez_compressed"


class NoMeter:
    """Edges without readings, for jobs whose joules nobody asks for."""

    def edge(self, *, aligned: bool = False) -> int:
        """Now, in nanoseconds of the monotonic clock."""
        del aligned
        return SystemClock().now_ns()

    def unsteady(self, since_ns: int) -> list[str]:
        """Nothing that is not read can be seen to move."""
        del since_ns
        return []

    def updates(self, since_ns: int) -> int | None:
        """There is no source."""
        del since_ns
        return None


def main() -> None:
    """Serve jobs until standard input ends."""
    events = os.dup(1)
    os.dup2(2, 1)  # what libraries print must not mix with events
    commands = LineReader(0)
    first = commands.line()
    if first is None:
        return
    for module in json.loads(first)["preload"]:
        import_module(module)
    _send(events, event="ready")
    while (line := commands.line()) is not None:
        status = _serve(Job.model_validate_json(line), events)
        _send(events, event="exit", status=status)


def _serve(job: Job, events: int) -> int:
    """Fork a child for the job and wait for it, or for the supervisor's end."""
    alive, child_end = os.pipe()
    printed, printer = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(alive)
        os.close(printed)
        _child(job, events, printer)
    os.close(child_end)
    os.close(printer)
    with contextlib.suppress(PermissionError, ProcessLookupError):
        os.setpgid(pid, pid)  # both sides do it, so that neither has to wait
    _send(events, event="started", pid=pid)
    ended = _ended(pid, alive)
    with Log(Path(job.folder) / "logs" / f"{job.trial}.log", printed) as log:
        while True:
            waited = [0, ended, *log.waited]
            ready, _, _ = select.select(waited, [], [])
            if printed in ready:
                log.take()
            if ended in ready or 0 in ready:  # our input has nothing but its end
                break
        with contextlib.suppress(PermissionError, ProcessLookupError):
            os.killpg(pid, signal.SIGKILL)  # and whatever it left behind
        log.drain()
    for descriptor in {alive, ended}:
        os.close(descriptor)
    _, status = os.waitpid(pid, 0)
    return os.waitstatus_to_exitcode(status)


def _ended(pid: int, alive: int) -> int:
    """A descriptor that can be read when the child has ended.

    Where the system has none for processes it is the end of a pipe, which processes
    that the child leaves behind may hold open.
    """
    if hasattr(os, "pidfd_open"):
        with contextlib.suppress(OSError):
            return os.pidfd_open(pid)
    return alive


def _child(job: Job, events: int, printer: int) -> None:
    """Run the job in its own process group; never returns."""
    status = 1
    try:
        os.setpgid(0, 0)
        os.dup2(printer, 1)
        os.dup2(printer, 2)
        outcome = _guarded(job, events)
        _send(events, event="outcome", outcome=outcome.model_dump(mode="json"))
        sys.stdout.flush()
        sys.stderr.flush()
        status = 0
    finally:
        os._exit(status)


def _guarded(job: Job, events: int) -> Outcome:
    """The trial boundary: whatever fails becomes a recorded reason."""
    try:
        return _perform(job, events)
    except BenchError as error:
        traceback.print_exc()
        reason = error.told()
    except Exception as error:  # noqa: BLE001 (the boundary)
        traceback.print_exc()
        reason = f"{type(error).__name__}: {error}".splitlines()[0][:500]
        if is_out_of_memory(error):
            reason = f"out of memory: {reason}"
    return Outcome(trial=job.trial, status="failed", reason=reason)


def _perform(job: Job, events: int) -> Outcome:
    configuration = job.configuration
    workload = registry.load(registry.cards()[configuration.workload].load)()
    backend = registry.create("device", registry.BACKENDS, configuration.device)
    setting = Setting(
        configuration=configuration,
        device=backend.torch_device(),
        seed=job.seed,
        cache=registry.load(CACHE)(),
    )
    if job.prepare_only:
        skip = workload.prepare(setting) or workload.convert()
        reason = skip.reason if skip else None
        return Outcome(
            trial=job.trial, status="skipped" if skip else "ok", reason=reason
        )
    meter = MeterClient(job.meter) if job.meter else NoMeter()

    def report(stage: str, fraction: float) -> None:
        _send(events, event="progress", stage=stage, fraction=fraction)

    bench = Bench(workload, backend, meter, SystemClock(), report)
    outcome, arrays = run_trial(job, bench, setting)
    if arrays:
        target = Path(job.folder) / "outcomes" / f"{job.trial}.npz"
        registry.load(SAVE_ARRAYS)(target, **arrays)
    return outcome


def _send(descriptor: int, **fields: Any) -> None:
    """Write one event; a supervisor that is gone is noticed on the input."""
    data = memoryview(json.dumps(fields).encode() + b"\n")
    while data:
        data = data[os.write(descriptor, data) :]


if __name__ == "__main__":
    main()
