"""The total of a window: outermost disjoint perimeters, each counted once.

Perimeters nest: the wall holds the machine, a platform zone (psys) or a board (soc) its
processor and memory, a superchip's module its processor, GPU and memory, a socket of
Grace its processor and memory, a package its cores. A package does not hold dram.
Whether a platform zone holds a GPU is asked of the joules: parts that need more than
the whole are not inside it.
"""

import math
from collections.abc import Sequence

from harness.records import EnergyReading, EnergyTotal, Provenance

RANK = {Provenance.MEASURED: 0, Provenance.MODELLED: 1, Provenance.ASSUMED: 2}
WHOLES = ("wall", "module", "psys", "soc", "socket")
"""Domains that hold others, the widest first."""
HELD = {
    "wall": ("module", "psys", "soc", "socket", "cpu", "dram", "gpu", "tpu", "other"),
    "module": ("psys", "soc", "socket", "cpu", "dram", "gpu", "other"),
    "psys": ("soc", "socket", "cpu", "dram", "gpu", "other"),
    "soc": ("socket", "cpu", "dram", "gpu", "other"),
    "socket": ("cpu", "dram"),
}
BLUNT = 0.25
"""A whole that is this uncertain over the window gives way to its parts."""


def without_covered_models(
    readings: Sequence[EnergyReading],
) -> tuple[EnergyReading, ...]:
    """Drop models of what an instrument covers, itself or as a part of a whole.

    Of two models of one domain the one of the better tier stays, else the first.
    """
    measured = {r.domain for r in readings if _is_measured(r) and not _is_blunt(r)}
    covered = measured.union(*(HELD.get(domain, ()) for domain in measured))
    models: dict[str, EnergyReading] = {}
    for reading in readings:
        if reading.provenance is not Provenance.MEASURED:
            best = models.setdefault(reading.domain, reading)
            if (reading.energy_j is None, reading.tier) < (
                best.energy_j is None,
                best.tier,
            ):
                models[reading.domain] = reading
    return tuple(
        r
        for r in readings
        if r.provenance is Provenance.MEASURED
        or (r.domain not in covered and r.source == models[r.domain].source)
    )


def total(readings: Sequence[EnergyReading]) -> EnergyTotal:
    """Sum over outermost disjoint perimeters; a missing part makes it incomplete."""
    outer = outermost(readings)
    known = [r for r in outer if r.energy_j is not None]
    missing = [f"{r.domain} {r.device}: {r.reason}" for r in outer if r not in known]
    if not known:
        return nothing("; ".join(missing) or "no energy meter and no model answered")
    sum_j = math.fsum(r.energy_j or 0.0 for r in known)
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
        relative_bound_j=math.fsum(r.relative_bound_j or 0.0 for r in known),
        modelled_ratio=estimated_j / sum_j if sum_j > 0 else None,
        reason="; ".join(missing) or None,
    )


def nothing(reason: str) -> EnergyTotal:
    """A total that nobody could take, with why."""
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


def outermost(readings: Sequence[EnergyReading]) -> list[EnergyReading]:
    """Readings that no other usable reading contains.

    A part whose whole failed stands for itself; a whole that failed while parts of it
    answer is left out, since the parts say what they miss.
    """
    devices = {r.device for r in readings if _is_usable(r)}
    left = [r for r in readings if r.inside is None or r.inside not in devices]
    for domain in WHOLES:
        wholes = [r for r in left if r.domain == domain]
        usable = _of_one_source([r for r in wholes if _is_usable(r)])
        parts = [r for r in left if r.domain in HELD[domain]]
        if usable:
            held = _held(domain, usable, parts)
            left = [r for r in left if r in usable or r not in (*held, *wholes)]
        elif any(r.energy_j is not None for r in parts):
            left = [r for r in left if r not in wholes]
    return left


def _of_one_source(wholes: Sequence[EnergyReading]) -> list[EnergyReading]:
    """Wholes of the sharpest source: a plug and a controller may see the same watts."""
    if not wholes:
        return []
    best = min(wholes, key=lambda r: (r.tier or "E", r.error_bound_j or 0.0))
    return [r for r in wholes if r.source == best.source]


def _held(
    domain: str, wholes: Sequence[EnergyReading], parts: Sequence[EnergyReading]
) -> list[EnergyReading]:
    """Parts that the whole contains; a GPU that does not fit in it stands outside."""
    if domain != "psys":
        return list(parts)
    whole_j = math.fsum(r.energy_j or 0.0 for r in wholes)
    parts_j = math.fsum(r.energy_j or 0.0 for r in parts)
    return [r for r in parts if r.domain != "gpu" or parts_j <= whole_j]


def _is_measured(reading: EnergyReading) -> bool:
    return reading.provenance is Provenance.MEASURED and reading.energy_j is not None


def _is_usable(reading: EnergyReading) -> bool:
    return reading.energy_j is not None and not _is_blunt(reading)


def _is_blunt(reading: EnergyReading) -> bool:
    """A slow outer meter says too little about a short window."""
    if reading.domain not in WHOLES or reading.energy_j is None:
        return False
    return (reading.relative_bound_j or 0.0) > BLUNT * reading.energy_j
