"""Grams of CO2e: E x PUE x I, by location and by contract, and the share of making.

ISO/IEC 21031:2024 takes the grid of the location alone; what a contract says stands
beside it (GHG Protocol, Scope 2 Guidance: dual reporting). Offsets are subtracted
nowhere.
"""

import math
from collections.abc import Iterable

from harness.factor import Factor
from harness.ledger_nouns import Hardware, Ledger
from harness.noun import Noun
from harness.units import JOULES_PER_KWH
from reports.formatting import significant
from reports.sustainability.arithmetic import embodied_g, operational_g
from reports.sustainability.figures import (
    RANGE,
    Figure,
    methods_of,
    missing,
    product,
    scaled,
    total,
)
from reports.sustainability.rates import Rates

KWH = "kWh"
GRAMS = "g CO2e"
MADE = "TE x TiR / EL"
SAME = 1e-9
"""Figures that were computed in two ways agree to this share."""


class Share(Noun):
    """What falls on a use of one kind of hardware, by one named source.

    Attributes:
        count: Pieces reserved.
        made_kg: kg CO2e of making one piece.
        lifetime_years: Expected time of service.
        embodied_g: TE x TiR / EL of all pieces.
    """

    hardware: str
    count: int
    source: str
    year: int | None
    made_kg: float
    lifetime_years: float
    embodied_g: Figure


class Check(Noun):
    """A sum written out, and computed again by the plain formulas.

    Attributes:
        line: Such as `E x PUE x I + M = ...` with numbers and units.
        stated_g: The figure of the report.
        recomputed_g: The same from its terms.
    """

    line: str
    stated_g: float
    recomputed_g: float
    agrees: bool


class Carbon(Noun):
    """Emissions of so much energy and so much reserved time.

    Attributes:
        energy_kwh: E, of the machines, idle included.
        reserved_s: TiR.
        facility_kwh: E x PUE.
        location_g: E x PUE x I of the grid.
        market_g: The same with the intensity of the contract.
        embodied_g: M.
        total_g: Location-based and embodied; None where one is.
    """

    energy_kwh: Figure
    reserved_s: Figure
    facility_kwh: Figure
    location_g: Figure
    market_g: Figure
    embodied_g: Figure
    total_g: Figure

    @property
    def total_or_location(self) -> Figure:
        """E x I + M, or E x I alone with the word that M is missing."""
        return _with_or_without(self.total_g, self.location_g, self.embodied_g)


def carbon(energy_kwh: Figure, reserved_s: Figure, by: Rates) -> Carbon:
    """Emissions of energy of the machines and of a time for which they were reserved.

    Args:
        energy_kwh: E, idle included.
        reserved_s: TiR in seconds.
        by: Factors of the site.
    """
    location_g = product(GRAMS, "E x PUE x I", energy_kwh, by.pue, by.grid)
    made_g = product(GRAMS, MADE, reserved_s, by.made)
    return Carbon(
        energy_kwh=energy_kwh,
        reserved_s=reserved_s,
        facility_kwh=product(KWH, "E x PUE", energy_kwh, by.pue),
        location_g=location_g,
        market_g=product(
            GRAMS, "E x PUE x I of the contract", energy_kwh, by.pue, by.contract
        ),
        embodied_g=made_g,
        total_g=total(GRAMS, "E x PUE x I + M", location_g, made_g),
    )


def grams(energy_kwh: Figure, made_g: Figure, by: Rates) -> Figure:
    """E x PUE x I + M of so much energy, or E x PUE x I where M is not known."""
    location_g = product(GRAMS, "E x PUE x I", energy_kwh, by.pue, by.grid)
    whole_g = total(GRAMS, "E x PUE x I + M", location_g, made_g)
    return _with_or_without(whole_g, location_g, made_g)


def _with_or_without(whole_g: Figure, location_g: Figure, made_g: Figure) -> Figure:
    if whole_g.value is not None or location_g.value is None:
        return whole_g
    lack = f"M is not in it: {made_g.reason}"
    return location_g.model_copy(update={"reason": lack})


def kwh(joules: Figure) -> Figure:
    """Kilowatt-hours of joules."""
    return scaled(KWH, joules.formula, joules, 1 / JOULES_PER_KWH)


def shares(reserved_s: Figure, ledger: Ledger) -> tuple[Share, ...]:
    """What of making falls on a reserved time, by hardware and named source."""
    duration_s = reserved_s.value
    if duration_s is None:
        return ()
    return tuple(
        share
        for piece in ledger.hardware
        if piece.lifetime is not None
        for share in _of_sources(piece, piece.lifetime, duration_s)
    )


def _of_sources(
    piece: Hardware, lifetime: Factor, duration_s: float
) -> Iterable[Share]:
    shortest, longest = lifetime.bounds
    for factor in piece.embodied:
        least_kg, most_kg = factor.bounds
        value, low, high = (
            piece.count * embodied_g(made_kg, duration_s, years)
            for made_kg, years in (
                (factor.value, lifetime.value),
                (least_kg, longest),
                (most_kg, shortest),
            )
        )
        ranged = low < high
        yield Share(
            hardware=piece.name,
            count=piece.count,
            source=factor.source,
            year=factor.year,
            made_kg=factor.value,
            lifetime_years=lifetime.value,
            embodied_g=Figure(
                unit=GRAMS,
                value=value,
                low=low if ranged else None,
                high=high if ranged else None,
                interval=RANGE if ranged else "",
                methods=methods_of((factor, lifetime)),
                formula=MADE,
            ),
        )


def check(found: Carbon, ledger: Ledger) -> Check | None:
    """`E x PUE x I + M`, written out and computed again; without M where not known."""
    energy_kwh, stated = found.energy_kwh.value, found.total_or_location.value
    grid, pue = ledger.intensity, ledger.pue
    if energy_kwh is None or stated is None or grid is None or pue is None:
        return None
    used_g = operational_g(energy_kwh, pue.value, grid.value)
    made_g = found.embodied_g.value
    terms = (
        f"{significant(energy_kwh, 6)} kWh x {pue.value:g} x "
        f"{significant(grid.value, 6)} g CO2e/kWh"
    )
    head, tail = "E x PUE x I", ""
    if made_g is not None:
        head, tail = f"{head} + M", f" + {significant(made_g, 6)} g CO2e"
    again = used_g + (made_g or 0.0)
    return Check(
        line=f"{head} = {terms}{tail} = {significant(stated, 6)} g CO2e",
        stated_g=stated,
        recomputed_g=again,
        agrees=math.isclose(again, stated, rel_tol=SAME),
    )


def no_grams(*reasons: str | None) -> Figure:
    """Grams that could not be had."""
    return missing(GRAMS, *reasons)
