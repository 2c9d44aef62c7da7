"""How far the clock of another recording of a run's power is off.

Both go up and down together. The run's own meters give a curve a trial; one clock was
off, so one offset is sought for the curves of all trials put together.
"""

from collections.abc import Sequence

import numpy as np

from harness.errors import UsageError
from harness.gauges import DEFAULT_CEILING_W, age_s
from harness.readings import Channel, Provenance, Quantity
from harness.series import EMPTY, Series, Times, Trace, Values, samples_of
from harness.units import NS_PER_S

GRID_NS = NS_PER_S // 10
COUNTED_NS = NS_PER_S // 2
"""Ticks nearer to each other, as at an edge, tell of their timing, not of power."""
MOST_S = 600
"""Longest shift to try, either way: several trials, since one may pass for the next."""
MOST_CELLS = MOST_S * NS_PER_S // GRID_NS
LEAST_CELLS = 200
"""Fewer than these 20 s say nothing."""
STEADY_W = 0.001
"""What swings less is constant: rounding leaves swings of a constant, too."""
LEAST_CORRELATION = 0.85
"""Any two blocks of load come to 0.75 somewhere."""
SHARP_RATIO = 0.98
MOST_SPREAD_S = 5.0
"""Offsets with nearly the best correlation lie within this, or nothing is known."""


def power_channels(channels: Sequence[Channel], trace: Trace) -> list[Channel]:
    """One channel a device: of a gauge and a counter the gauge, whose steps are sharp.

    A model is taken only where no instrument reads its domain.
    """
    asked = [
        channel
        for channel in channels
        if channel.quantity in {Quantity.POWER_W, Quantity.ENERGY_J}
        and channel.inside is None
        and len(_power(channel, trace)) > 1
    ]
    measured = {c.domain for c in asked if c.provenance is Provenance.MEASURED}
    chosen: dict[tuple[str, str], Channel] = {}
    for channel in sorted(asked, key=lambda c: (c.kind == "counter", c.averaging_s)):
        if channel.provenance is Provenance.MEASURED or channel.domain not in measured:
            chosen.setdefault((channel.domain, channel.device), channel)
    return list(chosen.values())


def power(channels: Sequence[Channel], trace: Trace) -> Series:
    """Sum of the power of some channels, on the grid, while all of them were read.

    Perimeters may nest: what counts twice goes up and down all the same.
    """
    curves = [_power(channel, trace) for channel in channels]
    if not curves:
        return EMPTY
    first_ns = max(int(curve.times_ns[0]) for curve in curves)
    last_ns = min(int(curve.times_ns[-1]) for curve in curves)
    times_ns = np.arange(-(-first_ns // GRID_NS), last_ns // GRID_NS + 1) * GRID_NS
    parts = [np.interp(times_ns, curve.times_ns, curve.values) for curve in curves]
    return Series(times_ns, np.sum(parts, axis=0))


def _power(channel: Channel, trace: Trace) -> Series:
    """Watts at the instants that they are of; what no device can draw is left out."""
    series = samples_of(trace, channel.name)
    if channel.kind == "counter":
        ticks = series.where(np.diff(series.values, prepend=np.nan) != 0)
        at = _apart(ticks.times_ns, COUNTED_NS)
        ticks = Series(ticks.times_ns[at], ticks.values[at])
        passed_ns = np.diff(ticks.times_ns)
        middle_ns: Times = ticks.times_ns[:-1] + passed_ns // 2
        watts: Values = np.diff(ticks.values) * NS_PER_S / passed_ns
        series = Series(middle_ns, watts)
    else:
        age_ns = round(age_s(channel, series) * NS_PER_S)
        series = Series(series.times_ns - age_ns, series.values)
    most_w = channel.ceiling_w or DEFAULT_CEILING_W
    return series.where((series.values >= 0) & (series.values <= most_w))


def _apart(times_ns: Times, least_ns: int) -> list[int]:
    """Which instants to keep, so that they lie so far apart, at least."""
    kept, at = [], 0
    while at < len(times_ns):
        kept.append(at)
        at = int(np.searchsorted(times_ns, times_ns[at] + least_ns))
    return kept


def best_offset_s(pairs: Sequence[tuple[Series, Series]]) -> tuple[float, float]:
    """How far one recording of the same power lies behind another.

    Args:
        pairs: For each trial its power on the grid, by a clock that is right, and the
            other recording by a clock that may be off.

    Returns:
        Seconds to add to the other's times, and the correlation there (Pearson).

    Raises:
        UsageError: No offset, or no single one, makes both go up and down together.
    """
    pairs = [(own, other) for own, other in pairs if len(own)]
    if sum(len(own) for own, _ in pairs) < LEAST_CELLS:
        raise UsageError("this run's traces keep less than 20 s of power")
    found = _correlations(pairs)
    best = float(found.max())
    if best < LEAST_CORRELATION:
        raise UsageError(
            f"the analyser's power does not go up and down with the run's "
            f"(correlation {best:.2f} at most, within {MOST_S / 60:g} min)",
            hint="did it meter this machine then? --offset SECONDS says where to look",
        )
    near = np.flatnonzero(found >= SHARP_RATIO * best)
    first_s, last_s, best_s = (
        float(at - MOST_CELLS) * GRID_NS / NS_PER_S
        for at in (*near[[0, -1]], found.argmax())
    )
    if last_s - first_s > MOST_SPREAD_S or max(-first_s, last_s) >= MOST_S:
        raise UsageError(
            f"the analyser's power fits the run's alike at offsets from "
            f"{first_s:+.1f} s to {last_s:+.1f} s",
            hint="without --align, --offset SECONDS says what to add",
        )
    return best_s, best


def _correlations(pairs: Sequence[tuple[Series, Series]]) -> Values:
    """Pearson's for each shift of the others; 0 where they tell too little."""
    mean_w = float(np.concatenate([own.values for own, _ in pairs]).mean())
    other_w = float(pairs[0][1].values.mean())
    sums = sum(_sums(own, other, mean_w, other_w) for own, other in pairs)
    count, x, xx, y, yy, xy = np.asarray(sums)
    least = max(LEAST_CELLS, sum(len(own) for own, _ in pairs) / 2)
    count = np.maximum(count, 1.0)
    x_spread, y_spread = xx / count - (x / count) ** 2, yy / count - (y / count) ** 2
    tells = (count >= least) & (np.minimum(x_spread, y_spread) > STEADY_W**2)
    spread = np.sqrt(np.where(tells, x_spread * y_spread, 1.0))
    return np.where(tells, (xy / count - x * y / count**2) / spread, 0.0)


def _sums(own: Series, other: Series, own_w: float, other_w: float) -> Values:
    """What a trial adds to Pearson's for each shift, where the other is known.

    Returns:
        Cells, sums of x, of x squared, of y, of y squared and of x y: [6, shifts]; x
        and y are less what they are about, so that the squares keep their digits.
    """
    from scipy.signal import correlate  # by Fourier transform where that is quicker

    cells = np.arange(-MOST_CELLS, len(own) + MOST_CELLS)
    at_ns = own.times_ns[0] + cells * GRID_NS
    watts = np.interp(at_ns, other.times_ns, other.values, np.nan, np.nan)
    known = np.isfinite(watts).astype(np.float64)
    y = np.where(known, watts - other_w, 0.0)
    x, ones = own.values - own_w, np.ones(len(own))
    products = [(known, ones), (known, x), (known, x * x)]
    products += [(y, ones), (y * y, ones), (y, x)]
    return np.array([correlate(a, b, "valid")[::-1] for a, b in products])
