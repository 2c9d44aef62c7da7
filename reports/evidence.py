"""What the rounds and items of a configuration say beyond its means."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from harness.outcomes import Answers, Outcomes, common
from harness.records import Phase, TrialRecord
from harness.sequential import ONE_LOOK, Looks
from harness.stats import mean
from reports.rows import Row, Tried, cost_j

Array = np.ndarray[Any, Any]
STEEPEST = 1e30
"""A slope that a float32 still holds, and a float its square."""


class Evidence(NamedTuple):
    """Rounds and items of one configuration.

    Attributes:
        rounds: Run and number of each usable round, ascending; equal names were
            measured side by side.
        cost_j: Joules of an answer (infer) or of the whole training, by round.
        item_j: Joules of an item worked on, by round.
        item_s: Seconds of the same.
        accuracies: By round.
        answers: Over the rounds, each item's share of right answers; None where they
            are not known item by item.
        looks: When it was looked at whether there are rounds enough.
    """

    rounds: tuple[tuple[str, int], ...]
    cost_j: tuple[float, ...]
    item_j: tuple[float, ...]
    item_s: tuple[float, ...]
    accuracies: tuple[float, ...]
    n: int
    answers: Answers | None
    looks: Looks = ONE_LOOK


def looks_at(
    trials: Sequence[TrialRecord], outcomes: Outcomes, looks: Mapping[str, Looks]
) -> Looks:
    """When a configuration was looked at: of several runs, what asks for most."""
    if not looks:
        return ONE_LOOK
    folders = {outcomes.folder_of(trial) for trial in trials}
    found = [looks.get(folder, ONE_LOOK) for folder in folders]
    return max(found, key=lambda each: (each.confidence, each))


def evidence_of(
    rounds: Tried, outcomes: Outcomes, looks: Looks = ONE_LOOK
) -> Evidence | None:
    """Evidence of a configuration; None where a round has no joules or accuracy."""
    usable = rounds.usable
    qualities = [trial.quality for trial in usable]
    known = [q.accuracy for q in qualities if q and q.n > 0 and q.accuracy is not None]
    if not usable or len(known) != len(usable):
        return None
    pairs = [(t.total, t.window) for t in usable if t.total and t.window]
    item_j = tuple([(total.energy_j or 0.0) / w.items for total, w in pairs])
    is_training = any(t.configuration.phase is Phase.TRAIN for t in usable)
    return Evidence(
        rounds=tuple([(outcomes.folder_of(trial), trial.round) for trial in usable]),
        cost_j=tuple([cost_j(t) for t in usable]) if is_training else item_j,
        item_j=item_j,
        item_s=tuple([window.duration_s / window.items for _, window in pairs]),
        accuracies=tuple(known),
        n=min([q.n for q in qualities if q]),
        answers=_averaged([outcomes.read(trial) for trial in usable]),
        looks=looks,
    )


def _averaged(rounds: Sequence[Answers | None]) -> Answers | None:
    """Mean over rounds of the same items; None where a round lacks them."""
    known = [answers for answers in rounds if answers is not None]
    if not known or len(known) != len(rounds):
        return None
    first = known[0]
    if all(other is first for other in known):
        return first
    for other in known[1:]:
        both = common(first, other)
        if both is None or not len(both[0].item) == len(first.item) == len(other.item):
            return None
    return first._replace(correct=np.mean([a.correct for a in known], axis=0))


def log_scores(row: Row, found: Evidence, by: str) -> Array | None:
    """[rounds] logarithm of the metric of each round; None where one has none."""
    return all_log_scores([row], [found], by)[0]


def all_log_scores(
    rows: Sequence[Row], found: Sequence[Evidence], by: str
) -> list[Array | None]:
    """The same of many configurations, those of equally many rounds at once."""
    alike: dict[int, list[int]] = defaultdict(list)
    for place, each in enumerate(found):
        alike[len(each.rounds)].append(place)
    scores: list[Array | None] = [None] * len(rows)
    for places in alike.values():
        gains, costs = _sides([rows[p] for p in places], [found[p] for p in places], by)
        fit = np.isfinite(gains) & np.isfinite(costs) & (gains > 0) & (costs > 0)
        with np.errstate(divide="ignore", invalid="ignore"):
            values = np.log(gains) - np.log(costs)
        whole = np.flatnonzero(fit.all(axis=1)).tolist()
        for number in whole:
            scores[places[number]] = values[number]
    return scores


def _sides(
    rows: Sequence[Row], found: Sequence[Evidence], by: str
) -> tuple[Array, Array]:
    """[rows, rounds] what is gained, and what it costs."""
    if by in ("energy", "edp"):
        costs = np.array([each.item_j for each in found])
        if by == "edp":
            costs = costs * np.array([each.item_s for each in found])
        return np.ones_like(costs), costs
    gains = np.array([each.accuracies for each in found])
    if by == "skill_per_j":
        gains = gains - np.array([[row.constant_baseline or 0.0] for row in rows])
    return gains, np.array([each.cost_j for each in found])


def leverage(row: Row, by: str) -> float:
    """Change of the logarithm of the metric by one unit of accuracy."""
    accuracy = row.accuracy.value or 0.0
    if by == "accuracy_per_j" and accuracy > 0:
        return min(1 / accuracy, STEEPEST)
    if by == "skill_per_j" and accuracy > (row.constant_baseline or 0.0):
        return min(1 / (accuracy - (row.constant_baseline or 0.0)), STEEPEST)
    return 0.0


def item_variance(found: Evidence) -> float:
    """Variance of the accuracy over items; two right and two wrong ones are added.

    Agresti and Coull, The American Statistician 52, 1998: without them all right
    answers would be known for certain.
    """
    right = (mean(found.accuracies) or 0.0) * found.n + 2
    share = right / (found.n + 4)
    return share * (1 - share) / found.n
