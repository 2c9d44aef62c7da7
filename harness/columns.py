"""The readings of one channel that are kept in memory."""

from array import array
from bisect import bisect_left
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from harness.series import Series

THINNED = 0.75
"""So full is a column when it has been thinned: most readings of a long window lie
equally far apart, and tell what a gap is."""


class Reading(NamedTuple):
    """The newest reading of a channel; of no time where there is none."""

    time_ns: int
    value: float


class Column:
    """The readings of one channel that are kept."""

    def __init__(self) -> None:
        self.times_ns: array[int] = array("q")
        self.values: array[float] = array("d")

    def append(self, time_ns: int, value: float) -> None:
        """Add the newest reading."""
        self.times_ns.append(time_ns)
        self.values.append(value)

    def last(self) -> Reading:
        """The newest reading."""
        if not self.values:
            return Reading(-1, float("nan"))
        return Reading(self.times_ns[-1], self.values[-1])

    def forget(self, before_ns: int) -> None:
        """Drop readings older than an instant, but for the last one before it."""
        keep = bisect_left(self.times_ns, before_ns) - 1
        if keep > 0:
            del self.times_ns[:keep]
            del self.values[:keep]

    def thin(self, most: int, whole: Iterable[tuple[int, int]]) -> None:
        """Spread what is kept evenly over time, if it is more than so many readings.

        Args:
            most: Readings.
            whole: Intervals, in nanoseconds, of which every reading is kept.
        """
        if len(self.times_ns) <= most:
            return
        times_ns = np.asarray(self.times_ns)
        kept = np.zeros(len(times_ns), np.bool_)
        for first_ns, last_ns in whole:
            kept |= (times_ns >= first_ns) & (times_ns <= last_ns)
        grid_ns = np.linspace(times_ns[0], times_ns[-1], round(most * THINNED))
        kept[np.searchsorted((times_ns[1:] + times_ns[:-1]) / 2, grid_ns)] = True
        self.times_ns = array("q", times_ns[kept])
        self.values = array("d", np.asarray(self.values)[kept])

    def series(self, since_ns: int) -> Series:
        """A copy of what is kept from an instant on."""
        first = bisect_left(self.times_ns, since_ns)
        return Series.of(self.times_ns[first:], self.values[first:])
