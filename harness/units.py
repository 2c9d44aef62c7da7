"""Exact conversions; everything else in the project stays in SI base units."""

JOULES_PER_KWH = 3_600_000.0
NS_PER_S = 1_000_000_000


def kwh(energy_j: float) -> float:
    """Energy in kilowatt-hours from joules."""
    return energy_j / JOULES_PER_KWH


def seconds(time_ns: int) -> float:
    """Seconds from integer nanoseconds."""
    return time_ns / NS_PER_S
