"""The formulas of carbon and water; plain numbers in, plain numbers out.

Carbon: ISO/IEC 21031:2024 (SCI, Green Software Foundation): SCI = (E x I + M) / R.
Water: WUE is litres by kWh of the machines, so only water of the grid takes the PUE.
"""

HOURS_PER_YEAR = 8_766.0
"""A mean year of 365.25 days."""
SECONDS_PER_YEAR = HOURS_PER_YEAR * 3_600.0
G_PER_KG = 1_000.0
GRADES = ((0.10, "high"), (0.25, "medium"), (0.50, "low"))
"""Quality of energy in BoAmps: an error of at most 10, 25 and 50 %."""


def facility_kwh(machine_kwh: float, pue: float) -> float:
    """Energy of the facility for so much energy of its machines."""
    return machine_kwh * pue


def operational_g(machine_kwh: float, pue: float, intensity_g_per_kwh: float) -> float:
    """Grams CO2e of using energy: E x I, with the facility's overhead in E."""
    return facility_kwh(machine_kwh, pue) * intensity_g_per_kwh


def embodied_g(
    made_kg: float, duration_s: float, lifetime_years: float, share: float = 1.0
) -> float:
    """Grams CO2e of making hardware that fall on a use of it: M = TE x TS x RS.

    Args:
        made_kg: TE, all of making it, in kg CO2e.
        duration_s: TiR, the time that it was reserved, in seconds.
        lifetime_years: EL, its expected time of service, in years.
        share: RS, the part of it that was reserved, in [0, 1].
    """
    reserved = duration_s / (lifetime_years * SECONDS_PER_YEAR)
    return made_kg * G_PER_KG * reserved * share


def onsite_water_l(machine_kwh: float, wue_l_per_kwh: float) -> float:
    """Litres evaporated or drained at the site."""
    return machine_kwh * wue_l_per_kwh


def grade(error_ratio: float) -> str | None:
    """Quality of energy in the words of BoAmps 1.1; None where it has no word.

    Args:
        error_ratio: Largest error that the joules may have, as a share of them.
    """
    return next((word for most, word in GRADES if error_ratio <= most), None)
