"""Which configurations are shown to differ, and the ranks that follow from it.

Each pair is one test of the difference of the logarithms of their metric
(`reports.differences`): over rounds, paired where both were measured in the same ones,
and over items, paired where both answered the same ones. Holm's correction holds the
chance of any false difference in a group at 5 %.

Spreads of paired differences lean on those of the other pairs (`reports.moderation`),
so one more configuration may move rank intervals a little; the order never. Unpaired
spreads do not: what a round does to all is in each of them, so they agree without
knowing more than one.

Rounds that ended at a look (`harness.sequential`) were the more likely to end the
nearer to each other they happened to lie: p counts for more by what the looks cost.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from reports.differences import holm, p_values
from reports.evidence import Evidence, all_log_scores, item_variance, leverage
from reports.moderation import moderated
from reports.rows import Row

Array = np.ndarray[Any, Any]
ALPHA = 0.05
MOST_PAIRED = 300
"""A larger group is told apart by simultaneous intervals, which need no pairs."""


class Sides(NamedTuple):
    """What the tests need of each configuration, best first.

    Attributes:
        score: [k] logarithm of the metric.
        rounds: [k] variance of its mean over rounds.
        freedom: [k] degrees of freedom of that.
        items: [k] variance from the items.
        alpha: [k] chance of an error that its looks leave to a test.
    """

    score: Array
    rounds: Array
    freedom: Array
    items: Array
    alpha: Array


def better_counts(
    rows: Sequence[Row], evidence: Mapping[str, Evidence], by: str
) -> tuple[list[int], list[int]] | None:
    """How many are shown to be better than each row, and how many worse.

    Args:
        rows: Best first by the estimate, each of three rounds or more.
        evidence: Of each row by key.
        by: The metric.

    Returns:
        Two lists; None where a round of some row has no such score.
    """
    found = [evidence[row.key] for row in rows]
    scores = all_log_scores(rows, found, by)
    known = [score for score in scores if score is not None]
    if len(known) < len(rows):
        return None
    slopes = [leverage(row, by) for row in rows]
    counts = np.array([len(score) for score in known])
    means, variances = _moments(known, counts)
    sides = Sides(
        score=means,
        rounds=variances / counts,
        freedom=counts - 1.0,
        items=np.array(
            [
                item_variance(each) * slope**2
                for each, slope in zip(found, slopes, strict=True)
            ]
        ),
        alpha=np.array([each.looks.alpha for each in found]),
    )
    if len(rows) > MOST_PAIRED:
        return _by_intervals(sides)
    shared = _shared_rounds(found, known), _shared_items(found, slopes)
    return _by_pairs(sides, *shared)


def _moments(scores: Sequence[Array], counts: Array) -> tuple[Array, Array]:
    """[k] means and variances over rounds, those of equally many at once."""
    means, variances = np.empty(len(scores)), np.empty(len(scores))
    for count in np.unique(counts):
        places = np.flatnonzero(counts == count)
        values = np.stack([scores[place] for place in places.tolist()])
        means[places] = values.mean(axis=1)
        variances[places] = values.var(axis=1, ddof=1)
    return means, variances


def _by_pairs(
    sides: Sides, rounds: tuple[Array, Array], items: Array
) -> tuple[list[int], list[int]]:
    """Counts from all pairs."""
    above, below = np.triu_indices(len(sides.score), 1)
    difference = sides.score[above] - sides.score[below]
    apart = sides.items[above] + sides.items[below]
    joint = np.where(items[above, below] >= 0, items[above, below], apart)
    together = rounds[1][above, below] > 0
    p = np.empty(len(difference))
    for chosen in (together, ~together):
        one, two = above[chosen], below[chosen]
        parts = [(sides.rounds[one], sides.freedom[one])]
        if chosen is together:
            parts = [(rounds[0][one, two], rounds[1][one, two])]
        else:
            parts += [(sides.rounds[two], sides.freedom[two])]
        p[chosen] = p_values(difference[chosen], parts, joint[chosen])
    p *= ALPHA / np.minimum(sides.alpha[above], sides.alpha[below])
    shown = holm(p) < ALPHA
    better = np.zeros(len(sides.score), dtype=int)
    worse = np.zeros(len(sides.score), dtype=int)
    np.add.at(better, np.where(difference > 0, below, above)[shown], 1)
    np.add.at(worse, np.where(difference > 0, above, below)[shown], 1)
    return better.tolist(), worse.tolist()


def _shared_rounds(
    found: Sequence[Evidence], scores: Sequence[Array]
) -> tuple[Array, Array]:
    """[k, k] variance of the mean difference over the same rounds, and its freedom.

    Degrees of freedom are 0 where the rounds are not the same.
    """
    size = len(found)
    variance, freedom = np.zeros((size, size)), np.zeros((size, size))
    alike: dict[object, list[int]] = defaultdict(list)
    for place, each in enumerate(found):
        if len(set(each.rounds)) == len(each.rounds):
            alike[each.rounds].append(place)
    for places in alike.values():
        values = np.stack([scores[place] for place in places])
        count = values.shape[1]
        centred = values - values.mean(axis=1, keepdims=True)
        where = np.ix_(places, places)
        spread, freedom[where] = moderated(_distances(centred) / (count - 1), count - 1)
        variance[where] = spread / count
    return variance, freedom


def _distances(vectors: Array) -> Array:
    """[k, k] squared distances of rows; of equal rows exactly 0."""
    product = vectors @ vectors.T
    squares = np.diag(product)
    found = squares[:, None] + squares[None, :] - 2 * product
    scale = squares[:, None] + squares[None, :]
    return np.asarray(np.where(found > 1e-12 * scale, found, 0.0))


def _shared_items(found: Sequence[Evidence], slopes: Sequence[float]) -> Array:
    """[k, k] variance of the difference over the same items; -1 where they are not."""
    size = len(found)
    variance = np.full((size, size), -1.0)
    alike: dict[object, list[int]] = defaultdict(list)
    for place, each in enumerate(found):
        if each.answers is not None:
            truth = each.answers.truth
            names = b"" if truth is None else truth.tobytes()
            alike[each.answers.item.tobytes(), names].append(place)
    for places in alike.values():
        answers = [found[place].answers for place in places]
        correct = np.stack([a.correct for a in answers if a]).astype(np.float64)
        n = correct.shape[1]
        centred = correct - correct.mean(axis=1, keepdims=True)
        weighed = centred * np.array([[slopes[place]] for place in places])
        variance[np.ix_(places, places)] = _distances(weighed) / max(n - 1, 1) / n
    return variance


def _by_intervals(sides: Sides) -> tuple[list[int], list[int]]:
    """Counts from intervals that hold for all at once (Bonferroni): apart, or not.

    Student's t with the degrees of freedom of the rounds for the whole variance: more
    than enough.
    """
    from scipy.special import stdtrit

    quantile = stdtrit(sides.freedom, 1 - sides.alpha / 2 / len(sides.score))
    half = quantile * np.sqrt(sides.rounds + sides.items)
    low, high = sides.score - half, sides.score + half
    better = len(low) - np.searchsorted(np.sort(low), high, side="right")
    worse = np.searchsorted(np.sort(high), low, side="left")
    return better.tolist(), worse.tolist()


def placed(better: Sequence[int], worse: Sequence[int]) -> list[tuple[int, int, int]]:
    """(rank, rank_low, rank_high) of rows in the order of their estimates.

    A new rank begins where more are shown to be better than any row above has; so
    rows tie whose order is not shown, in the way of 1, 2=, 2=, 4.
    """
    ranks, rank, most = [], 1, 0
    for place, (above, below) in enumerate(zip(better, worse, strict=True), 1):
        if above > most:
            rank, most = place, above
        ranks.append((rank, above + 1, len(better) - below))
    return ranks
