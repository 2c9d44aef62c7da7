"""What the rounds and items of a configuration say beyond its means."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from harness.outcomes import Answers, Outcomes, common
from harness.records import TrialRecord
from harness.sequential import ONE_LOOK, Looks
from harness.stats import mean
from reports.rows import Row, cost_j, unusable

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
    trials: Sequence[TrialRecord], outcomes: Outcomes, looks: Looks = ONE_LOOK
) -> Evidence | None:
    """Evidence of a configuration; None where a round has no joules or accuracy."""
    usable = [trial for trial in trials if not unusable(trial)]
    qualities = [trial.quality for trial in usable]
    known = [q.accuracy for q in qualities if q and q.n > 0 and q.accuracy is not None]
    if not usable or len(known) != len(usable):
        return None
    return Evidence(
        rounds=tuple((outcomes.folder_of(trial), trial.round) for trial in usable),
        cost_j=tuple(cost_j(trial) for trial in usable),
        item_j=tuple(
            (t.total.energy_j or 0.0) / t.window.items
            for t in usable
            if t.total and t.window
        ),
        item_s=tuple(t.window.duration_s / t.window.items for t in usable if t.window),
        accuracies=tuple(known),
        n=min(q.n for q in qualities if q),
        answers=_averaged([outcomes.read(trial) for trial in usable]),
        looks=looks,
    )


def _averaged(rounds: Sequence[Answers | None]) -> Answers | None:
    """Mean over rounds of the same items; None where a round lacks them."""
    known = [answers for answers in rounds if answers is not None]
    if not known or len(known) != len(rounds):
        return None
    first = known[0]
    for other in known[1:]:
        places = common(first, other)
        if places is None or not len(places[0]) == len(first.item) == len(other.item):
            return None
    return first._replace(correct=np.mean([a.correct for a in known], axis=0))


def log_scores(row: Row, found: Evidence, by: str) -> Array | None:
    """[rounds] logarithm of the metric of each round; None where one has none."""
    gains: Sequence[float] = (1.0,) * len(found.rounds)
    costs: Sequence[float] = found.item_j
    if by == "edp":
        costs = [j * s for j, s in zip(costs, found.item_s, strict=True)]
    elif by != "energy":
        gains, costs = found.accuracies, found.cost_j
    if by == "skill_per_j":
        gains = [gain - (row.constant_baseline or 0.0) for gain in gains]
    # few rounds: plain Python is faster than numpy here
    if not all(map(math.isfinite, (*gains, *costs))) or min(*gains, *costs) <= 0:
        return None
    logs: Array = np.log((gains, costs))
    return np.asarray(logs[0] - logs[1])


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
