"""Joules of a window from raw samples: which source of a device is believed.

A device may be told about by several channels: a counter, power readings, a model. One
of them is believed (harness.belief); power readings fill what a counter lost, or take
its place; a model gives way to any instrument that covers the same.
Pure functions, no hardware. Missing is None with a reason, never 0.
"""

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Literal

import numpy as np

from harness import perimeter
from harness.belief import COVERAGE, Said, believe
from harness.counters import Part, count
from harness.gauges import integrate
from harness.readings import Channel, EnergyReading, Provenance, Quantity, Span
from harness.series import Series, Trace, samples_of
from harness.units import NS_PER_S

AROUND_S = 120.0
"""What is looked at beside a window: a few updates of slow meters."""
STRETCH_S = 2.0
MOST_STRETCHES = 40
"""A recording is cut so to see whether a platform zone ever told too little."""


def account(
    channels: Sequence[Channel], trace: Trace, span: Span
) -> tuple[EnergyReading, ...]:
    """One reading for each domain of each device, by the best of its channels.

    Whether a platform zone holds the cards is asked of the whole trace, not only of
    the window.
    """
    readings = perimeter.without_covered_models(_readings(channels, trace, span))
    if not any(r.domain == "psys" for r in readings):
        return readings
    zones = [samples_of(trace, c.name) for c in channels if c.domain == "psys"]
    fits = []
    for part in _stretches(zones):
        edges_ns = part.start_ns - NS_PER_S, part.end_ns + NS_PER_S
        near = {name: series.cut(*edges_ns) for name, series in trace.items()}
        fits.append(perimeter.fit(_readings(channels, near, part)))
    return perimeter.nested(readings, fits)


def _readings(
    channels: Sequence[Channel], trace: Trace, span: Span
) -> list[EnergyReading]:
    around_ns = round(AROUND_S * NS_PER_S)
    edges_ns = span.start_ns - around_ns, span.end_ns + around_ns
    near = {
        channel.name: samples_of(trace, channel.name).cut(*edges_ns)
        for channel in channels
        if channel.quantity in (Quantity.ENERGY_J, Quantity.POWER_W)
    }
    by_device: dict[tuple[str, str], list[Said]] = {}
    for channel in (c for c in channels if c.name in near):
        identity = (channel.domain, channel.device)
        by_device.setdefault(identity, []).append(_said(channel, near, span))
    return [_reading(said, near, span) for said in by_device.values()]


def _stretches(zones: Sequence[Series]) -> list[Span]:
    """The time in which zones were read, in a few stretches of equal length."""
    read = [zone.times_ns for zone in zones if len(zone) > 1]
    if not read:
        return []
    first_ns, last_ns = min(int(t[0]) for t in read), max(int(t[-1]) for t in read)
    longest_s = (last_ns - first_ns) / NS_PER_S
    count = min(MOST_STRETCHES, max(1, int(longest_s // STRETCH_S)))
    edges_ns = np.linspace(first_ns, last_ns, count + 1).astype(np.int64).tolist()
    return [
        Span(name="stretch", start_ns=start_ns, end_ns=end_ns)
        for start_ns, end_ns in pairwise(edges_ns)
    ]


def without(
    readings: Sequence[EnergyReading], parts: Sequence[Sequence[EnergyReading]]
) -> tuple[EnergyReading, ...]:
    """Joules of a window less those of intervals inside it, device by device.

    A part whose joules are unknown leaves the rest of the window unknown.
    """
    return tuple(_less(r, [_same(part, r) for part in parts]) for r in readings)


def _same(part: Sequence[EnergyReading], like: EnergyReading) -> EnergyReading | None:
    """What a part says about the same device by the same source."""
    identity = (like.domain, like.device, like.source)
    same = (r for r in part if (r.domain, r.device, r.source) == identity)
    return next(same, None)


def _less(
    reading: EnergyReading, parts: Sequence[EnergyReading | None]
) -> EnergyReading:
    if reading.energy_j is None or not parts:
        return reading
    taken = [(p.energy_j, p.relative_bound_j, p.error_bound_j) for p in parts if p]
    known = [part for part in taken if part[0] is not None]
    if len(known) < len(parts):
        why = "the joules of an evaluation inside the window are unknown"
        return without_joules(reading, why)
    apart_j, relative_j, error_j = (
        math.fsum(part[place] or 0.0 for part in known) for place in range(3)
    )
    return reading.model_copy(
        update={
            "energy_j": reading.energy_j - apart_j,
            "relative_bound_j": (reading.relative_bound_j or 0.0) + relative_j,
            "error_bound_j": (reading.error_bound_j or 0.0) + error_j,
        }
    )


def without_joules(reading: EnergyReading, reason: str) -> EnergyReading:
    """A reading whose joules tell nothing."""
    unknown = dict.fromkeys(("energy_j", "relative_bound_j", "error_bound_j"))
    return reading.model_copy(update=unknown | {"method": "none", "reason": reason})


def mean_power_w(channels: Sequence[Channel], trace: Trace, span: Span) -> float | None:
    """Mean power of the whole perimeter over a window in watts."""
    spent = perimeter.total(account(channels, trace, span))
    if spent.energy_j is None or span.duration_s <= 0:
        return None
    return spent.energy_j / span.duration_s


def _said(channel: Channel, trace: Trace, span: Span) -> Said:
    series = samples_of(trace, channel.name)
    if len(series) == 0:
        return Said(channel, Part(None, reason=channel.note or "it was never read"))
    read = count if channel.kind == "counter" else integrate
    return Said(channel, read(channel, series, span))


def _reading(said: Sequence[Said], trace: Trace, span: Span) -> EnergyReading:
    """The best of what is said about one device."""
    chosen, refused = believe(said, trace, span)
    return _record(chosen, span, refused, said)


def _record(
    chosen: Said, span: Span, refused: Sequence[str], said: Sequence[Said]
) -> EnergyReading:
    """The stored form of what was chosen; it keeps why something better was not."""
    channel, part = chosen.channel, chosen.part
    covered = 1.0 - min(1.0, chosen.lost_s / max(span.duration_s, 1e-9))
    energy_j, bound_j, reason = part.energy_j, part.bound_j, part.reason
    if energy_j is not None and covered < COVERAGE:
        energy_j, reason = None, f"{part.reason}: {covered:.0%} of it is covered"
    if energy_j is not None:
        missing_j = energy_j * (1.0 - covered) / covered
        energy_j, bound_j = energy_j + missing_j, bound_j + missing_j
        reason = _why(chosen, refused)
    known = energy_j is not None
    calibration_j = (channel.relative_error or 0.0) * (energy_j or 0.0)
    return EnergyReading(
        domain=channel.domain,
        device=channel.device,
        energy_j=energy_j,
        method=_method(channel) if known else "none",
        source=channel.source,
        provenance=channel.provenance,
        tier=channel.tier,
        update_period_s=part.update_period_s or channel.update_period_s,
        updates=part.updates,
        coverage_ratio=covered if part.energy_j is not None else 0.0,
        relative_bound_j=bound_j if known else None,
        error_bound_j=bound_j + calibration_j if known else None,
        inside=channel.inside,
        shared=channel.shared,
        observed_ratio=channel.observed_ratio,
        wraps=part.wraps,
        resets=max(s.part.resets for s in said),
        gaps=part.gaps,
        reason=reason,
    )


def _why(chosen: Said, refused: Sequence[str]) -> str | None:
    """What was wrong with a better source, where there was one."""
    reasons = "; ".join(dict.fromkeys(r for r in refused if r))
    if not reasons:
        return None
    return reasons if chosen.channel.kind == "counter" else f"no counter: {reasons}"


def _method(channel: Channel) -> Literal["counter", "integral", "model", "constant"]:
    if channel.provenance is Provenance.MEASURED:
        return "counter" if channel.kind == "counter" else "integral"
    return "constant" if channel.tier == "E" else "model"
