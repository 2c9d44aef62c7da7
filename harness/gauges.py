"""Joules of a window from power readings, by the trapezoid rule.

A reading tells the power of a while ago: of half an update period, and of half the time
that the source averages over. Readings are set back by that age before they are
integrated, so that a step of the power falls where it happened. What no instrument
could read (nothing at all, zero, more than the device can draw) is left out.
"""

import math

import numpy as np

from harness.counters import GAP_INTERVALS, GAP_MIN_S, SLOW_S, Part, clip, gaps_of
from harness.readings import Channel, Provenance, Span
from harness.series import Series
from harness.units import NS_PER_S

LEAST_UPDATES = 4
"""Power that changed less often may have been steady."""
RESOLUTION_W = 0.001
"""Sources tell milliwatts, if not less."""
DEFAULT_CEILING_W = 1_000_000.0
"""A rack draws less; sources that know their limit say so."""


def integrate(channel: Channel, series: Series, span: Span) -> Part:
    """Energy of a power gauge over a window.

    The bound is that of N independent steps, each seen up to a reading and an update
    too late or too early: lag / sqrt 2 x root of the sum of squared steps (two standard
    deviations for white noise; more than the whole error of one step). A source that
    averages over w seconds smears a step of P watts beside an edge by up to w P / 8;
    swings as large as the mean power itself may hide in its averages. What a part-time
    sensor did not see may be unlike what it saw.
    """
    clean = _plausible(channel, series)
    period_s = _seen_s(channel, clean)
    lag_s = period_s + clean.interval_s + channel.averaging_s
    age_ns = round(age_s(channel, clean) * NS_PER_S)
    shifted = Series(clean.times_ns - age_ns, clean.values)
    glitches = len(series.inside(span)) - len(clean.inside(span))
    holes = _holes(clean, span, lag_s) if len(clean) > 1 else (span,)
    if holes and holes[0].duration_s >= span.duration_s:
        reason = "no plausible power reading" if glitches else "no power reading"
        return Part(None, gaps=glitches, reason=f"{reason} in the window")
    energy_j = _area_j(shifted, span) - sum(_area_j(shifted, hole) for hole in holes)
    steps_w = np.diff(_around(shifted, span, lag_s).values)
    spread_w = math.sqrt(float(np.square(steps_w).sum()))
    delay_s = period_s + clean.interval_s
    smeared_w = _range_w(shifted, span.start_ns, lag_s) + _range_w(
        shifted, span.end_ns, lag_s
    )
    return Part(
        energy_j=energy_j,
        bound_j=delay_s / math.sqrt(2.0) * spread_w
        + channel.averaging_s / 8 * max(smeared_w, 2 * energy_j / span.duration_s)
        + (1.0 - channel.observed_ratio) * energy_j
        + RESOLUTION_W * span.duration_s,
        updates=len(clean.inside(span).changes),
        update_period_s=period_s or series.change_period_s(),
        holes=holes,
        gaps=gaps_of(clean.inside(span), period_s) + glitches,
        reason="power readings are missing for a part of the window" if holes else None,
    )


def age_s(channel: Channel, series: Series) -> float:
    """Seconds between the power that a reading stands for and its being read.

    A source that was seen to be slower than it says counts as such if it keeps a pace:
    else its power may be what was steady.
    """
    is_paced = series.has_pace(LEAST_UPDATES)
    period_s = _seen_s(channel, series) if is_paced else channel.update_period_s
    return ((period_s or 0.0) + channel.averaging_s) / 2


def _seen_s(channel: Channel, series: Series) -> float:
    """Time between updates: the nominal one, or what was seen if that is longer.

    A slow source that hardly changed may be as slow as it stood still.
    """
    nominal_s = channel.update_period_s or 0.0
    seen_s = series.update_period_s(LEAST_UPDATES) or 0.0
    if nominal_s > SLOW_S and 0 < len(series.changes) < LEAST_UPDATES:
        seen_s = series.longest_still_s()
    return max(nominal_s, seen_s)


def _plausible(channel: Channel, series: Series) -> Series:
    """Readings that an instrument can have made.

    A device that is on never draws nothing; a rail inside it, and a model, may.
    """
    if channel.provenance is not Provenance.MEASURED:
        return series
    most_w = channel.ceiling_w or DEFAULT_CEILING_W
    above_zero = series.values >= 0 if channel.inside else series.values > 0
    return series.where(above_zero & (series.values <= most_w))


def _around(series: Series, span: Span, margin_s: float) -> Series:
    margin_ns = round(margin_s * NS_PER_S)
    return series.cut(span.start_ns - margin_ns, span.end_ns + margin_ns)


def _range_w(series: Series, edge_ns: int, margin_s: float) -> float:
    """Largest less smallest power beside an edge."""
    margin_ns = round(margin_s * NS_PER_S)
    near = series.cut(edge_ns - margin_ns, edge_ns + margin_ns).values
    return float(near.max() - near.min()) if len(near) else 0.0


def _area_j(series: Series, span: Span) -> float:
    """Integral over an interval; the first and last reading hold outside."""
    inner = series.cut(span.start_ns + 1, span.end_ns - 1)
    times_ns = np.concatenate(([span.start_ns], inner.times_ns, [span.end_ns]))
    since_s = (times_ns - span.start_ns) / NS_PER_S
    edges_w = np.interp(times_ns[[0, -1]], series.times_ns, series.values)
    powers_w = np.concatenate((edges_w[:1], inner.values, edges_w[1:]))
    return float(np.trapezoid(powers_w, since_s))


def _holes(clean: Series, span: Span, lag_s: float) -> tuple[Span, ...]:
    """Intervals of the window that no reading covers.

    A reading covers what it is the mean of, and what lies before the next one is due.
    """
    lag_ns = round(lag_s * NS_PER_S)
    wide_ns = max(GAP_MIN_S, GAP_INTERVALS * clean.interval_s) * NS_PER_S
    times_ns = clean.times_ns
    wide = np.flatnonzero(np.diff(times_ns) > wide_ns)
    due_ns = int(times_ns[-1]) + 2 * round(clean.interval_s * NS_PER_S)
    found = [
        (span.start_ns, int(times_ns[0]) - lag_ns),
        *((int(times_ns[i]), int(times_ns[i + 1])) for i in wide),
        (due_ns, span.end_ns),
    ]
    holes = [clip(start_ns, end_ns, span) for start_ns, end_ns in found]
    return tuple(hole for hole in holes if hole.end_ns > hole.start_ns)
