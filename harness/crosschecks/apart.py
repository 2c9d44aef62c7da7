"""A cross-check in a process of its own: what its tool holds is not held by ours.

Zeus and CodeCarbon keep globals, threads and processes, print and log. Here they cost
the meter process nothing, what they cost themselves is known, and they may be those of
another environment: Zeus's wheel brings packages named tests, docs and examples, and
an amdsmi that prints when it is imported, which is no company for a venv with tests.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil

from harness.crosschecks import Figure
from harness.errors import BenchError, ProbeUnavailable
from harness.lines import LineReader

SERVER = "harness.crosschecks.serving"
START_TIMEOUT_S = 120.0
ANSWER_TIMEOUT_S = 30.0
LEAVE_TIMEOUT_S = 10.0


class Apart:
    """The cross-check of this name, run by another process.

    Args:
        name: One that `harness.crosschecks.serving` knows: zeus or codecarbon.
        python: Interpreter whose environment has the tool; our own by default.
    """

    def __init__(self, name: str, python: str = sys.executable) -> None:
        self.name = name
        self._python = python
        self._process: subprocess.Popen[bytes] | None = None
        self._begun_cpu_s: float | None = None

    def open(self) -> None:
        """Start the process and let the tool find its meters there.

        Raises:
            ProbeUnavailable: The tool is not installed there, or finds nothing.
        """
        self.close()
        try:
            self._process = subprocess.Popen(
                [self._python, "-P", "-m", SERVER, self.name],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,  # where its libraries print and log
                env=self._environment(),
                start_new_session=True,  # Ctrl-C is the supervisor's to handle
            )
        except OSError as error:
            raise ProbeUnavailable(
                f"{self.name}: cannot start {self._python}: {error}",
                hint="name the Python of the environment where it is installed",
            ) from error
        try:
            self._ask("open", START_TIMEOUT_S)
        except BenchError as error:
            self.close()
            raise ProbeUnavailable(error.message, error.hint) from error

    def begin(self) -> None:
        """Begin a window there."""
        self._begun_cpu_s = self._cpu_s()
        self._ask("begin", ANSWER_TIMEOUT_S)

    def end(self) -> Figure:
        """End the window there, and what the tool cost meanwhile."""
        try:
            said = self._ask("end", ANSWER_TIMEOUT_S)
        except BenchError as error:
            return Figure(tool=self.name, version="unknown", reason=error.message)
        ended_cpu_s, begun_cpu_s = self._cpu_s(), self._begun_cpu_s
        if ended_cpu_s is not None and begun_cpu_s is not None:
            said["cpu_s"] = ended_cpu_s - begun_cpu_s
        return Figure.model_validate(said)

    def close(self) -> None:
        """End the process and those that the tool started."""
        process, self._process = self._process, None
        if process is None:
            return
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                pipe.close()
        try:
            process.wait(LEAVE_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def _ask(self, operation: str, timeout_s: float) -> Any:
        process = self._process
        if process is None or process.stdin is None or process.stdout is None:
            raise BenchError(f"{self.name} is not open", hint="open() comes first")
        try:
            process.stdin.write(operation.encode() + b"\n")
            process.stdin.flush()
            line = LineReader(process.stdout.fileno()).line(timeout_s)
        except OSError as error:  # a TimeoutError, too
            raise BenchError(f"{self.name} does not answer: {error!r}") from error
        if line is None:
            raise BenchError(f"the process that ran {self.name} has ended")
        reply = json.loads(line)
        if "error" in reply:
            raise BenchError(reply["error"], reply["hint"])
        return reply["value"]

    def _cpu_s(self) -> float | None:
        """Processor seconds of the process and of all that it started, in 10 ms."""
        if self._process is None:
            return None
        total_s = 0.0
        try:
            head = psutil.Process(self._process.pid)
            for process in (head, *head.children(recursive=True)):
                total_s += sum(process.cpu_times()[:4])
        except psutil.Error:
            return None
        return total_s

    def _environment(self) -> dict[str, str]:
        """Another environment finds our package by its path; it need not be there."""
        if self._python == sys.executable:
            return dict(os.environ)
        return {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
