"""Counters that wrap, reset, jump, stall and are read late."""

import math
from collections.abc import Callable

import pytest

from harness.counters import Part, count
from harness.readings import Channel, Provenance
from tests.fakes import channel, samples, span

U = 0.1


def at_10_hz(*values: float) -> tuple[tuple[float, float], ...]:
    return tuple((round(U * index, 3), value) for index, value in enumerate(values))


def counted(
    points: tuple[tuple[float, float], ...],
    start: float,
    end: float,
    described: Channel | None = None,
) -> Part:
    return count(described or channel(period_s=U), samples(*points), span(start, end))


def ramp(seconds: float, watts: float = 100.0, base: float = 0.0) -> list[float]:
    return [base + watts * U * index for index in range(round(seconds / U) + 1)]


def test_the_energy_between_two_ticks_is_their_difference() -> None:
    part = counted(at_10_hz(*ramp(10)), 2.0, 8.0)

    assert part.energy_j == pytest.approx(600.0)
    assert part.updates == 60
    assert not part.holes


@pytest.mark.parametrize(
    ("watts", "wraps"), [(90.0, 0), (120.0, 1), (250.0, 2), (900.0, 8)]
)
def test_every_wrap_is_seen_and_costs_nothing(watts: float, wraps: int) -> None:
    values = [value % 1000.0 for value in ramp(10, watts, base=50.0)]

    part = counted(at_10_hz(*values), 1.0, 9.0, channel(period_s=U, wraps_at_j=1000.0))

    assert part.energy_j == pytest.approx(8 * watts)
    assert (part.wraps, part.resets) == (wraps, 0)


def test_a_fall_from_the_upper_half_that_no_device_explains_is_a_reset() -> None:
    values = ramp(5, base=150_000.0) + ramp(5)

    part = counted(
        at_10_hz(*values), 1.0, 9.0, channel(period_s=U, wraps_at_j=262_144.0)
    )

    assert (part.wraps, part.resets) == (0, 1)
    assert [round(hole.duration_s, 3) for hole in part.holes] == [0.1]
    assert part.energy_j == pytest.approx(790.0)


def test_a_jump_up_and_back_is_two_breaks_and_no_energy() -> None:
    values = ramp(10)
    values[50] += 1e9

    part = counted(at_10_hz(*values), 1.0, 9.0)

    assert part.resets == 2
    assert part.energy_j == pytest.approx(780.0)
    assert sum(hole.duration_s for hole in part.holes) == pytest.approx(0.2)


def test_a_counter_that_stands_still_up_to_the_end_has_a_hole_there() -> None:
    values = ramp(5) + [500.0] * 50

    part = counted(at_10_hz(*values), 1.0, 9.0)

    assert part.energy_j == pytest.approx(400.0)
    (hole,) = part.holes
    assert (hole.start_ns / 1e9, hole.end_ns / 1e9) == (5.0, 9.0)
    assert "stood still" in (part.reason or "")


def test_a_pause_that_is_caught_up_loses_nothing() -> None:
    values = ramp(10)
    values[30:60] = [values[30]] * 30

    part = counted(at_10_hz(*values), 1.0, 9.0)

    assert part.energy_j == pytest.approx(800.0)
    assert not part.holes


def test_a_pause_that_is_not_caught_up_is_a_hole() -> None:
    values = [*ramp(3), *([300.0] * 30), *ramp(4, base=310.0)]

    part = counted(at_10_hz(*values), 1.0, 9.0)

    assert sum(hole.duration_s for hole in part.holes) == pytest.approx(3.1, abs=0.1)
    assert part.energy_j == pytest.approx(490.0, abs=15.0)


def test_missing_readings_in_the_middle_are_a_gap_and_no_loss() -> None:
    points = [p for p in at_10_hz(*ramp(10)) if not 3.0 < p[0] < 6.0]

    part = counted(tuple(points), 1.0, 9.0)

    assert part.energy_j == pytest.approx(800.0)
    assert part.gaps == 1
    assert not part.holes


@pytest.mark.parametrize(
    ("start", "end", "words"), [(0.0, 9.0, "begin late"), (3.0, 12.0, "end early")]
)
def test_readings_that_do_not_reach_an_edge_leave_a_hole(
    start: float, end: float, words: str
) -> None:
    points = [(t + 2.0, value) for t, value in at_10_hz(*ramp(9))]

    part = counted(tuple(points), start, end)

    assert words in (part.reason or "")
    assert part.holes


def test_a_counter_that_does_not_move_says_nothing() -> None:
    part = counted(at_10_hz(*[7.0] * 50), 1.0, 4.0)

    assert part.energy_j is None
    assert "did not move" in (part.reason or "")


def test_a_models_counter_may_stand_still_at_nothing() -> None:
    described = channel(provenance=Provenance.MODELLED, tier="D", period_s=U)

    part = counted(at_10_hz(*[7.0] * 50), 1.0, 4.0, described)

    assert part.energy_j == 0.0


def test_an_edge_between_ticks_is_bounded_by_what_the_next_tick_adds() -> None:
    points = sorted((*at_10_hz(*ramp(10)), (4.05, 400.0)))

    part = counted(tuple(points), 4.05, 9.0)

    assert part.energy_j == pytest.approx(495.0, abs=0.5)
    assert 5.0 <= part.bound_j <= 20.0


def test_a_counter_that_is_read_for_the_first_time_at_the_edge_has_a_wide_bound() -> (
    None
):
    points = tuple(p for p in at_10_hz(*ramp(10)) if p[0] >= 2.0)

    part = counted(points, 2.0, 9.0)

    assert part.bound_j >= 10.0


def polled(
    joules_at: Callable[[float], float],
    *,
    every_s: float = 1.0,
    until_s: float = 200.0,
    ticks: Callable[[float], float] = lambda at_s: at_s,
) -> tuple[tuple[float, float], ...]:
    """A counter that is asked every second, and tells the joules of its last tick."""
    asked = [every_s * k + 0.1 for k in range(round(until_s / every_s))]
    return tuple((at_s, joules_at(ticks(at_s))) for at_s in asked)


def work(at_s: float) -> float:
    """Joules of 100 W, and of 400 W from 60 to 120 s."""
    return 100.0 * at_s + 300.0 * (min(120.0, max(60.0, at_s)) - 60.0)


@pytest.mark.parametrize("phase_s", [0.5, 3.0, 7.0, 11.0, 14.5])
@pytest.mark.parametrize("scrape_s", [15.0, 30.0])
@pytest.mark.parametrize("until_s", [120.5, 200.0])
def test_a_counter_that_is_scraped_now_and_then_holds_the_truth(
    scrape_s: float, phase_s: float, until_s: float
) -> None:
    points = polled(
        work,
        until_s=until_s,
        ticks=lambda at: max(0.0, phase_s + (at - phase_s) // scrape_s * scrape_s),
    )

    part = counted(points, 60.0, 120.0, channel(tier="A", period_s=1.0))

    assert abs((part.energy_j or 0.0) - 24_000.0) <= part.bound_j
    assert part.update_period_s == pytest.approx(scrape_s, rel=0.1)


@pytest.mark.parametrize("offset_j", range(0, 3600, 450))
def test_a_counter_of_watt_hours_holds_the_truth(offset_j: float) -> None:
    points = polled(lambda at: math.floor((work(at) + offset_j) / 3600) * 3600.0)

    part = counted(points, 60.0, 120.0, channel(tier="A", period_s=1.0))

    assert not part.holes
    assert abs((part.energy_j or 0.0) - 24_000.0) <= part.bound_j <= 2 * 3600.0


def test_a_counter_of_watt_hours_is_slower_when_idle_and_stands_not_still() -> None:
    points = polled(lambda at: work(at) // 3600 * 3600.0, until_s=175.0)

    part = counted(points, 100.0, 170.0, channel(tier="A", period_s=1.0))

    assert not part.holes
    assert abs((part.energy_j or 0.0) - (work(170.0) - work(100.0))) <= part.bound_j
