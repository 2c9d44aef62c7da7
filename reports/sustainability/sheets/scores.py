"""SCI of what was measured, by functional unit."""

from collections.abc import Sequence

from reports.formatting import significant
from reports.page.blocks import Block, Column, Section, Table, Text
from reports.sustainability.assessment import Assessment
from reports.sustainability.sci import EFFECTIVE, GROSS
from reports.sustainability.sheets.amounts import (
    PER_UNIT,
    both,
    filled,
    in_size,
    scale_of,
)
from reports.sustainability.sheets.rows import MOST_GROUPS, shown_rows

NEVER_ADDED = (
    "Inference is scored for the consumer, training for the provider. The two have "
    "other boundaries and are never added."
)


def scores_section(found: Assessment) -> Section:
    """SCI of what was measured, by functional unit."""
    blocks: list[Block] = [
        Text(text=NEVER_ADDED),
        Text(
            text=f"Gross: {GROSS}. Effective: {EFFECTIVE}. SCI is the gross figure.",
            tone="small",
        ),
    ]
    units = dict.fromkeys(
        score.unit
        for group in found.groups
        for row in shown_rows(group)
        for score in row.scores
    )
    chosen = [group.answer.best for group in found.groups]
    for unit in units:
        best = [key for key in chosen if key is not None]
        blocks.append(_scores(found, unit, best))
        blocks.append(_scores(found, unit, None))
    if not units:
        blocks.append(Text(text="No configuration has a score.", tone="caution"))
    return Section(
        name="sci", title="Software carbon intensity (SCI)", blocks=tuple(blocks)
    )


def _scores(found: Assessment, unit: str, only: Sequence[str] | None) -> Table:
    """Scores by one unit; of all configurations, or of some keys."""
    by, words = PER_UNIT[unit]
    found_rows = [
        (row, score)
        for group in found.groups[:MOST_GROUPS]
        for row in shown_rows(group)
        for score in row.scores
        if score.unit == unit and (only is None or row.key in only)
    ]
    size, grams = scale_of([score.gross_g for _, score in found_rows], by)
    rows = tuple(
        (
            row.key,
            both(score.gross_g, size, by),
            in_size(score.effective_g.value, size, by),
            significant(score.count),
            score.gross_g.reason or "",
        )
        for row, score in found_rows
    )
    persona, about = next(
        ((score.persona, score.rationale) for _, score in found_rows), ("", "")
    )
    which = "all configurations" if only is None else "what to take"
    table = Table(
        caption=f"{persona.capitalize()} score of {which}, by {words} ({about})",
        columns=(
            Column(title="configuration"),
            Column(title=f"SCI: {grams}, gross (range)", align="right"),
            Column(title="effective", align="right"),
            Column(title=f"{unit}s counted", align="right"),
            Column(title="what it lacks, or why it is missing"),
        ),
        rows=rows,
        muted=frozenset(n for n, (row, _) in enumerate(found_rows) if not row.eligible),
        folded=only is None,
    )
    return filled(table)
