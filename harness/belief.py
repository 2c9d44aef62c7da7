"""Which of the sources of a device is believed, and how far where they disagree.

A counter is taken where it moves and a power reading bears it out. A reading of a
sensor that looks only part of the time, or that stands still, can contradict a counter
but not overrule it: the error bound then holds both.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from harness.counters import ALIVE_PERIODS, Part
from harness.gauges import integrate
from harness.perimeter import RANK
from harness.readings import Channel, Provenance, Span
from harness.series import Trace, samples_of

AGREEMENT = 0.25
"""A counter further than this from the integrated power is not believed."""
ENOUGH_MEANS = 3
"""So many means of the power must lie in a window to judge a counter by them."""
STILL_PERIODS = 10
"""Power that did not change for so many updates stands still."""
COVERAGE = 0.98
"""Less of the window than this, and there is no figure for it."""
MOST_FILLED = 0.05
"""A counter that lost more of the window than this gives way to the power readings."""
DULL = 0.05
"""A counter that is surer than this need not be sharper than the power readings."""
FILLED_ERROR = 0.05
"""Power readings may be scaled unlike the counter that they fill (SC'24, arXiv
2312.02741)."""


@dataclass(frozen=True)
class Said:
    """A channel with what it says about the window."""

    channel: Channel
    part: Part

    @property
    def energy_j(self) -> float:
        """Joules; 0 only for ordering, where there are none."""
        return self.part.energy_j or 0.0

    @property
    def known(self) -> bool:
        """Whether there are joules."""
        return self.part.energy_j is not None

    @property
    def lost_s(self) -> float:
        """Seconds of the window that it does not cover."""
        return math.fsum(hole.duration_s for hole in self.part.holes)

    @property
    def is_instrument(self) -> bool:
        """Whether it was measured, and says something."""
        return self.known and self.channel.provenance is Provenance.MEASURED

    def is_whole(self, span: Span) -> bool:
        """Whether it covers enough of the window for a figure."""
        return self.lost_s <= (1.0 - COVERAGE) * span.duration_s

    def stands_still(self, span: Span) -> bool:
        """Whether a power reading was one and the same for many updates."""
        waited_s = STILL_PERIODS * (self.part.update_period_s or 0.0)
        is_still = self.part.updates == 0 and span.duration_s >= waited_s
        return self.channel.kind == "gauge" and self.is_instrument and is_still

    def was_due(self, span: Span) -> bool:
        """Whether a counter had the time to tick: it is no fault if it did not."""
        return span.duration_s >= ALIVE_PERIODS * (self.part.update_period_s or 0.0)

    def within(self, bound_j: float) -> "Said":
        """The same with a bound of so much at least."""
        part = replace(self.part, bound_j=max(self.part.bound_j, bound_j))
        return Said(self.channel, part)


def believe(
    said: Sequence[Said], trace: Trace, span: Span
) -> tuple[Said, tuple[str, ...]]:
    """The source of a device that is believed, and what was wrong with better ones."""
    ranked = sorted(said, key=lambda s: _order(s, span))
    counters = [s for s in ranked if s.channel.kind == "counter"]
    gauges = [s for s in ranked if s.channel.kind == "gauge"]
    reasons: list[str] = []
    apart_j = 0.0
    for counter in counters:
        if not counter.known and not counter.was_due(span):
            continue
        filled, reason = _filled(counter, gauges, trace, span)
        reasons.append(reason or "")
        if filled is None:
            continue
        believed, reason = _judged(filled, gauges, span)
        reasons.append(reason or "")
        if believed is not None:
            return _sharper(believed, gauges, span), tuple(reasons)
        apart_j = max(apart_j, abs(filled.energy_j - gauges[0].energy_j))
    if not gauges or (counters and not gauges[0].known):
        return counters[0], tuple(reasons)
    return gauges[0].within(apart_j), tuple(reasons)


def _sharper(counter: Said, gauges: Sequence[Said], span: Span) -> Said:
    """The counter, or a power reading of its tier that tells the window more sharply.

    Such is the power of a plug that counts whole watt-hours.
    """
    tier = counter.channel.tier
    if counter.part.bound_j <= DULL * counter.energy_j:
        return counter
    powers = [
        gauge
        for gauge in gauges
        if gauge.is_instrument and gauge.is_whole(span) and gauge.channel.tier == tier
    ]
    return min([counter, *powers], key=lambda said: said.part.bound_j)


def _order(said: Said, span: Span) -> tuple[bool, bool, int, str, bool, float, float]:
    """Known, then whole, then by provenance and tier, moving, full-time, and sharp."""
    channel = said.channel
    return (
        not said.known,
        not said.is_whole(span),
        RANK[channel.provenance],
        channel.tier or "E",
        said.stands_still(span),
        -channel.observed_ratio,
        said.part.bound_j,
    )


def _filled(
    counter: Said, gauges: Sequence[Said], trace: Trace, span: Span
) -> tuple[Said | None, str | None]:
    """The counter with its holes filled, and a reason; None where power is better."""
    if not counter.known or not counter.part.holes:
        return (counter if counter.known else None), counter.part.reason
    powers = [gauge for gauge in gauges if gauge.is_instrument]
    is_covered = any(power.is_whole(span) for power in powers)
    if is_covered and counter.lost_s > MOST_FILLED * span.duration_s:
        return None, counter.part.reason
    for power in powers:
        if filled := _filled_by(counter, power, trace):
            filling = f"power fills {counter.lost_s:.2g} s"
            return filled, f"{counter.part.reason}; {filling}"
    return (None if is_covered else counter), counter.part.reason


def _filled_by(counter: Said, power: Said, trace: Trace) -> Said | None:
    """The counter plus integrated power over its holes; None where power has none."""
    series = samples_of(trace, power.channel.name)
    fills = [integrate(power.channel, series, hole) for hole in counter.part.holes]
    if any(fill.energy_j is None or fill.holes for fill in fills):
        return None
    grown_j = math.fsum(fill.energy_j or 0.0 for fill in fills)
    bound_j = math.fsum(fill.bound_j for fill in fills)
    part = replace(
        counter.part,
        energy_j=counter.energy_j + grown_j,
        bound_j=counter.part.bound_j + bound_j + FILLED_ERROR * grown_j,
        holes=(),
    )
    return Said(counter.channel, part)


def _judged(
    counter: Said, gauges: Sequence[Said], span: Span
) -> tuple[Said | None, str | None]:
    """The counter, unless all power readings that can tell say something else.

    Two counters of one device, or a model's gauge, prove nothing.
    """
    powers = [gauge for gauge in gauges if gauge.is_instrument]
    apart_j = [_apart_j(counter, power, span) for power in powers]
    judges_j = [
        apart
        for power, apart in zip(powers, apart_j, strict=True)
        if power.channel.observed_ratio == 1.0 and not power.stands_still(span)
    ]
    told_j = [apart for apart in judges_j if apart is not None]
    if 0.0 in told_j:
        return counter, None
    furthest_j = max((apart or 0.0 for apart in apart_j), default=0.0)
    if not furthest_j:
        return counter, None
    power = powers[apart_j.index(furthest_j)]
    watts = [s.energy_j / span.duration_s for s in (counter, power)]
    reason = f"the counter says {watts[0]:.3g} W where {power.channel.source} says "
    reason += f"{watts[1]:.3g} W"
    return (None if told_j else counter.within(furthest_j)), reason


def _apart_j(counter: Said, power: Said, span: Span) -> float | None:
    """How far a counter is from the mean power; 0 where that bears it out.

    None where it cannot tell: the window is short, or it has holes. What a part-time
    sensor did not see is no contradiction; what it saw is.
    """
    slow_s = power.channel.averaging_s + (power.part.update_period_s or 0.0)
    if power.part.holes or span.duration_s < ENOUGH_MEANS * slow_s:
        return None
    apart_j = power.energy_j - counter.energy_j
    if power.channel.observed_ratio == 1.0:
        apart_j = abs(apart_j)
    allowed_j = AGREEMENT * power.energy_j
    bounds_j = counter.part.bound_j + power.part.bound_j
    return apart_j if apart_j > max(allowed_j, bounds_j) else 0.0
