"""What the supervisor, the trials and the public Meter hold of the meter process.

One meter process a node reads the probes (harness.meter_process); here is how one is
started or attached to, and how it is asked.
"""

import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness import node, registry
from harness.errors import BenchError, UsageError
from harness.lines import LineReader
from harness.readings import Channel, EnergyReading, EnergyTotal, Span
from harness.records import Utilization

METERS_FILE = "harness.meters_file"
PERIOD_S = 0.1
START_TIMEOUT_S = 60.0
RETRY_S = 0.1
LEAVE_TIMEOUT_S = 2.0
READY = "ready "
"""What a new meter process says, with its address."""
BUSY = "busy"


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


@dataclass(frozen=True)
class Moment:
    """The machine as it is now, between trials.

    Attributes:
        temperatures_c: By sensor; empty where there is none.
        cpu_ratio: Busy share of the cores; None where it is not known.
        gpu_ratio: Share of the time in which a kernel ran.
    """

    temperatures_c: dict[str, float]
    cpu_ratio: float | None
    gpu_ratio: float | None


class MeterClient:
    """A connection to the meter process; it is this process's, not its forks'.

    Args:
        path: The address of the meter process.
        probes: What to be told of; everything that it reads when not given.

    Raises:
        BenchError: Nobody answers there.
    """

    def __init__(self, path: str | Path, probes: Sequence[str] | None = None) -> None:
        self.path = str(path)
        self._owner = os.getpid()
        self._socket = node.connect(self.path)
        self._replies = LineReader(self._socket.fileno())
        self._turn = threading.Lock()
        self._is_waiting = False
        try:
            if probes is not None:
                self._ask(op="choose", probes=list(probes))
        except BenchError:
            self.close()
            raise

    @property
    def is_ours(self) -> bool:
        """Whether this process made the connection: a fork of it may not use it."""
        return self._owner == os.getpid()

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

    def updates(self, since_ns: int) -> int | None:
        """Updates of the slowest measured source since then; None without one."""
        found: int | None = self._ask(op="updates", since_ns=since_ns)
        return found

    def moment(self) -> Moment:
        """Temperatures, and what uses the machine in the last second or so."""
        return Moment(**self._ask(op="moment"))

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
        """Hang up, also for forks that hold a copy; a fork drops its copy only."""
        with suppress(OSError):
            if self.is_ours:
                self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()

    def _ask(self, **request: Any) -> Any:
        """The answer to one request; threads take turns.

        An interrupt between question and answer would leave the answer to the next
        question: the connection is given up instead.
        """
        if not self.is_ours:
            raise BenchError(
                f"this meter was started by process {self._owner}, before a fork",
                hint="a process of its own has a Meter of its own, which attaches",
            )
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
        EvidenceError: Another user's meter process runs on this node, or one that
            reads other devices.
        UsageError: No such probe, a faulty meters file, or no lock can be opened.
    """
    for name in probes:
        registry.find("probe", registry.PROBES, name)
    node.check()
    if "external" in probes:
        _check_meters_file()
    with ExitStack() as stack:
        client = _connect(stack, tuple(probes), period_s)
        stack.callback(client.close)
        yield client


def view_of(probes: Sequence[str]) -> dict[str, str | None]:
    """What decides here which devices these probes read."""
    names = [v for p in probes for v in registry.DECIDING.get(p, ())]
    found = {name: os.environ.get(name) for name in names}
    if "external" in probes:
        path: Path = registry.load(f"{METERS_FILE}:meters_path")()
        found["meters file"] = str(path.absolute()) if path.exists() else None
    return found


def _connect(stack: ExitStack, probes: tuple[str, ...], period_s: float) -> MeterClient:
    """Start a meter process, or attach to the one that holds the node."""
    deadline_s = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline_s:
        answer = _start(stack, ["--period", str(period_s), *probes])
        if answer.startswith(READY):
            return MeterClient(answer.removeprefix(READY))
        if answer != BUSY:
            raise BenchError("the meter process did not start")
        if client := _attach(probes):
            return client
        time.sleep(RETRY_S)  # it is starting, or ending: try again
    raise BenchError(
        "the meter process of this node does not answer",
        hint=f"end the process that holds {node.lock_path()}; one in a container with "
        "a network of its own cannot be asked from here",
    )


def _start(stack: ExitStack, options: Sequence[str]) -> str:
    """What a new meter process says of itself; it ends with the stack.

    It lives as long as its standard input, a socket: a fork's copy of a pipe would keep
    that open.
    """
    ours, theirs = socket.socketpair()
    with theirs:
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "harness.meter_process", *options],
            stdin=theirs.fileno(),
            stdout=subprocess.PIPE,
            start_new_session=True,  # Ctrl-C is the supervisor's to handle
        )
    stack.callback(_leave, process, ours, os.getpid())
    assert process.stdout is not None  # noqa: S101 (a PIPE was asked for)
    with suppress(TimeoutError):
        answer = LineReader(process.stdout.fileno()).line(START_TIMEOUT_S)
        return (answer or b"").decode()
    return ""


def _check_meters_file() -> None:
    """A fault of the user's file stops us here, not in the meter process."""
    path = registry.load(f"{METERS_FILE}:meters_path")()
    variable = registry.load(f"{METERS_FILE}:VARIABLE")
    if path.exists():
        registry.load(f"{METERS_FILE}:read_meters")(path)
    elif os.environ.get(variable):
        raise UsageError(
            f"{path}: there is no such file, and {variable} names it",
            hint=f"write it (docs/meters.md), or unset {variable}",
        )


def _attach(probes: tuple[str, ...]) -> MeterClient | None:
    """A client of the process that holds the lock; None where it does not answer."""
    holder = node.attachable(probes, view_of(probes))
    with suppress(BenchError):
        return MeterClient(holder.address, probes)
    return None


def _leave(process: subprocess.Popen[bytes], ours: socket.socket, owner: int) -> None:
    """End the meter process, or leave it to those who are attached to it.

    In a fork of the owner only descriptors are closed.
    """
    is_ours = owner == os.getpid()
    if is_ours:
        ours.shutdown(socket.SHUT_RDWR)
    ours.close()
    if process.stdout is not None:
        process.stdout.close()
    if not is_ours:
        return
    try:
        process.wait(LEAVE_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        # It ends with its last client; a thread reaps it then.
        threading.Thread(target=process.wait, daemon=True).start()
