"""Whether an accuracy is proven to reach a share of another one's, or a floor.

One-sided at 5 %. Where both answered the same items: the score test of a ratio of
paired proportions (Tang, Tang and Chan, Statistics in Medicine 22, 2003, 1217-1233),
McNemar's test where the share is 1. It holds its size near a floor of 99 %, where few
items disagree and a Wald test does not. Where the items are unknown: Wilson's bounds
joined by squares (Newcombe, Statistics in Medicine 17, 1998, method 10), as if the
items were others, which proves less. Spread between rounds (seeds of a training) adds
its variance (`reports.differences`).
"""

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from harness.stats import Z_ONE_SIDED_95, wilson_interval
from reports.differences import p_values

Array = np.ndarray[Any, Any]
TOLERANCE = 1e-12
ALPHA = 0.05


def variance_of_mean(values: Sequence[float]) -> float:
    """Variance of the mean over rounds; 0 of one round, which shows none."""
    if len(values) < 2 or min(values) == max(values):
        return 0.0
    centre = math.fsum(values) / len(values)
    squares = math.fsum((value - centre) ** 2 for value in values)
    return squares / (len(values) - 1) / len(values)


def score_of(ours: Array, theirs: Array, share: float) -> tuple[float, float]:
    """mean(ours) - share * mean(theirs), and its variance where its truth is 0.

    Args:
        ours: [n] share of right answers to each item, in [0, 1].
        theirs: [n] the same of the reference.
        share: Accuracy to reach over that of the reference, in (0, 1].
    """
    n = len(ours)
    both = float(ours @ theirs)
    right, others = float(ours.sum()), float(theirs.sum())
    gained, lost = right - both, others - both
    either = both + gained + lost
    a = n * (1 + share)
    b = (both + lost) * share**2 - (either + lost)
    c = lost * (1 - share) * either / n
    p_lost = (-b + math.sqrt(max(b * b - 4 * a * c, 0.0))) / (2 * a)
    variance = max(a * p_lost + either * (share - 1), 0.0) / n**2
    return right / n - share * (others / n), variance


def proves_share(
    items: tuple[Array, Array],
    share: float,
    rounds: tuple[Sequence[float], Sequence[float]],
) -> bool:
    """Whether paired answers prove accuracy >= share * the reference's.

    Args:
        items: ([n], [n]) shares of right answers, ours and the reference's.
        share: Of the reference's accuracy, in (0, 1].
        rounds: Accuracies by round, ours and the reference's.
    """
    ours, theirs = (side.astype(np.float64) for side in items)
    lead, variance = score_of(ours, theirs, share)
    return _is_proven(lead, variance, rounds, share)


def _is_proven(
    lead: float,
    items: float,
    rounds: tuple[Sequence[float], Sequence[float]],
    share: float,
) -> bool:
    """Whether a lead has a one-sided p of at most 5 %."""
    if lead < -TOLERANCE:
        return False
    variances = [
        weight * variance_of_mean(side)
        for side, weight in zip(rounds, (1.0, share**2), strict=True)
    ]
    if not any(variances):  # the usual case of answers that rounds do not change
        return lead >= Z_ONE_SIDED_95 * math.sqrt(items) - TOLERANCE
    parts = [
        (np.array([variance]), np.array([max(len(side) - 1.0, 1.0)]))
        for variance, side in zip(variances, rounds, strict=True)
    ]
    p = p_values(np.array([lead]), parts, np.array([items]))
    return bool(p[0] / 2 <= ALPHA)


def counts_prove(
    ours: tuple[Sequence[float], int],
    reference: tuple[Sequence[float], int] | None,
    needed: float,
) -> bool:
    """Whether counts alone prove it.

    Args:
        ours: Accuracies by round, and the number of items.
        reference: The same of the reference; None for an absolute floor.
        needed: Share of the reference's accuracy, or the floor itself.
    """
    accuracy, below, _ = _bounds(tuple(ours[0]), ours[1])
    if reference is None:
        items = (below / Z_ONE_SIDED_95) ** 2
        return _is_proven(accuracy - needed, items, (ours[0], ()), 0.0)
    other, _, above = _bounds(tuple(reference[0]), reference[1])
    items = (math.hypot(below, needed * above) / Z_ONE_SIDED_95) ** 2
    rounds = ours[0], reference[0]
    return _is_proven(accuracy - needed * other, items, rounds, needed)


@lru_cache(maxsize=4)  # the reference is asked for again and again
def _bounds(accuracies: tuple[float, ...], n: int) -> tuple[float, float, float]:
    """Mean accuracy, and how far Wilson's one-sided bounds lie below and above."""
    accuracy = math.fsum(accuracies) / len(accuracies)
    low, high = wilson_interval(accuracy, n, Z_ONE_SIDED_95) or (0.0, 1.0)
    return accuracy, accuracy - low, high - accuracy
