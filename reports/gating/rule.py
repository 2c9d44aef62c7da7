"""The rule: when a ratio of joules is a regression, and what it would have seen.

A change fails only if the ratio of the geometric means is above 1 + delta, the interval
of the ratio lies above 1, and the difference is above what the sensor resolves. The
interval is that of `reports.differences`, which keeps its size with few rounds and far
out in the tail, where Holm's correction looks.
"""

import math
from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

import numpy as np

from reports.differences import columns, half_widths, holm, p_values
from reports.noninferiority import variance_of_mean
from reports.rows import Interval

Array = np.ndarray[Any, Any]
Verdict = Literal[
    "regressed", "improved", "equivalent", "inconclusive", "not-comparable"
]
Z_POWER = 0.8416212335729143
"""Standard normal quantile of 80 %: the power at which a change counts as seen."""
LONGEST_LOG = 700.0
NO_SPREAD = (0.0, 1.0)


class Contrast(NamedTuple):
    """A difference of candidate from baseline, with what it rests on.

    Attributes:
        value: Difference of the means over rounds; of logarithms where it is a ratio.
        rounds: Variance of each mean over rounds, with its degrees of freedom; the
            second is NO_SPREAD where rounds are paired.
        items: Variance over items.
        looks: Share of the chance of an error that looks at the rounds leave.
    """

    value: float
    rounds: tuple[tuple[float, float], tuple[float, float]]
    items: float = 0.0
    looks: float = 1.0

    @property
    def deviation(self) -> float:
        """Standard error of the difference."""
        return math.sqrt(self.items + math.fsum(v for v, _ in self.rounds))


class Tested(NamedTuple):
    """A contrast in its family.

    Attributes:
        half: Half-width of the interval that leaves out 0 if, and only if, Holm's
            correction rejects it.
    """

    contrast: Contrast
    p: float
    half: float

    @property
    def low(self) -> float:
        """Lower end of the interval."""
        return self.contrast.value - self.half

    @property
    def high(self) -> float:
        """Upper end of the interval."""
        return self.contrast.value + self.half


class Margin(NamedTuple):
    """What a difference must exceed.

    Attributes:
        delta: Relative change that is tolerated, such as 0.1.
        floor: Absolute change that is tolerated, in the unit of the measure.
    """

    delta: float
    floor: float = 0.0


def of_rounds(
    baseline: Sequence[float],
    candidate: Sequence[float],
    looks: float = 1.0,
    *,
    paired: bool = False,
) -> Contrast:
    """The log of the ratio of geometric means; all values are above 0.

    Args:
        baseline: One a round.
        candidate: One a round; as many, in the same order, where they are paired.
        looks: Share of the chance of an error that looks at the rounds leave.
        paired: Rounds of one number were measured side by side.
    """
    old, new = np.log(np.array(baseline)), np.log(np.array(candidate))
    value = float(new.mean() - old.mean())
    sides = (new - old,) if paired else (old, new)
    found = [
        (variance_of_mean(side.tolist()), max(len(side) - 1.0, 1.0)) for side in sides
    ]
    second = NO_SPREAD if paired else found[1]
    if not found[0][0] and not second[0]:
        looks = 1.0  # no spread that the looks could have favoured
    return Contrast(value, (found[0], second), looks=looks)


def p_of(contrasts: Sequence[Contrast]) -> Array:
    """[k] two-sided p of each, before Holm's correction."""
    left = np.array([each.looks for each in contrasts])
    return np.asarray(p_values(*columns(contrasts)) / left)


def as_family(contrasts: Sequence[Contrast], alpha: float) -> list[Tested]:
    """All contrasts of a gate as one family: alpha is the chance of any false one."""
    if not contrasts:
        return []
    plain = p_of(contrasts)
    adjusted = holm(plain)
    order = np.argsort(plain, kind="stable")
    rejected = int((adjusted < alpha).sum())
    steps = np.minimum(np.argsort(order, kind="stable"), rejected)
    return [
        Tested(
            each,
            float(adjusted[place]),
            _half(each, alpha / (len(plain) - steps[place])),
        )
        for place, each in enumerate(contrasts)
    ]


def _half(contrast: Contrast, level: float) -> float:
    _, parts, items = columns([contrast])
    return float(half_widths(parts, items, level * contrast.looks)[0])


def verdict(found: Tested, base: float, margin: Margin) -> Verdict:
    """What a ratio shows.

    Args:
        found: Of the logarithm of the ratio.
        base: Geometric mean of the baseline, in the unit of the floor.
        margin: What it must exceed.
    """
    limit = math.log1p(margin.delta)
    ratio = _exp(found.contrast.value)
    counts = ratio is None or base * abs(ratio - 1) > margin.floor
    if found.contrast.value > limit and found.low > 0:
        return "regressed" if counts else "inconclusive"
    if found.contrast.value < -limit and found.high < 0:
        return "improved" if counts else "inconclusive"
    if -limit <= found.low and found.high <= limit:
        return "equivalent"
    return "inconclusive"


def detectable_ratio(found: Tested, base: float, margin: Margin) -> float | None:
    """Smallest true ratio that such rounds tell from 1 in 80 of 100 comparisons."""
    seen = _exp(found.half + Z_POWER * found.contrast.deviation)
    floor = 1 + margin.floor / base if base > 0 else 1.0
    return None if seen is None else max(seen, floor)


def loses_accuracy(found: Tested, drop: float) -> bool:
    """Whether accuracy fell by more than it may, and not by chance.

    Args:
        found: Of the difference of accuracies.
        drop: What it may fall by, in accuracy (0.005 is half a point).
    """
    return found.contrast.value < -drop and found.high < 0


def ratio_of(found: Tested) -> Interval:
    """The ratio with its interval."""
    bounds = (found.contrast.value, found.low, found.high)
    value, low, high = map(_exp, bounds)
    return Interval(value=value, low=low, high=high)


def _exp(value: float) -> float | None:
    return None if abs(value) > LONGEST_LOG else math.exp(value)
