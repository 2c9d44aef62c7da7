"""A group's result as sentences: who wins, by how much, and what cost energy."""

import math
from collections.abc import Iterable, Sequence

from harness.readings import Provenance
from harness.records import PLAIN_RUNTIME
from reports.formatting import energy, percent, significant, times
from reports.rows import Row, Step


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
    best = [row for row in rows if row.place == 1]
    if not best:
        return "Nothing can be ranked here."
    who = " and ".join(names[row.key] for row in best)
    label = {"accuracy_per_j": "accuracy per joule", "skill_per_j": "skill per joule"}
    verb = "is" if len(best) == 1 else "are tied"
    shown = best[0].rank is not None and not _tied(rows)
    text = f"{who} {verb} {'' if shown else 'estimated '}best by {label.get(by, by)}"
    text += f" at {energy(best[0].energy_per_item_j.value)} per item"
    text += _versus(best[0], names) + ". " + _unsettled(rows, names)
    text += _unproven(best[0], names) + _modelled(best[0])
    return " ".join([text, *_costly(rows, by_key, names)])


def required_line(steps: Sequence[Step], names: dict[str, str]) -> str:
    """The front as a choice: what to take for which accuracy."""
    parts = []
    for step in steps:
        chance = step.frontier_ratio
        doubt = "" if chance is None or chance > 0.95 else f", {percent(chance)} sure"
        joules = energy(step.energy_per_item_j.value)
        parts.append(f"up to {step.accuracy:.3f} {names[step.key]} ({joules}{doubt})")
    return f"Fewest joules for a required accuracy: {'; '.join(parts)}."


def _versus(row: Row, names: dict[str, str]) -> str:
    """How the winner compares with its reference."""
    if row.reference is None or not row.energy_vs_reference:
        return ""
    if row.reference == row.key:
        return ", the reference itself"
    ratio = row.energy_vs_reference
    return f", {significant(ratio, 3)} of the energy of {names[row.reference]}"


def _unsettled(rows: Sequence[Row], names: dict[str, str]) -> str:
    """Whom the first is not shown to lead, or nothing where it leads them all."""
    placed = [row for row in rows if row.place is not None]
    others = [row for row in placed if row.place != 1]
    if not others:
        return ""
    best, second = placed[0], others[0]
    if best.rank is None:
        return _between_rounds(best, second, names)
    tied = [names[row.key] for row in _tied(rows)]
    if not tied:
        return ""
    more = f" and {len(tied) - 3} more" if len(tied) > 3 else ""
    return f"No difference is shown from {', '.join(tied[:3])}{more}. "


def _tied(rows: Sequence[Row]) -> list[Row]:
    """Rows behind the first that share its rank."""
    return [row for row in rows if row.rank == 1 and row.place != 1]


def _between_rounds(best: Row, second: Row, names: dict[str, str]) -> str:
    """A lead beside how far rounds differ, where there are too few for a test."""
    ahead = 1 / second.score_vs_best - 1 if second.score_vs_best else 0.0
    spread = max(row.spread_ratio or 0.0 for row in (best, second))
    if spread < ahead:
        return ""
    return (
        f"Its lead over {names[second.key]} is not settled: {percent(ahead)},"
        f" while rounds differ by {percent(spread)}. "
    )


def _unproven(row: Row, names: dict[str, str]) -> str:
    """That its accuracy reaches the floor only as an estimate."""
    if row.verdict != "pass~":
        return ""
    return f"That {names[row.key]} keeps the accuracy is estimated, not proven. "


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
