import math

import pytest

from harness.stats import (
    geometric_mean,
    log_t_interval,
    lower_hull,
    mean,
    median,
    pareto_front,
    wilson_interval,
)


def test_nothing_has_no_middle() -> None:
    assert median([]) is None
    assert mean([]) is None
    assert geometric_mean([]) is None


def test_the_median_of_an_even_number_lies_between_the_two_middles() -> None:
    assert median([4.0, 1.0, 3.0, 2.0]) == 2.5
    assert median([3.0, 1.0, 2.0]) == 2.0


def test_a_geometric_mean_needs_positive_values() -> None:
    assert geometric_mean([1.0, 4.0]) == pytest.approx(2.0)
    assert geometric_mean([1.0, 0.0]) is None


def test_equal_values_have_exactly_their_own_mean() -> None:
    assert geometric_mean([0.1, 0.1, 0.1]) == 0.1
    assert mean([0.1, 0.1, 0.1]) == 0.1


def test_one_round_has_no_interval() -> None:
    assert log_t_interval([1.0]) is None


def test_the_interval_of_two_rounds_uses_the_wide_t_of_one_degree_of_freedom() -> None:
    interval = log_t_interval([1.0, math.e])

    assert interval is not None
    half = 12.7062 * math.sqrt(0.5) / math.sqrt(2)
    assert math.log(interval[0]) == pytest.approx(0.5 - half, rel=1e-4)
    assert math.log(interval[1]) == pytest.approx(0.5 + half, rel=1e-4)


def test_an_interval_too_wide_for_a_float_is_missing() -> None:
    assert log_t_interval([1e-300, 1e300]) is None


def test_a_perfect_score_on_few_items_proves_little() -> None:
    interval = wilson_interval(1.0, 10)

    assert interval is not None
    assert interval[0] == pytest.approx(0.7225, abs=1e-4)
    assert interval[1] == 1.0
    assert wilson_interval(0.5, 0) is None


def test_a_dominated_point_is_off_the_front_and_copies_stay_on() -> None:
    points = [(1.0, 0.5), (1.0, 0.5), (2.0, 0.4), (3.0, 0.9)]

    assert pareto_front(points) == {(1.0, 0.5), (3.0, 0.9)}


def test_a_point_that_a_mix_beats_is_off_the_hull() -> None:
    assert lower_hull([(0.0, 0.0), (1.0, 0.1), (2.0, 1.0)]) == {(0.0, 0.0), (2.0, 1.0)}
