"""Power readings: lag, glitches, holes."""

import random

import numpy as np
import pytest

from harness.counters import Part
from harness.gauges import age_s, integrate
from harness.readings import Channel, Provenance
from tests.fakes import channel, samples, span

GAUGE = channel(kind="gauge", tier="C", period_s=0.1)


def integrated(
    points: list[tuple[float, float]],
    start: float,
    end: float,
    described: Channel = GAUGE,
) -> Part:
    return integrate(described, samples(*points), span(start, end))


def steady(until: float = 12.0, watts: float = 200.0) -> list[tuple[float, float]]:
    return [(0.1 * index, watts) for index in range(round(until * 10))]


@pytest.mark.parametrize("phase", [0.0, 0.013, 0.05, 0.099])
def test_constant_power_is_exact_at_any_phase(phase: float) -> None:
    part = integrated(steady(), 2.0 + phase, 7.05 + phase)

    assert part.energy_j == pytest.approx(200.0 * 5.05, rel=1e-9)


@pytest.mark.parametrize("watts", [0.0, -5.0, 2e6])
def test_readings_that_no_instrument_makes_are_left_out_and_counted(
    watts: float,
) -> None:
    points = steady()
    points[50:53] = [(t, watts) for t, _ in points[50:53]]

    part = integrated(points, 2.0, 9.0)

    assert part.energy_j == pytest.approx(1400.0)
    assert part.gaps == 3


def test_more_than_the_device_can_draw_is_left_out() -> None:
    described = GAUGE.model_copy(update={"ceiling_w": 500.0})
    points = steady()
    points[50] = (5.0, 600.0)

    part = integrated(points, 2.0, 9.0, described)

    assert part.energy_j == pytest.approx(1400.0)
    assert part.gaps == 1


def test_a_rail_and_a_model_may_draw_nothing() -> None:
    rail = GAUGE.model_copy(update={"inside": "board"})
    model = GAUGE.model_copy(update={"provenance": Provenance.MODELLED, "tier": "D"})
    idle = steady(watts=0.0)

    assert integrated(idle, 2.0, 9.0, rail).energy_j == 0.0
    assert integrated(idle, 2.0, 9.0, model).energy_j == 0.0


def test_nothing_plausible_is_nothing_with_a_reason() -> None:
    part = integrated(steady(watts=0.0), 2.0, 9.0)

    assert part.energy_j is None
    assert "no plausible power reading" in (part.reason or "")


def test_one_reading_is_nothing() -> None:
    assert integrated([(3.0, 200.0)], 2.0, 9.0).energy_j is None


def test_a_hole_in_the_middle_is_left_out_of_the_joules() -> None:
    points = [p for p in steady() if not 4.0 < p[0] < 6.0]

    part = integrated(points, 2.0, 9.0)

    (hole,) = part.holes
    assert hole.duration_s == pytest.approx(2.0, abs=0.01)
    assert part.energy_j == pytest.approx(1000.0, rel=0.01)
    assert part.gaps == 1


def test_a_step_is_never_further_off_than_its_height_times_the_period() -> None:
    chance = random.Random(4)
    for _ in range(100):
        phase, at = chance.uniform(0, 0.1), chance.uniform(4.0, 6.0)
        polls = np.cumsum([chance.uniform(0.08, 0.12) for _ in range(110)])
        ticks = phase + (polls - phase) // 0.1 * 0.1
        points = [
            (float(t), 300.0 if k >= at else 100.0)
            for t, k in zip(polls, ticks, strict=True)
        ]

        part = integrated(points, 2.0, 9.0)

        truth_j = 100.0 * (at - 2.0) + 300.0 * (9.0 - at)
        assert abs((part.energy_j or 0) - truth_j) <= 20.0
        assert abs((part.energy_j or 0) - truth_j) <= part.bound_j


def test_a_mean_of_a_second_is_set_back_by_half_of_it() -> None:
    described = GAUGE.model_copy(update={"averaging_s": 1.0})
    rise = [
        (0.1 * k, 100.0 + 200.0 * min(1.0, max(0.0, 0.1 * k - 5.05)))
        for k in range(120)
    ]

    part = integrated(rise, 2.0, 9.0, described)

    assert age_s(described, samples(*rise)) == pytest.approx(0.55)
    assert part.energy_j == pytest.approx(100.0 * 3 + 300.0 * 4, abs=10.0)


def test_a_window_shorter_than_the_mean_has_a_bound_as_large_as_it() -> None:
    described = GAUGE.model_copy(update={"averaging_s": 1.0})
    rise = [(0.1 * k, 100.0 + 20.0 * k) for k in range(100)]

    part = integrated(rise, 5.0, 5.5, described)

    assert part.energy_j is not None
    assert part.bound_j >= 20.0


@pytest.mark.parametrize("phase_s", [1.0, 4.0, 8.0, 14.0])
@pytest.mark.parametrize("noise_w", [0.0, 1.0])
def test_a_gauge_that_is_scraped_now_and_then_holds_the_truth(
    phase_s: float, noise_w: float
) -> None:
    chance = random.Random(1)
    noise = [chance.gauss(0.0, noise_w) for _ in range(20)]
    points = []
    for asked_s in range(140):
        turn = int((asked_s - phase_s) // 15)
        scraped_s = turn * 15 + phase_s
        watts = 400.0 if 40.0 <= scraped_s < 100.0 else 100.0
        points.append((float(asked_s), watts + noise[turn]))
    described = channel(kind="gauge", tier="A", period_s=1.0)

    part = integrated(points, 40.0, 100.0, described)

    assert abs((part.energy_j or 0.0) - 24_000.0) <= part.bound_j
    if noise_w:
        assert part.update_period_s == pytest.approx(15.0)
        assert part.bound_j <= 8_000.0
