"""Joules of a window from raw samples: pure functions, no hardware.

Counters are differenced between the samples at the window's edges, which the trial
made there; a wrap is a fall that the channel's range explains, any other fall is a
reset. Power gauges are integrated by the trapezoid rule with linear interpolation at
the edges. Missing is None with a reason, never 0.
"""

import math
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from harness.records import (
    Channel,
    EnergyReading,
    EnergyTotal,
    Provenance,
    Quantity,
    Sample,
    Span,
    Trace,
)

WRAP_SHARE = 0.5
"""A fall is a wrap where going round the range is the shorter way."""
TIERS = "ABCDE"
RANK = {Provenance.MEASURED: 0, Provenance.MODELLED: 1, Provenance.ASSUMED: 2}
WHOLE = ("psys", "soc", "node")
"""Domains whose perimeter holds processor and memory."""


@dataclass(frozen=True)
class Sum:
    """What one channel says about a window."""

    energy_j: float | None
    updates: int
    coverage_ratio: float
    update_period_s: float | None
    wraps: int = 0
    resets: int = 0
    reason: str | None = None


def between(samples: Sequence[Sample], span: Span) -> Sequence[Sample]:
    """Samples of the window, both edges included."""
    first = bisect_left(samples, span.start_ns, key=lambda s: s.time_ns)
    last = bisect_right(samples, span.end_ns, key=lambda s: s.time_ns)
    return samples[first:last]


def count(samples: Sequence[Sample], span: Span, wraps_at_j: float | None) -> Sum:
    """Energy of a counter over a window, from the readings at its edges."""
    inside = between(samples, span)
    if len(inside) < 2:
        return Sum(None, 0, 0.0, None, reason="fewer than two readings in the window")
    steps = [
        _step(before.value, after.value, wraps_at_j)
        for before, after in pairwise(inside)
    ]
    wraps = sum(wrapped for _, wrapped in steps)
    resets = sum(step is None for step, _ in steps)
    coverage = (inside[-1].time_ns - inside[0].time_ns) / (span.end_ns - span.start_ns)
    period_s, updates = _updates(inside)
    if resets:
        reason = "the counter was reset inside the window"
        return Sum(None, updates, coverage, period_s, wraps, resets, reason)
    energy_j = math.fsum(step for step, _ in steps if step is not None)
    if updates == 0:
        return Sum(
            None, 0, coverage, None, reason="the counter did not move in the window"
        )
    return Sum(energy_j, updates, coverage, period_s, wraps)


def _step(
    before: float, after: float, wraps_at_j: float | None
) -> tuple[float | None, bool]:
    """Growth between two readings, and whether it wrapped; None for a reset."""
    if after >= before:
        return after - before, False
    if wraps_at_j:
        around = after + wraps_at_j - before
        if 0 <= around < wraps_at_j * WRAP_SHARE:
            return around, True
    return None, False


def _updates(inside: Sequence[Sample]) -> tuple[float | None, int]:
    """Mean time between changes in seconds, and the number of changes."""
    changes = [
        after.time_ns
        for before, after in pairwise(inside)
        if after.value != before.value
    ]
    if len(changes) < 2:
        return None, len(changes)
    return (changes[-1] - changes[0]) / 1e9 / (len(changes) - 1), len(changes)


def integrate(samples: Sequence[Sample], span: Span) -> Sum:
    """Energy of a power gauge over a window, by the trapezoid rule."""
    inside = list(between(samples, span))
    if not inside:
        return Sum(None, 0, 0.0, None, reason="no power reading in the window")
    points = _with_edges(samples, inside, span)
    if len(points) < 2:
        return Sum(None, 1, 0.0, None, reason="one power reading in the window")
    energy_j = math.fsum(
        (after.value + before.value) / 2 * (after.time_ns - before.time_ns) / 1e9
        for before, after in pairwise(points)
    )
    coverage = (points[-1].time_ns - points[0].time_ns) / (span.end_ns - span.start_ns)
    period_s = (points[-1].time_ns - points[0].time_ns) / 1e9 / (len(points) - 1)
    return Sum(energy_j, len(inside), coverage, period_s)


def _with_edges(
    samples: Sequence[Sample], inside: list[Sample], span: Span
) -> list[Sample]:
    """The window's samples, with a value at each edge where both sides are known."""
    points = list(inside)
    first = bisect_left(samples, span.start_ns, key=lambda s: s.time_ns)
    if inside[0].time_ns > span.start_ns and first > 0:
        points.insert(0, _at(span.start_ns, samples[first - 1], inside[0]))
    last = bisect_right(samples, span.end_ns, key=lambda s: s.time_ns)
    if inside[-1].time_ns < span.end_ns and last < len(samples):
        points.append(_at(span.end_ns, inside[-1], samples[last]))
    return points


def _at(time_ns: int, before: Sample, after: Sample) -> Sample:
    share = (time_ns - before.time_ns) / (after.time_ns - before.time_ns)
    value = before.value + share * (after.value - before.value)
    return Sample(time_ns=time_ns, value=value)


def account(
    channels: Sequence[Channel], trace: Trace, span: Span
) -> tuple[EnergyReading, ...]:
    """One reading for each domain of each device, by the best of its channels."""
    by_device: dict[tuple[str, str], list[EnergyReading]] = {}
    for channel in channels:
        if channel.quantity in (Quantity.ENERGY_J, Quantity.POWER_W):
            reading = _reading(channel, trace.get(channel.name, []), span)
            by_device.setdefault((channel.domain, channel.device), []).append(reading)
    readings = [_best(found) for found in by_device.values()]
    measured = {r.domain for r in readings if _is_measured(r)}
    return tuple(
        r
        for r in readings
        if r.provenance is Provenance.MEASURED or not _is_covered(r.domain, measured)
    )


def _is_covered(domain: str, measured: set[str]) -> bool:
    """Whether an instrument already covers what this domain's model estimates."""
    return domain in measured or any(whole in measured for whole in WHOLE)


def _is_measured(reading: EnergyReading) -> bool:
    return reading.provenance is Provenance.MEASURED and reading.energy_j is not None


def _best(readings: Sequence[EnergyReading]) -> EnergyReading:
    """The counter where it worked, else power, else the first reason.

    A reading that takes the place of a counter keeps that counter's reason.
    """
    ranked = sorted(
        readings, key=lambda r: (r.energy_j is None, RANK[r.provenance], r.tier or "E")
    )
    chosen = ranked[0]
    reasons = [r.reason for r in readings if r.reason and r is not chosen]
    resets = sum(r.resets for r in readings)
    if chosen.energy_j is not None and reasons and chosen.reason is None:
        update = {"reason": f"instead of a counter: {reasons[0]}", "resets": resets}
        return chosen.model_copy(update=update)
    return chosen


def _reading(channel: Channel, samples: Sequence[Sample], span: Span) -> EnergyReading:
    found = (
        count(samples, span, channel.wraps_at_j)
        if channel.kind == "counter"
        else integrate(samples, span)
    )
    return EnergyReading(
        domain=channel.domain,
        device=channel.device,
        energy_j=found.energy_j,
        method=_method(channel, found),
        source=channel.source,
        provenance=channel.provenance,
        tier=channel.tier,
        update_period_s=found.update_period_s or channel.update_period_s,
        updates=found.updates,
        coverage_ratio=min(1.0, found.coverage_ratio),
        error_bound_j=_error_bound_j(channel, found, span),
        inside=channel.inside,
        shared=channel.shared,
        wraps=found.wraps,
        resets=found.resets,
        reason=found.reason,
    )


def _method(
    channel: Channel, found: Sum
) -> Literal["counter", "integral", "model", "constant", "none"]:
    if found.energy_j is None:
        return "none"
    if channel.provenance is Provenance.MEASURED:
        return "counter" if channel.kind == "counter" else "integral"
    return "constant" if channel.tier == "E" else "model"


def _error_bound_j(channel: Channel, found: Sum, span: Span) -> float | None:
    """Edge error of up to one update period on each side, and the calibration.

    A counter that updates every u seconds, read at arbitrary moments, errs by up to
    u x power (SC'24, arXiv 2312.02741, and design of the window's edges).
    """
    if found.energy_j is None:
        return None
    period_s = found.update_period_s or channel.update_period_s or 0.0
    edge_j = period_s * abs(found.energy_j) / max(span.duration_s, 1e-9)
    missing_j = (1.0 - min(1.0, found.coverage_ratio)) * abs(found.energy_j)
    calibration_j = (channel.relative_error or 0.0) * abs(found.energy_j)
    return edge_j + missing_j + calibration_j


def total(readings: Sequence[EnergyReading]) -> EnergyTotal:
    """Sum over outermost disjoint perimeters; a missing part makes it incomplete."""
    outer = _outermost(readings)
    known = [r for r in outer if r.energy_j is not None]
    energies_j = [r.energy_j for r in known if r.energy_j is not None]
    missing = [f"{r.domain} {r.device}: {r.reason}" for r in outer if r not in known]
    if not known:
        reason = "; ".join(missing) or "no energy meter and no model answered"
        return EnergyTotal(
            energy_j=None,
            perimeter=(),
            provenance=None,
            tier=None,
            complete=False,
            error_bound_j=None,
            modelled_ratio=None,
            reason=reason,
        )
    sum_j = math.fsum(energies_j)
    estimated_j = math.fsum(
        r.energy_j or 0.0 for r in known if r.provenance is not Provenance.MEASURED
    )
    return EnergyTotal(
        energy_j=sum_j,
        perimeter=tuple(sorted({r.domain for r in known})),
        provenance=max((r.provenance for r in known), key=RANK.__getitem__),
        tier=max(r.tier or "E" for r in known),
        complete=not missing,
        error_bound_j=math.fsum(r.error_bound_j or 0.0 for r in known),
        modelled_ratio=estimated_j / sum_j if sum_j > 0 else None,
        reason="; ".join(missing) or None,
    )


def _outermost(readings: Sequence[EnergyReading]) -> list[EnergyReading]:
    """Readings that no other usable reading contains."""
    usable = {r.device for r in readings if r.energy_j is not None}
    whole = [r for r in readings if r.domain in WHOLE and r.energy_j is not None]
    outer = [r for r in readings if r.inside is None or r.inside not in usable]
    if whole:
        outer = [r for r in outer if r in whole or r.domain not in ("cpu", "dram")]
    return [r for r in outer if r.domain not in WHOLE or r in whole or not whole]


def mean_power_w(channels: Sequence[Channel], trace: Trace, span: Span) -> float | None:
    """Mean power of the whole perimeter over a window in watts."""
    spent = total(account(channels, trace, span))
    if spent.energy_j is None or span.duration_s <= 0:
        return None
    return spent.energy_j / span.duration_s


def cpu_ratio(trace: Trace, span: Span) -> float | None:
    """Share of all cores' time that was busy, in [0, 1]."""
    busy, whole = (
        count(trace.get(name, []), span, None).energy_j
        for name in ("host/cpu_busy_s", "host/cpu_total_s")
    )
    return None if busy is None or not whole else min(1.0, busy / whole)


def gpu_ratio(channels: Sequence[Channel], trace: Trace, span: Span) -> float | None:
    """Mean utilisation of the GPUs: the share of time a kernel ran, in [0, 1]."""
    values = [
        sample.value
        for channel in channels
        if channel.domain == "gpu" and channel.quantity is Quantity.RATIO
        for sample in between(trace.get(channel.name, []), span)
    ]
    return math.fsum(values) / len(values) if values else None
