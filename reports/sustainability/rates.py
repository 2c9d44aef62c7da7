"""The factors of a site as figures, worked out once for all that is multiplied."""

import math
from collections.abc import Callable, Iterable, Sequence
from statistics import median
from typing import NamedTuple

from harness.factor import Factor
from harness.ledger_nouns import Hardware, Ledger
from reports.sustainability.arithmetic import embodied_g
from reports.sustainability.figures import (
    RANGE,
    Figure,
    methods_of,
    missing,
    of_factor,
)

PER_S = "g CO2e/s"
NAMES = {
    "pue": "PUE",
    "intensity": "carbon intensity of the grid",
    "contract": "contract for electricity",
    "wue": "WUE (water at the site)",
    "source_water": "water of the grid",
    "hardware": "embodied carbon of the hardware",
}


class Rates(NamedTuple):
    """What joules and seconds are multiplied with.

    Attributes:
        grid: Intensity of the location.
        contract: Intensity of the contract.
        made: Grams of making that fall on each second of all reserved hardware:
            TE / EL. The value is that of the median source at the stated lifetime; the
            ends are the lowest and the highest of any source, with the longest and the
            shortest lifetime.
    """

    pue: Figure
    grid: Figure
    contract: Figure
    wue: Figure
    source_water: Figure
    made: Figure


def rates(ledger: Ledger) -> Rates:
    """Figures of a ledger's factors; what is missing says why."""
    return Rates(
        pue=of_factor(ledger.pue, "", why(ledger, "pue")),
        grid=of_factor(ledger.intensity, "g CO2e/kWh", why(ledger, "intensity")),
        contract=of_factor(ledger.contract, "g CO2e/kWh", why(ledger, "contract")),
        wue=of_factor(ledger.wue, "L/kWh", why(ledger, "wue")),
        source_water=of_factor(
            ledger.source_water, "L/kWh", why(ledger, "source_water")
        ),
        made=_made(ledger),
    )


def why(ledger: Ledger, name: str) -> str:
    """Why a factor is missing, with the ledger's cure."""
    cure = ledger.missing.get(name)
    return f"no {NAMES[name]} is known" + (f": {cure}" if cure else "")


def rate_g_per_s(
    hardware: Iterable[Hardware],
    pick: Callable[[tuple[Factor, ...]], float],
    years: Callable[[Factor], float],
) -> float:
    """Grams of making by second of some hardware, with one choice of sources and ages.

    Args:
        hardware: Each with a lifetime and a source.
        pick: kg CO2e of a piece out of its sources.
        years: Lifetime out of its factor.
    """
    return math.fsum(
        piece.count * embodied_g(pick(piece.embodied), 1.0, years(piece.lifetime))
        for piece in hardware
        if piece.lifetime is not None
    )


def of_median(sources: tuple[Factor, ...]) -> float:
    """The middle one of what the sources say."""
    return float(median(factor.value for factor in sources))


def lowest(sources: tuple[Factor, ...]) -> float:
    """The lowest end of any source."""
    return min(factor.bounds[0] for factor in sources)


def highest(sources: tuple[Factor, ...]) -> float:
    """The highest end of any source."""
    return max(factor.bounds[1] for factor in sources)


def stated(lifetime: Factor) -> float:
    """The lifetime itself."""
    return lifetime.value


class Made(NamedTuple):
    """Grams of making that fall on each second, as `Rates.made` says."""

    value: float
    low: float
    high: float


def made_g_per_s(hardware: Sequence[Hardware]) -> Made | str:
    """Median and ends of what making some hardware emits by second; else what lacks."""
    for piece in hardware:
        if not piece.embodied:
            return f"{piece.name}: no embodied carbon is known"
        if piece.lifetime is None:
            return f"{piece.name}: no lifetime is known"
    return Made(
        rate_g_per_s(hardware, of_median, stated),
        rate_g_per_s(hardware, lowest, lambda age: age.bounds[1]),
        rate_g_per_s(hardware, highest, lambda age: age.bounds[0]),
    )


def _made(ledger: Ledger) -> Figure:
    hardware = ledger.hardware
    if not hardware:
        return missing(PER_S, why(ledger, "hardware"))
    made = made_g_per_s(hardware)
    if isinstance(made, str):
        return missing(PER_S, made)
    used = [f for h in hardware for f in (h.lifetime, *h.embodied) if f is not None]
    is_range = made.low < made.high
    return Figure(
        unit=PER_S,
        value=made.value,
        low=made.low if is_range else None,
        high=made.high if is_range else None,
        interval=f"{RANGE}, of all sources" if is_range else "",
        methods=methods_of(used),
        formula="TE / EL",
    )
