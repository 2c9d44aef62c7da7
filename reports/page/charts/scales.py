"""From values to places on a drawing, with ticks at round numbers."""

import math
from collections.abc import Iterable
from typing import NamedTuple

FEWEST_TICKS = 3
LARGEST = 1e300
"""Beyond this, differences overflow."""


class Scale(NamedTuple):
    """A stretch of values laid onto a stretch of a drawing.

    Attributes:
        low: Value at `start`.
        high: Value at `end`; always another one than `low`.
        step: Distance of the ticks; 0 where they are logarithmic.
    """

    low: float
    high: float
    start: float
    end: float
    ticks: tuple[float, ...]
    step: float = 0.0
    log: bool = False

    def at(self, value: float) -> float:
        """Place of a value; one outside the scale lies at its end."""
        low, high, here = self.low, self.high, min(max(value, self.low), self.high)
        if self.log:
            low, high, here = math.log10(low), math.log10(high), math.log10(here)
        share = (here - low) / (high - low)
        return self.start + share * (self.end - self.start)

    def tight(self, *, low: float | None = None, high: float | None = None) -> "Scale":
        """The same steps between other ends, where these are apart."""
        ends = (self.low if low is None else low, self.high if high is None else high)
        if not ends[0] < ends[1]:
            return self
        ticks = tuple(tick for tick in self.ticks if ends[0] <= tick <= ends[1])
        return self._replace(low=ends[0], high=ends[1], ticks=ticks or self.ticks)

    def written(self, tick: float) -> str:
        """A tick with as many decimals as its neighbours need."""
        size = abs(tick)
        if tick == 0:
            return "0"
        if size >= 1e6 or size < 1e-4:
            return f"{tick:.3g}"
        if self.log:
            return f"{tick:.12g}"
        decimals = max(0, -math.floor(math.log10(self.step) + 1e-9))
        return f"{tick:.{decimals}f}"


def scale(
    values: Iterable[float], start: float, end: float, *, log: bool, most: int = 6
) -> Scale:
    """A scale that holds all the values, some room included.

    Args:
        values: Finite; positive ones where it is logarithmic.
        start: Place of the least value.
        end: Place of the largest.
        log: Whether equal ratios are equally far apart.
        most: About so many ticks.
    """
    known = [min(max(value, -LARGEST), LARGEST) for value in values] or [1.0]
    low, high = min(known), max(known)
    if log:
        low, high = max(low, 1 / LARGEST), max(high, 1 / LARGEST)
        return _logarithmic(low, high, start, end, most)
    return _linear(low, high, start, end, most)


def _linear(low: float, high: float, start: float, end: float, most: int) -> Scale:
    if high - low <= max(1e-9 * max(abs(low), abs(high)), 1 / LARGEST):
        room = abs(high) * 0.05 if abs(high) > 1 / LARGEST else 1.0
        low, high = low - room, high + room
    step = nice(high / most - low / most)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    ticks = tuple(step * n for n in range(first, last + 1))
    return Scale(ticks[0], ticks[-1], start, end, ticks, step)


def nice(rough: float) -> float:
    """The next of 1, 2, 5, 10 times a power of ten that is no smaller."""
    power = 10.0 ** math.floor(math.log10(rough))
    for factor in (1.0, 2.0, 5.0):
        if rough <= factor * power * (1 + 1e-9):
            return factor * power
    return 10.0 * power


def _logarithmic(low: float, high: float, start: float, end: float, most: int) -> Scale:
    low, high = low / 1.15, high * 1.15
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    stride = max(1, math.ceil((last - first) / most))
    ticks: tuple[float, ...] = ()
    for factors in ((1, 2, 5), (1,)):
        found = (
            float(f"{factor}e{power}")
            for power in range(first, last + 1, stride)
            for factor in factors
        )
        ticks = tuple(tick for tick in found if low <= tick <= high)
        if len(ticks) <= most + 1:
            break
    if len(ticks) < FEWEST_TICKS:
        even = _linear(low, high, start, end, most - 1).ticks
        ticks = tuple(tick for tick in even if low <= tick <= high)
    return Scale(low, high, start, end, ticks, log=True)
