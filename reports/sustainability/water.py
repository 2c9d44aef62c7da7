"""Litres that the energy took, at the site and in the power plants of the grid.

The form is that of EcoLogits: E of the machines x (WUE + PUE x water of the grid),
since WUE is by kWh of the machines. Consumption only: withdrawal is another quantity
and is never added.
"""

from harness.noun import Noun
from reports.sustainability.figures import Figure, missing, product, total
from reports.sustainability.rates import Rates

LITRES = "L"
TIER = "Tier 3: the mean of a country or zone (Software Water Intensity)"
HYDROPOWER = (
    "Water of the grid is led by evaporation from reservoirs of hydropower, which the "
    "Software Water Intensity guide calls methodologically unsettled; a grid with much "
    "hydropower looks thirsty."
)
NO_WITHDRAWAL = "not provided: the factors are of consumption, another quantity"
NO_STRESS = "not provided: needs a characterisation factor of the water basin (AWARE)"
NO_EMBODIED = "not provided: no source of water for making this hardware"


class Water(Noun):
    """Water consumed; nothing of it is adjusted for how scarce it is.

    Attributes:
        onsite_l: E x WUE.
        source_l: E x PUE x W, W of the grid.
        total_l: Their sum; None where one is.
    """

    onsite_l: Figure
    source_l: Figure
    total_l: Figure


class WaterSheet(Water):
    """The same of a whole run, with what is not provided.

    Attributes:
        withdrawal_l: Never given, with why.
        stress_adjusted_l: Never given without a factor of the user's.
        embodied_l: W_M of Software Water Intensity; never given.
    """

    withdrawal_l: Figure = missing(LITRES, NO_WITHDRAWAL)
    stress_adjusted_l: Figure = missing(LITRES, NO_STRESS)
    embodied_l: Figure = missing(LITRES, NO_EMBODIED)
    tier: str = TIER
    caveat: str = HYDROPOWER


def water(energy_kwh: Figure, by: Rates) -> Water:
    """Water of so much energy of the machines."""
    onsite_l = product(LITRES, "E x WUE", energy_kwh, by.wue)
    source_l = product(LITRES, "E x PUE x W", energy_kwh, by.pue, by.source_water)
    return Water(
        onsite_l=onsite_l,
        source_l=source_l,
        total_l=total(LITRES, "E x (WUE + PUE x W)", onsite_l, source_l),
    )


def water_sheet(energy_kwh: Figure, by: Rates) -> WaterSheet:
    """Water of a whole run."""
    found = water(energy_kwh, by)
    return WaterSheet(
        onsite_l=found.onsite_l, source_l=found.source_l, total_l=found.total_l
    )
