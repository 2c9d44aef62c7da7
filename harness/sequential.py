"""When a configuration has been measured often enough, without fooling oneself.

Looking at an interval after each round, and stopping once it is narrow, favours the
looks at which the rounds happened to agree: plain 95 % intervals then hold the truth
less often than they say. Here each look uses one higher level, chosen so that the
interval of the look at which it ends keeps 95 % whatever the true spread is.

Of normal values the mean tells nothing about the sample variances before it (Helmert),
and stopping looks at variances only. Given the look n, the mean is therefore still
normal around the truth with variance s^2/n, and coverage is the mean of
2 Phi(h sqrt(n) / s) - 1 over the half-widths h that one ends with (Anscombe 1952).
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from harness.jobs import Protocol
from harness.stats import log_t_interval

COVERAGE = 0.95
PATHS = 8_000
MOST_LOOKS = 40
"""Later looks hardly add to the bias: the variance is known by then."""
SPREADS = tuple(float(s) for s in np.geomspace(0.2, 20.0, 24))
"""Standard deviations over the target at which coverage is looked at."""
STEPS = 12


class Looks(NamedTuple):
    """Between which numbers of rounds one looks whether the interval is narrow.

    Attributes:
        first: Rounds before the first look.
        last: Rounds after which one stops in any case.
    """

    first: int
    last: int

    @property
    def number(self) -> int:
        """How many looks there may be; one is no look before the end."""
        return max(1, self.last - self.first + 1)

    @property
    def confidence(self) -> float:
        """Level of an interval that keeps 95 % in spite of them."""
        return look_confidence(self.first, self.last)

    @property
    def alpha(self) -> float:
        """Chance of an error that a test may take in spite of them."""
        return round(1 - self.confidence, 12)


ONE_LOOK = Looks(2, 2)


def looks_of(protocol: Protocol) -> Looks:
    """When a configuration is looked at under a protocol: once, unless it may stop."""
    if protocol.target_ci_ratio is None:
        return ONE_LOOK
    first = max(2, protocol.rounds_min)
    return Looks(first, max(first, protocol.rounds))


def interval(
    values: Sequence[float], first: int, last: int
) -> tuple[float, float] | None:
    """Interval of the geometric mean that keeps 95 % where one stops by its width.

    Args:
        values: One for each round so far, in any unit.
        first: Rounds before the first look.
        last: Rounds after which one stops in any case.

    Returns:
        (low, high) in the unit of the values; None with fewer than two of them, or
        where one is not positive.
    """
    looks = Looks(max(2, first), max(2, first, last))
    return log_t_interval(values, looks.confidence)


def is_narrow(
    values: Sequence[float], target_ratio: float, first: int, last: int
) -> bool:
    """Whether the interval reaches no farther than +-target of its middle."""
    if len(values) < max(2, first):
        return False
    found = interval(values, first, last)
    return found is not None and found[1] / found[0] <= (1 + target_ratio) ** 2


@lru_cache(maxsize=64)
def look_confidence(first: int, last: int) -> float:
    """Level of each look, such that the last one keeps 95 %; by simulation, seeded.

    One look needs no correction.
    """
    if first >= last:
        return COVERAGE
    last = min(last, first + MOST_LOOKS)
    spreads = _sample_spreads(first, last)
    low, high = COVERAGE, 0.9999
    for _ in range(STEPS):
        middle = (low + high) / 2
        if _least_coverage(spreads, first, middle) >= COVERAGE:
            high = middle
        else:
            low = middle
    return high


def _sample_spreads(first: int, last: int) -> NDArray[np.float64]:
    """Sample deviations [paths, looks] of a unit normal after each number of rounds."""
    generator = np.random.default_rng(20_261_101)
    squares = generator.standard_normal((PATHS, last - 1)) ** 2
    freedom = np.arange(1, last)
    deviations: NDArray[np.float64] = np.sqrt(np.cumsum(squares, axis=1) / freedom)
    return deviations[:, first - 2 :]


def _least_coverage(
    deviations: NDArray[np.float64], first: int, confidence: float
) -> float:
    """Coverage at the true spread that is worst for it."""
    from scipy.special import ndtr, stdtrit

    rounds = np.arange(first, first + deviations.shape[1])
    quantiles = stdtrit(rounds - 1, 0.5 + confidence / 2)
    halves = quantiles * deviations / np.sqrt(rounds)
    inside = 2 * ndtr(halves * np.sqrt(rounds)) - 1
    covered = []
    for spread in SPREADS:
        is_enough = halves * spread <= 1.0
        is_enough[:, -1] = True
        stops = is_enough.argmax(axis=1)
        covered.append(float(inside[np.arange(len(stops)), stops].mean()))
    return min(covered)
