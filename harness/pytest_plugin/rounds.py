"""A function called often enough for the meters, in several windows."""

import math
import random
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from inspect import (
    isasyncgenfunction,
    iscoroutinefunction,
    isgeneratorfunction,
)
from typing import Any

from harness import perimeter
from harness.errors import BenchError, UsageError
from harness.measuring import LONGEST_DELAY_S, Measurement, Repetition
from harness.meter import Meter, Reading, Window, synchronise
from harness.metering import MeterClient
from harness.pytest_plugin import storage
from harness.pytest_plugin.results import Machine, Result, Round
from harness.readings import Channel, Provenance

UPDATES = 50
"""So many updates of the slowest meter make a window."""
LONGEST_WINDOW_S = 10.0
"""Slower meters do not make a window longer than this by themselves."""
CALIBRATED = 0.1
"""Calls are counted by a stretch of so much of a window."""
FULL = 1.1
"""Calls are counted for a little more than a window: the next may be quicker."""
Setup = Callable[[], tuple[Sequence[Any], Mapping[str, Any]] | None]


@dataclass(frozen=True)
class Metering:
    """The meters of a session, or why there are none.

    Attributes:
        slowest_s: Update period of the slowest instrument; None without any.
    """

    meter: Meter | None = None
    machine: Machine | None = None
    slowest_s: float | None = None
    reason: str | None = None

    def window_s(self, least_s: float) -> float:
        """Length of a window that the instruments can tell something about."""
        if self.slowest_s is None:
            return least_s
        return max(least_s, min(LONGEST_WINDOW_S, UPDATES * self.slowest_s))


def start(stack: ExitStack) -> Metering:
    """Meters that run until the stack ends; where they cannot, the reason."""
    meter = Meter()
    try:
        stack.enter_context(meter)
        client = MeterClient(meter.meter_path or "")
        try:
            channels, _ = client.describe()
        finally:
            client.close()
    except BenchError as error:
        return Metering(reason=error.told())
    return Metering(meter, storage.machine(channels), _slowest_s(channels))


def _slowest_s(channels: Sequence[Channel]) -> float | None:
    measured = [c for c in channels if c.tier and c.provenance is Provenance.MEASURED]
    return max((c.update_period_s or 0.0 for c in measured), default=None)


class Calls:
    """A function that is called again and again.

    Attributes:
        answer: What its last call returned.

    Raises:
        UsageError: A call of it does no work.
    """

    def __init__(
        self,
        function: Callable[..., Any],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
        setup: Setup | None = None,
        teardown: Callable[..., Any] | None = None,
    ) -> None:
        _refuse(function)
        self._function = function
        self._given = (args, kwargs or {})
        self._setup, self._teardown = setup, teardown
        self.answer: Any = None

    def prepare(self) -> None:
        """Do what `setup` does; it may return the arguments."""
        if self._setup and (made := self._setup()):
            self._given = made

    def finish(self) -> None:
        """Do what `teardown` does, with the arguments."""
        if self._teardown:
            args, kwargs = self._given
            self._teardown(*args, **kwargs)

    def run(self, times: int) -> float:
        """Call it so many times; seconds, with what it left in the GPU's queue."""
        function, (args, kwargs) = self._function, self._given
        self.answer = None
        started_s = time.monotonic()
        for _ in range(times - 1):
            function(*args, **kwargs)
        self.answer = function(*args, **kwargs)
        synchronise()
        return time.monotonic() - started_s


def _refuse(function: Callable[..., Any]) -> None:
    name = getattr(function, "__name__", repr(function))
    if iscoroutinefunction(function):
        raise UsageError(
            f"{name} is a coroutine function, a call of it does no work: "
            f"energy(lambda: asyncio.run({name}(...)))"
        )
    if isgeneratorfunction(function) or isasyncgenfunction(function):
        raise UsageError(
            f"{name} is a generator, a call of it does no work: "
            f"energy(lambda: list({name}(...)))"
        )


def calibrate(calls: Calls, window_s: float) -> int:
    """How many calls fill a window; the first one only warms up."""
    calls.run(1)
    count, enough_s = 1, CALIBRATED * window_s
    while (took_s := calls.run(count)) < enough_s:
        growth = 2.0 * enough_s / took_s if took_s > 0.0 else math.inf
        count = math.ceil(count * min(10.0, max(2.0, growth)))
    return max(1, math.ceil(FULL * count * window_s / took_s))


def measure(
    metering: Metering, name: str, calls: Calls, rounds: int, iterations: int
) -> Measurement:
    """Windows of so many calls each, at random phases of the meters.

    Raises:
        UsageError: There is no meter.
    """
    if (meter := metering.meter) is None:
        raise UsageError(f"{name}: no meter: {metering.reason}")
    longest_s = min(LONGEST_DELAY_S, metering.slowest_s or 0.0)
    chance = random.Random()  # noqa: S311 (spreads phases, keeps no secret)
    runs = []
    window: Window
    for _ in range(rounds):
        calls.prepare()
        time.sleep(chance.uniform(0.0, longest_s) if rounds > 1 else 0.0)
        with meter.window(name) as window:
            busy_s = calls.run(iterations)
        calls.finish()
        runs.append(Repetition(0, busy_s, _instruments_alone(window.reading)))
    return Measurement((name,), tuple(runs))


def _instruments_alone(reading: Reading) -> Reading:
    """Without what is only modelled, where an instrument measured anything."""
    measured = [r for r in reading.energy if r.provenance is Provenance.MEASURED]
    total = perimeter.total(measured)
    if reading.energy_j is None or total.energy_j is None:
        return reading
    doubts = tuple(d for d in reading.doubts if d.code != "modelled")
    return replace(reading, total=total, doubts=doubts)


def result(nodeid: str, name: str, found: Measurement, iterations: int) -> Result:
    """Joules of one call, of windows with so many."""
    energy, total = found.energy_j, found.total
    reading = found.typical.reading
    modelled = {
        r.domain for r in reading.energy if r.provenance is not Provenance.MEASURED
    }
    low, high = energy.low, energy.high
    return Result(
        nodeid=nodeid,
        name=name,
        rounds=tuple(_round(run, iterations) for run in found.runs),
        energy_j=None if energy.value is None else energy.value / iterations,
        energy_low_j=None if low is None else low / iterations,
        energy_high_j=None if high is None else high / iterations,
        power_w=None if energy.value is None else reading.power_w,
        duration_s=(found.duration_s.value or 0.0) / iterations,
        perimeter=total.perimeter,
        left_out=tuple(sorted(modelled - set(total.perimeter))),
        provenance=total.provenance,
        tier=total.tier,
        complete=total.complete,
        reason=energy.reason,
        doubts=found.doubts,
    )


def _round(run: Repetition, iterations: int) -> Round:
    return Round(
        energy_j=run.reading.energy_j,
        relative_bound_j=run.reading.total.relative_bound_j,
        window_s=run.reading.duration_s,
        busy_s=run.duration_s,
        iterations=iterations,
    )
