"""All factors of one site: what a report may multiply joules with."""

from typing import Literal

from pydantic import Field

from harness.factor import Factor
from harness.noun import Noun

Ownership = Literal["owned", "colo", "cloud"]
Matched = Literal["hourly", "annual"]


class Hardware(Noun):
    """Machines or devices of one kind that the runs reserved.

    Attributes:
        name: As the reader knows it, such as `NVIDIA H100 80GB HBM3`.
        match: Pattern of what a machine calls it, with `*` and `?`; None: the name.
        count: Pieces that a trial reserves.
        lifetime: Years of service.
        embodied: kg CO2e of making one piece, a factor for each named source; empty
            where none is known.
        capex: Price of one piece, in the site's currency; None where not given.
    """

    name: str
    match: str | None = None
    count: int
    lifetime: Factor | None = None
    embodied: tuple[Factor, ...] = ()
    capex: Factor | None = None


class Ledger(Noun):
    """Every factor of a site, and why the others are missing.

    Attributes:
        site: Name of the site, for people.
        place: Code of the grid.
        ownership: Who owns the machines: decides the GHG Protocol scope; None if the
            site does not say.
        intensity: Mean carbon intensity of the grid, g CO2e/kWh, location-based.
        second_opinions: The same by other sources or years.
        marginal: Intensity of the plants that answer to more load; no mean.
        contract: Intensity of the contract, g CO2e/kWh, market-based.
        matched: Whether the contract covers the use by the hour or by the year.
        pue: Energy of the facility over energy of the machines, 1 or more.
        wue: Litres of water used at the site by kWh of the machines.
        source_water: Litres used in power plants by kWh from the grid.
        price: Money by kWh, its unit names the currency, such as `EUR/kWh`.
        hardware: What embodied carbon is shared out of.
        missing: Why, by the name of an attribute that is None or empty.
    """

    site: str
    place: str | None = None
    ownership: Ownership | None = None
    intensity: Factor | None = None
    second_opinions: tuple[Factor, ...] = ()
    marginal: Factor | None = None
    contract: Factor | None = None
    matched: Matched | None = None
    pue: Factor | None = None
    wue: Factor | None = None
    source_water: Factor | None = None
    price: Factor | None = None
    hardware: tuple[Hardware, ...] = ()
    missing: dict[str, str] = Field(default_factory=dict)

    def factors(self) -> tuple[Factor, ...]:
        """Every factor that is known, each once, in the order of the attributes."""
        single = (self.intensity, *self.second_opinions, self.marginal)
        rest = (self.contract, self.pue, self.wue, self.source_water, self.price)
        pieces = [
            factor
            for piece in self.hardware
            for factor in (piece.lifetime, *piece.embodied, piece.capex)
        ]
        known = (factor for factor in (*single, *rest, *pieces) if factor is not None)
        return tuple(dict.fromkeys(known))
