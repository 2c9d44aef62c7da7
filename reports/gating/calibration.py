"""A against A: how far rounds spread, and what a gate could see of it."""

import math
from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from harness.noun import Noun
from harness.records import TrialRecord
from reports.comparing import sides_of
from reports.gating import measures
from reports.gating.policy import Policy
from reports.gating.rule import (
    NO_SPREAD,
    Z_POWER,
    Contrast,
    Margin,
    Tested,
    as_family,
    detectable_ratio,
    of_rounds,
    p_of,
    verdict,
)
from reports.gating.verdicts import Run

DRAWS = 2_000
NO_ROUNDS = (NO_SPREAD, NO_SPREAD)
MOST_ADVISED = 1_000
LEAST_ADVISED = 5


class Calibrated(Noun):
    """A measure of a configuration, held against itself.

    Attributes:
        rounds: Of each half that A was split into.
        spread_ratio: Standard deviation of the logarithm over rounds.
        ratio: Of the second half over the first; 1 but for noise.
        verdict: What the gate said of it.
        minimal_detectable_ratio: With so many rounds a side.
        advised_rounds: Rounds a side that show a change of delta.
        advised_delta: Smallest delta worth asking of so many rounds.
        false_alarm_ratio: Expected share of gates of unchanged code that fail.
    """

    key: str
    metric: str
    rounds: int
    spread_ratio: float | None = None
    ratio: float | None = None
    verdict: str = "not-comparable"
    minimal_detectable_ratio: float | None = None
    advised_rounds: int | None = None
    advised_delta: float | None = None
    false_alarm_ratio: float | None = None
    reason: str | None = None


class Calibration(Noun):
    """What a gate of this suite on this machine can see."""

    rows: tuple[Calibrated, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def known(self) -> int:
        """Rows with a spread."""
        return sum(row.spread_ratio is not None for row in self.rows)


def calibrate(runs: Sequence[Run], policy: Policy) -> Calibration:
    """Every other round against the rest, run by run and round by round."""
    by_key: dict[str, list[TrialRecord]] = {}
    for run in runs:
        for key, side in sorted(sides_of(run.records, run.outcomes, run.looks).items()):
            worked = [trial for trial in side.trials if measures.ran(trial)]
            by_key.setdefault(key, []).extend(worked)
    cores = runs[0].surroundings.cores if runs else None
    notes = [run.fault for run in runs if run.fault]
    rows = [
        _calibrated(key, name, trials, cores, policy)
        for key, trials in sorted(by_key.items())
        for name in _varying(trials, cores)
    ]
    if not any(row.metric == measures.ENERGY for row in rows):
        notes.append(f"energy NOT calibrated: {measures.ENERGY_ABSENT}")
    return Calibration(rows=tuple(rows), notes=tuple(notes))


def _varying(trials: Sequence[TrialRecord], cores: int | None) -> Sequence[str]:
    """Measures that a gate would test."""
    if any(measures.values_of(measures.ENERGY, trials, cores)):
        return (measures.ENERGY,)
    proxies = measures.PROXIES if trials else ()
    return [name for name in proxies if not measures.MEASURES[name].exact]


def _calibrated(
    key: str,
    name: str,
    trials: Sequence[TrialRecord],
    cores: int | None,
    policy: Policy,
) -> Calibrated:
    of = measures.MEASURES[name].of
    told = [of(trial, cores) for trial in trials]
    values = [v for v in told if v is not None and math.isfinite(v) and v > 0]
    halves = values[::2], values[1::2]
    count = min(map(len, halves))
    if count < 2:
        why = f"{len(values)} rounds have it; 4 are needed"
        return Calibrated(key=key, metric=name, rounds=count, reason=why)
    limits = policy.of(key, name)
    floor = limits.floors.get(name, 0.0)
    if name == measures.ENERGY:
        floor = max(floor, measures.resolved_j(trials))
    margin, base = Margin(limits.delta, floor), math.exp(float(np.log(values).mean()))
    spread = float(np.log(values).std(ddof=1))
    (found,) = as_family([of_rounds(*halves)], policy.alpha)
    (typical,) = as_family([_typical(spread, count)], policy.alpha)
    seen = detectable_ratio(typical, base, margin)
    return Calibrated(
        key=key,
        metric=name,
        rounds=count,
        spread_ratio=spread,
        ratio=math.exp(found.contrast.value),
        verdict=verdict(found, base, margin),
        minimal_detectable_ratio=seen,
        advised_rounds=advised_rounds(spread, margin, policy.alpha),
        advised_delta=None if seen is None else seen - 1,
        false_alarm_ratio=false_alarms(spread, count, margin, policy.alpha),
    )


def _typical(spread: float, rounds: int) -> Contrast:
    """Of two sides with the same spread."""
    side = (spread**2 / rounds, rounds - 1.0)
    return Contrast(0.0, (side, side))


def advised_rounds(spread: float, margin: Margin, alpha: float) -> int:
    """Rounds a side that tell a change of delta from none in 80 of 100 comparisons.

    n = 2 (z_{1-alpha/2} + z_{0.8})^2 spread^2 / ln^2(1 + delta), at least 5.
    """
    from scipy.special import ndtri

    z = float(ndtri(1 - alpha / 2)) + Z_POWER
    wanted = 2 * (z * spread / math.log1p(margin.delta)) ** 2
    return min(MOST_ADVISED, max(LEAST_ADVISED, math.ceil(wanted)))


def false_alarms(spread: float, rounds: int, margin: Margin, alpha: float) -> float:
    """Share of gates of unchanged code that fail, by seeded draws from its spread."""
    values, p = _drawn(rounds)
    failed = sum(
        verdict(_shown(spread * value, each < alpha), 1.0, Margin(margin.delta))
        == "regressed"
        for value, each in zip(values, p, strict=True)
    )
    return failed / DRAWS


@lru_cache(maxsize=8)
def _drawn(rounds: int) -> tuple[list[float], list[float]]:
    """Differences of means of standard normal rounds, with p; scale changes no p."""
    rng = np.random.default_rng(0)
    logs = rng.normal(size=(DRAWS, 2, rounds))
    drawn = [of_rounds(*np.exp(pair)) for pair in logs]
    return [each.value for each in drawn], p_of(drawn).tolist()


def _shown(value: float, rejected: bool) -> Tested:  # noqa: FBT001
    """A difference whose interval leaves out 0 where its p is small."""
    return Tested(Contrast(value, NO_ROUNDS), 0.0, 0.0 if rejected else abs(value))
