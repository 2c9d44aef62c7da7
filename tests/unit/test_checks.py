"""Each doubt just below and just above its threshold."""

import pytest

from harness import checks
from harness.records import Doubt, Utilization
from tests.unit.test_perimeter import reading


def codes(doubts: object) -> list[str]:
    assert isinstance(doubts, (list, tuple))
    return [doubt.code for doubt in doubts if isinstance(doubt, Doubt)]


@pytest.mark.parametrize(
    ("period_s", "duration_s", "doubted"),
    [(0.001, 9.9, True), (0.001, 10.1, False), (0.5, 49.0, True), (0.5, 51.0, False)],
)
def test_a_window_needs_ten_seconds_and_a_hundred_updates(
    period_s: float,
    duration_s: float,
    doubted: bool,  # noqa: FBT001
) -> None:
    measured = reading("cpu", "package-0", 50.0, update_period_s=period_s)

    found = checks.short_window((measured,), duration_s, "protocol.window.min")

    assert bool(found) is doubted


def test_a_window_of_models_is_not_too_short() -> None:
    modelled = reading("cpu", "model", 50.0, provenance="modelled", tier="D")

    assert checks.short_window((modelled,), 1.0, "x") == []
    assert codes(checks.short_window((modelled,), 0.9, "x")) == ["short-window"]
    assert checks.short_window((), 0.9, "x") == []


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ({"reason": "the counter was reset", "resets": 1}, "meter-trouble"),
        ({"gaps": 2}, "gaps"),
        ({"shared": True}, "shared-meter"),
        ({"observed_ratio": 0.25}, "part-time-sensor"),
    ],
)
def test_a_troubled_meter_is_doubted(more: dict[str, object], code: str) -> None:
    sound = reading("gpu", "GPU-1", 50.0)
    troubled = reading("gpu", "GPU-1", 50.0, **more)

    assert codes(list(checks.source_doubts((sound,)))) == []
    assert codes(list(checks.source_doubts((troubled,)))) == [code]


@pytest.mark.parametrize(
    ("seen", "code"),
    [
        ({"steal_ratio": 0.02}, "steal"),
        ({"foreign_cpu_ratio": 0.06}, "foreign-load"),
        ({"foreign_processes": 1}, "foreign-gpu-process"),
        ({"memory_pressure_ratio": 0.02}, "memory-pressure"),
        ({"throttle_ratios": {"power brake": 0.5}}, "throttled"),
    ],
)
def test_what_else_went_on_is_doubted(seen: dict[str, object], code: str) -> None:
    found = list(checks.machine_doubts(Utilization.model_validate(seen)))

    assert codes(found) == [code]
    assert found[0].remedy


def test_a_quiet_machine_gives_no_doubt() -> None:
    quiet = Utilization(
        steal_ratio=0.009,
        foreign_cpu_ratio=0.049,
        foreign_processes=0,
        memory_pressure_ratio=0.009,
    )

    assert codes(list(checks.machine_doubts(quiet))) == []
