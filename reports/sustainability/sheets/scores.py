"""SCI of what was measured, by functional unit."""

from reports.formatting import significant
from reports.page.blocks import Block, Column, Section, Table, Text
from reports.sustainability.assessment import Assessment
from reports.sustainability.sci import EFFECTIVE, GROSS
from reports.sustainability.sheets.amounts import PER_UNIT, both
from reports.sustainability.sheets.rows import MOST_GROUPS

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
        score.unit for g in found.groups for row in g.rows for score in row.scores
    )
    blocks += [_scores(found, unit) for unit in units]
    if not units:
        blocks.append(Text(text="No configuration has a score.", tone="caution"))
    return Section(
        name="sci", title="Software carbon intensity (SCI)", blocks=tuple(blocks)
    )


def _scores(found: Assessment, unit: str) -> Table:
    by, words = PER_UNIT[unit]
    rows: list[tuple[str, ...]] = []
    muted = set()
    persona = rationale = ""
    for group in found.groups[:MOST_GROUPS]:
        for row in group.rows:
            for score in row.scores:
                if score.unit != unit:
                    continue
                persona, rationale = score.persona, score.rationale
                if not row.eligible:
                    muted.add(len(rows))
                rows.append(
                    (
                        row.key,
                        both(score.gross_g, 1.0, by),
                        significant(_times(score.effective_g.value, by)),
                        significant(score.count),
                        score.gross_g.reason or "",
                    )
                )
    return Table(
        caption=f"{persona.capitalize()} score: g CO2e by {words} ({rationale})",
        columns=(
            Column(title="configuration"),
            Column(title="SCI, gross (range)", align="right"),
            Column(title="effective", align="right"),
            Column(title=f"{unit}s counted", align="right"),
            Column(title="what it lacks, or why it is missing"),
        ),
        rows=tuple(rows),
        muted=frozenset(muted),
        folded=len(rows) > 12,
    )


def _times(value: float | None, by: float) -> float | None:
    return None if value is None else value * by
