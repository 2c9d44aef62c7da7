"""A group's result as sentences: who wins, by how much, and what cost energy."""

import math
from collections.abc import Iterable, Sequence

from harness.readings import Provenance
from harness.records import PLAIN_RUNTIME
from reports.formatting import energy, percent, significant, times
from reports.rows import Row


def shared_suffix(rows: Sequence[Row]) -> str:
    """What all the keys of a group end in, such as `/size=small`."""
    suffixes = {row.configuration.suffix for row in rows}
    return suffixes.pop() if len(suffixes) == 1 else ""


def short_names(rows: Sequence[Row]) -> dict[str, str]:
    """What tells the rows of one group apart, by key."""
    with_batch = len({row.configuration.batch_size for row in rows}) > 1
    shared = shared_suffix(rows)
    names = {}
    for row in rows:
        asked = row.configuration
        batch = f" b{asked.batch_size}" if with_batch else ""
        runtime = "" if asked.runtime == PLAIN_RUNTIME else f" {asked.runtime}"
        suffix = asked.suffix.removesuffix(shared)
        names[row.key] = f"{asked.precision}{runtime}{batch}{suffix}"
    if len(set(names.values())) < len(names):
        return {row.key: row.key for row in rows}
    return names


def sentence(rows: Sequence[Row], by: str) -> str:
    """Who wins, by how much, how much was modelled, and what cost energy."""
    names = short_names(rows)
    by_key = {row.key: row for row in rows}
    best = [row for row in rows if row.rank == 1]
    if not best:
        return "Nothing can be ranked here."
    who = " and ".join(names[row.key] for row in best)
    label = {"accuracy_per_j": "accuracy per joule", "skill_per_j": "skill per joule"}
    verb = "is" if len(best) == 1 else "are tied"
    text = f"{who} {verb} best by {label.get(by, by)}"
    text += f" at {energy(best[0].energy_per_item_j.value)} per item"
    text += _versus(best[0], names) + ". " + _unsettled(rows, names)
    text += _modelled(best[0])
    return " ".join([text, *_costly(rows, by_key, names)])


def _versus(row: Row, names: dict[str, str]) -> str:
    """How the winner compares with its reference."""
    if row.reference is None or not row.energy_vs_reference:
        return ""
    if row.reference == row.key:
        return ", the reference itself"
    ratio = row.energy_vs_reference
    return f", {significant(ratio, 3)} of the energy of {names[row.reference]}"


def _unsettled(rows: Sequence[Row], names: dict[str, str]) -> str:
    """That the first place may be noise, or nothing where it holds."""
    leading = [row for row in rows if row.rank is not None][:2]
    if len(leading) < 2 or leading[1].rank == 1 or not leading[1].score_vs_best:
        return ""
    best, second = leading
    lead = f"Its lead over {names[second.key]} is not settled: "
    if best.rank_high is not None:
        return lead + "the intervals overlap. " if best.rank_high > 1 else ""
    ahead = 1 / leading[1].score_vs_best - 1
    spread = max(row.spread_ratio or 0.0 for row in leading)
    if spread < ahead:
        return ""
    return f"{lead}{percent(ahead)}, while rounds differ by {percent(spread)}. "


def _modelled(row: Row) -> str:
    """How much of the joules no instrument saw."""
    if row.modelled_ratio:
        return f"{percent(row.modelled_ratio)} of its energy was modelled."
    if row.provenance is Provenance.MEASURED:
        return "All of its energy was measured."
    if row.modelled_ratio is None:
        return "How much of its energy was modelled is not known."
    return f"Its energy was {row.provenance or 'of unknown origin'}."


def _costly(
    rows: Sequence[Row], by_key: dict[str, Row], names: dict[str, str]
) -> Iterable[str]:
    """Each compression that used clearly more energy than fp32."""
    for row in rows:
        ratio, reference = row.energy_vs_reference, by_key.get(row.reference or "")
        if not ratio or not reference or reference.key == row.key:
            continue
        mine, theirs = row.energy_per_item_j, reference.energy_per_item_j
        known = mine.low is not None and theirs.high is not None
        apart = known and (mine.low or 0.0) > (theirs.high or math.inf)
        if ratio < 1.05 and not (apart and ratio > 1):
            continue
        doubt = " (the intervals overlap)" if known and not apart else ""
        yield (
            f"{names[row.key]} used {times(ratio)} the energy of"
            f" {names[reference.key]} {_same(row, reference)}{doubt}."
        )


def _same(row: Row, reference: Row) -> str:
    """Accuracy beside the reference's, in words."""
    mine, theirs = row.accuracy.value or 0.0, reference.accuracy.value or 0.0
    if abs(mine - theirs) < 0.0005:
        return "at the same accuracy"
    return f"at accuracy {mine:.3f} against {theirs:.3f}"
