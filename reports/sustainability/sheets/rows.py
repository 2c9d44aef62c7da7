"""Configurations: what to take, the ranking with everything an item costs, scores."""

from collections.abc import Iterable, Sequence

from harness.records import Phase
from reports.formatting import MISSING, percent, scale_for, significant
from reports.page.blocks import Block, Column, Points, Section, Table, Text
from reports.sustainability.assessment import AssessedGroup, Assessment
from reports.sustainability.label import NOT_OFFICIAL, steps
from reports.sustainability.rated import Rated
from reports.sustainability.sheets.amounts import (
    MILLION,
    MOST_ROWS,
    both,
    filled,
    in_size,
    scale_of,
    share,
)

MOST_GROUPS = 24


def choices(groups: Sequence[AssessedGroup]) -> Table:
    """What to take of each group, and what it saves in a million items."""
    listed = [(group, _best(group)) for group in groups[:MOST_GROUPS]]
    savings = [best.saving for _, best in listed if best and best.saving]
    joules, joules_unit = scale_of([s.energy_per_item_j for s in savings], MILLION)
    grams, grams_unit = scale_of([s.total_per_item_g for s in savings], MILLION)
    litres, litres_unit = scale_of([s.water_per_item_l for s in savings], MILLION)
    rows = []
    for group, best in listed:
        if best is None:
            rows.append((group.title, "nothing reached the floor", *(MISSING,) * 6))
            continue
        tied, saved = len(group.answer.tied), best.saving
        rows.append(
            (
                group.title,
                best.name,
                str(tied) if tied else "",
                _proof(best),
                *(
                    (
                        significant(saved.energy_ratio.value),
                        both(saved.energy_per_item_j, joules, MILLION),
                        both(saved.total_per_item_g, grams, MILLION),
                        both(saved.water_per_item_l, litres, MILLION),
                    )
                    if saved
                    else (MISSING,) * 4
                ),
            )
        )
    table = Table(
        caption="What to take, and what a million items save against fp32 (95 %)",
        columns=(
            Column(title="workload"),
            Column(title="take", about="The first by accuracy per joule of what "
                   "reaches the accuracy floor."),
            Column(title="ties", align="right", about="How many others are not shown "
                   "to be worse."),
            Column(title="saving", about="Whether the rounds show, with 95 % "
                   "confidence, that it takes less energy than fp32."),
            Column(title="J, fp32 = 1", align="right", about="Joules an item over "
                   "those of fp32."),
            Column(title=joules_unit, align="right"),
            Column(title=grams_unit, align="right", about="Location-based, "
                   "with the share of making where it is known."),
            Column(title=f"{litres_unit} water", align="right"),
        ),
        rows=tuple(rows),
    )  # fmt: skip
    return filled(table)


def _best(group: AssessedGroup) -> Rated | None:
    return next((row for row in group.rows if row.key == group.answer.best), None)


def _proof(best: Rated) -> str:
    saving = best.saving
    if saving is None:
        fp32 = best.configuration.precision == "fp32"
        return "is fp32" if fp32 else "no fp32 there"
    if saving.shown is None:
        return "too few rounds"
    return "shown" if saving.shown else "not shown"


def ranking_section(found: Assessment) -> Section:
    """A table a group; what missed the floor is grey and has no rank."""
    blocks: list[Block] = []
    for group in found.groups[:MOST_GROUPS]:
        blocks.append(Text(text=group.answer.sentence))
        blocks.append(Text(text=group.answer.why, tone="small"))
        if shown_rows(group):
            blocks += [_table(group), _more(group)]
        more = sum(row.trials > 0 for row in group.rows) - MOST_ROWS
        if more > 0:
            text = f"{more} more configurations are in the JSON and CSV alone."
            blocks.append(Text(text=text, tone="small"))
        worse = [row for row in shown_rows(group) if row.worse_than_reference]
        if worse:
            text = "Reduced, and yet costlier than fp32:"
            blocks += [Text(text=text), Points(items=tuple(map(_worse, worse)))]
    more = len(found.groups) - MOST_GROUPS
    if more > 0:
        text = f"{more} more groups are in the JSON and CSV alone."
        blocks.append(Text(text=text, tone="small"))
    if any(row.label for group in found.groups for row in group.rows):
        blocks += _label_words()
    return Section(name="ranking", title="Configurations", blocks=tuple(blocks))


def shown_rows(group: AssessedGroup) -> list[Rated]:
    """Configurations with trials, as many as a page takes."""
    return [row for row in group.rows if row.trials][:MOST_ROWS]


def _worse(row: Rated) -> str:
    """A compression that costs energy instead of saving it."""
    ratio = row.saving.energy_ratio if row.saving else None
    value = ratio.value if ratio and ratio.value else 1.0
    shown = row.saving is not None and row.saving.shown
    doubt = "" if shown else " (estimated; the rounds do not show it)"
    return f"{row.name}: {significant(value)} times the energy of fp32{doubt}"


def _title(group: AssessedGroup) -> str:
    if not group.perimeter:
        return group.title
    return f"{group.title} ({'+'.join(group.perimeter)}, tier {group.tier or MISSING})"


def _table(group: AssessedGroup) -> Table:
    """The ranking with what an item costs."""
    rows = shown_rows(group)
    size, prefix = scale_for(row.gross_per_item_j.value for row in rows)
    wh_size, wh_prefix = scale_for(row.wh_per_1000_items.value for row in rows)
    is_train = group.phase == Phase.TRAIN
    columns = (
        Column(title="#", align="right", about="Rank; ties share it. In parentheses "
               "the place of an estimate."),
        Column(title="configuration"),
        Column(title="accuracy", align="right"),
        Column(title=f"{prefix}J/item (range)", align="right", about="The wider of the "
               "95 % interval of the rounds and the error bound of the meters."),
        Column(title=f"{wh_prefix}Wh/1000 queries", align="right", about="AI Energy "
               "Score gives Wh for 1000 queries."),
        Column(title="g CO2e/million", align="right", about="E x PUE x I + M by a "
               "million items; without M where it is not known."),
        Column(title="L/million", align="right", about="Water at the site and in power "
               "plants by a million items."),
        Column(title="label", about=NOT_OFFICIAL),
        Column(title="why not ranked"),
    )  # fmt: skip
    cells = tuple(
        (
            _rank(row),
            row.name,
            _accuracy(row),
            both(row.gross_per_item_j, size),
            MISSING if is_train else in_size(row.wh_per_1000_items.value, wh_size),
            in_size(row.total_per_item_g.value, 1.0, MILLION),
            in_size(row.water.total_l.value, 1.0, MILLION),
            (row.label.letters or MISSING) if row.label else MISSING,
            "" if row.eligible else row.reason or row.verdict,
        )
        for row in rows
    )
    return filled(
        Table(
            caption=_title(group),
            columns=columns,
            rows=cells,
            muted=frozenset(n for n, row in enumerate(rows) if not row.eligible),
        )
    )


def _more(group: AssessedGroup) -> Table:
    """What else is known of the same configurations."""
    rows = shown_rows(group)
    columns = (
        Column(title="configuration"),
        Column(title="accuracy, 95 %", align="right"),
        Column(title="accuracy/J", align="right"),
        Column(title="p50 ms", align="right"),
        Column(title="p99 ms", align="right"),
        Column(title="busy", align="right", about="Share of the window in which the "
               "device computed."),
        Column(title="front", about="No other configuration beats it in accuracy and "
               "in energy."),
        Column(title="modelled", align="right", about="Share of its joules that no "
               "instrument saw."),
        Column(title="grade", about="Quality of the energy: high ±10 %, medium ±25 %, "
               "low ±50 %."),
        Column(title="trials", align="right"),
    )  # fmt: skip
    cells = tuple(
        (
            row.name,
            _between(row.accuracy.low, row.accuracy.high),
            significant(row.accuracy_per_j.value if row.eligible else None),
            in_size(row.p50_s, 1e-3),
            in_size(row.p99_s, 1e-3),
            share(row.busy_ratio),
            "yes" if row.on_frontier else "",
            share(row.modelled_ratio),
            row.grade or MISSING,
            str(row.trials),
        )
        for row in rows
    )
    return filled(
        Table(
            caption=f"{_title(group)}: latency, use and quality of the figures",
            columns=columns,
            rows=cells,
            muted=frozenset(n for n, row in enumerate(rows) if not row.eligible),
            folded=True,
        )
    )


def _between(low: float | None, high: float | None) -> str:
    if low is None or high is None:
        return MISSING
    return f"{low:.3f} to {high:.3f}"


def _accuracy(row: Rated) -> str:
    if row.accuracy.value is None:
        return MISSING
    return f"{row.accuracy.value:.3f}" + "?" * (row.verdict == "pass~")


def _rank(row: Rated) -> str:
    if row.rank is not None:
        tie = row.rank_low != row.rank_high
        return f"{row.rank} [{row.rank_low}-{row.rank_high}]" if tie else f"{row.rank}"
    return MISSING if row.place is None else f"({row.place})"


def _label_words() -> Iterable[Block]:
    text = "; ".join(f"{letter} {words}" for letter, words in steps())
    yield Text(
        text=f"Label: joules an item over those of a pinned reference; {text}. It is "
        f"{NOT_OFFICIAL}; no label below the accuracy floor or for modelled energy.",
        tone="small",
    )


def overall(found: Assessment) -> str:
    """How much of the energy the best of each group saves, in a sentence."""
    savings = [
        best.saving
        for group in found.groups
        if (best := _best(group)) and best.saving and best.saving.energy_ratio.value
    ]
    if not savings:
        return ""
    shares = [1 - (saving.energy_ratio.value or 0.0) for saving in savings]
    low, high = min(shares), max(shares)
    span = percent(high) if low == high else f"{percent(low)} to {percent(high)}"
    shown = sum(saving.shown is True for saving in savings)
    return (
        f"The best configuration of each workload is estimated to save {span} of the "
        f"energy of its fp32 reference; the rounds show a saving for {shown} of "
        f"{len(savings)}."
    )
