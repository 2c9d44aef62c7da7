"""Whether a difference is more than the spread of its rounds and items.

A difference rests on means over few rounds, whose variances are estimates, and on the
variance over many items, which counts as known. Its law is Fisher's solution of the
Behrens-Fisher problem: given the chi-squares of the rounds it is normal, so that p is
the mean of normal tails over them. It keeps below its size with three rounds (Robinson,
Annals of Statistics 4, 1976), far out in the tail too, where Holm's correction looks
and Welch's approximation fails. `reports.replicates` draws from the same law.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Protocol

import numpy as np

Array = np.ndarray[Any, Any]
Part = tuple[Array, Array]
"""[k] variance of a mean over rounds, and its degrees of freedom."""
NODES = 48
TAIL = 1e-9
MOST_AT_ONCE = 1_000_000
SAME = 1e-12
BISECTIONS = 26


class Uncertain(Protocol):
    """A difference with what it rests on."""

    @property
    def value(self) -> float:
        """The difference."""

    @property
    def rounds(self) -> tuple[tuple[float, float], tuple[float, float]]:
        """Variance of each mean over rounds, with its degrees of freedom."""

    @property
    def items(self) -> float:
        """Variance over items."""


def columns(
    found: Sequence[Uncertain],
) -> tuple[Array, list[tuple[Array, Array]], Array]:
    """Differences as the columns that the tests take."""
    sides = np.array([each.rounds for each in found])
    parts = [(sides[:, side, 0], sides[:, side, 1]) for side in range(2)]
    values = np.array([each.value for each in found])
    return values, parts, np.array([each.items for each in found])


@lru_cache(maxsize=256)
def _chi_square(freedom: float) -> tuple[Array, Array]:
    """Nodes and weights of chi-square over its degrees of freedom.

    The trapezoidal rule in the logarithm, which converges exponentially.
    """
    from scipy.special import gammaincinv

    half = freedom / 2
    low = np.log(gammaincinv(half, TAIL))
    high = np.log(gammaincinv(half, 1 - TAIL))
    logs = np.linspace(low, high, NODES)
    exponents = half * logs - np.exp(logs)
    weights = np.exp(exponents - exponents.max())
    return np.exp(logs) / half, weights / weights.sum()


def p_values(difference: Array, parts: Sequence[Part], items: Array) -> Array:
    """Two-sided p of each difference.

    Args:
        difference: [k].
        parts: Means over rounds that it is made of, independent of each other.
        items: [k] variance over items.
    """
    size = np.abs(difference)
    p = np.where(size < SAME, 1.0, 0.0)
    freedoms = np.stack([freedom for _, freedom in parts], axis=1)
    for combination in np.unique(freedoms, axis=0):
        chosen = (freedoms == combination).all(axis=1) & (size >= SAME)
        found = [variance[chosen] for variance, _ in parts]
        uncertain = [place for place, v in enumerate(found) if v.any()]
        if chosen.any():
            variances = [found[place] for place in uncertain or [0]]
            laws = combination[uncertain or [0]]
            p[chosen] = _tails(size[chosen], variances, laws, items[chosen])
    return p


def _tails(
    size: Array, variances: Sequence[Array], freedoms: Array, items: Array
) -> Array:
    """Mean of the normal tails over the chi-squares."""
    from scipy.special import ndtr

    inverse, weights = np.zeros((0, 1)), np.ones(1)
    for freedom in freedoms:
        nodes, shares = _chi_square(float(freedom))
        weights = np.outer(weights, shares).ravel()
        old = np.repeat(inverse, len(nodes), axis=1)
        inverse = np.vstack([old, np.tile(1 / nodes, old.shape[1] // len(nodes))])
    found = []
    step = max(1, MOST_AT_ONCE // len(weights))
    for start in range(0, len(size), step):
        part = slice(start, start + step)
        rounds = np.stack([variance[part] for variance in variances], axis=1)
        deviation = np.sqrt(items[part, None] + rounds @ inverse)
        with np.errstate(divide="ignore", over="ignore"):
            found.append(2 * ndtr(-size[part, None] / deviation) @ weights)
    return np.asarray(np.minimum(np.concatenate(found), 1.0))


def half_widths(parts: Sequence[Part], items: Array, alpha: float = 0.05) -> Array:
    """[k] half-widths of the intervals that leave out what has p below alpha."""
    total = items + sum(variance for variance, _ in parts)
    low, high = np.zeros(len(items)), np.sqrt(total) * 64
    for _ in range(BISECTIONS):
        middle = (low + high) / 2
        beyond = p_values(middle, parts, items) < alpha
        low, high = np.where(beyond, low, middle), np.where(beyond, middle, high)
    return np.asarray(np.where(total > 0, high, 0.0))


def holm(p: Array) -> Array:
    """Adjusted p-values of a family (Holm, Scand. J. Statistics 6, 1979)."""
    order = np.argsort(p, kind="stable")
    steps = p[order] * np.arange(len(p), 0, -1)
    adjusted = np.empty_like(p)
    adjusted[order] = np.minimum(np.maximum.accumulate(steps), 1.0)
    return adjusted
