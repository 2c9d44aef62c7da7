"""Readings of one channel as two arrays, and where its value changed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.readings import Span
from harness.units import NS_PER_S

Times = NDArray[np.int64]
Values = NDArray[np.float64]

SHARP = 1.5
"""Changes this many times further apart than readings are updates, one by one."""
PACE_SPREAD = 0.5


@dataclass(frozen=True, eq=False)
class Series:
    """Samples of a channel in order of time.

    Attributes:
        times_ns: Instants of the monotonic clock: [n], int64, increasing.
        values: Readings at these instants: [n], float64.
    """

    times_ns: Times
    values: Values

    @classmethod
    def of(cls, times_ns: Sequence[int], values: Sequence[float]) -> "Series":
        """From any two sequences of the same length."""
        return cls(np.asarray(times_ns, np.int64), np.asarray(values, np.float64))

    def __len__(self) -> int:
        return len(self.times_ns)

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Series)
            and np.array_equal(self.times_ns, other.times_ns)
            and np.array_equal(self.values, other.values)
        )

    __hash__ = None  # type: ignore[assignment]

    def cut(self, start_ns: int, end_ns: int) -> "Series":
        """The samples from one instant to another, both included."""
        first = np.searchsorted(self.times_ns, start_ns, side="left")
        last = np.searchsorted(self.times_ns, end_ns, side="right")
        return Series(self.times_ns[first:last], self.values[first:last])

    def inside(self, span: Span) -> "Series":
        """The samples of a window, its edges included."""
        return self.cut(span.start_ns, span.end_ns)

    def where(self, kept: NDArray[np.bool_]) -> "Series":
        """The samples that a mask keeps."""
        return Series(self.times_ns[kept], self.values[kept])

    @cached_property
    def interval_s(self) -> float:
        """Median time between two readings in seconds; 0 with fewer than two."""
        if len(self) < 2:
            return 0.0
        return float(np.median(np.diff(self.times_ns))) / NS_PER_S

    @cached_property
    def changes(self) -> NDArray[np.intp]:
        """Indexes of the samples whose value differs from the one before."""
        return np.flatnonzero(np.diff(self.values)) + 1

    def change_period_s(self) -> float | None:
        """Median time between changes in seconds; None with fewer than two changes."""
        times = self.times_ns[self.changes]
        return float(np.median(np.diff(times))) / NS_PER_S if len(times) > 1 else None

    def update_period_s(self, least_changes: int) -> float | None:
        """Median time between updates, where readings are quicker; else None.

        They are where a change is known far better than changes lie apart.

        Args:
            least_changes: Two or more; fewer tell no pace.
        """
        at = self.changes
        if len(at) < least_changes:
            return None
        passed_ns = float(np.median(np.diff(self.times_ns[at])))
        unsharp_ns = float(np.median(self.times_ns[at] - self.times_ns[at - 1]))
        return passed_ns / NS_PER_S if passed_ns >= SHARP * unsharp_ns else None

    def has_pace(self, least_changes: int) -> bool:
        """Whether most changes lie about equally far apart."""
        passed_ns = np.diff(self.times_ns[self.changes])
        if len(passed_ns) < least_changes - 1:
            return False
        low, middle, high = np.quantile(passed_ns, (0.1, 0.5, 0.9))
        return bool(high - low <= PACE_SPREAD * middle)

    def longest_still_s(self) -> float:
        """Longest time from a change, or the first reading, to the next or the last."""
        marks_ns = self.times_ns[[0, *self.changes, -1]] if len(self) else np.zeros(2)
        return float(np.diff(marks_ns).max()) / NS_PER_S

    def growth(self, span: Span) -> float | None:
        """Last reading of a window less the first; None with fewer than two."""
        inside = self.inside(span)
        return float(inside.values[-1] - inside.values[0]) if len(inside) > 1 else None


Trace = Mapping[str, Series]
EMPTY = Series.of([], [])


def samples_of(trace: Trace, name: str) -> Series:
    """The series of a channel; empty where the trace has none."""
    found: Any = trace.get(name)
    return EMPTY if found is None else found
