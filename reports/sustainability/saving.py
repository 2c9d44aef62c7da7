"""What a configuration saves against its fp32 reference, in joules, grams and litres.

Meters and factors are the same on both sides, so that only what differs from round to
round makes the difference unsure. In each round an item costs joules, grams and litres;
the ratio to the reference's cost in the same round has a geometric mean and Student's
interval, and what is saved is that share of the reference's mean cost. Factors stand at
their values.
"""

import math
from collections.abc import Mapping

from harness.noun import Noun
from harness.stats import geometric_mean, log_t_interval
from harness.units import JOULES_PER_KWH
from reports.rows import ENOUGH_ROUNDS
from reports.sustainability.accounts import Work
from reports.sustainability.figures import BEYOND, Figure, Method, methods_in, missing
from reports.sustainability.rates import Rates

ROUNDS = "95 % interval of the rounds"
PAIRED = f"{ROUNDS}, paired"
Methods = tuple[Method, ...]
Costs = Mapping[tuple[int, int], float]
"""What an item costs by run and round."""


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
    ratio = _ratio((mine.rounds_j, other.rounds_j), methods)
    if ratio.value is None:
        return None
    saved_j = _saved((mine.rounds_j, other.rounds_j), methods, "J/item")
    return Saving(
        reference=reference,
        energy_ratio=ratio,
        energy_per_item_j=saved_j,
        total_per_item_g=_grams((mine, other), methods, by),
        water_per_item_l=_litres(saved_j, by),
        shown=None
        if ratio.low is None or ratio.high is None
        else not ratio.low <= 1 <= ratio.high,
    )


def _ratio(costs: tuple[Costs, Costs], methods: Methods) -> Figure:
    """Cost of an item over the reference's: paired where rounds are common."""
    mine, other = costs
    common = sorted(mine.keys() & other.keys())
    ratios = [mine[each] / other[each] for each in common if other[each]]
    value = geometric_mean(ratios)
    if value is None:
        means = [geometric_mean([*each.values()]) for each in costs]
        if not means[0] or not means[1]:
            return missing("", "no round has both costs")
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


def _saved(costs: tuple[Costs, Costs], methods: Methods, unit: str) -> Figure:
    """That share of the reference's mean cost which is not taken."""
    ratio = _ratio(costs, methods)
    base = geometric_mean([*costs[1].values()])
    if ratio.value is None or base is None or not math.isfinite(base * ratio.value):
        return missing(unit, ratio.reason or BEYOND)
    return ratio.model_copy(
        update={
            "unit": unit,
            "value": base * (1 - ratio.value),
            "low": None if ratio.high is None else base * (1 - ratio.high),
            "high": None if ratio.low is None else base * (1 - ratio.low),
        }
    )


def _grams(works: tuple[Work, Work], methods: Methods, by: Rates) -> Figure:
    """Location-based grams, with the share of making where it is known."""
    unit = "g CO2e/item"
    pue, grid, made = by.pue.value, by.grid.value, by.made.value
    if pue is None or grid is None:
        return missing(unit, by.pue.reason, by.grid.reason)
    per_j, per_s = pue * grid / JOULES_PER_KWH, made or 0.0
    mine, other = (
        {each: j * per_j + done.rounds_s[each] * per_s for each, j in rounds.items()}
        for done, rounds in ((done, done.rounds_j) for done in works)
    )
    used = (by.pue, by.grid) if made is None else (by.pue, by.grid, by.made)
    found = _saved((mine, other), methods, unit)
    return found.model_copy(
        update={
            "methods": methods_in((found, *used)),
            "reason": found.reason
            or (f"M is not in it: {by.made.reason}" if made is None else None),
        }
    )


def _litres(saved_j: Figure, by: Rates) -> Figure:
    """Litres at the site and in power plants: in proportion to joules."""
    unit = "L/item"
    wue, pue, grid = by.wue.value, by.pue.value, by.source_water.value
    if wue is None or pue is None or grid is None:
        return missing(unit, by.wue.reason, by.pue.reason, by.source_water.reason)
    per_j = (wue + pue * grid) / JOULES_PER_KWH
    ends = {name: getattr(saved_j, name) for name in ("value", "low", "high")}
    update: dict[str, object] = {
        name: None if end is None else end * per_j for name, end in ends.items()
    }
    used = methods_in((saved_j, by.wue, by.pue, by.source_water))
    return saved_j.model_copy(update={**update, "unit": unit, "methods": used})
