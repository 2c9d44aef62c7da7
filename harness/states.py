"""What else the meters saw in a window: load, heat, throttling, sleep."""

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from harness.readings import Channel, Provenance, Quantity, Span
from harness.records import Utilization
from harness.series import Series, Trace, samples_of
from harness.units import NS_PER_S

THROTTLE_BITS = {
    0x08: "hardware slowdown",
    0x20: "thermal slowdown (software)",
    0x40: "thermal slowdown (hardware)",
    0x80: "power brake",
}
"""NVML's clocks-event reasons that distort a measurement; a power cap (0x4) is a
setting of the device and does not."""
HOTTEST_C_PER_MIN = 1.0
LEAST_WARMING_C = 2.0
"""Sensors step by 1 C: less is no slope."""
POWER_SPREAD = 0.02
BLOCKS = 5
SLEPT_S = 0.1
"""The system's two clocks drift apart by less than this while it is awake."""
SHORTEST_BLOCK_S = 1.0
SHORTEST_SHARE_S = 1.0
"""The kernel counts processor time in steps of 10 ms a core: less is too coarse."""


def named(
    channels: Sequence[Channel], trace: Trace, what: str
) -> Iterator[tuple[Channel, Series]]:
    """Channels of state that tell this, with their readings."""
    for channel in channels:
        if channel.what == what and len(samples := samples_of(trace, channel.name)):
            yield channel, samples


def growth(
    channels: Sequence[Channel], trace: Trace, span: Span, what: str
) -> float | None:
    """How much counters of state grew in a window, together; None when unknown."""
    grown = [series.growth(span) for _, series in named(channels, trace, what)]
    known = [value for value in grown if value is not None]
    return math.fsum(known) if known else None


def mean(
    channels: Sequence[Channel], trace: Trace, span: Span, what: str
) -> float | None:
    """Mean of all readings of gauges of state in a window; None when unknown."""
    values = [_held(s, span).values for _, s in named(channels, trace, what)]
    every = np.concatenate(values) if values else np.empty(0)
    return float(every.mean()) if len(every) else None


def _held(series: Series, span: Span) -> Series:
    """Readings of a window; before its first one, the last reading still holds."""
    before = int(np.searchsorted(series.times_ns, span.start_ns, side="right")) - 1
    start_ns = int(series.times_ns[before]) if before >= 0 else span.start_ns
    return series.cut(start_ns, span.end_ns)


def first(channels: Sequence[Channel], trace: Trace, what: str) -> float | None:
    """Sum of the first readings of gauges of state; None when unknown."""
    values = [float(series.values[0]) for _, series in named(channels, trace, what)]
    return math.fsum(values) if values else None


def slept(channels: Sequence[Channel], trace: Trace, span: Span) -> str | None:
    """That the machine slept inside the window, which makes it invalid."""
    slept_s = growth(channels, trace, span, "suspended") or 0.0
    if slept_s <= SLEPT_S:
        return None
    return f"the machine slept for {slept_s:.1f} s inside the window"


def utilization(
    channels: Sequence[Channel], trace: Trace, span: Span, own_cpu_s: float | None
) -> Utilization:
    """How busy the machine was, and with what.

    Args:
        channels: Those of the trace.
        trace: Readings.
        span: The window.
        own_cpu_s: Processor seconds that the measured work says it used.
    """
    gpus = [channel for channel in channels if channel.domain == "gpu"]
    processes = first(gpus, trace, "processes")
    return Utilization(
        cpu_ratio=share_of_cores(channels, trace, span, "cpu_busy"),
        gpu_ratio=mean(gpus, trace, span, "utilization"),
        tensor_ratio=mean(gpus, trace, span, "tensor_active"),
        steal_ratio=_steal_ratio(channels, trace, span),
        foreign_cpu_ratio=_foreign_cpu_ratio(channels, trace, span, own_cpu_s),
        cpu_pressure_ratio=share_of_time(channels, trace, span, "cpu_pressure"),
        memory_pressure_ratio=share_of_time(channels, trace, span, "memory_pressure"),
        throttle_ratios=throttling(channels, trace, span),
        foreign_processes=None if processes is None else int(processes),
    )


def _steal_ratio(channels: Sequence[Channel], trace: Trace, span: Span) -> float | None:
    if span.duration_s < SHORTEST_SHARE_S:
        return None
    return share_of_cores(channels, trace, span, "steal")


def _foreign_cpu_ratio(
    channels: Sequence[Channel], trace: Trace, span: Span, own_cpu_s: float | None
) -> float | None:
    """Busy time that is neither the work's nor the hypervisor's, over all cores."""
    busy_s = growth(channels, trace, span, "cpu_busy")
    whole_s = growth(channels, trace, span, "cpu_total")
    if busy_s is None or not whole_s or own_cpu_s is None:
        return None
    if span.duration_s < SHORTEST_SHARE_S:
        return None
    stolen_s = growth(channels, trace, span, "steal") or 0.0
    return max(0.0, busy_s - stolen_s - own_cpu_s) / whole_s


def share_of_cores(
    channels: Sequence[Channel], trace: Trace, span: Span, what: str
) -> float | None:
    """A counter of processor seconds over the seconds of all cores, in [0, 1]."""
    spent_s = growth(channels, trace, span, what)
    whole_s = growth(channels, trace, span, "cpu_total")
    return None if spent_s is None or not whole_s else min(1.0, spent_s / whole_s)


def share_of_time(
    channels: Sequence[Channel], trace: Trace, span: Span, what: str
) -> float | None:
    """A counter of seconds over the window's, in [0, 1]; such as pressure."""
    spent_s = growth(channels, trace, span, what)
    if spent_s is None or span.duration_s <= 0:
        return None
    return min(1.0, spent_s / span.duration_s)


def throttling(
    channels: Sequence[Channel], trace: Trace, span: Span
) -> dict[str, float]:
    """Reasons for which a device was slowed down, with the share of readings."""
    found: dict[str, float] = {}
    for _, series in named(channels, trace, "throttle"):
        masks = _held(series, span).values.astype(np.int64)
        for bit, reason in THROTTLE_BITS.items():
            if len(masks) and (masks & bit).any():
                share = float(np.count_nonzero(masks & bit) / len(masks))
                found[reason] = max(found.get(reason, 0.0), share)
    return found


def unsteady(
    channels: Sequence[Channel], trace: Trace, span: Span, *, varies: bool = False
) -> list[str]:
    """Why the machine had not settled in an interval; empty when it had.

    Temperature rising by more than 1 C a minute, power whose blocks of a second or
    more differ by more than 2 % (unless the work varies by design), a device slowed
    down by heat or by a power brake.
    """
    slowed = throttling(channels, trace, span).items()
    reasons = [f"{why} for {share:.0%} of the time" for why, share in sorted(slowed)]
    for channel, series in named(channels, trace, "temperature"):
        slope = warming_c_per_min(series.inside(span))
        if slope is not None and slope > HOTTEST_C_PER_MIN:
            where = f"{channel.domain} {channel.device}"
            reasons.append(f"{where} warmed by {slope:.1f} C/min")
    spreads = {} if varies else _spreads(channels, trace, span)
    for device, spread in sorted(spreads.items()):
        if spread > POWER_SPREAD:
            reasons.append(f"power of {device} varied by {spread:.0%}")
    return reasons


def _spreads(channels: Sequence[Channel], trace: Trace, span: Span) -> dict[str, float]:
    """How far the power of each device varied, by the best channel that can tell."""
    found: dict[str, float] = {}
    for channel in sorted(channels, key=lambda c: (c.kind, -c.observed_ratio)):
        spread = power_spread(channel, samples_of(trace, channel.name).inside(span))
        if spread is not None:
            found.setdefault(channel.device, spread)
    return found


def warming_c_per_min(series: Series) -> float | None:
    """Slope of the temperature by least squares; 0 below what sensors resolve."""
    if len(series) < 3:
        return None
    minutes = (series.times_ns - series.times_ns[0]) / NS_PER_S / 60
    if minutes[-1] <= 0:
        return None
    slope = float(np.polyfit(minutes, series.values, 1)[0])
    return slope if abs(slope * minutes[-1]) >= LEAST_WARMING_C else 0.0


def power_spread(channel: Channel, series: Series) -> float | None:
    """Largest less smallest block mean over the mean; None for what is no instrument.

    Five blocks of a second or more each, of an energy counter or a power reading.
    """
    is_energy = channel.quantity is Quantity.ENERGY_J
    is_power = channel.quantity is Quantity.POWER_W
    if not (is_energy or is_power) or channel.provenance is not Provenance.MEASURED:
        return None
    if len(series) < 2 * BLOCKS:
        return None
    cuts = np.linspace(0, len(series) - 1, BLOCKS + 1).round().astype(int)
    passed_s = np.diff(series.times_ns) / NS_PER_S
    grown_j = np.diff(series.values)
    if is_power:
        grown_j = (series.values[1:] + series.values[:-1]) / 2 * passed_s
    blocks_s = np.add.reduceat(passed_s, cuts[:-1])
    blocks_j = np.add.reduceat(grown_j, cuts[:-1])
    if blocks_s.min() < SHORTEST_BLOCK_S or (blocks_j <= 0).any():
        return None
    powers_w: Any = blocks_j / blocks_s
    return float((powers_w.max() - powers_w.min()) / powers_w.mean())
