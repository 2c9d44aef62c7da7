"""The public Meter: joules of any stretch of Python, in a loop, as a block, decorated.

    from harness import Meter

    with Meter() as meter:
        for epoch in range(3):
            with meter.window(f"epoch {epoch}"):
                train()
    print(meter.reading.energy_j, meter.windows["epoch 0"][0].energy_j)

The meters are read in a process of their own, one a node: a second Meter, such as that
of another rank, attaches to it, and its readings carry the same `node`. Sum over nodes,
not over ranks.
"""

import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, nullcontext, suppress
from dataclasses import dataclass
from functools import wraps
from inspect import isasyncgenfunction, iscoroutinefunction, isgeneratorfunction
from types import TracebackType
from typing import Any, ParamSpec, Self, TypeVar

from harness import checks, node
from harness.clock import process_cpu_s
from harness.energy import without_joules
from harness.errors import BenchError
from harness.metering import Measured, MeterClient, start_meter
from harness.perimeter import nothing
from harness.readings import EnergyReading, EnergyTotal, Span
from harness.records import Doubt, Utilization
from harness.registry import PROBES

P = ParamSpec("P")
R = TypeVar("R")
LONGER = "repeat the work inside it"


@dataclass(frozen=True)
class Reading:
    """Joules of one window with where they come from.

    Attributes:
        name: What the window was called.
        span: Its edges on the monotonic clock.
        energy: One reading for each domain of each device.
        total: Their sum over outermost disjoint perimeters.
        seen: How busy the machine was, and with what.
        invalid: Why the window tells nothing; None when it does.
        doubts: Reasons to distrust it, each with its cure.
        node: Which machine, as of this boot: count each once.
    """

    name: str
    span: Span
    energy: tuple[EnergyReading, ...]
    total: EnergyTotal
    seen: Utilization
    invalid: str | None
    doubts: tuple[Doubt, ...]
    node: str

    @property
    def energy_j(self) -> float | None:
        """Joules of the whole perimeter; None where `total.reason` says why."""
        return None if self.invalid else self.total.energy_j

    @property
    def duration_s(self) -> float:
        """Length of the window in seconds."""
        return self.span.duration_s

    @property
    def power_w(self) -> float | None:
        """Mean power in watts."""
        joules = self.energy_j
        return None if joules is None else joules / self.duration_s


def reading_of(name: str, measured: Measured) -> Reading:
    """What the meters said, with the doubts that it gives; no joules where invalid."""
    energy, total = measured.energy, measured.total
    if why := measured.invalid:
        energy = tuple(without_joules(each, why) for each in energy)
        total = nothing(why)
    found = (
        *checks.short_window(measured.energy, measured.span.duration_s, LONGER),
        *checks.source_doubts(measured.energy),
        *checks.total_doubts(measured.total),
        *checks.machine_doubts(measured.seen),
    )
    return Reading(
        name=name,
        span=measured.span,
        energy=energy,
        total=total,
        seen=measured.seen,
        invalid=measured.invalid,
        doubts=found,
        node=node.boot(),
    )


class Window:
    """A stretch under way; its reading is there when it has ended.

    Attributes:
        result: The reading; None until then.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.result: Reading | None = None

    @property
    def reading(self) -> Reading:
        """Joules of the window.

        Raises:
            BenchError: The window has not ended.
        """
        if self.result is None:
            raise BenchError(
                f"window {self.name!r} has not ended", hint="ask after its `with` block"
            )
        return self.result


class Meter:
    """Joules of a block, of its windows, or of each call of a decorated function.

    A block runs once at a time; calls may nest and run in threads, each with a reading
    of its own, and `async def` is measured up to its end. A fork of this process needs
    a Meter of its own.

    Args:
        probes: Names of the meters to read (`bench list probes`); all by default.
        aligned: Wait for the counters' next tick at both edges of each window, at most
            a quarter of a second, so that a counter's period is no error.

    Attributes:
        windows: Readings of the ended windows by name, in order.
    """

    def __init__(
        self, *, probes: Sequence[str] | None = None, aligned: bool = True
    ) -> None:
        self._probes = list(PROBES) if probes is None else list(probes)
        self._aligned = aligned
        self._client: MeterClient | None = None
        self._users = 0
        self._guard = threading.RLock()
        self._process = ExitStack()
        self._block = ExitStack()
        self._whole = Window("meter")
        self.windows: dict[str, list[Reading]] = {}

    def __enter__(self) -> Self:
        with self._guard:
            if self._users:
                raise BenchError(
                    "this Meter is running already",
                    hint="with meter.window(NAME): ... inside it, or another Meter()",
                )
            self._block.enter_context(self._call())
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._block.__exit__(kind, error, trace)

    def __call__(self, function: Callable[P, R]) -> Callable[P, R]:
        """The function, each of whose calls is measured.

        Raises:
            BenchError: It is a generator, whose work is done between its caller's.
        """
        if isgeneratorfunction(function) or isasyncgenfunction(function):
            raise BenchError(
                f"{function.__name__} is a generator: its calls do no work",
                hint="with Meter() as meter: around the loop that uses it",
            )
        asked: Any = function

        @wraps(function)
        async def awaited(*args: P.args, **options: P.kwargs) -> Any:
            with self._call():
                return await asked(*args, **options)

        @wraps(function)
        def called(*args: P.args, **options: P.kwargs) -> R:
            with self._call():
                return function(*args, **options)

        chosen: Any = awaited if iscoroutinefunction(function) else called
        found: Callable[P, R] = chosen
        return found

    @property
    def meter_path(self) -> str | None:
        """Socket of the meter process that answers; None when none is asked."""
        return self._client.path if self._client else None

    @property
    def reading(self) -> Reading:
        """Joules of the whole block, or of the last call of the decorated function.

        Raises:
            BenchError: It has not ended.
        """
        return self._whole.reading

    @contextmanager
    def window(self, name: str) -> Iterator[Window]:
        """Measure the block as a window of this name; names may repeat.

        Raises:
            BenchError: The meter is not running, or its process has gone.
        """
        with self._measured(Window(name)) as window:
            yield window
        self.windows.setdefault(name, []).append(window.reading)

    @contextmanager
    def _call(self) -> Iterator[None]:
        """The meter runs while the block does, which is measured as a whole."""
        with self._running(), self._measured(Window("meter")) as window:
            self._whole = window
            try:
                yield
            finally:
                self._whole = window

    @contextmanager
    def _running(self) -> Iterator[None]:
        """The first user starts the meter, the last one lets it go."""
        with self._guard:
            if not self._users:
                started = start_meter(self._probes)
                self._client = self._process.enter_context(started)
            self._users += 1
        try:
            yield
        finally:
            with self._guard:
                self._users -= 1
                if not self._users:
                    self._client = None
                    self._process.close()

    @contextmanager
    def _measured(self, window: Window) -> Iterator[Window]:
        client = self._client
        if client is None:
            raise BenchError(
                "the meter is not running", hint="with Meter() as meter: ..."
            )
        synchronise()
        start_ns = client.open_window(aligned=self._aligned)
        cpu_s = process_cpu_s()
        is_sound = False
        try:
            yield window
            is_sound = client.is_ours  # a fork leaves the block, and measures nothing
        finally:
            # What went wrong in the block is told, not that the meter failed as well.
            with nullcontext() if is_sound else suppress(BenchError):
                synchronise()
                own_cpu_s = process_cpu_s() - cpu_s
                window.result = self._close(client, start_ns, window.name, own_cpu_s)

    def _close(
        self, client: MeterClient, start_ns: int, name: str, own_cpu_s: float
    ) -> Reading:
        measured = client.close_window(
            start_ns, aligned=self._aligned, own_cpu_s=own_cpu_s
        )
        return reading_of(name, measured)


def synchronise() -> None:
    """Wait for the GPU's queue where this process uses one; torch is not imported."""
    torch: Any = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available() and torch.cuda.is_initialized():
        torch.cuda.synchronize()
