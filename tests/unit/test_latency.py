"""Percentiles are given where there are queries enough, and their bounds hold."""

import random

import pytest

from harness import latency


@pytest.mark.parametrize(
    ("ratio", "over", "n"),
    [(0.5, 1, 11), (0.9, 0, 44), (0.9, 1, 64), (0.99, 0, 459), (0.99, 1, 662)],
)
def test_the_numbers_are_those_of_mlperf(ratio: float, over: int, n: int) -> None:
    assert latency.needed(ratio, over) == n
    assert latency.allowed(n, ratio) == over
    assert latency.allowed(n - 1, ratio) == over - 1


def test_a_p99_of_50_queries_is_missing_with_its_reason() -> None:
    found = latency.summary([0.001 * k for k in range(50)])

    assert (found.n, found.p90, found.p99) == (50, None, None)
    assert found.p50 == pytest.approx(0.0245)
    assert found.reason == "p90 needs 64, p99 needs 662; there are 50"


def test_enough_queries_have_all_percentiles() -> None:
    found = latency.summary([float(k) for k in range(1001)])

    assert (found.p50, found.p90, found.p99) == (500.0, 900.0, 990.0)
    assert found.reason is None


def test_no_query_has_no_percentile() -> None:
    assert latency.summary([]).p50 is None
    assert latency.bound_s([], 0.9) is None


def test_the_bound_is_passed_by_the_truth_once_in_a_hundred_at_most() -> None:
    chance = random.Random(1)
    misses = 0
    for _ in range(2000):
        drawn = [chance.random() for _ in range(100)]
        bound = latency.bound_s(drawn, 0.9)
        assert bound is not None
        misses += bound < 0.9

    assert misses / 2000 <= 0.015
