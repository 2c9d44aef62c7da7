"""A test's joules against the baseline's: a regression only where it is not noise."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from harness.pytest_plugin.results import Outcome, Result, Verdict
from harness.stats import geometric_mean, t_quantile

ENOUGH_ROUNDS = 3
CONFIDENCE = 0.95
DEFAULT_RATIO = 0.1
"""Within so much two results are called equivalent where no limit was asked for."""


@dataclass(frozen=True)
class Ratio:
    """A ratio of geometric means with Welch's interval of the logs."""

    value: float
    low: float
    high: float

    @property
    def least_shown(self) -> float:
        """The smallest ratio whose interval would have lain above 1."""
        return self.value / self.low


def welch(after: Sequence[float], before: Sequence[float]) -> Ratio:
    """Ratio of geometric means, after over before (B. L. Welch, Biometrika 1947).

    Args:
        after: Positive values, at least two.
        before: Positive values, at least two.
    """
    logs = [[math.log(value) for value in values] for values in (after, before)]
    means = [math.fsum(row) / len(row) for row in logs]
    shares = [
        math.fsum((log - mean) ** 2 for log in row) / (len(row) - 1) / len(row)
        for row, mean in zip(logs, means, strict=True)
    ]
    variance, centre = math.fsum(shares), means[0] - means[1]
    half = 0.0
    if variance > 0.0:
        parts = (s**2 / (len(row) - 1) for s, row in zip(shares, logs, strict=True))
        freedom = variance**2 / math.fsum(parts)
        half = t_quantile(freedom, CONFIDENCE) * math.sqrt(variance)
    half = min(half, 300.0)  # beyond that no float holds its power
    return Ratio(math.exp(centre), math.exp(centre - half), math.exp(centre + half))


def judge(
    result: Result, before: Result, baseline: str, limit_ratio: float | None
) -> Verdict:
    """The verdict of one test.

    Args:
        result: Of now.
        before: What was kept of the same test on the same machine.
        baseline: What that is called.
        limit_ratio: More joules than this are a regression; None for no limit.
    """
    if why := _incomparable(result, before):
        return unchecked(why, limit_ratio, baseline)
    ratio = welch(*(_joules(each) for each in (result, before)))
    allowed = DEFAULT_RATIO if limit_ratio is None else limit_ratio
    outcome, reason = _outcome(ratio, allowed), None
    if outcome == "inconclusive":
        reason = "the difference is not told from noise: more rounds (--energy-rounds)"
    elif outcome != "equivalent" and not _is_resolved(result, before):
        outcome = "inconclusive"
        reason = "the meters do not resolve the difference: --energy-min-window"
    return Verdict(
        outcome=outcome,
        baseline=baseline,
        ratio=ratio.value,
        low=ratio.low,
        high=ratio.high,
        detectable=max(1.0 + allowed, ratio.least_shown),
        limit_ratio=limit_ratio,
        reason=reason,
    )


def unchecked(
    reason: str, limit_ratio: float | None, baseline: str | None = None
) -> Verdict:
    """Joules that were compared with nothing."""
    return Verdict(
        outcome="not-comparable",
        baseline=baseline,
        limit_ratio=limit_ratio,
        reason=reason,
    )


def _outcome(ratio: Ratio, allowed: float) -> Outcome:
    if ratio.value > 1.0 + allowed and ratio.low > 1.0:
        return "regressed"
    if ratio.high < 1.0 and ratio.value < 1.0 / (1.0 + allowed):
        return "improved"
    if 1.0 / (1.0 + allowed) <= ratio.low and ratio.high <= 1.0 + allowed:
        return "equivalent"
    return "inconclusive"


def _incomparable(result: Result, before: Result) -> str | None:
    """Why the joules of both cannot be set against each other; None where they can."""
    for whose, each in (("", result), ("the baseline's ", before)):
        if why := unusable(each):
            return f"{whose}{why}"
    here, there = (_whole(each) for each in (result, before))
    if here != there:
        return f"unlike parts: {here}, and {there} in the baseline"
    if (result.items is None) != (before.items is None):
        return "only one of both says its items"
    return None


def _is_resolved(result: Result, before: Result) -> bool:
    """Whether two results differ by more than their meters' edges can make."""
    bounds_j = (_each(each, "relative_bound_j") for each in (result, before))
    means_j = (geometric_mean(_joules(each)) or 0.0 for each in (result, before))
    after_j, before_j = means_j
    return abs(after_j - before_j) > math.fsum(max(b, default=0.0) for b in bounds_j)


def unusable(result: Result) -> str | None:
    """Why a result cannot be compared with any; a file may hold anything."""
    count = len(result.rounds)
    if result.energy_j is None:
        return f"energy was not measured: {result.reason}"
    if not result.is_measured:
        return f"joules are {result.provenance}, not measured"
    if count < ENOUGH_ROUNDS:
        return f"rounds: {count}; it takes {ENOUGH_ROUNDS} (--energy-rounds)"
    if not all(r.iterations > 0 and _is_positive(r.energy_j) for r in result.rounds):
        return "rounds are not all of some joules"
    return None


def _is_positive(joules: float | None) -> bool:
    return joules is not None and 0.0 < joules < math.inf


def _whole(result: Result) -> str:
    what = f"{' + '.join(result.perimeter)} (tier {result.tier})"
    return what if result.complete else f"{what} without a part"


def _joules(result: Result) -> list[float]:
    """Joules of a call, or of an item where items are known, in each round."""
    return _each(result, "energy_j")


def _each(result: Result, field: str) -> list[float]:
    """A field of the rounds, by call or by item."""
    return [
        value / r.iterations / (result.items or 1)
        for r in result.rounds
        if (value := getattr(r, field)) is not None
    ]
