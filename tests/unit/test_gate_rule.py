import math
from collections.abc import Sequence

import numpy as np
import pytest

from reports.gating.calibration import advised_rounds, false_alarms
from reports.gating.rule import (
    Contrast,
    Margin,
    as_family,
    detectable_ratio,
    loses_accuracy,
    of_rounds,
    p_of,
    ratio_of,
    verdict,
)

STEADY = [50.0, 50.5, 49.5, 50.2, 49.9]


def judged(
    baseline: Sequence[float], candidate: Sequence[float], margin: Margin
) -> str:
    (found,) = as_family([of_rounds(baseline, candidate)], 0.05)
    return verdict(found, 50.0, margin)


@pytest.mark.parametrize(
    ("factor", "shown"),
    [(1.2, "regressed"), (0.8, "improved"), (1.0, "equivalent"), (1.1, "inconclusive")],
)
def test_verdicts_by_size_of_the_change(factor: float, shown: str) -> None:
    candidate = [j * factor for j in STEADY]

    assert judged(STEADY, candidate, Margin(0.1)) == shown


def test_a_large_change_within_the_noise_is_inconclusive() -> None:
    wild = [30.0, 90.0, 45.0, 80.0, 60.0]

    assert judged(STEADY, wild, Margin(0.1)) == "inconclusive"


def test_a_change_below_the_floor_is_no_regression() -> None:
    candidate = [j * 1.2 for j in STEADY]

    assert judged(STEADY, candidate, Margin(0.1, floor=11.0)) == "inconclusive"
    assert judged(STEADY, candidate, Margin(0.1, floor=9.0)) == "regressed"


def test_intervals_leave_out_1_exactly_where_holm_rejects() -> None:
    rng = np.random.default_rng(3)
    family = [
        of_rounds(*np.exp(rng.normal([[0.0], [shift]], 0.03, (2, 5))))
        for shift in np.linspace(0, 0.2, 12)
    ]

    found = as_family(family, 0.05)

    assert [each.p < 0.05 for each in found] == [
        each.low > 0 or each.high < 0 for each in found
    ]
    assert 0 < sum(each.p < 0.05 for each in found) < len(found)


def test_holm_asks_for_more_where_more_is_tested() -> None:
    one = of_rounds(STEADY, [j * 1.03 for j in STEADY])
    nothing = of_rounds(STEADY, STEADY[::-1])

    alone, among = as_family([one], 0.05)[0], as_family([one] + [nothing] * 40, 0.05)[0]

    assert among.p > alone.p
    assert among.half > alone.half


def test_paired_rounds_cancel_what_they_share() -> None:
    drifting = [50.0, 55.0, 60.0, 66.0, 72.0]
    candidate = [
        j * f for j, f in zip(drifting, [1.2, 1.21, 1.19, 1.2, 1.2], strict=True)
    ]

    apart = as_family([of_rounds(drifting, candidate)], 0.05)[0]
    paired = as_family([of_rounds(drifting, candidate, paired=True)], 0.05)[0]

    assert verdict(apart, 50.0, Margin(0.1)) == "inconclusive"
    assert verdict(paired, 50.0, Margin(0.1)) == "regressed"


def test_looks_at_the_rounds_are_paid_for() -> None:
    candidate = [j * 1.02 for j in STEADY[::-1]]

    plain, looked = (
        as_family([of_rounds(STEADY, candidate, looks)], 0.05)[0]
        for looks in (1.0, 0.4)
    )

    assert looked.p == pytest.approx(plain.p / 0.4)
    assert looked.half > plain.half


@pytest.mark.parametrize(("spread", "expected"), [(0.01, 0.018), (0.03, 0.055)])
def test_the_detectable_ratio_is_near_that_of_known_spreads(
    spread: float, expected: float
) -> None:
    side = (spread**2 / 5, 4.0)
    (found,) = as_family([Contrast(0.0, (side, side))], 0.05)

    seen = detectable_ratio(found, 1.0, Margin(0.1))

    assert seen is not None
    assert expected < seen - 1 < 1.4 * expected  # five rounds estimate the spread


def test_exact_figures_have_no_spread() -> None:
    (found,) = as_family([of_rounds([100.0], [100.0])], 0.05)

    assert ratio_of(found).high == 1.0
    assert verdict(found, 100.0, Margin(0.1)) == "equivalent"


def test_accuracy_is_lost_beyond_the_drop_and_the_noise() -> None:
    still = ((0.0, 4.0), (0.0, 4.0))
    proven, unproven, small = as_family(
        [
            Contrast(-0.02, still, items=0.002**2),
            Contrast(-0.02, still, items=0.02**2),
            Contrast(-0.004, still, items=0.0001**2),
        ],
        0.05,
    )

    assert loses_accuracy(proven, 0.005)
    assert not loses_accuracy(unproven, 0.005)
    assert not loses_accuracy(small, 0.005)


def rate(spread: float, rounds: int, ratio: float, trials: int) -> float:
    """Share of gates that fail; log-normal rounds, delta of 5 %."""
    rng = np.random.default_rng(11)
    scale = math.sqrt(math.log1p(spread**2))
    failed = 0
    for _ in range(trials):
        logs = rng.normal(0, scale, (2, rounds))
        (found,) = as_family(
            [of_rounds(np.exp(logs[0]), ratio * np.exp(logs[1]))], 0.05
        )
        failed += verdict(found, 1.0, Margin(0.05)) == "regressed"
    return failed / trials


@pytest.mark.parametrize(
    ("spread", "ratio", "low", "high"),
    [
        (0.03, 1.0, 0.0, 0.02),
        (0.03, 1.1, 0.92, 1.0),
        (0.08, 1.0, 0.0, 0.05),
        (0.08, 1.2, 0.7, 1.0),
    ],
)
def test_false_alarms_are_rare_and_true_regressions_caught(
    spread: float, ratio: float, low: float, high: float
) -> None:
    assert low <= rate(spread, 5, ratio, trials=200) <= high


def test_calibration_simulates_the_rule_itself() -> None:
    simulated = rate(0.08, 5, 1.0, trials=400)

    assert false_alarms(0.08, 5, Margin(0.05), 0.05) == pytest.approx(
        simulated, abs=0.02
    )


@pytest.mark.parametrize(
    ("spread", "rounds"), [(0.01, 5), (0.03, 6), (0.05, 17), (0.08, 43)]
)
def test_advised_rounds_are_those_of_the_formula(spread: float, rounds: int) -> None:
    assert advised_rounds(spread, Margin(0.05), 0.05) == pytest.approx(rounds, abs=1)


def test_p_of_a_shift_is_that_of_the_comparison() -> None:
    assert p_of([of_rounds(STEADY, STEADY)])[0] == 1.0
