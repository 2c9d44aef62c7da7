"""One assumption changed at a time: what becomes of the total, and of the order.

An item takes e kWh and s seconds; it costs e x PUE x I + s x M', where M' is what of
making falls on a second. Another I or PUE changes the order of configurations only
where M' is known and above 0, and another M' only where they differ in seconds.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise
from typing import NamedTuple

from harness.factor import Factor
from harness.ledger_nouns import Hardware, Ledger
from harness.noun import Noun
from reports.formatting import percent
from reports.sustainability.arithmetic import operational_g
from reports.sustainability.rates import (
    highest,
    lowest,
    of_median,
    rate_g_per_s,
    rates,
    stated,
)

LIFETIME_YEARS = (3.0, 6.0)
"""Servers are written off over three years and used for six."""
USED_RATIO = (0.25, 1.0)
"""Share of its life in which hardware is used; the report itself assumes none."""
MOST_PAIRS = 5
Pick = Callable[[tuple[Factor, ...]], float]


class End(Noun):
    """One end of what an assumption may be.

    Attributes:
        text: The assumption with its unit and source.
        total_g: Of the whole run.
        flips: How many pairs of configurations change places, in all groups.
        examples: The first of these pairs.
        changed_best: Groups whose first one is another.
    """

    text: str
    total_g: float
    flips: int
    examples: tuple[tuple[str, str], ...] = ()
    changed_best: tuple[str, ...] = ()


class Assumption(Noun):
    """An assumption at both of its ends.

    Attributes:
        about: Where the ends come from.
        survives: No pair of configurations changes places at either end.
    """

    name: str
    about: str
    low: End
    high: End
    survives: bool


class Sensitivity(Noun):
    """All assumptions, and what they leave of the ranking.

    Attributes:
        base_g: Total of the run with all factors at their values.
        ranked: By g CO2e an item, behind the quality gate.
        reason: Why nothing was tried.
    """

    base_g: float | None
    assumptions: tuple[Assumption, ...] = ()
    survives: bool | None = None
    statement: str = ""
    reason: str | None = None


class Cost(NamedTuple):
    """What an item of one configuration takes."""

    key: str
    energy_kwh: float
    seconds: float


class Group(NamedTuple):
    """Configurations behind the gate that may be compared."""

    title: str
    costs: Sequence[Cost]


class Terms(NamedTuple):
    """The assumptions that grams depend on."""

    intensity_g_per_kwh: float
    pue: float
    made_g_per_s: float


class Case(NamedTuple):
    """An assumption with the terms at its ends."""

    name: str
    about: str
    ends: tuple[tuple[str, Terms], tuple[str, Terms]]


def sensitivity(
    groups: Sequence[Group], run: tuple[float | None, float | None], ledger: Ledger
) -> Sensitivity:
    """Total and order at both ends of each assumption.

    Args:
        groups: Configurations that may be compared.
        run: kWh of the machines and reserved seconds of the whole run.
        ledger: Factors of the site.
    """
    if ledger.intensity is None or ledger.pue is None or run[0] is None:
        lack = "carbon intensity and PUE are needed, and joules"
        return Sensitivity(base_g=None, reason=lack)
    rate = rates(ledger).made.value
    base = Terms(ledger.intensity.value, ledger.pue.value, rate or 0.0)
    spent = (run[0], run[1] or 0.0)
    orders = [order(group.costs, base) for group in groups]
    found = tuple(
        _tried(case, groups, orders, spent)
        for case in _cases(base, ledger, has_made=rate is not None)
    )
    survives = all(each.survives for each in found)
    return Sensitivity(
        base_g=_grams(*spent, base),
        assumptions=found,
        survives=survives,
        statement=_statement(found, groups, has_made=rate is not None),
    )


def order(costs: Sequence[Cost], terms: Terms) -> list[str]:
    """Keys by grams an item, the fewest first."""
    by_grams = sorted((_grams(c.energy_kwh, c.seconds, terms), c.key) for c in costs)
    return [key for _, key in by_grams]


def _grams(energy_kwh: float, seconds: float, terms: Terms) -> float:
    used = operational_g(energy_kwh, terms.pue, terms.intensity_g_per_kwh)
    return used + seconds * terms.made_g_per_s


def _cases(base: Terms, ledger: Ledger, *, has_made: bool) -> Iterable[Case]:
    grid, pue = ledger.intensity, ledger.pue
    if grid is not None:
        yield from _intensities(base, grid, ledger.second_opinions)
    if pue is not None:
        yield _pue(base, pue)
    if has_made:
        yield from _makings(base, ledger.hardware)


def _makings(base: Terms, hardware: Sequence[Hardware]) -> Iterable[Case]:
    """Source of what making took, lifetime, and how much of its life it is used."""
    low, high = (rate_g_per_s(hardware, pick, stated) for pick in (lowest, highest))
    if low < high:
        names = [factor.source for piece in hardware for factor in piece.embodied]
        yield Case(
            "source of embodied carbon",
            f"lowest and highest of {'; '.join(dict.fromkeys(names))}",
            _two(
                (_made_kg(hardware, pick), base._replace(made_g_per_s=rate))
                for pick, rate in ((lowest, low), (highest, high))
            ),
        )
    yield Case(
        "lifetime of the hardware",
        "6 and 3 years (assumed)",
        _two(
            (f"{years:g} years", base._replace(made_g_per_s=_aged(hardware, years)))
            for years in reversed(LIFETIME_YEARS)
        ),
    )
    yield Case(
        "share of its life in use",
        "100 and 25 % (assumed); the report charges the time of use alone",
        _two(
            (percent(used), base._replace(made_g_per_s=base.made_g_per_s / used))
            for used in reversed(USED_RATIO)
        ),
    )


def _made_kg(hardware: Sequence[Hardware], pick: Pick) -> str:
    made_kg = math.fsum(piece.count * pick(piece.embodied) for piece in hardware)
    return f"{made_kg:.4g} kg CO2e"


def _aged(hardware: Sequence[Hardware], years: float) -> float:
    """Grams by second with another lifetime."""
    return rate_g_per_s(hardware, of_median, lambda _: years)


def _intensities(base: Terms, grid: Factor, others: Sequence[Factor]) -> Iterable[Case]:
    """The range of the grid's factor, and what other sources say."""
    said = [(factor.value, _named(factor)) for factor in (grid, *others)]
    low, high = grid.bounds
    if low < high:
        said += [(low, "lower end of its range"), (high, "upper end of its range")]
    if len(said) > 1:
        ends = min(said), max(said)
        yield Case(
            "carbon intensity of the grid",
            "its range and second opinions",
            _two(
                (f"{v:.4g} g CO2e/kWh, {w}", base._replace(intensity_g_per_kwh=v))
                for v, w in ends
            ),
        )


def _pue(base: Terms, pue: Factor) -> Case:
    low, high = pue.bounds
    about = "range of its source"
    if low == high:
        low, high = 1.0, max(pue.value, 1.54)
        about = "1 (no overhead) to 1.54 (mean of a survey), assumed"
    return Case(
        "PUE",
        about,
        _two((f"{value:.3g}", base._replace(pue=value)) for value in (low, high)),
    )


def _two(
    ends: Iterable[tuple[str, Terms]],
) -> tuple[tuple[str, Terms], tuple[str, Terms]]:
    low, high = ends
    return low, high


def _named(factor: Factor) -> str:
    year = f", {factor.year}" if factor.year else ""
    return f"{factor.source}{year}"


def _tried(
    case: Case,
    groups: Sequence[Group],
    orders: Sequence[Sequence[str]],
    spent: tuple[float, float],
) -> Assumption:
    low, high = (_end(text, terms, groups, orders, spent) for text, terms in case.ends)
    return Assumption(
        name=case.name,
        about=case.about,
        low=low,
        high=high,
        survives=low.flips == high.flips == 0,
    )


def _end(
    text: str,
    terms: Terms,
    groups: Sequence[Group],
    orders: Sequence[Sequence[str]],
    spent: tuple[float, float],
) -> End:
    flips = 0
    examples: list[tuple[str, str]] = []
    changed = []
    for group, before in zip(groups, orders, strict=True):
        after = order(group.costs, terms)
        if after == before:
            continue
        place = {key: number for number, key in enumerate(after)}
        flips += inversions([place[key] for key in before])
        examples += [
            (first, second)
            for first, second in pairwise(before)
            if place[first] > place[second]
        ][: MOST_PAIRS - len(examples)]
        if after[0] != before[0]:
            changed.append(group.title)
    return End(
        text=text,
        total_g=_grams(*spent, terms),
        flips=flips,
        examples=tuple(examples),
        changed_best=tuple(changed),
    )


def inversions(places: Sequence[int]) -> int:
    """How many pairs are in the wrong order; by merging, n log n."""
    if len(places) < 2:
        return 0
    middle = len(places) // 2
    left, right = places[:middle], places[middle:]
    count = inversions(left) + inversions(right)
    left, right = sorted(left), sorted(right)
    passed = 0
    for number in right:
        while passed < len(left) and left[passed] <= number:
            passed += 1
        count += len(left) - passed
    return count


def _statement(
    found: Sequence[Assumption], groups: Sequence[Group], *, has_made: bool
) -> str:
    """What is left of the order, in words."""
    if not any(len(group.costs) > 1 for group in groups):
        return "There are no two configurations behind the gate to put in order."
    if not has_made:
        return (
            "Embodied carbon is not known, so that grams are in proportion to joules: "
            "the order by g CO2e an item is that by joules, whatever the grid and PUE."
        )
    broken = [each.name for each in found if not each.survives]
    if not broken:
        return (
            "The order of estimates by g CO2e an item survives every assumption tried "
            "here."
        )
    best = {
        title
        for each in found
        for end in (each.low, each.high)
        for title in end.changed_best
    }
    first = (
        f"the best one changes in {', '.join(sorted(best))}"
        if best
        else ("the best one of each group stays the best")
    )
    return (
        "The order of estimates by g CO2e an item depends on: "
        f"{', '.join(broken)}; {first}."
    )
