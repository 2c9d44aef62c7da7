"""The answer of one group: which configuration to take, what it saves, and why."""

from collections.abc import Sequence

from harness.noun import Noun
from harness.readings import Provenance
from reports.formatting import percent, significant
from reports.ranking import Group
from reports.sustainability.figures import Figure
from reports.sustainability.rated import Rated

PER = 1_000_000
"""Savings are told for a million items: an item's are too small to read."""


class Answer(Noun):
    """What to take of one group.

    Attributes:
        best: Key of the first of the ranking behind the gate; None where there is none.
        tied: Keys whose difference from it is not shown.
        sentence: What it saves, with its interval.
        why: Why this one, and how far to trust it.
    """

    best: str | None
    tied: tuple[str, ...]
    sentence: str
    why: str


def answer(group: Group, rows: Sequence[Rated]) -> Answer:
    """The best of the rows behind the gate."""
    placed = [row for row in rows if row.place is not None]
    best = next((row for row in placed if row.place == 1), None)
    if best is None:
        return Answer(
            best=None,
            tied=(),
            sentence=f"{group.title}: nothing reached the accuracy floor with joules.",
            why="; ".join(dict.fromkeys(r.reason for r in rows if r.reason)),
        )
    tied = [
        r
        for r in placed
        if r is not best and r.rank is not None and r.rank == best.rank
    ]
    return Answer(
        best=best.key,
        tied=tuple(row.key for row in tied),
        sentence=f"{group.title}: take {best.name}{_tie(tied)}. {_saved(best)}",
        why=_why(best, tied, group),
    )


def _tie(tied: Sequence[Rated]) -> str:
    if not tied:
        return ""
    names = ", ".join(row.name for row in tied[:3])
    more = f" and {len(tied) - 3} more" if len(tied) > 3 else ""
    return f" (tied with {names}{more})"


def _saved(best: Rated) -> str:
    """Against fp32, for a million items."""
    saving = best.saving
    if saving is None:
        if best.configuration.precision == "fp32":
            return "It is fp32 itself: no reduced precision beats it here."
        return "There is no fp32 reference to hold it against."
    ratio = saving.energy_ratio
    said = f"It takes {significant(ratio.value)} of the energy of fp32"
    if ratio.low is not None and ratio.high is not None:
        said += f" (95 %: {significant(ratio.low)} to {significant(ratio.high)})"
    if ratio.value is None or ratio.value >= 1:
        return f"{said}: it saves none."
    parts = (
        _amount(saving.energy_per_item_j, "J"),
        _amount(saving.total_per_item_g, "g CO2e"),
        _amount(saving.water_per_item_l, "L of water"),
    )
    told = ", ".join(part for part in parts if part)
    costs = saving.total_per_item_g
    if costs.value is not None and costs.value < 0:
        told += f", but cost {_amount(costs, 'g CO2e', -PER)} more, by their time"
    doubt = "" if saving.shown else "; the rounds do not prove that it saves"
    return f"{said}: a million items save {told}{doubt}."


def _amount(figure: Figure, unit: str, items: int = PER) -> str:
    """Such as `4.2 kJ`, for so many items; empty where nothing is known to be saved."""
    if figure.value is None or figure.value * items < 0:
        return ""
    value = figure.value * items
    if unit == "J" and abs(value) >= 1e3:
        return f"{significant(value / 1e3)} kJ"
    return f"{significant(value)} {unit}"


def _why(best: Rated, tied: Sequence[Rated], group: Group) -> str:
    """What it rests on."""
    floor = "the accuracy floor"
    parts = [
        f"It has the most accuracy per joule of what reaches {floor}"
        if best.verdict == "pass"
        else f"It has the most accuracy per joule; that it reaches {floor} is estimated"
    ]
    if tied:
        parts.append("its lead over those tied with it is not shown")
    if best.rank is None:
        parts.append("there are too few rounds to rank it")
    modelled = best.modelled_ratio
    if modelled:
        parts.append(f"{percent(modelled)} of its joules are modelled")
    elif modelled == 0:
        parts.append(f"its joules are {Provenance.MEASURED}")
    if not group.complete:
        parts.append("a part of the machine has no meter")
    return "; ".join(parts) + "."
