"""Percentiles of latencies, given only where there are queries enough for them.

The rule is MLPerf Inference's (inference_rules.adoc, "Early stopping"): that t of n
latencies or fewer lie above a percentile, by chance, has the probability of a binomial
distribution, if they do not depend on each other. With 99 % confidence the percentile
is therefore no more than the (n - t)th latency, for the largest t whose probability is
at most 1 % (an order statistic: David and Nagaraja, Order Statistics, section 7.1).
A percentile is given from the n on at which that t is 1: 11 queries for the median, 64
for the 90th and 662 for the 99th, as there. Latencies of queries that queue together do
depend on each other, so that for them the bound is somewhat too low.
"""

from collections.abc import Sequence
from functools import lru_cache
from math import ceil

from harness.loads import Latency

CHANCE = 0.01
"""Of passing by luck."""
PERCENTILES = (0.5, 0.9, 0.99)


@lru_cache(maxsize=256)
def needed(ratio: float, over: int = 1) -> int:
    """Fewest latencies of which so many may lie above the percentile."""
    low, high = 1, 2
    while not _is_rare(over, high, ratio):
        low, high = high, 2 * high
    while low + 1 < high:
        middle = (low + high) // 2
        low, high = (low, middle) if _is_rare(over, middle, ratio) else (middle, high)
    return high


@lru_cache(maxsize=256)
def allowed(n: int, ratio: float) -> int:
    """How many of n may lie above a limit that the percentile keeps; -1 of too few."""
    low, high = -1, ceil(n * (1 - ratio))
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if _is_rare(middle, n, ratio) else (low, middle - 1)
    return low


def _is_rare(over: int, n: int, ratio: float) -> bool:
    """Whether so few above the percentile would be luck of 1 % at most."""
    from scipy.special import bdtr

    return over <= n and float(bdtr(over, n, 1 - ratio)) <= CHANCE


def percentile_s(latencies_s: Sequence[float], ratio: float) -> float | None:
    """The percentile between its neighbours; None of fewer latencies than it needs."""
    if len(latencies_s) < needed(ratio):
        return None
    return float(_quantile(sorted(latencies_s), ratio))


def _quantile(ordered: Sequence[float], ratio: float) -> float:
    """Linear between the two nearest ranks, as numpy has it."""
    place = ratio * (len(ordered) - 1)
    below = int(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (place - below) * (ordered[above] - ordered[below])


def bound_s(latencies_s: Sequence[float], ratio: float) -> float | None:
    """What the percentile does not exceed, with 99 % confidence; None of too few."""
    over = allowed(len(latencies_s), ratio)
    if over < 0:
        return None
    return sorted(latencies_s)[len(latencies_s) - over - 1]


def summary(latencies_s: Sequence[float]) -> Latency:
    """Median, 90th and 99th percentile as far as there are enough latencies."""
    n = len(latencies_s)
    ordered = sorted(latencies_s)
    given = [n >= needed(ratio) for ratio in PERCENTILES]
    found = [
        _quantile(ordered, ratio) if enough else None
        for ratio, enough in zip(PERCENTILES, given, strict=True)
    ]
    return Latency(p50=found[0], p90=found[1], p99=found[2], n=n, reason=_missing(n))


def _missing(n: int) -> str | None:
    """What lacks how many."""
    lacking = [
        f"p{100 * ratio:g} needs {needed(ratio)}"
        for ratio in PERCENTILES
        if n < needed(ratio)
    ]
    return f"{', '.join(lacking)}; there are {n}" if lacking else None
