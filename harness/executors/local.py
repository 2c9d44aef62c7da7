"""Trials on this machine: one warm worker for each set of imports."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from harness import memory
from harness.contracts import OnEvent
from harness.jobs import Job, Outcome
from harness.lines import LineReader

IMPORT_TIMEOUT_S = 300.0


class LocalExecutor:
    """Starts workers when they are first needed and ends them on close."""

    def __init__(self) -> None:
        self._workers: dict[tuple[str, ...], _Worker] = {}

    def warm_up(self, preload: Sequence[str]) -> None:
        """Start the worker for a set of imports, before anything is metered."""
        key = tuple(preload)
        worker = self._workers.get(key)
        if worker is None or not worker.is_alive():
            self._workers[key] = _Worker(key)

    def run(self, job: Job, preload: Sequence[str], on_event: OnEvent) -> Outcome:
        """Run one job to its end and return its outcome, whatever happened."""
        self.warm_up(preload)
        worker = self._workers[tuple(preload)]
        return worker.run(job, on_event)

    def close(self) -> None:
        """End all workers; a running trial dies with its worker."""
        for worker in self._workers.values():
            worker.close()
        self._workers.clear()


class _Worker:
    """A supervisor's end of one `harness.worker` process."""

    def __init__(self, preload: tuple[str, ...]) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "harness.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C is the supervisor's to handle
        )
        assert self._process.stdout is not None  # noqa: S101 (a PIPE was asked for)
        self._events = LineReader(self._process.stdout.fileno())
        self._child: int | None = None
        self._write({"preload": list(preload)})
        self._events.line(IMPORT_TIMEOUT_S)

    def is_alive(self) -> bool:
        """Whether the worker can take a job."""
        return self._process.poll() is None

    def run(self, job: Job, on_event: OnEvent) -> Outcome:
        """Send a job and follow its events; blocks, never polls."""
        deadline_s = time.monotonic() + job.protocol.timeout_s
        kills = memory.kernel_kills()
        try:
            self._write(job.model_dump(mode="json"))
            return self._follow(on_event, deadline_s)
        except TimeoutError:
            self._kill_child()
            return self._failed(job, f"timed out after {job.protocol.timeout_s:g} s")
        except BrokenPipeError:
            return self._failed(job, exit_reason(None))
        except KilledError as error:
            by_kernel = memory.kernel_kills() > kills
            return self._failed(job, exit_reason(error.status, by_kernel=by_kernel))

    def _follow(self, on_event: OnEvent, deadline_s: float) -> Outcome:
        """Events up to the job's end.

        Raises:
            TimeoutError: The deadline is over.
            KilledError: The trial ended without an outcome.
        """
        outcome: Outcome | None = None
        self._child = None
        while True:
            line = self._events.line(max(0.0, deadline_s - time.monotonic()))
            event: dict[str, Any] = {"event": "exit", "status": None}
            if line:
                event = json.loads(line)
            if event["event"] == "started":
                self._child = event["pid"]
            elif event["event"] == "outcome":
                outcome = Outcome.model_validate(event["outcome"])
            elif event["event"] == "exit":
                if outcome is None:
                    raise KilledError(event["status"])
                return outcome
            else:
                on_event(event)

    def close(self) -> None:
        """Let the worker go; it kills its child when its input ends."""
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()
        try:
            self._process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _kill_child(self) -> None:
        """Kill the trial's whole process group and take the worker's answer."""
        if self._child is not None:
            with suppress(ProcessLookupError):
                os.killpg(self._child, signal.SIGKILL)
        while line := self._events.line(IMPORT_TIMEOUT_S):
            if json.loads(line)["event"] == "exit":
                return

    def _write(self, message: dict[str, Any]) -> None:
        assert self._process.stdin is not None  # noqa: S101 (a PIPE was asked for)
        self._process.stdin.write(json.dumps(message).encode() + b"\n")
        self._process.stdin.flush()

    def _failed(self, job: Job, reason: str) -> Outcome:
        return Outcome(trial=job.trial, status="failed", reason=reason)


class KilledError(Exception):
    """A trial ended without an outcome, with this exit status."""

    def __init__(self, status: int | None) -> None:
        super().__init__(status)
        self.status = status


def exit_reason(status: int | None, *, by_kernel: bool = False) -> str:
    """Why a trial ended without an outcome, from its exit status."""
    if status is None:
        return "the worker process ended; see the log of the trial"
    if status == -signal.SIGKILL and by_kernel:
        return "out of memory: killed by the kernel"
    if status < 0:
        name = signal.Signals(-status).name
        hint = " (out of memory?)" if name == "SIGKILL" else ""
        return f"the trial was killed by {name}{hint}"
    return f"the trial ended with status {status}; see its log"
