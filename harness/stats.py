"""Small pure statistics over a handful of rounds; an interval needs two of them."""

import math
from collections.abc import Sequence
from functools import lru_cache

Z_95 = 1.959963984540054
Z_ONE_SIDED_95 = 1.6448536269514722


def median(values: Sequence[float]) -> float | None:
    """Middle of the values; None of nothing."""
    ordered = sorted(values)
    if not ordered:
        return None
    middle = len(ordered) // 2
    if len(ordered) % 2:
        return ordered[middle]
    return (ordered[middle - 1] + ordered[middle]) / 2


def mean(values: Sequence[float]) -> float | None:
    """Arithmetic mean, kept inside the values; None of nothing."""
    if not values:
        return None
    low, high = min(values), max(values)
    if low == high:
        return float(low)  # of whole numbers too
    return min(max(math.fsum(values) / len(values), low), high)


def geometric_mean(values: Sequence[float]) -> float | None:
    """Geometric mean, kept inside the values; None of nothing or non-positives."""
    if not values or (low := min(values)) <= 0:
        return None
    logs = list(map(math.log, values))
    return min(max(math.exp(math.fsum(logs) / len(logs)), low), max(values))


@lru_cache(maxsize=4096)
def t_quantile(freedom: float, confidence: float) -> float:
    """Two-sided quantile of Student's t."""
    from scipy.special import stdtrit

    return float(stdtrit(freedom, 0.5 + confidence / 2))


def log_t_interval(
    values: Sequence[float], confidence: float = 0.95
) -> tuple[float, float] | None:
    """Student's t-interval of the geometric mean, from the mean of the logs.

    Returns:
        (low, high) in the unit of the values; None with fewer than two values,
        or where one is not positive.
    """
    found = log_t_estimate(values, confidence)
    return found[1] if found else None


Bounds = tuple[float, float]


def log_t_estimate(
    values: Sequence[float], confidence: float = 0.95
) -> tuple[float, Bounds | None] | None:
    """The geometric mean with that interval; None of nothing or non-positives."""
    if not values or (least := min(values)) <= 0:
        return None
    logs = list(map(math.log, values))
    centre = math.fsum(logs) / len(logs)
    value = min(max(math.exp(centre), least), max(values))
    if len(values) < 2:
        return value, None
    freedom = len(logs) - 1
    variance = math.fsum([(log - centre) ** 2 for log in logs]) / freedom
    half = t_quantile(freedom, confidence) * math.sqrt(variance / len(logs))
    if abs(centre) + half > 700:  # beyond what a float can hold
        return value, None
    low, high = math.exp(centre - half), math.exp(centre + half)
    return value, (min(low, value), max(high, value))


def wilson_interval(
    accuracy: float, n: int, z: float = Z_95
) -> tuple[float, float] | None:
    """Wilson's score interval of a proportion, at 95 % unless another z is given.

    Args:
        accuracy: Share of right answers, in [0, 1].
        n: Number of items scored.
        z: Standard normal quantile of each bound.

    Returns:
        (low, high) in [0, 1]; None where nothing was scored.
    """
    if n <= 0:
        return None
    shrink = 1 + z**2 / n
    centre = (accuracy + z**2 / (2 * n)) / shrink
    inner = accuracy * (1 - accuracy) / n + (z / (2 * n)) ** 2
    half = z * math.sqrt(max(inner, 0.0)) / shrink
    return max(0.0, min(centre - half, accuracy)), min(
        1.0, max(centre + half, accuracy)
    )


Point = tuple[float, float]


def pareto_front(points: Sequence[Point]) -> set[Point]:
    """Points (cost, gain) that no other beats in both; equal points stay together."""
    front: set[Point] = set()
    best = -math.inf
    for cost, gain in sorted(set(points), key=lambda point: (point[0], -point[1])):
        if gain > best:
            front.add((cost, gain))
            best = gain
    return front


def lower_hull(points: Sequence[Point]) -> set[Point]:
    """Points of the front that no mix of two others beats (Andrew's chain)."""
    hull: list[Point] = []
    for point in sorted(pareto_front(points)):
        while len(hull) > 1 and _is_under(hull[-2], point, hull[-1]):
            hull.pop()
        hull.append(point)
    return set(hull)


def _is_under(start: Point, end: Point, middle: Point) -> bool:
    """Whether the straight mix of start and end gains at least what middle gains."""
    rise = (end[1] - start[1]) * (middle[0] - start[0])
    return rise >= (middle[1] - start[1]) * (end[0] - start[0])
