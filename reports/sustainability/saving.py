"""What a configuration saves against its fp32 reference, in joules, grams and litres.

Meters and factors are the same on both sides, so that only what differs from round to
round makes the difference unsure: the ends are those of the ratio of joules, paired by
round, and the factors stand at their values.
"""

from collections.abc import Callable

from harness.noun import Noun
from harness.stats import geometric_mean, log_t_interval
from harness.units import JOULES_PER_KWH
from reports.rows import ENOUGH_ROUNDS
from reports.sustainability.accounts import Work
from reports.sustainability.figures import Figure, Method, methods_in, missing
from reports.sustainability.rates import Rates

ROUNDS = "95 % interval of the rounds"
PAIRED = f"{ROUNDS}, paired"
Methods = tuple[Method, ...]


class Saving(Noun):
    """What an item takes less than one of the reference; negative where it takes more.

    Attributes:
        energy_ratio: Joules over those of the reference, paired by round.
        shown: The rounds show the sign of the difference; None below three rounds.
    """

    reference: str
    energy_ratio: Figure
    energy_per_item_j: Figure
    total_per_item_g: Figure
    water_per_item_l: Figure
    shown: bool | None = None


def saving_of(
    reference: str,
    works: tuple[Work | None, Work | None],
    methods: Methods,
    by: Rates,
) -> Saving | None:
    """Differences of one configuration to its reference; None without joules.

    Args:
        reference: Its key.
        works: Of the configuration, and of the reference.
        methods: How the joules came to be.
        by: Factors of the site.
    """
    mine, other = works
    if mine is None or other is None:
        return None
    ratio = _ratio(mine, other, methods)
    base_j = geometric_mean(list(other.rounds_j.values()))
    if ratio.value is None or base_j is None:
        return None
    saved_j = _ends(ratio, lambda each: base_j * (1 - each), "J/item")
    saved_s = None
    if mine.seconds is not None and other.seconds is not None:
        saved_s = other.seconds - mine.seconds
    return Saving(
        reference=reference,
        energy_ratio=ratio,
        energy_per_item_j=saved_j,
        total_per_item_g=_grams(saved_j, saved_s, by),
        water_per_item_l=_litres(saved_j, by),
        shown=None
        if ratio.low is None or ratio.high is None
        else not ratio.low <= 1 <= ratio.high,
    )


def _ratio(mine: Work, other: Work, methods: Methods) -> Figure:
    """Joules an item over the reference's: paired where rounds are common."""
    common = sorted(mine.rounds_j.keys() & other.rounds_j.keys())
    ratios = [mine.rounds_j[each] / other.rounds_j[each] for each in common]
    value = geometric_mean(ratios)
    if value is None:
        means = [geometric_mean([*each.rounds_j.values()]) for each in (mine, other)]
        if not means[0] or not means[1]:
            return missing("", "no round has joules")
        return Figure(unit="", value=means[0] / means[1], methods=methods)
    ends = log_t_interval(ratios) if len(ratios) >= ENOUGH_ROUNDS else None
    return Figure(
        unit="",
        value=value,
        low=ends[0] if ends else None,
        high=ends[1] if ends else None,
        interval=PAIRED if ends else "",
        methods=methods,
    )


def _ends(figure: Figure, change: Callable[[float], float], unit: str) -> Figure:
    """A figure whose value and ends are all changed alike."""
    ends = [change(end) for end in (figure.low, figure.high) if end is not None]
    return figure.model_copy(
        update={
            "unit": unit,
            "value": None if figure.value is None else change(figure.value),
            "low": min(ends) if ends else None,
            "high": max(ends) if ends else None,
        }
    )


def _grams(saved_j: Figure, saved_s: float | None, by: Rates) -> Figure:
    """Location-based grams, with the share of making where it is known."""
    unit = "g CO2e/item"
    pue, grid, made = by.pue.value, by.grid.value, by.made.value
    if pue is None or grid is None:
        return missing(unit, by.pue.reason, by.grid.reason)
    per_j = pue * grid / JOULES_PER_KWH
    known = made is not None and saved_s is not None
    extra = (made or 0.0) * (saved_s or 0.0) if known else 0.0
    found = _ends(saved_j, lambda joules: joules * per_j + extra, unit)
    used = (saved_j, by.pue, by.grid, by.made) if known else (saved_j, by.pue, by.grid)
    return found.model_copy(
        update={
            "methods": methods_in(used),
            "reason": None if known else f"M is not in it: {by.made.reason}",
        }
    )


def _litres(saved_j: Figure, by: Rates) -> Figure:
    """Litres at the site and in power plants."""
    unit = "L/item"
    wue, pue, grid = by.wue.value, by.pue.value, by.source_water.value
    if wue is None or pue is None or grid is None:
        return missing(unit, by.wue.reason, by.pue.reason, by.source_water.reason)
    per_kwh = wue + pue * grid
    found = _ends(saved_j, lambda joules: joules * per_kwh / JOULES_PER_KWH, unit)
    used = methods_in((saved_j, by.wue, by.pue, by.source_water))
    return found.model_copy(update={"methods": used})
