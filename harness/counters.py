"""Joules of a window from an energy counter: ticks, wraps, resets, stalls.

A counter tells the energy up to its last tick, not up to the reading. Where the edge
of a window is a tick (the meter waits for one), its energy is known to the resolution
of the polling; elsewhere it lies between the ticks around the edge. A fall that the
counter's range explains is a wrap; any other fall, or a rise that no device could draw,
is a break, and its interval a hole that only power readings can fill.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from harness.readings import Channel, Provenance, Span
from harness.series import SHARP, Series, Times, Values
from harness.units import NS_PER_S, seconds

Mask = NDArray[np.bool_]

DEFAULT_CEILING_W = 10_000.0
"""No single device draws more; a wall meter says its own limit."""
SLACK_S = 1.0
"""A tick may hand over the energy of up to this long at once."""
WRAP_SHARE = 0.5
"""A fall is a wrap only where going round the range is the shorter way."""
STALL_PERIODS = 10
STALL_MIN_S = 0.3
STALL_SHARE = 0.25
"""A pause is a stall if the tick after it brings less than this of its energy."""
QUICK_S = 0.005
"""A counter of a shorter period is taken as it is read; its bound says the rest."""
SLOW_S = 0.55
"""Nobody waits for the tick of a slower counter: where its last step fell is open."""
AROUND_S = 0.3
AROUND_TICKS = 3
"""The power beside an edge is that of three ticks and of 0.3 s, at least: when a single
tick was seen is not sharp enough."""
ALIVE_PERIODS = 2.5
"""A counter that has not moved for so long when it was last read stands still."""
GAP_MIN_S = 0.5
GAP_INTERVALS = 5


@dataclass(frozen=True)
class Part:
    """What one channel says about a window.

    Attributes:
        energy_j: Joules over the window less its holes; None when it says nothing.
        bound_j: How far off they can be, without the calibration of the source.
        updates: Changes of the value inside the window.
        update_period_s: Median time between changes, or the nominal one.
        holes: Intervals of the window that the channel does not cover.
        gaps: Intervals of the window without readings.
        reason: Why there are no joules, or what broke the counter.
    """

    energy_j: float | None
    bound_j: float = 0.0
    updates: int = 0
    update_period_s: float | None = None
    holes: tuple[Span, ...] = ()
    wraps: int = 0
    resets: int = 0
    gaps: int = 0
    reason: str | None = None


@dataclass(frozen=True)
class _Ticks:
    """Updates of a counter as they were seen.

    Attributes:
        times_ns: When the new value was first read; the first is the base: [n].
        resolution_ns: For how long it may have stood there by then: [n].
        energy_j: Unwrapped energy, 0 at the base: [n].
        lost: The energy from the tick before to this one is unknown: [n].
        fell: It is unknown since the counter was reset or jumped: [n].
        wrapped: The counter went round on the way to this tick: [n].
        period_ns: Time between updates; 0 where it is unknown.
    """

    times_ns: Times
    resolution_ns: Times
    energy_j: Values
    lost: Mask
    fell: Mask
    wrapped: Mask
    period_ns: int

    @property
    def is_slow(self) -> bool:
        """Whether nobody waits for its ticks."""
        return self.period_ns > SLOW_S * NS_PER_S

    @property
    def is_coarse(self) -> bool:
        """Whether it counts in steps, such as watt-hours: it is slower when idle."""
        steps_j = np.diff(self.energy_j)
        steps_j = steps_j[steps_j > 0]
        if not self.is_slow or not len(steps_j):
            return False
        multiples = steps_j / steps_j.min()
        return bool(np.allclose(multiples, multiples.round(), rtol=0, atol=0.01))

    def slope_w(self, first: int, last: int) -> float | None:
        """Mean power between two ticks in watts; None where something is lost."""
        first, last = max(0, first), min(last, len(self.times_ns) - 1)
        if first >= last or self.lost[first + 1 : last + 1].any():
            return None
        unsharp_ns = int(self.resolution_ns[first] + self.resolution_ns[last]) // 2
        passed_ns = int(self.times_ns[last] - self.times_ns[first])
        passed_ns -= int(self.resolution_ns[last] - self.resolution_ns[first]) // 2
        if self.period_ns:  # ticks lie whole periods apart, however late they were seen
            whole_ns = max(1, round(passed_ns / self.period_ns)) * self.period_ns
            if abs(whole_ns - passed_ns) <= unsharp_ns:
                passed_ns = whole_ns
        passed_ns = max(1, passed_ns)
        grown_j = float(self.energy_j[last] - self.energy_j[first])
        return grown_j * NS_PER_S / passed_ns

    def torn_ns(self, within: Mask) -> Times:
        """How unsharp both ends of each lost interval are, of those within: [lost]."""
        at = np.flatnonzero(self.lost & within)
        torn: Times = self.resolution_ns[at] + self.resolution_ns[at - 1]
        return torn

    def before_w(self, index: int) -> float | None:
        """Mean power of the last few ticks up to this one in watts."""
        from_ns = int(self.times_ns[index]) - round(AROUND_S * NS_PER_S)
        first = int(np.searchsorted(self.times_ns, from_ns, side="right")) - 1
        return self.slope_w(min(first, index - AROUND_TICKS), index)

    def after_w(self, index: int) -> float | None:
        """Mean power of the next few ticks from this one on in watts."""
        if index >= len(self.times_ns):
            return None
        to_ns = int(self.times_ns[index]) + round(AROUND_S * NS_PER_S)
        last = int(np.searchsorted(self.times_ns, to_ns, side="left"))
        return self.slope_w(index, max(last, index + AROUND_TICKS))


def count(channel: Channel, series: Series, span: Span) -> Part:
    """Energy of a counter over a window.

    Args:
        channel: Its range, its nominal period and the power it cannot exceed.
        series: Readings of the whole trace; what lies around the window sharpens it.
        span: The window.
    """
    inside = series.inside(span)
    period_s = _period_s(channel, series)
    if len(inside) < 2:
        why = "fewer than two readings in the window"
        return Part(None, update_period_s=period_s, reason=why)
    stall_s = max(STALL_MIN_S, STALL_PERIODS * (period_s or 0.0))
    ticks = _ticks(channel, series, period_s, stall_s)
    within = (ticks.times_ns > span.start_ns) & (ticks.times_ns <= span.end_ns)
    within[:1] = False
    if not within.any() and channel.provenance is not Provenance.MEASURED:
        return Part(0.0, update_period_s=period_s)  # a model may well say nothing ran
    if not within.any():
        why = "the counter did not move in the window"
        return Part(None, update_period_s=period_s, reason=why)
    alive_s = ALIVE_PERIODS * max(period_s or 0.0, series.interval_s)
    alive_s = stall_s if ticks.is_coarse else min(alive_s, stall_s)
    holes, reason = _holes(ticks, series, span, alive_s)
    start_ns = max([span.start_ns, *(h.end_ns for h in holes if _opens(h, span))])
    end_ns = min([span.end_ns, *(h.start_ns for h in holes if _closes(h, span))])
    start_j, start_bound_j = _at(ticks, start_ns, period_s, before=True)
    end_j, end_bound_j = _at(ticks, end_ns, period_s, before=False)
    energy_j = max(0.0, end_j - start_j)
    torn_s = sum(seconds(int(ns)) for ns in ticks.torn_ns(within))
    return Part(
        energy_j=energy_j,
        bound_j=start_bound_j + end_bound_j + torn_s * energy_j / span.duration_s,
        updates=int(within.sum()),
        update_period_s=period_s,
        holes=holes,
        wraps=int((ticks.wrapped & within).sum()),
        resets=int((ticks.fell & within).sum()),
        gaps=gaps_of(inside, period_s or 0.0),
        reason=reason,
    )


def gaps_of(inside: Series, period_s: float) -> int:
    """Intervals between two readings that are far longer than they should be."""
    limit_s = max(_gap_s(inside), 3 * period_s)
    return int((np.diff(inside.times_ns) > limit_s * NS_PER_S).sum())


def _gap_s(series: Series) -> float:
    return max(GAP_MIN_S, GAP_INTERVALS * series.interval_s)


def clip(start_ns: int, end_ns: int, span: Span) -> Span:
    """The part of an interval that lies in a window; empty where none does."""
    first = min(max(start_ns, span.start_ns), span.end_ns)
    last = min(max(end_ns, first), span.end_ns)
    return Span(name="hole", start_ns=first, end_ns=last)


def _opens(hole: Span, span: Span) -> bool:
    return hole.start_ns == span.start_ns


def _closes(hole: Span, span: Span) -> bool:
    return hole.end_ns == span.end_ns


def _period_s(channel: Channel, series: Series) -> float | None:
    """The period that was seen; where readings may hide ticks, the nominal one.

    That is at most as long as the time between changes. A counter that hardly moved
    while it was read is as slow as it stood still.
    """
    if seen_s := series.update_period_s(least_changes=2):
        return seen_s
    nominal_s, still_s = channel.update_period_s, series.longest_still_s()
    is_quick = 0.0 < (nominal_s or 0.0) < QUICK_S
    is_read_often = still_s > SHARP * series.interval_s
    if len(series.changes) == 1 and is_read_often and not is_quick:
        return max(nominal_s or 0.0, still_s)
    known = [p for p in (series.change_period_s(), nominal_s) if p]
    return min(known, default=None)


def _ticks(
    channel: Channel, series: Series, period_s: float | None, stall_s: float
) -> _Ticks:
    at = np.concatenate(([0], series.changes))
    values, times_ns = series.values[at], series.times_ns[at]
    resolution_ns = _resolution_ns(series, at, period_s)
    steps_j = np.diff(values, prepend=values[:1])
    passed_s = np.diff(times_ns, prepend=times_ns[:1]) / NS_PER_S
    most_j = (channel.ceiling_w or DEFAULT_CEILING_W) * np.maximum(passed_s, SLACK_S)
    wrapped = np.zeros(len(at), np.bool_)
    if channel.wraps_at_j:
        around_j = steps_j + channel.wraps_at_j
        shorter = (around_j >= 0) & (around_j < channel.wraps_at_j * WRAP_SHARE)
        wrapped = (steps_j < 0) & shorter & (around_j <= most_j)
        steps_j = np.where(wrapped, around_j, steps_j)
    fell = (steps_j < 0) | (steps_j > most_j)
    steps_j = np.where(fell, 0.0, steps_j)
    lost = fell | _stalls(steps_j, passed_s, stall_s)
    energy_j = np.cumsum(np.where(lost, 0.0, steps_j))
    return _Ticks(
        times_ns=times_ns,
        resolution_ns=resolution_ns,
        energy_j=energy_j,
        lost=lost,
        fell=fell,
        wrapped=wrapped,
        period_ns=round((period_s or 0.0) * NS_PER_S),
    )


def _resolution_ns(
    series: Series, at: NDArray[np.intp], period_s: float | None
) -> Times:
    """Time since the reading before each change, at most one update period."""
    since_ns = series.times_ns[at] - series.times_ns[np.maximum(at - 1, 0)]
    if period_s is None:
        since_ns[0] = round(series.interval_s * NS_PER_S)
        return since_ns
    period_ns = round(period_s * NS_PER_S)
    since_ns[0] = period_ns
    limited: Times = np.minimum(since_ns, period_ns)
    return limited


def _stalls(steps_j: Values, passed_s: Values, stall_s: float) -> Mask:
    """Ticks after a long pause that do not bring the energy of that pause."""
    whole_s = float(passed_s.sum())
    mean_w = float(steps_j.sum()) / whole_s if whole_s > 0 else 0.0
    stalls: Mask = (passed_s > stall_s) & (steps_j < STALL_SHARE * mean_w * passed_s)
    return stalls


def _at(
    ticks: _Ticks, time_ns: int, period_s: float | None, *, before: bool
) -> tuple[float, float]:
    """Energy at an instant, and how far off that can be, in joules.

    The last tick is at least as old as its first reading and at most as old as the
    reading before that, nor older than an update period. Since its first reading the
    device is taken to have drawn what it drew outside the window, where the work had
    not begun or had ended; it cannot have used more than the next tick adds.
    """
    index = max(0, int(np.searchsorted(ticks.times_ns, time_ns, side="right")) - 1)
    youngest_s = max(0.0, seconds(time_ns - int(ticks.times_ns[index])))
    oldest_s = youngest_s + seconds(int(ticks.resolution_ns[index]))
    if period_s is not None:
        youngest_s, oldest_s = min(youngest_s, period_s), min(oldest_s, period_s)
    before_w, after_w = ticks.before_w(index), ticks.after_w(index + 1)
    next_w = ticks.slope_w(index, index + 1)
    order = (before_w, next_w, after_w) if before else (after_w, before_w, next_w)
    outside_w = next((w for w in order if w is not None), 0.0)
    is_quick = period_s is not None and period_s < QUICK_S
    reached_j = 0.0 if is_quick else youngest_s * outside_w
    bound_j = oldest_s * max(w or 0.0 for w in order)
    if next_w is not None:
        most_j = float(ticks.energy_j[index + 1] - ticks.energy_j[index])
        reached_j, bound_j = min(reached_j, most_j), min(bound_j, most_j)
        if ticks.is_slow:
            bound_j = max(reached_j, most_j - reached_j)
    elif ticks.is_slow and index:
        last_j = float(ticks.energy_j[index] - ticks.energy_j[index - 1])
        bound_j = max(bound_j, last_j)
    return float(ticks.energy_j[index]) + reached_j, bound_j


def _holes(
    ticks: _Ticks, series: Series, span: Span, alive_s: float
) -> tuple[tuple[Span, ...], str | None]:
    """Intervals of the window without joules, in order, and a reason for the first."""
    found = _unread(series, span)
    for index in np.flatnonzero(ticks.lost):
        fell = "was reset or jumped" if ticks.fell[index] else "stood still"
        start_ns, end_ns = ticks.times_ns[index - 1 : index + 1].tolist()
        found.append((start_ns, end_ns, f"the counter {fell} inside the window"))
    last_ns, read_ns = int(ticks.times_ns[-1]), int(series.times_ns[-1])
    if max(read_ns, span.end_ns) - last_ns > alive_s * NS_PER_S:
        reason = "the counter stood still up to the end of the window"
        found.append((last_ns, span.end_ns, reason))
    holes = [(clip(start, end, span), why) for start, end, why in found]
    kept = [(hole, why) for hole, why in holes if hole.end_ns > hole.start_ns]
    return tuple(hole for hole, _ in kept), kept[0][1] if kept else None


def _unread(series: Series, span: Span) -> list[tuple[int, int, str]]:
    """What lies between an edge of the window and the nearest reading inside it."""
    first, last = int(series.times_ns[0]), int(series.times_ns[-1])
    found = []
    if first > span.start_ns:
        found.append((span.start_ns, first, "readings begin late"))
    for index in np.flatnonzero(np.diff(series.times_ns) > _gap_s(series) * NS_PER_S):
        before_ns, after_ns = series.times_ns[index : index + 2].tolist()
        if before_ns < span.start_ns < after_ns:
            found.append((span.start_ns, after_ns, "readings begin late"))
        if before_ns < span.end_ns < after_ns:
            found.append((before_ns, span.end_ns, "readings end early"))
    if last < span.end_ns:
        found.append((last, span.end_ns, "readings end early"))
    return found
