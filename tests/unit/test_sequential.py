"""Intervals keep what they promise although one stops by looking at them."""

import numpy as np
import pytest

from harness.sequential import interval, is_narrow, look_confidence
from harness.stats import log_t_interval

FIRST, LAST, TARGET = 3, 10, 0.03


def coverage(spread: float, *, corrected: bool, trials: int = 1500) -> float:
    """Share of stopped intervals that hold the truth, 1; an independent simulation."""
    generator = np.random.default_rng(round(spread * 1000))
    held = 0
    for _ in range(trials):
        values: list[float] = []
        for n in range(1, LAST + 1):
            values.append(float(np.exp(generator.normal(0.0, spread))))
            if n < FIRST:
                continue
            found = (
                interval(values, FIRST, LAST) if corrected else log_t_interval(values)
            )
            assert found is not None
            if found[1] / found[0] <= (1 + TARGET) ** 2:
                break
        assert found is not None
        held += found[0] <= 1.0 <= found[1]
    return held / trials


@pytest.mark.parametrize("spread", [0.005, 0.01, 0.015, 0.02, 0.03, 0.1])
def test_the_interval_one_stops_with_keeps_its_coverage(spread: float) -> None:
    assert coverage(spread, corrected=True) >= 0.935


def test_plain_intervals_would_not_keep_it() -> None:
    assert min(coverage(s, corrected=False) for s in (0.015, 0.02, 0.03)) < 0.93


def test_one_look_needs_no_correction_and_more_looks_need_more() -> None:
    assert look_confidence(5, 5) == 0.95
    assert 0.95 < look_confidence(3, 4) <= look_confidence(3, 10) < 0.995
    assert look_confidence(5, 10) < look_confidence(3, 10)


def test_narrow_means_within_the_target_on_either_side() -> None:
    assert is_narrow([1.0, 1.001, 0.999, 1.0], 0.03, 3, 10)
    assert not is_narrow([1.0, 1.3, 0.8], 0.03, 3, 10)
    assert not is_narrow([1.0, 1.0], 0.03, 3, 10)
    assert not is_narrow([1.0, 0.0, 1.0], 0.03, 3, 10)
