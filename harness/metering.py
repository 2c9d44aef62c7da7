"""What the supervisor, the trials and the public Meter hold of the meter process.

One meter process a node reads the probes (harness.meter_process); here is how one is
started or attached to, and how it is asked.
"""

import json
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness import node, registry
from harness.errors import BenchError
from harness.lines import LineReader
from harness.records import (
    Channel,
    EnergyReading,
    EnergyTotal,
    Span,
    Utilization,
)

METERS_FILE = "harness.meters_file"
PERIOD_S = 0.1
START_TIMEOUT_S = 60.0
RETRY_S = 0.1
LEAVE_TIMEOUT_S = 2.0


@dataclass(frozen=True)
class Measured:
    """What the meters say about a window.

    Attributes:
        seen: How busy the machine was, and with what.
        invalid: Why the window tells nothing; None when it does.
    """

    span: Span
    energy: tuple[EnergyReading, ...]
    total: EnergyTotal
    seen: Utilization
    invalid: str | None


class MeterClient:
    """A connection to the meter process."""

    def __init__(self, path: str | Path) -> None:
        self.path = str(path)
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            self._socket.connect(self.path)
        except OSError:
            self._socket.close()
            raise
        self._replies = LineReader(self._socket.fileno())
        self._turn = threading.Lock()
        self._is_waiting = False

    def begin(self, path: Path, **facts: Any) -> None:
        """Record a trace file from here on, with facts to keep in it."""
        self._ask(op="begin", path=str(path.absolute()), facts=facts)

    def end(self) -> None:
        """End the recording: the file is there when this returns."""
        self._ask(op="end")

    def edge(self, *, aligned: bool = False) -> int:
        """Read all channels now; nanoseconds of the monotonic clock."""
        return int(self._ask(op="edge", aligned=aligned))

    def open_window(self, *, aligned: bool = True) -> int:
        """Begin a window at an edge; its start in nanoseconds."""
        return int(self._ask(op="open_window", aligned=aligned))

    def close_window(
        self, start_ns: int, *, aligned: bool = True, own_cpu_s: float | None = None
    ) -> Measured:
        """End a window at an edge; `own_cpu_s` is what the work itself used."""
        said = self._ask(
            op="close_window", start_ns=start_ns, aligned=aligned, own_cpu_s=own_cpu_s
        )
        return Measured(
            span=Span(name="window", start_ns=start_ns, end_ns=said["end_ns"]),
            energy=tuple(EnergyReading.model_validate(r) for r in said["energy"]),
            total=EnergyTotal.model_validate(said["total"]),
            seen=Utilization.model_validate(said["seen"]),
            invalid=said["invalid"],
        )

    def watts(self) -> float | None:
        """Power of the moment in watts."""
        value: float | None = self._ask(op="watts")
        return value

    def unsteady(self, since_ns: int) -> list[str]:
        """Why the machine has not settled in the last ten seconds, or since then."""
        return list(self._ask(op="unsteady", since_ns=since_ns))

    def cpu_s(self) -> float:
        """Processor seconds that the meter has used."""
        return float(self._ask(op="cpu"))

    def periods(self, duration_s: float) -> dict[str, float | None]:
        """Seconds between changes of each source of joules, polled for a while."""
        found: dict[str, float | None] = self._ask(op="periods", duration_s=duration_s)
        return found

    def describe(self) -> tuple[tuple[Channel, ...], list[tuple[str, str, str]]]:
        """Channels, and (probe, reason, cure) of the meters that do not answer."""
        facts = self._ask(op="describe")
        channels = tuple(Channel.model_validate(c) for c in facts["channels"])
        return channels, [(row[0], row[1], row[2]) for row in facts["unavailable"]]

    def close(self) -> None:
        """Hang up."""
        self._socket.close()

    def _ask(self, **request: Any) -> Any:
        """The answer to one request; threads take turns.

        An interrupt between question and answer would leave the answer to the next
        question: the connection is given up instead.
        """
        with self._turn:
            if self._is_waiting:
                raise BenchError("the meter was interrupted", hint="start it anew")
            self._is_waiting = True
            try:
                self._socket.sendall(json.dumps(request).encode() + b"\n")
                line = self._replies.line()
            except OSError as error:
                raise BenchError("the meter process has gone") from error
            self._is_waiting = False
        if line is None:
            raise BenchError("the meter process has gone")
        reply = json.loads(line)
        if "error" in reply:
            raise BenchError(f"the meter process failed: {reply['error']}")
        return reply["value"]


@contextmanager
def start_meter(
    probes: Sequence[str], period_s: float = PERIOD_S
) -> Iterator[MeterClient]:
    """The node's meter process for as long as the block runs: a new one, or attached.

    Raises:
        EvidenceError: Another user's meter process runs on this node.
        UsageError: The user's meters file is faulty, or the lock cannot be opened.
    """
    node.check()
    if "external" in probes:
        _check_meters_file()
    with ExitStack() as stack:
        client = _connect(stack, tuple(probes), period_s)
        stack.callback(client.close)
        yield client


def _connect(stack: ExitStack, probes: tuple[str, ...], period_s: float) -> MeterClient:
    """Start a meter process, or attach to the one that holds the node."""
    deadline_s = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline_s:
        folder = Path(tempfile.mkdtemp(prefix="joulebench-"))  # private: mode 0700
        path = folder / "meter"
        options = ["--socket", str(path), "--period", str(period_s), *probes]
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "harness.meter_process", *options],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,  # Ctrl-C is the supervisor's to handle
        )
        stack.callback(_leave, process, folder)
        assert process.stdout is not None  # noqa: S101 (a PIPE was asked for)
        answer = LineReader(process.stdout.fileno()).line(START_TIMEOUT_S)
        if answer == b"ready":
            return MeterClient(path)
        if answer != b"busy":
            raise BenchError("the meter process did not start")
        if client := _attach(probes):
            return client
        time.sleep(RETRY_S)  # it is starting, or ending: try again
    raise BenchError(
        "the meter process of this node does not answer",
        hint=f"end the process that holds {node.lock_path()}",
    )


def _check_meters_file() -> None:
    """A fault of the user's file stops us here, not in the meter process."""
    path = registry.load(f"{METERS_FILE}:meters_path")()
    if path.exists():
        registry.load(f"{METERS_FILE}:read_meters")(path)


def _attach(probes: tuple[str, ...]) -> MeterClient | None:
    """A client of the process that holds the lock; None where it does not answer."""
    holder = node.attachable(probes)
    try:
        client = MeterClient(holder.socket)
    except OSError:
        return None
    try:
        client.cpu_s()
    except BenchError:
        client.close()
        return None
    return client


def _leave(process: subprocess.Popen[bytes], folder: Path) -> None:
    """End the meter process, or leave it to those who are attached to it."""
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            pipe.close()
    try:
        process.wait(LEAVE_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        # It ends, and tidies up, with its last client; a thread reaps it then.
        threading.Thread(target=process.wait, daemon=True).start()
        return
    shutil.rmtree(folder, ignore_errors=True)
