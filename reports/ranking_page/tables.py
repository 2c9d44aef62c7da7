"""A group's ranking as a table, and what is said beside it."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from harness.stats import median
from reports.formatting import MISSING, percent, scale_for, significant
from reports.gate import FEW_ROUNDS
from reports.page.blocks import Column, Table
from reports.page.shown import MOST_ROWS
from reports.ranking import Group
from reports.ranking_page.material import Material
from reports.rows import Interval, Row

MICRO = "\u00b5"
VERDICTS = {
    "pass": "proven",
    "pass~": "estimated",
    "fail": "fails",
    "ungated": "no gate",
    "failed": "failed",
    "invalid": "invalid",
}
SCORES = {
    "accuracy_per_j": ("accuracy_per_j", "correct / J"),
    "skill_per_j": ("skill_per_j", "skill / J"),
}


def unit_for(values: Iterable[float | None]) -> tuple[float, str]:
    """Factor and prefix that suit the largest value; a page can print a micro sign."""
    size, prefix = scale_for(values)
    return size, prefix.replace("u", MICRO)


def typical_unit(values: Iterable[float | None]) -> tuple[float, str]:
    """The same for a column: of its median, so that one giant makes no dwarfs."""
    return unit_for([median([value for value in values if value])])


def ranked_rows(group: Group) -> list[Row]:
    """What was tried; the rest is told with its reasons elsewhere."""
    return [row for row in group.rows if row.verdict != "skipped"]


def ranking_table(group: Group, material: Material) -> Table:
    """One line a configuration, best first, one unit a column."""
    every = ranked_rows(group)
    rows = every[:MOST_ROWS]
    names, by = material.names(group), material.ranking.by
    size, prefix = typical_unit(row.energy_per_item_j.value for row in rows)
    places = Counter(row.rank for row in every if row.rank)
    score, title = SCORES.get(by, SCORES["accuracy_per_j"])
    carbons_g = [row.co2e_per_item_g.value for row in rows]
    has_carbon = any(value is not None for value in carbons_g)
    grams, gram = typical_unit(None if v is None else 1000 * v for v in carbons_g)
    columns = [
        Column(title="#", align="right", about="Rank; = is a tie, [a-b] its interval."
               " (n) is an order of estimates: rounds are too few for a test."),
        Column(title="configuration"),
        Column(title="accuracy", align="right", about="Share of right answers."),
        Column(title="gate", about="Whether the required accuracy is reached: proven,"
               " estimated (too few items to prove it), or it fails."),
        Column(title=f"{prefix}J / item", align="right",
               about="Joules an item of the window, idle included: the geometric mean"
               " over rounds."),
        Column(title="95 % interval", align="right", about="Of the joules an item;"
               " there is none below three rounds."),
        Column(title=title, align="right", about="What is ranked by default: the more,"
               " the better. Only behind the gate."),
        Column(title="vs best", align="right", about="The metric over the best one's."),
        Column(title="J vs fp32", align="right", about="Joules an item over those of"
               " the fp32 reference: below 1 it saves energy."),
        Column(title="items / s", align="right", about="Speed in the window."),
    ]  # fmt: skip
    if has_carbon:
        columns.append(
            Column(title=f"{gram}g CO2e / 1k", align="right", about="Operational"
                   " emissions of 1,000 items; the grid's intensity is assumed.")
        )  # fmt: skip
    columns.append(
        Column(title="joules", about="Measured by an instrument, modelled from load,"
               " or assumed.")
    )  # fmt: skip
    cells = []
    for row in rows:
        line = [
            _place(row, places),
            names[row.key],
            _accuracy(row),
            VERDICTS.get(row.verdict, row.verdict),
            significant(_over(row.energy_per_item_j.value, size)),
            _between(row.energy_per_item_j, size),
            significant(getattr(row, score).value) if row.place else MISSING,
            significant(row.score_vs_best) if row.place else MISSING,
            significant(row.energy_vs_reference),
            significant(row.items_per_s),
        ]
        if has_carbon:
            line.append(significant(_over(row.co2e_per_item_g.value, grams / 1000)))
        line.append(origin_of(row))
        cells.append(tuple(line))
    kept = [n for n in range(len(columns)) if n < 2 or _is_told(cells, n)]
    return Table(
        caption=f"Best first; {len(every)} configurations",
        columns=tuple(columns[n] for n in kept),
        rows=tuple(tuple(line[n] for n in kept) for line in cells),
        muted=frozenset(n for n, row in enumerate(rows) if row.place is None),
        left_out=len(every) - len(rows),
    )


def _is_told(cells: Sequence[Sequence[str]], column: int) -> bool:
    """Whether any row has something in a column."""
    return any(line[column] != MISSING for line in cells)


def _place(row: Row, places: Counter[int]) -> str:
    """Rank with `=` for a tie and its interval; (n) for an order of estimates."""
    if row.rank is None:
        return MISSING if row.place is None else f"({row.place})"
    place = f"{row.rank}=" if places[row.rank] > 1 else str(row.rank)
    if row.rank_low == row.rank_high:
        return place
    return f"{place} [{row.rank_low}-{row.rank_high}]"


def _accuracy(row: Row) -> str:
    return MISSING if row.accuracy.value is None else f"{row.accuracy.value:.3f}"


def _over(value: float | None, size: float) -> float | None:
    return None if value is None else value / size


def _between(interval: Interval, size: float) -> str:
    """Both ends of an interval."""
    if interval.low is None or interval.high is None:
        return MISSING
    low, high = interval.low / size, interval.high / size
    return f"{significant(low)} to {significant(high)}"


def origin_of(row: Row) -> str:
    """How the joules came to be, with the share that no instrument saw."""
    if not row.trials or row.provenance is None:
        return MISSING
    share = row.modelled_ratio
    if share is None or share in (0.0, 1.0):
        return str(row.provenance)
    return f"{percent(share)} modelled"


def reasons(group: Group, names: Mapping[str, str]) -> list[str]:
    """What speaks against rows, those of one reason together."""
    said: dict[str, list[str]] = {}
    for row in ranked_rows(group):
        few = row.reason == FEW_ROUNDS  # a note of the group says so
        for reason in filter(None, (None if few else row.reason, *row.notes)):
            said.setdefault(reason, []).append(names[row.key])
    return [f"{listed(who)}: {why}." for why, who in said.items()]


def listed(names: Sequence[str], most: int = 6) -> str:
    """Names with commas; how many more there are."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def required_table(group: Group, names: Mapping[str, str]) -> Table:
    """The front as a choice: what to take for which accuracy."""
    size, prefix = typical_unit(step.energy_per_item_j.value for step in group.required)
    return Table(
        caption="Fewest joules for a required accuracy",
        columns=(
            Column(title="accuracy up to", align="right"),
            Column(title="take"),
            Column(title=f"{prefix}J / item", align="right"),
            Column(title="95 % interval", align="right"),
            Column(
                title="J per extra right answer",
                align="right",
                about="Joules of each further right answer, from the line before.",
            ),
            Column(
                title="on the front",
                align="right",
                about="Probability that nothing beats it in both, given how far rounds "
                "and items differ.",
            ),
        ),
        rows=tuple(
            (
                f"{step.accuracy:.3f}",
                names[step.key],
                significant(_over(step.energy_per_item_j.value, size)),
                _between(step.energy_per_item_j, size),
                significant(step.j_per_extra_correct),
                MISSING
                if step.frontier_ratio is None
                else percent(step.frontier_ratio),
            )
            for step in group.required
        ),
    )
