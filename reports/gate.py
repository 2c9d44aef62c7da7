"""The quality gate and the order behind it: who may be ranked, and where.

A ratio is only given for what passed the gate, against what was measured alike.
"""

import math
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from itertools import pairwise

from harness.noun import Noun
from harness.outcomes import common
from harness.records import PLAIN_RUNTIME
from harness.stats import lower_hull, pareto_front
from reports.evidence import Evidence
from reports.formatting import percent
from reports.noninferiority import counts_prove, proves_share
from reports.pairs import better_counts, placed
from reports.replicates import front_probabilities
from reports.rows import ENOUGH_ROUNDS, Row, Verdict

Changes = dict[str, dict[str, object]]
"""New values of the fields of rows, by key."""

FEW_ROUNDS = "fewer than three rounds: an estimate, no rank"
NO_ROUND_SCORES = "a round has no such score: an estimate, no rank"


class Rules(Noun):
    """What a caller asked for."""

    floor: float
    absolute: float | None
    by: str
    allow_mixed: bool


def gate(
    rows: Sequence[Row], rules: Rules, evidence: Mapping[str, Evidence]
) -> Changes:
    """Verdicts of rows; only `pass` and `pass~` may be ranked."""
    references = [
        row
        for row in rows
        if row.configuration.precision == "fp32" and not constant_answer(row)
    ]
    references = [row for row in references if row.trials and not row.reason]
    exact: dict[int, Row] = {}
    for row in sorted(references, key=_plainness, reverse=True):
        exact[row.configuration.batch_size] = row
    fallback = min(references, key=_plainness, default=None)
    found: Changes = {}
    for row in rows:
        reference = exact.get(row.configuration.batch_size, fallback)
        change = _judged(row, reference, rules)
        if change.get("verdict") == "pass":
            proven = _is_proven(row, reference, rules, evidence)
            change["verdict"] = "pass" if proven else "pass~"
        found[row.key] = change
    return found


def _is_proven(
    row: Row, reference: Row | None, rules: Rules, evidence: Mapping[str, Evidence]
) -> bool:
    """Whether the items prove that a row reaches its floor."""
    ours = evidence.get(row.key)
    if ours is None:
        return False
    counts = (ours.accuracies, ours.n)
    if _is_absolute(row, rules):
        return counts_prove(counts, None, rules.absolute or 0.0)
    theirs = evidence.get(reference.key) if reference else None
    if reference is None or theirs is None or reference.key == row.key:
        return True  # the reference itself needs no proof
    sides = ours.answers, theirs.answers
    both = common(sides[0], sides[1]) if sides[0] and sides[1] else None
    if both is None:
        return counts_prove(counts, (theirs.accuracies, theirs.n), rules.floor)
    items = both[0].correct, both[1].correct
    return proves_share(items, rules.floor, (ours.accuracies, theirs.accuracies))


def _is_absolute(row: Row, rules: Rules) -> bool:
    """Whether a row is held to an absolute floor."""
    return rules.absolute is not None and row.configuration.track == "open"


def _plainness(row: Row) -> tuple[bool, bool, float, str]:
    """Order of preference as a reference: plain first, then the strictest."""
    asked = row.configuration
    plain = (bool(asked.suffix), asked.runtime != PLAIN_RUNTIME)
    return *plain, -(row.accuracy.value or 0.0), row.key


def constant_answer(row: Row) -> str | None:
    """Why answers may owe nothing to the input, or None when they do."""
    accuracy, baseline = row.accuracy.value, row.constant_baseline
    if row.skill is None:
        return "no constant baseline was recorded to tell it from a guess"
    if row.skill <= 0 or (
        accuracy is not None and baseline is not None and accuracy <= baseline
    ):
        return "no better than a constant answer"
    return None


def _judged(row: Row, reference: Row | None, rules: Rules) -> dict[str, object]:
    """What the floor makes of a row: its verdict, and its ratio to the reference."""
    accuracy = row.accuracy.value
    if not row.trials or row.reason or accuracy is None:
        return {}
    change: dict[str, object] = {}
    if reference and reference.energy_per_item_j.value and row.energy_per_item_j.value:
        ratio = row.energy_per_item_j.value / reference.energy_per_item_j.value
        change = {
            "reference": reference.key,
            "energy_vs_reference": ratio,
            "break_even_items": _break_even_items(row, reference),
        }
    verdict, reason = _verdict(row, reference, rules)
    if verdict == "pass" and _score(row, rules.by) is None:
        return change | {"verdict": verdict, "reason": f"no {rules.by} to rank by"}
    eligible = verdict == "pass"
    return change | {"verdict": verdict, "reason": reason, "eligible": eligible}


def _break_even_items(row: Row, reference: Row) -> float | None:
    """Extra joules of its conversion over the joules that it saves an item."""
    cost, other = row.energy_per_item_j.value, reference.energy_per_item_j.value
    if row.convert_j is None or reference.convert_j is None or not cost or not other:
        return None
    if row.key == reference.key or cost >= other:
        return None
    return max(0.0, row.convert_j - reference.convert_j) / (other - cost)


def _verdict(
    row: Row, reference: Row | None, rules: Rules
) -> tuple[Verdict, str | None]:
    """The verdict and why it is not a pass."""
    accuracy = row.accuracy.value or 0.0
    if row.target is not None and accuracy < row.target:
        return "fail", f"accuracy {accuracy:.3f} did not reach the target {row.target}"
    if reason := constant_answer(row):
        return ("ungated" if row.skill is None else "fail"), reason
    if _is_absolute(row, rules):
        needed, rule = rules.absolute or 0.0, "the absolute floor"
    elif reference is None or reference.accuracy.value is None:
        return "ungated", "no reference: no fp32 result to hold the accuracy against"
    else:
        needed = rules.floor * reference.accuracy.value
        rule = f"{percent(rules.floor)} of fp32's {reference.accuracy.value:.3f}"
    if accuracy < needed * (1 - 1e-12):
        return "fail", f"accuracy {accuracy:.3f} is below {rule}"
    return "pass", None


def _score(row: Row, by: str) -> float | None:
    """The metric as a figure of which more is better; None where there is none."""
    if by == "accuracy_per_j":
        return row.accuracy_per_j.value or None
    if by == "skill_per_j":
        return row.skill_per_j.value or None
    cost = row.edp_j_s if by == "edp" else row.energy_per_item_j.value
    return (1 / cost or None) if cost else None


def best_first(rows: Sequence[Row], by: str) -> list[Row]:
    """Rows that may be ranked by their estimates, equal ones by name."""
    return sorted(rows, key=lambda row: (-(_score(row, by) or 0.0), row.key))


def places(rows: Sequence[Row], by: str, evidence: Mapping[str, Evidence]) -> Changes:
    """Places by the estimates, with the ranks that the data show.

    Fewer than three rounds have a place, and no rank.

    Args:
        rows: That may be ranked, best first.
        by: The metric.
        evidence: Of each row by key.
    """
    values = [-(_score(row, by) or 0.0) for row in rows]
    repeated = [row for row in rows if row.trials >= ENOUGH_ROUNDS]
    counts = better_counts(repeated, evidence, by) if rows else None
    ranks = dict(
        zip((r.key for r in repeated), placed(*counts) if counts else (), strict=False)
    )
    found: Changes = {}
    for row, value in zip(rows, values, strict=True):
        rank, low, high = ranks.get(row.key, (None, None, None))
        few = FEW_ROUNDS if row.trials < ENOUGH_ROUNDS else NO_ROUND_SCORES
        found[row.key] = {
            "place": bisect_left(values, value) + 1,
            "rank": rank,
            "rank_low": low,
            "rank_high": high,
            "score_vs_best": value / values[0],
            "reason": few if rank is None else None,
        }
    return found


def front(rows: Sequence[Row], evidence: Mapping[str, Evidence]) -> Changes:
    """Where rows that may be ranked stand to the front of (J/item, accuracy)."""
    chances = front_probabilities(rows, evidence)
    points = {row.key: _point(row) for row in rows}
    best = pareto_front(list(points.values()))
    hull = lower_hull(list(points.values()))
    extra = {
        after: (after[0] - before[0]) / (after[1] - before[1])
        for before, after in pairwise(sorted(best))
    }
    return {
        key: {
            "on_frontier": point in best,
            "on_hull": point in hull,
            "frontier_ratio": chances.get(key),
            "j_per_extra_correct": extra.get(point),
        }
        for key, point in points.items()
    }


def _point(row: Row) -> tuple[float, float]:
    """Cost and gain of an eligible row."""
    return row.energy_per_item_j.value or math.inf, row.accuracy.value or 0.0
