"""The total of a window: outermost disjoint perimeters, each counted once.

Perimeters nest: the wall holds the machine, a platform zone (psys) or a board (soc) its
processor and memory, a superchip's module its processor, GPU and memory, a socket of
Grace its processor and memory, a package its cores. A package does not hold dram.
Several wholes of one source, such as the plugs of two power supplies, hold the parts
together: where one of them fails, the total lacks it and says so.

Whether a platform zone holds a card, or its parts at all, is asked of the joules: parts
that need more than the whole are not inside it. One stretch that shows it is enough, so
that idle and work are summed over the same perimeter.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from harness.readings import EnergyReading, EnergyTotal, Provenance

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
CARDS = ("gpu", "tpu")
"""Devices that only the wall holds for certain, if they do not say what holds them."""
BLUNT = 0.25
"""Wholes that are this uncertain over the window give way to their parts."""


@dataclass(frozen=True)
class Fit:
    """What a platform zone can hold by its joules.

    Attributes:
        parts: Processors and memory need no more than the zone tells.
        cards: Nor do they together with the cards.
    """

    parts: bool = True
    cards: bool = True


def without_covered_models(
    readings: Sequence[EnergyReading],
) -> tuple[EnergyReading, ...]:
    """Drop models of what an instrument covers, itself or as a part of a whole.

    Of two models of one domain the one of the better tier stays, else the first.
    """
    blunt = _blunt(readings)
    measured = {r.domain for r in readings if _is_measured(r) and r.device not in blunt}
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
    """Readings that no other usable reading contains, and wholes that failed.

    A part whose whole failed stands for itself. Wholes that are too uncertain give way
    to their parts.
    """
    by_device = {r.device: r for r in readings}
    blunt = _blunt(readings)
    left = [
        r
        for r in readings
        if not any(_is_usable(a, blunt) for a in _ancestors(r, by_device))
    ]
    for domain in WHOLES:
        wholes = [r for r in left if r.domain == domain]
        chosen = _of_one_source(wholes, blunt)
        parts = [r for r in left if r.domain in HELD[domain]]
        if any(_is_usable(r, blunt) for r in chosen):
            dead = {r.device for r in chosen if r.energy_j is None}
            held = [p for p in parts if _is_held(p, domain, dead, by_device)]
            left = [r for r in left if r in chosen or r not in (*held, *wholes)]
        elif any(r.energy_j is not None for r in parts):
            left = [r for r in left if r not in wholes or r.energy_j is None]
    return left


def fit(readings: Sequence[EnergyReading]) -> Fit:
    """What the joules of a stretch say about the platform zone; it fits by default."""
    wholes = _platform(readings)
    if not wholes or any(r.energy_j is None for r in wholes):
        return Fit()
    most_j = math.fsum((r.energy_j or 0) + (r.error_bound_j or 0) for r in wholes)
    parts = outermost([r for r in readings if r.domain in HELD["psys"]])
    cards = [r for r in parts if _is_card(r)]
    needed_j = _least_j(r for r in parts if r not in cards)
    return Fit(needed_j <= most_j, needed_j + _least_j(cards) <= most_j)


def nested(
    readings: Sequence[EnergyReading], fits: Iterable[Fit]
) -> tuple[EnergyReading, ...]:
    """The readings with what each is inside of, as the joules of a recording tell.

    Cards that always fit are inside the platform zone; a zone that is smaller than its
    parts is a part of them.
    """
    found = list(fits)
    zones = _platform(readings)
    within = [r for r in readings if r.domain in HELD["psys"]]
    parts = [r for r in within if not _is_card(r)]
    inside: dict[str, str] = {}
    if zones and all(fit.cards for fit in found):
        inside = {r.device: zones[0].device for r in within if _is_card(r)}
    elif zones and parts and not all(fit.parts for fit in found):
        largest = max(parts, key=lambda r: r.energy_j or 0.0)
        inside = {zone.device: largest.device for zone in zones}
    return tuple(
        r.model_copy(update={"inside": inside[r.device]}) if r.device in inside else r
        for r in readings
    )


def _platform(readings: Sequence[EnergyReading]) -> list[EnergyReading]:
    """Zones of the platform by the source that is taken."""
    return _of_one_source([r for r in readings if r.domain == "psys"], _blunt(readings))


def _least_j(readings: Iterable[EnergyReading]) -> float:
    return math.fsum((r.energy_j or 0.0) - (r.error_bound_j or 0.0) for r in readings)


def _is_card(reading: EnergyReading) -> bool:
    return reading.domain in CARDS and reading.inside is None


def _is_held(
    part: EnergyReading,
    domain: str,
    dead: set[str],
    by_device: Mapping[str, EnergyReading],
) -> bool:
    """Whether wholes of a domain hold a part; not if its own whole failed."""
    if _is_card(part) and domain != "wall":
        return False
    return not any(a.device in dead for a in _ancestors(part, by_device))


def _ancestors(
    reading: EnergyReading, by_device: Mapping[str, EnergyReading]
) -> list[EnergyReading]:
    """What contains a reading, and what contains that, as far as there are readings."""
    found: list[EnergyReading] = []
    above = by_device.get(reading.inside or "")
    while above is not None and above not in found:
        found.append(above)
        above = by_device.get(above.inside or "")
    return found


def _of_one_source(
    wholes: Sequence[EnergyReading], blunt: frozenset[str]
) -> list[EnergyReading]:
    """Wholes of one source: a plug and a controller may see the same watts.

    It is the source that answers in full, else the sharpest.
    """
    sources: dict[str, list[EnergyReading]] = {}
    for whole in wholes:
        sources.setdefault(whole.source, []).append(whole)

    def order(group: list[EnergyReading]) -> tuple[bool, bool, str, float]:
        return (
            not any(_is_usable(r, blunt) for r in group),
            any(r.energy_j is None for r in group),
            min(r.tier or "E" for r in group),
            math.fsum(r.error_bound_j or 0.0 for r in group),
        )

    return min(sources.values(), key=order, default=[])


def _is_measured(reading: EnergyReading) -> bool:
    return reading.provenance is Provenance.MEASURED and reading.energy_j is not None


def _is_usable(reading: EnergyReading, blunt: frozenset[str]) -> bool:
    return reading.energy_j is not None and reading.device not in blunt


def _blunt(readings: Sequence[EnergyReading]) -> frozenset[str]:
    """Wholes that say too little about a short window, all of a source together."""
    groups: dict[tuple[str, str], list[EnergyReading]] = {}
    for reading in readings:
        if reading.domain in WHOLES and reading.energy_j is not None:
            groups.setdefault((reading.domain, reading.source), []).append(reading)
    return frozenset(
        r.device
        for group in groups.values()
        for r in group
        if math.fsum(g.relative_bound_j or 0.0 for g in group)
        > BLUNT * math.fsum(g.energy_j or 0.0 for g in group)
    )
