"""Grams of CO2 equivalent from joules, with a grid factor that says its year."""

from harness import factors
from harness.factor import Factor
from harness.records import Carbon
from harness.units import kwh


def places() -> list[str]:
    """Codes of the places that are known, in order."""
    return list(factors.places())


def intensity(place: str) -> Factor:
    """Yearly mean carbon intensity of a place's grid, by the first source.

    Args:
        place: ISO 3166 alpha-3 code, such as FRA, or a part of a country: USA-CA.

    Raises:
        UsageError: The place is not known; never the world's mean instead.
    """
    found = factors.entries_of(place)
    return next(entry.factor for entry in found if entry.kind == "intensity")


def emissions(energy_j: float | None, factor: Factor | None, pue: float) -> Carbon:
    """Operational, location-based emissions: energy x PUE x intensity.

    Source of the formula: ISO/IEC 21031:2024 (SCI), the term E x I.
    """
    if factor is None:
        return Carbon(
            co2e_g=None, pue=pue, reason="the suite names no place (site.place)"
        )
    grams = None if energy_j is None else kwh(energy_j) * pue * factor.value
    return Carbon(
        co2e_g=grams,
        intensity_g_per_kwh=factor.value,
        place=factor.place or factor.name.rpartition(" ")[2],
        year=factor.year,
        source=factor.source,
        pue=pue,
        reason="the energy is not known" if grams is None else None,
    )
