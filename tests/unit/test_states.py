"""What else the meters see: load, heat, throttling, sleep."""

import pytest

from harness import states
from harness.readings import Channel, Provenance, Quantity
from harness.series import Series
from tests.fakes import channel, samples, span

TEN = span(0.0, 10.0)


def state(what: str, *, domain: str = "host", kind: str = "counter") -> Channel:
    return Channel(
        name=f"{domain}/{what}",
        domain=domain,
        device=domain,
        quantity=Quantity.SECONDS,
        kind="counter" if kind == "counter" else "gauge",
        provenance=Provenance.MEASURED,
        source="test",
        what=what,
    )


HOST = [state(w) for w in ("cpu_busy", "cpu_total", "steal", "cpu_pressure")]
HOST_TRACE = {
    "host/cpu_busy": samples((0, 100.0), (10, 112.0)),
    "host/cpu_total": samples((0, 500.0), (10, 520.0)),
    "host/steal": samples((0, 1.0), (10, 2.0)),
    "host/cpu_pressure": samples((0, 0.0), (10, 2.5)),
}


def test_busy_stolen_and_foreign_time_are_shares_of_all_cores() -> None:
    seen = states.utilization(HOST, HOST_TRACE, TEN, own_cpu_s=9.0)

    assert seen.cpu_ratio == pytest.approx(0.6)
    assert seen.steal_ratio == pytest.approx(0.05)
    assert seen.foreign_cpu_ratio == pytest.approx((12.0 - 1.0 - 9.0) / 20.0)
    assert seen.cpu_pressure_ratio == pytest.approx(0.25)
    assert seen.memory_pressure_ratio is None


def test_what_is_not_known_is_missing_not_zero() -> None:
    seen = states.utilization([], {}, TEN, own_cpu_s=None)

    assert (seen.cpu_ratio, seen.gpu_ratio, seen.foreign_cpu_ratio) == (None,) * 3
    assert seen.foreign_processes is None


THROTTLE = state("throttle", domain="gpu", kind="gauge")


@pytest.mark.parametrize(
    ("mask", "words"),
    [
        (0x40, {"thermal slowdown (hardware)": 0.5}),
        (0x20 | 0x80, {"thermal slowdown (software)": 0.5, "power brake": 0.5}),
        (0x04, {}),
        (0x01, {}),
    ],
)
def test_slowed_devices_are_told_by_reason_and_share(
    mask: int, words: dict[str, float]
) -> None:
    trace = {THROTTLE.name: samples((0, 0), (3, mask), (6, mask), (9, 0))}

    assert states.throttling([THROTTLE], trace, TEN) == words


def test_a_state_that_is_read_slowly_still_holds() -> None:
    trace = {THROTTLE.name: samples((0, 0x40), (20, 0))}

    assert states.throttling([THROTTLE], trace, span(5.0, 6.0))


def heat(per_min: float, seconds: int = 60) -> Series:
    """Readings of whole degrees each second."""
    return samples(*[(k, float(int(50 + per_min * k / 60))) for k in range(seconds)])


@pytest.mark.parametrize(("per_min", "settled"), [(0.0, True), (0.8, True), (4, False)])
def test_a_machine_that_warms_has_not_settled(per_min: float, settled: bool) -> None:  # noqa: FBT001
    sensor = state("temperature", domain="gpu", kind="gauge")
    trace = {sensor.name: heat(per_min)}

    reasons = states.unsteady([sensor], trace, span(0.0, 59.0))

    assert bool(reasons) is not settled


@pytest.mark.parametrize(("swing", "settled"), [(0.005, True), (0.05, False)])
def test_power_that_swings_has_not_settled(swing: float, settled: bool) -> None:  # noqa: FBT001
    counter = channel(period_s=0.1)
    watts = [200.0 * (1 + (swing if k > 60 else 0.0)) for k in range(100)]
    grown = [sum(watts[:k]) * 0.1 for k in range(100)]
    points = [(0.1 * k, value) for k, value in enumerate(grown)]
    trace = {counter.name: samples(*points)}

    reasons = states.unsteady([counter], trace, span(0.0, 9.9))

    assert bool(reasons) is not settled
    assert states.unsteady([counter], trace, span(0.0, 9.9), varies=True) == []


def power(*, after_w: float, observed_ratio: float = 1.0) -> tuple[Channel, Series]:
    """A gauge that tells 100 W for six seconds, and then so much."""
    gauge = channel("watts", kind="gauge", tier="C").model_copy(
        update={"observed_ratio": observed_ratio}
    )
    points = [(0.1 * k, 100.0 if k < 60 else after_w) for k in range(121)]
    return gauge, samples(*points)


@pytest.mark.parametrize(("after_w", "settled"), [(100.5, True), (300.0, False)])
def test_a_power_reading_that_swings_has_not_settled(
    after_w: float,
    settled: bool,  # noqa: FBT001
) -> None:
    gauge, series = power(after_w=after_w)

    reasons = states.unsteady([gauge], {gauge.name: series}, span(0.0, 12.0))

    assert bool(reasons) is not settled


def test_a_counter_tells_whether_its_device_has_settled_before_power_does() -> None:
    gauge, series = power(after_w=300.0)
    counter = channel(period_s=0.1)
    even = samples(*[(0.1 * k, 10.0 * k) for k in range(121)])
    trace = {gauge.name: series, counter.name: even}

    assert states.unsteady([gauge, counter], trace, span(0.0, 12.0)) == []


@pytest.mark.parametrize(("end_s", "told"), [(0.5, False), (10.0, True)])
def test_a_moment_tells_nothing_of_foreign_or_stolen_time(
    end_s: float,
    told: bool,  # noqa: FBT001
) -> None:
    trace = {
        name: samples((0, series.values[0]), (end_s, series.values[1]))
        for name, series in HOST_TRACE.items()
    }

    seen = states.utilization(HOST, trace, span(0.0, end_s), own_cpu_s=0.0)

    assert (seen.foreign_cpu_ratio is not None) is told
    assert (seen.steal_ratio is not None) is told


def test_a_stretch_too_short_to_judge_is_not_judged() -> None:
    counter = channel(period_s=0.1)
    trace = {counter.name: samples(*[(0.1 * k, 20.0 * k * k) for k in range(20)])}

    assert states.unsteady([counter], trace, span(0.0, 1.9)) == []


def test_a_machine_that_slept_is_told_with_how_long() -> None:
    clock = state("suspended")

    slept = states.slept([clock], {clock.name: samples((0, 5.0), (10, 15.0))}, TEN)
    awake = states.slept([clock], {clock.name: samples((0, 5.0), (10, 5.0))}, TEN)

    assert slept == "the machine slept for 10.0 s inside the window"
    assert awake is None
    assert states.slept([], {}, TEN) is None
