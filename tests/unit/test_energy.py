"""Joules from samples: exact where the samples are, honest where they are not."""

import pytest

from harness import energy, perimeter
from harness.readings import Channel, EnergyReading, Provenance
from harness.series import Trace
from tests.fakes import channel, samples, span


def one(
    described: Channel, trace: Trace, start_s: float, end_s: float
) -> EnergyReading:
    (reading,) = energy.account([described], trace, span(start_s, end_s))
    return reading


def test_a_counter_gives_the_difference_of_its_edges() -> None:
    trace = {"meter/energy_j": samples((0, 5), (1, 100), (2, 150), (3, 200), (4, 900))}

    reading = one(channel(), trace, 1, 3)

    assert reading.energy_j == 100
    assert (reading.method, reading.updates) == ("counter", 2)


def test_a_counter_read_just_after_its_wrap_is_exact() -> None:
    trace = {"meter/energy_j": samples((0, 262_100), (1, 262_143.5), (1.001, 0.5))}

    reading = one(channel(wraps_at_j=262_144.0), trace, 0, 1.001)

    assert reading.energy_j == pytest.approx(44.5)
    assert reading.wraps == 1


def test_a_reset_is_no_wrap_and_has_no_joules_but_a_reason() -> None:
    trace = {"meter/energy_j": samples((0, 500), (1, 600), (2, 10), (3, 20))}

    reading = one(channel(wraps_at_j=262_144.0), trace, 0, 3)

    assert reading.energy_j is None
    assert reading.resets == 1
    assert "reset" in (reading.reason or "")


def test_power_takes_the_place_of_a_counter_that_was_reset() -> None:
    described = [
        channel(),
        channel("meter/power_w", kind="gauge", tier="C"),
    ]
    trace = {
        "meter/energy_j": samples((0, 500), (1, 600), (2, 10)),
        "meter/power_w": samples((0, 100), (1, 100), (2, 100)),
    }

    (reading,) = energy.account(described, trace, span(0, 2))

    assert reading.energy_j == pytest.approx(200)
    assert (reading.method, reading.tier, reading.resets) == ("integral", "C", 1)
    assert "reset" in (reading.reason or "")


def test_a_counter_that_does_not_move_is_missing_not_zero() -> None:
    trace = {"meter/energy_j": samples((0, 7), (1, 7), (2, 7))}

    reading = one(channel(), trace, 0, 2)

    assert reading.energy_j is None
    assert "did not move" in (reading.reason or "")


def test_one_sample_is_missing_not_zero() -> None:
    reading = one(channel(), {"meter/energy_j": samples((1, 7))}, 0, 2)

    assert reading.energy_j is None
    assert "fewer than two" in (reading.reason or "")


def test_constant_power_is_integrated_over_the_whole_window() -> None:
    gauge = channel(kind="gauge")
    points = [(0.1 * i, 200.0) for i in range(80)]

    reading = one(gauge, {gauge.name: samples(*points)}, 1.033, 6.083)

    assert reading.energy_j == pytest.approx(200 * 5.05, rel=1e-6)
    assert reading.coverage_ratio == pytest.approx(1)


def test_half_a_window_of_readings_gives_no_joules_but_a_reason() -> None:
    gauge = channel(kind="gauge")
    points = [(0.1 * i, 100.0) for i in range(11)]

    reading = one(gauge, {gauge.name: samples(*points)}, 0, 2)

    assert reading.energy_j is None
    assert reading.coverage_ratio == pytest.approx(0.6, abs=0.01)
    assert "60% of it is covered" in (reading.reason or "")


def test_a_sliver_without_readings_is_extrapolated_and_in_the_bound() -> None:
    gauge = channel(kind="gauge")
    points = [(0.1 * i, 100.0) for i in range(994)]

    reading = one(gauge, {gauge.name: samples(*points)}, 0, 100)

    assert reading.energy_j == pytest.approx(10_000)
    assert (reading.error_bound_j or 0) >= 50


def test_a_model_gives_way_to_an_instrument() -> None:
    described = [
        channel(),
        channel("m/cpu", device="cpu-model", kind="gauge", tier="D",
                provenance=Provenance.MODELLED),
        channel("m/ram", domain="dram", device="dram-model", kind="gauge", tier="E",
                provenance=Provenance.MODELLED),
    ]  # fmt: skip
    trace = {
        "meter/energy_j": samples((0, 0), (1, 50)),
        "m/cpu": samples((0, 90), (1, 90)),
        "m/ram": samples((0, 20), (1, 20)),
    }

    readings = energy.account(described, trace, span(0, 1))
    total = perimeter.total(readings)

    assert {(r.domain, r.provenance.value) for r in readings} == {
        ("cpu", "measured"),
        ("dram", "modelled"),
    }
    assert total.energy_j == pytest.approx(70)
    assert total.modelled_ratio == pytest.approx(20 / 70)
    assert (total.provenance, total.tier) == ("modelled", "E")


def test_nested_perimeters_are_counted_once() -> None:
    described = [
        channel("psys", domain="psys", device="psys", period_s=0.001),
        channel("p0", device="package-0", period_s=0.001),
        channel("p1", device="package-1", period_s=0.001),
        channel("d0", domain="dram", device="package-0/dram", period_s=0.001),
        channel("d1", domain="dram", device="package-1/dram", period_s=0.001),
        channel("c0", domain="core", device="package-0/core", inside="package-0"),
    ]
    joules = {"psys": 170, "p0": 70, "p1": 60, "d0": 10, "d1": 10, "c0": 50}
    trace = {name: samples((0, 0), (1, j)) for name, j in joules.items()}

    with_psys = perimeter.total(energy.account(described, trace, span(0, 1)))
    without = perimeter.total(energy.account(described[1:], trace, span(0, 1)))

    assert (with_psys.energy_j, with_psys.perimeter) == (170, ("psys",))
    assert (without.energy_j, without.perimeter) == (150, ("cpu", "dram"))


def test_a_missing_part_makes_the_total_incomplete() -> None:
    described = [channel("a"), channel("b", domain="gpu", device="GPU-1")]
    trace = {"a": samples((0, 0), (1, 10))}

    total = perimeter.total(energy.account(described, trace, span(0, 1)))

    assert (total.energy_j, total.complete) == (10, False)
    assert "GPU-1" in (total.reason or "")


def test_no_meter_at_all_is_none_with_a_reason() -> None:
    total = perimeter.total(())

    assert total.energy_j is None
    assert total.reason


def test_mean_power_is_energy_over_time() -> None:
    trace = {"meter/energy_j": samples((0, 0), (2, 30))}

    assert energy.mean_power_w([channel()], trace, span(0, 2)) == 15


def test_a_whole_gauge_is_taken_before_a_torn_one_of_a_smaller_bound() -> None:
    torn = channel("torn", kind="gauge", tier="C", period_s=0.01)
    whole = channel("whole", kind="gauge", tier="C", period_s=0.5)
    steps = [(0.1 * i, 100.0 + i % 2) for i in range(100)]
    trace = {
        "torn": samples(*[(t, 100.0) for t, _ in steps if t < 5]),
        "whole": samples(*steps),
    }

    (reading,) = energy.account([torn, whole], trace, span(0, 9))

    assert reading.energy_j == pytest.approx(905.0, rel=0.01)


def test_a_counter_that_failed_tells_why_where_no_power_helps() -> None:
    described = [
        channel(period_s=0.1),
        channel("meter/power_w", kind="gauge", tier="C"),
    ]
    stuck = [(0.1 * i, min(20.0, 1.0 * i)) for i in range(100)]
    trace = {"meter/energy_j": samples(*stuck)}

    (reading,) = energy.account(described, trace, span(0, 9))

    assert reading.energy_j is None
    assert "stood still" in (reading.reason or "")


@pytest.mark.parametrize(("end_s", "troubled"), [(2.02, False), (3.0, True)])
def test_a_counter_that_had_no_time_to_tick_is_no_trouble(
    end_s: float,
    troubled: bool,  # noqa: FBT001
) -> None:
    described = [channel(period_s=0.1), channel("power", kind="gauge", tier="C")]
    times_s = [0.1 * i for i in range(10 * round(end_s))] + [end_s]
    trace = {
        "meter/energy_j": samples(*[(t, min(20.0, 10.0 * t)) for t in times_s]),
        "power": samples(*[(t, 100.0) for t in times_s]),
    }

    (reading,) = energy.account(described, trace, span(2.0, end_s))

    assert reading.energy_j is not None
    assert (reading.reason is not None) is troubled


def test_the_bound_holds_both_where_power_contradicts_a_counter() -> None:
    described = [channel(period_s=0.1), channel("power", kind="gauge", tier="C")]
    trace = {
        "meter/energy_j": samples(*[(0.1 * i, 10.0 * i) for i in range(120)]),
        "power": samples(*[(0.1 * i, 200.0 + i % 3) for i in range(120)]),
    }

    (reading,) = energy.account(described, trace, span(1, 11))

    assert reading.method == "integral"
    assert reading.energy_j == pytest.approx(2010.0, rel=0.01)
    assert (reading.relative_bound_j or 0) >= 1000.0
    assert "100 W" in (reading.reason or "")


def test_a_counter_with_a_sliver_missing_is_not_lost_to_power_with_large_holes() -> (
    None
):
    described = [channel(period_s=0.1), channel("power", kind="gauge", tier="C")]
    trace = {
        "meter/energy_j": samples(*[(0.1 * i, 10.0 * i) for i in range(1, 995)]),
        "power": samples(*[(0.1 * i, 100.0) for i in range(400, 900)]),
    }

    (reading,) = energy.account(described, trace, span(0, 100))

    assert reading.method == "counter"
    assert reading.energy_j == pytest.approx(10_000.0, rel=0.01)


def test_one_power_reading_that_agrees_is_enough_for_a_counter() -> None:
    described = [
        channel(period_s=0.1),
        channel("wrong", kind="gauge", tier="C", period_s=0.01),
        channel("right", kind="gauge", tier="C", period_s=0.1),
    ]
    trace = {
        "meter/energy_j": samples(*[(0.1 * i, 10.0 * i) for i in range(120)]),
        "wrong": samples(*[(0.1 * i, 200.0 + i % 3) for i in range(120)]),
        "right": samples(*[(0.1 * i, 100.0 + i % 3) for i in range(120)]),
    }

    (reading,) = energy.account(described, trace, span(1, 11))

    assert (reading.method, reading.reason) == ("counter", None)


def test_the_power_of_a_plug_is_taken_where_its_watt_hours_are_too_coarse() -> None:
    described = [
        channel("wh", domain="wall", tier="A", period_s=1.0),
        channel("watts", domain="wall", kind="gauge", tier="A", period_s=1.0),
    ]
    trace = {
        "wh": samples(*[(float(t), 100.0 * t // 3600 * 3600) for t in range(200)]),
        "watts": samples(*[(float(t), 100.0 + t % 2) for t in range(200)]),
    }

    (reading,) = energy.account(described, trace, span(100, 160))

    assert reading.method == "integral"
    assert reading.energy_j == pytest.approx(6030.0, rel=0.01)


def platform_total(
    psys_w: float, *, gpu_w: float, packages: int = 1
) -> list[tuple[float | None, tuple[str, ...]]]:
    """Totals of ten seconds of idle and of ten of work, and what they are of.

    Idle, the platform draws 100 W, each package 40 W and the GPU 20 W.
    """
    described = [channel("psys", domain="psys", device="psys", period_s=0.1)]
    described += [
        channel(f"p{n}", device=f"package-{n}", period_s=0.1) for n in range(packages)
    ]
    described.append(channel("gpu", domain="gpu", device="GPU-1", period_s=0.1))
    powers_w = {"psys": (100.0, psys_w), "gpu": (20.0, gpu_w)}

    def grown(name: str, at_s: float) -> float:
        idle_w, work_w = powers_w.get(name, (40.0, 100.0))
        return idle_w * at_s + (work_w - idle_w) * min(10.0, max(0.0, at_s - 15))

    trace = {
        c.name: samples(*[(0.1 * k, grown(c.name, 0.1 * k)) for k in range(400)])
        for c in described
    }
    totals = [
        perimeter.total(energy.account(described, trace, window))
        for window in (span(2, 12), span(15, 25))
    ]
    return [(round(t.energy_j or 0.0), t.perimeter) for t in totals]


def test_idle_and_work_are_summed_over_the_same_perimeter() -> None:
    outside = platform_total(130.0, gpu_w=300.0)
    held = platform_total(450.0, gpu_w=300.0)

    assert outside == [(1200, ("gpu", "psys")), (4300, ("gpu", "psys"))]
    assert held == [(1000, ("psys",)), (4500, ("psys",))]


def test_a_platform_zone_that_tells_less_than_the_packages_is_not_their_whole() -> None:
    half = platform_total(110.0, gpu_w=300.0, packages=2)

    assert half == [(1000, ("cpu", "gpu")), (5000, ("cpu", "gpu"))]


def test_an_evaluation_inside_the_window_is_taken_out_device_by_device() -> None:
    trace = {"meter/energy_j": samples(*((t, 10.0 * t) for t in range(11)))}
    whole = energy.account([channel()], trace, span(0, 10))
    exam = energy.account([channel()], trace, span(4, 6))

    (reading,) = energy.without(whole, [exam])

    assert reading.energy_j == pytest.approx(80)
    bounds = (whole[0].relative_bound_j or 0.0) + (exam[0].relative_bound_j or 0.0)
    assert reading.relative_bound_j == pytest.approx(bounds)


def test_an_evaluation_of_unknown_joules_leaves_the_window_unknown() -> None:
    trace = {"meter/energy_j": samples(*((t, 10.0 * t) for t in range(11)))}
    whole = energy.account([channel()], trace, span(0, 10))
    lost = [reading.model_copy(update={"energy_j": None}) for reading in whole]

    (reading,) = energy.without(whole, [lost])

    assert reading.energy_j is None
    assert "evaluation" in (reading.reason or "")
