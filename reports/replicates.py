"""Hierarchical bootstrap: rounds for energy, items for quality, both shared.

Drawing rounds with replacement covers too little with three to ten of them
(docs/measured/ranking.md). So a replicate draws the mean over rounds from its
t-distribution: residuals of the rounds times normal numbers, over the root of a
chi-square over its degrees of freedom. All configurations of a replicate share the
number of a round and the chi-square, so that what a round did to all of them stays
common to all. Items are drawn with replacement by Poisson weights (Hanley and
MacGibbon, Proc. AMIA 2006), the same items for all configurations. The sum of both is
Fisher's solution of the Behrens-Fisher problem. The seed is fixed, and what is drawn
for a configuration does not depend on the others.
"""

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from reports.evidence import Evidence, all_log_scores, item_variance, leverage
from reports.rows import ENOUGH_ROUNDS, Interval, Row

Array = np.ndarray[Any, Any]
SCORES = ("accuracy_per_j", "skill_per_j")
REPLICATES = 2000
FEWER = 500
MANY = 1000
"""In a group of more configurations the intervals are taken from fewer replicates."""
AT_ONCE = 500
SEED = 20240607
LEAST = 1e-3
"""No drawn accuracy falls below this share of the estimate: its logarithm is taken."""
STEEPEST = 1e30
"""Of an accuracy near 0 a 32-bit number cannot hold the inverse."""
MOST_BLOCKS = 2000
"""Of more items, blocks of them are drawn; two right and two wrong ones are added."""
MOST_ON_FRONT = 1000
"""In a larger group the probability of being on the front is left out."""


class Replicates:
    """Draws that all configurations of a group share."""

    def __init__(self, found: Sequence[Evidence]) -> None:
        labels = sorted({label for each in found for label in each.rounds})
        self._place = {label: index for index, label in enumerate(labels)}
        self._count = REPLICATES if len(found) <= MANY else FEWER
        numbers = _generator(0).standard_normal((len(labels), REPLICATES))
        self._rounds = numbers[:, : self._count]

    def of_means(self, found: Evidence, values: Array) -> Array:
        """Errors of means over rounds.

        Args:
            found: Of one of the configurations; all have its rounds.
            values: [configurations, rounds].

        Returns:
            [configurations, replicates].
        """
        count = values.shape[1]
        centred = values - values.mean(axis=1, keepdims=True)
        numbers = self._rounds[[self._place[label] for label in found.rounds]]
        squares = _generator(1, count).chisquare(count - 1, REPLICATES)[: self._count]
        scaled = numbers / np.sqrt(count * squares)
        return np.asarray(centred.astype(np.float32) @ scaled.astype(np.float32))

    def of_accuracies(self, found: Sequence[Evidence]) -> Array:
        """[configurations, replicates] errors of accuracies over items.

        Where the items are not known, all configurations share one stream.
        """
        if found[0].answers is None:
            deviations = np.sqrt([item_variance(each) for each in found])
            alone = _generator(2).standard_normal(REPLICATES)[: self._count]
            return np.asarray(np.outer(deviations, alone), np.float32)
        correct = np.stack([each.answers.correct for each in found if each.answers])
        extra = np.tile(np.array([1, 1, 0, 0], np.float32), (len(correct), 1))
        padded = np.concatenate([correct.astype(np.float32), extra], axis=1)
        sums, counts = _blocks(padded), _blocks(np.ones_like(padded[:1]))
        weights = _weights(sums.shape[1])[:, : self._count]
        drawn = (sums @ weights) / (counts @ weights)
        return np.asarray(drawn - padded.mean(axis=1, keepdims=True))


def _blocks(values: Array) -> Array:
    """[rows, blocks] sums of every so many columns, at most `MOST_BLOCKS` of them."""
    count, columns = values.shape
    blocks = min(columns, MOST_BLOCKS)
    padded = np.pad(values, ((0, 0), (0, -columns % blocks)))
    return np.asarray(padded.reshape(count, -1, blocks).sum(axis=1))


@lru_cache(maxsize=4)
def _weights(count: int) -> Array:
    """[count, replicates] how often each item, or block of items, is drawn."""
    return _generator(3, count).poisson(1.0, (count, REPLICATES)).astype(np.float32)


def _generator(*purpose: int) -> np.random.Generator:
    """Random numbers of a stream of their own."""
    return np.random.default_rng([SEED, *purpose])


def _alike(
    rows: Sequence[Row], evidence: Mapping[str, Evidence]
) -> Iterator[list[Row]]:
    """Rows of the same rounds, looks and number of items, not too many at once."""
    buckets: dict[tuple[object, int, object], list[Row]] = defaultdict(list)
    for row in rows:
        found = evidence.get(row.key)
        if found and len(found.rounds) >= ENOUGH_ROUNDS:
            known = len(found.answers.item) if found.answers else 0
            buckets[found.rounds, known, found.looks].append(row)
    for bucket in buckets.values():
        for start in range(0, len(bucket), AT_ONCE):
            yield bucket[start : start + AT_ONCE]


def score_intervals(
    rows: Sequence[Row], evidence: Mapping[str, Evidence]
) -> dict[str, dict[str, Interval]]:
    """95 % intervals of accuracy and skill per joule by key, from three rounds on."""
    draws = Replicates(list(evidence.values()))
    intervals: dict[str, dict[str, Interval]] = defaultdict(dict)
    for bucket in _alike(rows, evidence):
        found = [evidence[row.key] for row in bucket]
        answered = draws.of_accuracies(found)
        for by in SCORES:
            slopes = np.array([leverage(row, by) for row in bucket])
            scores = all_log_scores(bucket, found, by)
            places = np.flatnonzero(slopes).tolist()
            values = {p: s for p in places if (s := scores[p]) is not None}
            if not values:
                continue
            known = list(values)
            steep = np.minimum(slopes[known, None], STEEPEST).astype(np.float32)
            relative = 1 + answered[known] * steep
            errors = np.log(np.maximum(relative, np.float32(LEAST)))
            errors += draws.of_means(found[0], np.stack(list(values.values())))
            factors = np.exp(_quantiles(errors, found[0].looks.alpha / 2)).tolist()
            for place, (low, high) in zip(known, factors, strict=True):
                row = bucket[place]
                interval = _around(getattr(row, by).value, low, high)
                intervals[row.key][by] = interval
    return intervals


def _quantiles(errors: Array, tail: float) -> Array:
    """[configurations, 2] quantiles that leave a tail on each side, kept around 0."""
    count = errors.shape[1]
    low, high = round(tail * count), round((1 - tail) * count) - 1
    parted = np.partition(errors, (low, high), axis=1)[:, [low, high]]
    parted = parted.astype(np.float64)
    bounds: Array = np.clip(
        np.stack([np.minimum(parted[:, 0], 0), np.maximum(parted[:, 1], 0)], 1),
        -600,
        600,
    )
    return bounds


def _around(value: float | None, low: float, high: float) -> Interval:
    """A value with its interval, by factors; no bounds that a float cannot hold."""
    if not value or not (value * low > 0 and math.isfinite(value * high)):
        return Interval(value=value)
    return Interval(value=value, low=value * low, high=value * high)


def front_probabilities(
    rows: Sequence[Row], evidence: Mapping[str, Evidence]
) -> dict[str, float]:
    """Share of the replicates in which nothing beats a row in joules and accuracy.

    Empty where a row has fewer than three rounds or the group is too large. Where
    items are not known one by one, their errors count as common to all.
    """
    counted = [row for row in rows if row.key in evidence]
    if len(counted) < len(rows) or len(rows) > MOST_ON_FRONT:
        return {}
    draws = Replicates([evidence[row.key] for row in counted])
    costs: dict[str, Array] = {}
    gains: dict[str, Array] = {}
    for bucket in _alike(counted, evidence):
        found = [evidence[row.key] for row in bucket]
        joules = np.log([each.item_j for each in found])
        right = np.array([each.accuracies for each in found])
        cost = joules.mean(axis=1, keepdims=True) + draws.of_means(found[0], joules)
        gain = right.mean(axis=1, keepdims=True) + draws.of_means(found[0], right)
        gain += draws.of_accuracies(found)
        costs |= {row.key: cost[place] for place, row in enumerate(bucket)}
        gains |= {row.key: gain[place] for place, row in enumerate(bucket)}
    if len(costs) < len(rows) or not costs:
        return {}
    keys = sorted(costs)
    on_front = _undominated(
        np.stack([costs[key] for key in keys]), np.stack([gains[key] for key in keys])
    )
    return {key: float(on_front[place].mean()) for place, key in enumerate(keys)}


def _undominated(costs: Array, gains: Array) -> Array:
    """[configurations, replicates] whether no other beats it; equals stay together."""
    order = np.lexsort((-gains, costs), axis=0)
    costs = np.take_along_axis(costs, order, axis=0)
    gains = np.take_along_axis(gains, order, axis=0)
    found = np.zeros(costs.shape, dtype=bool)
    best = np.full(costs.shape[1], -np.inf)
    for place in range(len(costs)):
        better = gains[place] > best
        if place:
            same = (costs[place] == costs[place - 1]) & (gains[place] == best)
            better |= same & found[place - 1]
        found[place] = better
        best = np.maximum(best, gains[place])
    placed = np.empty_like(found)
    np.put_along_axis(placed, order, found, axis=0)
    return placed
