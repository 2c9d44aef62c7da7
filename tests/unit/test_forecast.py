"""Time and energy of a plan by what earlier runs took."""

from pathlib import Path

import pytest

from harness.forecast import forecast, items_needed, undecided
from harness.plan import Plan
from harness.records import MeterCost, Setup, TrialRecord
from tests.unit.test_schedule import done, plan


def earlier(made: Plan, energy_j: float, keys: int = 3) -> list[TrialRecord]:
    """Trials of 10 s, 1 s of them window, with 2 J of setup."""
    return [
        done(trial, energy_j).model_copy(
            update={
                "meter": MeterCost(duration_s=10.0),
                "setup": Setup(duration_s=1.0, energy_j=2.0),
            }
        )
        for trial in made.trials[:keys]
    ]


def test_windows_scale_and_the_rest_stays(tmp_path: Path) -> None:
    made = plan(tmp_path, "protocol.window={min: 3 s}", "protocol.rounds=2")

    found = forecast(made, earlier(made, 5.0))

    assert found is not None
    assert found.duration_s == pytest.approx(6 * (9.0 + 3.0))
    assert found.energy_j == pytest.approx(6 * (5.0 * 3 + 2.0))
    assert (found.known, found.configurations) == (3, 3)


def test_what_is_not_known_is_guessed_by_the_rest(tmp_path: Path) -> None:
    made = plan(tmp_path, "protocol.window={min: 1 s}", "protocol.rounds=1")

    found = forecast(made, earlier(made, 5.0, keys=1))

    assert found is not None
    assert found.duration_s == pytest.approx(30.0)
    assert (found.known, found.configurations) == (1, 3)


def test_without_history_nothing_is_said(tmp_path: Path) -> None:
    made = plan(tmp_path)
    failed = [done(made.trials[0], reason="killed")]

    assert forecast(made, []) is None
    assert forecast(made, failed) is None


def test_a_small_test_set_is_named_with_the_size_it_needs(tmp_path: Path) -> None:
    from harness.plan import make_plan
    from tests.unit.test_plan import simple

    made = make_plan(simple(tmp_path), "*/infer/*")
    floors = {"bert": 0.9, "rnn": 0.9}

    assert items_needed(0.02, 0.009) == 1531
    (said,) = undecided(made, {"bert": 1000, "rnn": 2000}, floors)
    assert said.startswith("bert: 1000 test items cannot decide a floor of 0.99")
    assert "1531" in said
