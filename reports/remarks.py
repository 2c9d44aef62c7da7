"""What a reader of a group's table must know beside its figures."""

from collections.abc import Iterable, Mapping, Sequence

from reports.evidence import Evidence
from reports.formatting import percent
from reports.pairs import MOST_PAIRED
from reports.rows import ENOUGH_ROUNDS, Row


def notes_on(
    rows: Sequence[Row],
    evidence: Mapping[str, Evidence],
    *,
    mixed: bool,
    complete: bool,
) -> tuple[str, ...]:
    """What a reader of the table must know.

    Args:
        rows: Of one group.
        evidence: Of each row by key.
        mixed: Whatever they were measured with.
        complete: All of the perimeter has a meter.
    """
    notes = []
    ranked = [row for row in rows if row.place is not None]
    if any(row.trials < ENOUGH_ROUNDS for row in ranked):
        notes.append(_few_rounds(ranked))
    if said := _corrected(rows):
        notes.append(said)
    if sum(row.rank is not None for row in rows) > MOST_PAIRED:
        notes.append("ranks are from simultaneous intervals: too many to pair them all")
    if mixed:
        notes.append("devices, perimeters, tiers and tracks may be mixed here")
    if not complete:
        notes.append("a part of the perimeter has no meter: joules are a lower bound")
    return (*notes, *_unpaired(rows, evidence))


def _corrected(rows: Sequence[Row]) -> str | None:
    """That intervals and ranks pay for the looks at them; None where none was taken."""
    shown = [row for row in rows if row.energy_per_item_j.low is not None]
    counts = sorted({row.looks for row in shown} - {1})
    if not counts:
        return None
    looks = " or ".join(map(str, counts))
    return f"rounds end at a target: intervals corrected for {looks} looks"


def _unpaired(rows: Sequence[Row], evidence: Mapping[str, Evidence]) -> Iterable[str]:
    """That the gate had counts only, where it had."""
    judged = [
        row
        for row in rows
        if row.place is not None and row.key in evidence and row.reference != row.key
    ]
    without = sum(evidence[row.key].answers is None for row in judged)
    if without:
        who = f"{without} of {len(judged)} configurations"
        yield f"{who} kept no answers item by item: their gate compares counts alone"


def _few_rounds(rows: Sequence[Row]) -> str:
    """What two rounds or one can say: how far they lie apart, and no interval."""
    text = "fewer than three rounds: estimates, no ranks; (n) is their order"
    spreads = [row.spread_ratio for row in rows if row.spread_ratio is not None]
    if not spreads:
        return text
    return f"{text}; rounds of one configuration differ by {percent(max(spreads))}"
