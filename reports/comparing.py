"""One run against another, configuration by configuration, in three outcomes.

The runs were not side by side, so that rounds do not pair; items do, where both
answered the same ones. Holm's correction holds over all configurations together.
"""

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal, NamedTuple

import numpy as np

from harness.errors import UsageError
from harness.noun import Noun
from harness.outcomes import Outcomes, common
from harness.records import Phase, TrialRecord
from harness.sequential import ONE_LOOK, Looks
from reports.differences import columns, half_widths, holm, p_values
from reports.evidence import Evidence, evidence_of, item_variance, leverage, log_scores
from reports.gate import constant_answer
from reports.noninferiority import variance_of_mean
from reports.pairs import ALPHA
from reports.ranking import METRICS, terms
from reports.rows import ENOUGH_ROUNDS, Interval, Row, row_of, tried, unusable

Array = np.ndarray[Any, Any]
Outcome = Literal["better", "worse", "no difference shown", "not comparable"]


class Compared(Noun):
    """A configuration of the second run against the same of the first.

    Attributes:
        score_ratio: Its metric over that of the first run; above 1 is better.
        energy_ratio: J/item over that of the first run; below 1 is better.
        accuracy_delta: Its accuracy less that of the first run.
        paired: Both answered the same items, so that these cancel.
        p: Of the ratio of the metric, after Holm's correction.
    """

    key: str
    outcome: Outcome
    reason: str | None = None
    score_ratio: Interval = Interval()
    energy_ratio: Interval = Interval()
    accuracy_delta: Interval = Interval()
    paired: bool = False
    p: float | None = None


class Comparison(Noun):
    """The second run against the first."""

    by: str
    floor: float
    rows: tuple[Compared, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def comparable(self) -> int:
        """How many configurations could be compared."""
        return sum(row.outcome != "not comparable" for row in self.rows)


class Side(NamedTuple):
    """A configuration in one of the runs."""

    trials: list[TrialRecord]
    row: Row
    evidence: Evidence | None


class Difference(NamedTuple):
    """A difference of the second from the first, with what it rests on.

    Attributes:
        rounds: Variance of each mean over rounds, with its degrees of freedom.
        items: Variance over items.
        alpha: Chance of an error that the looks at the rounds leave to a test.
    """

    value: float
    rounds: tuple[tuple[float, float], tuple[float, float]]
    items: float
    alpha: float = ALPHA


class Tested(NamedTuple):
    """A row, the differences that decide it, and why its accuracy would."""

    row: Compared
    score: Difference
    accuracy: Difference
    lost: str | None


def compare(
    runs: tuple[Sequence[TrialRecord], Sequence[TrialRecord]],
    outcomes: tuple[Outcomes, Outcomes],
    by: str = "accuracy_per_j",
    floor: float = 0.99,
    looks: tuple[Looks, Looks] = (ONE_LOOK, ONE_LOOK),
) -> Comparison:
    """The second run against the first.

    Args:
        runs: Trials of each.
        outcomes: Answers of each, item by item.
        by: accuracy_per_j, energy, skill_per_j or edp.
        floor: Share of the other run's accuracy below which joules do not count.
        looks: When each run looked whether a configuration has rounds enough.

    Raises:
        UsageError: The metric is unknown.
    """
    if by not in METRICS:
        raise UsageError(f"no metric is called {by!r}", f"one of {', '.join(METRICS)}")
    first, second = (sides_of(*run) for run in zip(runs, outcomes, looks, strict=True))
    tested, rest = [], []
    for key in sorted(first.keys() & second.keys()):
        reason = _apart(first[key], second[key])
        found = None if reason else _measured(first[key], second[key], by, floor)
        if found is not None:
            tested.append(found)
            continue
        why = reason or f"a round has no {by}"
        rest.append(Compared(key=key, outcome="not comparable", reason=why))
    rows = [*_judged(tested), *rest, *_unmatched(first, second)]
    return Comparison(by=by, floor=floor, rows=tuple(rows), notes=_notes(rows, looks))


def unjudged(comparison: Comparison, why: str) -> Comparison:
    """The same figures without outcomes."""
    gone = {"outcome": "not comparable", "reason": why, "p": None}
    rows = [
        row if row.outcome == "not comparable" else row.model_copy(update=gone)
        for row in comparison.rows
    ]
    return comparison.model_copy(update={"rows": tuple(rows)})


def _notes(rows: Sequence[Compared], looks: tuple[Looks, Looks]) -> tuple[str, ...]:
    """That intervals and outcomes pay for the looks at them, where any were taken."""
    counts = sorted({each.number for each in looks} - {1})
    if not counts or not any(row.energy_ratio.low is not None for row in rows):
        return ()
    return (f"intervals corrected for {' or '.join(map(str, counts))} looks",)


def sides_of(
    records: Sequence[TrialRecord], kept: Outcomes, looks: Looks
) -> dict[str, Side]:
    """Configurations of a run by key."""
    by_key: dict[str, list[TrialRecord]] = defaultdict(list)
    for record in sorted(records, key=lambda r: (r.key, r.round, r.trial)):
        by_key[record.key].append(record)
    return {
        key: Side(trials, row_of(rounds, looks), evidence_of(rounds, kept, looks))
        for key, trials in by_key.items()
        for rounds in [tried(trials)]
    }


def _apart(one: Side, two: Side) -> str | None:
    """Why two configurations of one name may not be compared."""
    for side, name in ((one, "first"), (two, "second")):
        if why := side.row.reason or constant_answer(side.row):
            return f"in the {name} run: {why}"
    ours, theirs = measured_as(one), measured_as(two)
    for what, mine in ours.items():
        if mine != theirs[what]:
            return f"{what} differ: {mine} against {theirs[what]}"
    return None


def measured_as(side: Side) -> dict[str, str]:
    """What must agree before joules are compared, in words."""
    usable = [trial for trial in side.trials if not unusable(trial)]
    totals = [trial.total for trial in usable if trial.total]
    asked = side.row.configuration
    options = (f"{name}={value}" for name, value in sorted(asked.options.items()))
    return {
        "devices": asked.device,
        "perimeters": _either("+".join(sorted(t.perimeter)) for t in totals),
        "tiers": _either(t.tier or "unknown" for t in totals),
        "totals": _either("whole" if t.complete else "incomplete" for t in totals),
        "terms of the scenario": _either(terms(trial) for trial in usable),
        "options": ", ".join(options),
    }


def _either(words: Iterable[str]) -> str:
    """All the words there are."""
    return " or ".join(sorted(set(words)))


def _measured(one: Side, two: Side, by: str, floor: float) -> Tested | None:
    """Ratios with their intervals, and the differences to test."""
    old, new = one.evidence, two.evidence
    if old is None or new is None:
        return None
    scores = log_scores(one.row, old, by), log_scores(two.row, new, by)
    if scores[0] is None or scores[1] is None:
        return None
    slopes = leverage(one.row, by), leverage(two.row, by)
    alpha = min(old.looks.alpha, new.looks.alpha)
    score = _difference((scores[0], scores[1]), items_variance(old, new, slopes), alpha)
    joules = np.log(old.item_j), np.log(new.item_j)
    energy = _difference(joules, 0.0, alpha)
    right = np.array(old.accuracies), np.array(new.accuracies)
    accuracy = _difference(right, items_variance(old, new, (1.0, 1.0)), alpha)
    enough = min(len(old.rounds), len(new.rounds)) >= ENOUGH_ROUNDS
    is_training = one.row.configuration.phase is Phase.TRAIN  # seeds differ by round
    lost = _lost_accuracy(one.row, two.row, floor)
    row = Compared(
        key=one.row.key,
        outcome="no difference shown",
        reason=lost if enough else "fewer than three rounds",
        score_ratio=_ratio(score, enough=enough),
        energy_ratio=_ratio(energy, enough=enough),
        accuracy_delta=_interval(accuracy, enough=enough or not is_training),
        paired=_common(old, new) is not None,
    )
    return Tested(row, score, accuracy, lost)


def _difference(sides: tuple[Array, Array], items: float, alpha: float) -> Difference:
    """Of two means over rounds that were not side by side."""
    one, two = sides
    first, second = (
        (variance_of_mean(side.tolist()), max(len(side) - 1.0, 1.0))
        for side in (one, two)
    )
    if not first[0] and not second[0]:
        alpha = ALPHA  # no spread that the looks could have favoured
    value = float(two.mean() - one.mean())
    return Difference(value, (first, second), items, alpha)


def paired_answers(sides: tuple[Side, Side]) -> bool:
    """Whether both answered the same items."""
    old, new = sides[0].evidence, sides[1].evidence
    return old is not None and new is not None and _common(old, new) is not None


def _common(old: Evidence, new: Evidence) -> tuple[Array, Array] | None:
    """Right answers to all the items, where both answered the same ones."""
    if old.answers is None or new.answers is None:
        return None
    both = common(old.answers, new.answers)
    if both is None or len(both[0].item) < max(old.n, new.n):
        return None
    ours, theirs = (side.correct.astype(np.float64) for side in both)
    return ours, theirs


def items_variance(old: Evidence, new: Evidence, slopes: tuple[float, float]) -> float:
    """Variance of the difference over items."""
    pair = _common(old, new)
    if pair is None:
        variances = item_variance(old), item_variance(new)
        return math.fsum(v * s**2 for v, s in zip(variances, slopes, strict=True))
    delta = pair[1] * slopes[1] - pair[0] * slopes[0]
    return float(delta.var()) / max(1, len(delta) - 1)


def _interval(found: Difference, *, enough: bool) -> Interval:
    """A difference with its 95 % interval."""
    if not enough:
        return Interval(value=found.value)
    _, parts, items = columns([found])
    half = float(half_widths(parts, items, found.alpha)[0])
    return Interval(value=found.value, low=found.value - half, high=found.value + half)


def _ratio(found: Difference, *, enough: bool) -> Interval:
    """A difference of logarithms as a ratio."""
    interval = _interval(found, enough=enough)
    bounds = (interval.value, interval.low, interval.high)
    value, low, high = (
        None if x is None or abs(x) > 700 else math.exp(x) for x in bounds
    )
    return Interval(value=value, low=low, high=high)


def _lost_accuracy(one: Row, two: Row, floor: float) -> str | None:
    """That one of the runs misses the floor that the other sets, or None."""
    old, new = one.accuracy.value or 0.0, two.accuracy.value or 0.0
    if min(old, new) >= floor * max(old, new) * (1 - 1e-12):
        return None
    moved = "fell" if new < old else "rose"
    return f"accuracy {moved} from {old:.3f} to {new:.3f}, which counts before joules"


def _judged(tested: Sequence[Tested]) -> list[Compared]:
    """Rows with the outcomes of one family of tests: two a row, metric and accuracy."""
    family = [each for each in tested if each.row.score_ratio.low is not None]
    if not family:
        return [each.row for each in tested]
    pairs = [each.score for each in family] + [each.accuracy for each in family]
    left = np.array([each.alpha for each in pairs])
    adjusted = holm(p_values(*columns(pairs)) * (ALPHA / left))
    found = {}
    for place, each in enumerate(family):
        by_accuracy = each.lost is not None
        counted = each.accuracy if by_accuracy else each.score
        p = float(adjusted[place + by_accuracy * len(family)])
        outcome = "better" if counted.value > 0 else "worse"
        change = {"p": p, "outcome": outcome} if p < ALPHA else {"p": p}
        found[each.row.key] = each.row.model_copy(update=change)
    return [found.get(each.row.key, each.row) for each in tested]


def _unmatched(first: Mapping[str, Side], second: Mapping[str, Side]) -> list[Compared]:
    """What only one run has, with the other device where there is one."""
    found = []
    for mine, others, which in ((first, second, "first"), (second, first, "second")):
        elsewhere = {_nowhere(side.row): side.row for side in others.values()}
        for key in sorted(mine.keys() - others.keys()):
            other = elsewhere.get(_nowhere(mine[key].row))
            why = f"only in the {which} run"
            if other is not None:
                why += f"; the other ran on {other.configuration.device}"
            found.append(Compared(key=key, outcome="not comparable", reason=why))
    return found


def _nowhere(row: Row) -> str:
    """The key of a configuration without its device."""
    return row.configuration.model_copy(update={"device": ""}).key
