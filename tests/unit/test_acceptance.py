"""The acceptance table of the meters: real pynvml, scripted hardware, no waiting."""

import math
import random
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from harness.probes.nvml import NvmlProbe
from harness.readings import EnergyReading, Span
from tests.metering_bench import SimulatedMeter, StubClock
from tests.nvml_stub import AMPERE, Gpu, NvmlStub, has_compiler

pytestmark = pytest.mark.skipif(not has_compiler(), reason="gcc builds the stub")
A, B = "GPU-aaaaaaaa-0000", "GPU-bbbbbbbb-0000"
FOREVER = 1e9
Start = Callable[..., SimulatedMeter]


@pytest.fixture
def start(nvml: NvmlStub) -> Iterator[Start]:
    """Start a simulated meter on scripted GPUs."""
    started: list[SimulatedMeter] = []

    def begin(
        *gpus: Gpu, at_s: float = 0.0, visible: str | None = None
    ) -> SimulatedMeter:
        nvml.install(*gpus)
        clock = StubClock(nvml)
        clock.advance(1.0 + at_s)
        started.append(SimulatedMeter(clock, [NvmlProbe(visible=visible)]))
        return started[-1]

    yield begin
    for meter in started:
        meter.sampler.close()


def seconds(span: Span) -> tuple[float, float]:
    return span.start_ns / 1e9, span.end_ns / 1e9


def only(meter: SimulatedMeter, span: Span) -> EnergyReading:
    (reading,) = meter.account(span)
    return reading


PHASES = [0.013 * k for k in range(10)]


@pytest.mark.parametrize("phase_s", PHASES)
def test_constant_power_and_a_counter_err_by_less_than_a_thousandth(
    start: Start, phase_s: float
) -> None:
    gpu = Gpu(uuid=A, counter_phase_s=phase_s)
    meter = start(gpu)

    span = meter.window(5.05)
    reading = only(meter, span)

    truth_j = gpu.energy_j(*seconds(span))
    assert reading.energy_j == pytest.approx(truth_j, rel=1e-3)
    assert abs((reading.energy_j or 0) - truth_j) <= (reading.relative_bound_j or 0)
    assert (reading.relative_bound_j or 0) <= 1e-3 * truth_j
    assert (reading.method, reading.tier) == ("counter", "B")
    assert reading.update_period_s == pytest.approx(0.1, rel=0.05)


@pytest.mark.parametrize("phase_s", PHASES)
def test_constant_power_without_a_counter_errs_by_less_than_half_a_percent(
    start: Start, phase_s: float
) -> None:
    gpu = Gpu(uuid=A, counter=False, power_phase_s=phase_s)
    meter = start(gpu)

    span = meter.window(2.5)
    reading = only(meter, span)

    assert reading.energy_j == pytest.approx(gpu.energy_j(*seconds(span)), rel=5e-3)
    assert (reading.method, reading.tier) == ("integral", "C")


@pytest.mark.parametrize("phase_s", PHASES)
def test_a_step_of_power_errs_by_less_than_the_step_times_the_period(
    start: Start, phase_s: float
) -> None:
    gpu = Gpu(
        uuid=A,
        name="NVIDIA A100",
        architecture=AMPERE,
        capability=(8, 0),
        counter=False,
        average=False,
        power_phase_s=phase_s,
        curve=((0.0, 100.0), (10.0, 300.0)),
    )
    meter = start(gpu, at_s=1.5)

    span = meter.window(11.0)
    reading = only(meter, span)

    truth_j = gpu.energy_j(*seconds(span))
    assert abs((reading.energy_j or 0) - truth_j) <= 20.0
    assert abs((reading.energy_j or 0) - truth_j) <= (reading.relative_bound_j or 0)


def test_a_counter_that_is_reset_is_flagged_and_power_fills_the_gap(
    start: Start,
) -> None:
    gpu = Gpu(uuid=A, resets_s=(8.33,))
    meter = start(gpu)

    span = meter.window(10.0)
    reading = only(meter, span)

    assert reading.resets == 1
    assert reading.energy_j == pytest.approx(gpu.energy_j(*seconds(span)), rel=0.01)
    assert "reset" in (reading.reason or "")
    assert reading.method == "counter"


def test_a_counter_that_freezes_gives_way_to_power(start: Start) -> None:
    gpu = Gpu(uuid=A, frozen_from_s=7.0)
    meter = start(gpu)

    span = meter.window(10.0)
    reading = only(meter, span)

    assert reading.energy_j == pytest.approx(gpu.energy_j(*seconds(span)), rel=0.01)
    assert (reading.method, reading.tier) == ("integral", "C")
    assert "stood still" in (reading.reason or "")


def test_a_counter_that_never_moves_is_not_believed(start: Start) -> None:
    gpu = Gpu(uuid=A, frozen_from_s=0.0)
    meter = start(gpu)

    span = meter.window(10.0)
    reading = only(meter, span)

    assert reading.method == "integral"
    assert reading.energy_j == pytest.approx(200.0 * span.duration_s, rel=0.01)
    assert "did not move" in (reading.reason or "")


@pytest.mark.parametrize("name", ["energy", "instant", "average", "fields", "*"])
@pytest.mark.parametrize("code", [3, 15, 999])
@pytest.mark.parametrize(
    ("from_s", "to_s"), [(8.0, 8.05), (8.0, 9.4), (8.0, FOREVER), (0.0, FOREVER)]
)
def test_every_failing_call_gives_a_record_that_says_so(
    start: Start, name: str, code: int, from_s: float, to_s: float
) -> None:
    gpu = Gpu(uuid=A, errors=((name, from_s, to_s, code),))
    if name in ("*", "fields") and from_s == 0.0:
        gpu = Gpu(uuid=A, errors=((name, 4.0, to_s, code),))
    meter = start(gpu, Gpu(uuid=B))

    span = meter.window(10.0)
    mine, other = meter.account(span)
    total = meter.total(span)

    truth_j = gpu.energy_j(*seconds(span))
    assert other.energy_j == pytest.approx(truth_j, rel=2e-3)
    if mine.energy_j is None:
        assert mine.reason
        assert mine.method == "none"
        assert not total.complete
        assert A in (total.reason or "")
    else:
        bound_j = max(mine.relative_bound_j or 0.0, 0.01 * truth_j)
        assert abs(mine.energy_j - truth_j) <= bound_j


@pytest.mark.parametrize("milliwatts", [0, 4_000_000_000])
@pytest.mark.parametrize("gpu", [Gpu(uuid=A), Gpu(uuid=A, counter=False)])
def test_absurd_powers_are_no_readings(start: Start, milliwatts: int, gpu: Gpu) -> None:
    gpu = replace(gpu, powers=((8.0, 8.3, milliwatts),))
    meter = start(gpu)

    span = meter.window(10.0)
    reading = only(meter, span)

    assert reading.energy_j == pytest.approx(gpu.energy_j(*seconds(span)), rel=0.01)
    if not gpu.counter:
        assert reading.gaps >= 2


def test_a_gpu_that_only_gives_absurd_powers_has_no_joules(start: Start) -> None:
    gpu = Gpu(uuid=A, counter=False, powers=((0.0, FOREVER, 0),))
    meter = start(gpu)

    reading = only(meter, meter.window(5.0))

    assert reading.energy_j is None
    assert "no plausible power reading" in (reading.reason or "")


@pytest.mark.parametrize("at_s", [3.0, 3.2, 3.4, 3.6, 3.8])
def test_a_slow_mean_does_not_discredit_the_counter_of_a_short_window(
    start: Start, at_s: float
) -> None:
    gpu = Gpu(uuid=A, curve=((0.0, 100.0), (at_s, 300.0)), instant=False)
    meter = start(gpu)

    span = meter.window(0.5)
    reading = only(meter, span)

    truth_j = gpu.energy_j(*seconds(span))
    assert reading.method == "counter"
    assert reading.energy_j == pytest.approx(truth_j, rel=0.02)
    assert abs((reading.energy_j or 0) - truth_j) <= (reading.relative_bound_j or 0)


def test_several_gpus_add_up_each_with_its_phase(start: Start) -> None:
    gpus = [
        Gpu(uuid=f"GPU-{k}", counter_phase_s=0.023 * k, curve=((0.0, 100.0 + 50 * k),))
        for k in range(4)
    ]
    meter = start(*gpus)

    span = meter.window(5.0)
    total = meter.total(span)

    truth_j = sum(gpu.energy_j(*seconds(span)) for gpu in gpus)
    assert total.energy_j == pytest.approx(truth_j, rel=2e-3)
    assert abs((total.energy_j or 0) - truth_j) <= (total.relative_bound_j or 0)


def test_only_the_visible_gpus_count(start: Start) -> None:
    meter = start(Gpu(uuid=A), Gpu(uuid=B, curve=((0.0, 500.0),)), visible="GPU-bbbb")

    span = meter.window(5.0)

    (reading,) = meter.account(span)
    assert reading.device == B


def test_a_slice_has_the_joules_of_its_board_and_says_so(start: Start) -> None:
    gpu = Gpu(uuid=A, mig=True, slices=("MIG-1",))
    meter = start(gpu, visible="MIG-1")

    reading = only(meter, meter.window(5.0))

    assert reading.shared
    assert reading.device == A


@pytest.mark.parametrize("visible", ["7", "0,0", "--1", "GPU-z", "MIG-7"])
def test_a_device_list_that_fits_nothing_is_no_silent_zero(
    start: Start, visible: str
) -> None:
    meter = start(Gpu(uuid=A), visible=visible)

    span = meter.window(2.0)
    (reading,) = meter.account(span)
    total = meter.total(span)

    assert (reading.domain, reading.energy_j) == ("gpu", None)
    assert total.energy_j is None
    assert not total.complete
    assert f"CUDA_VISIBLE_DEVICES={visible}" in (total.reason or "")
    ((name, reason, cure),) = meter.sampler.unavailable
    assert name == "nvml"
    assert reason in (reading.reason or "")
    assert cure in (reading.reason or "")


@pytest.mark.parametrize("visible", ["", "-1"])
def test_gpus_that_are_hidden_on_purpose_are_not_missing(
    start: Start, visible: str
) -> None:
    meter = start(Gpu(uuid=A), visible=visible)

    assert meter.account(meter.window(2.0)) == ()
    assert [name for name, _, _ in meter.sampler.unavailable] == ["nvml"]


def test_a_superchip_counts_its_module_once(start: Start) -> None:
    gpu = Gpu(uuid=A, name="NVIDIA GH200 480GB", module_w=150.0, memory_share=0.2)
    meter = start(gpu)

    span = meter.window(10.0)
    total = meter.total(span)

    assert total.perimeter == ("module",)
    assert total.energy_j == pytest.approx(350.0 * span.duration_s, rel=0.01)


SQUARE = tuple(
    point for k in range(300) for point in ((0.1 * k, 300.0), (0.1 * k + 0.05, 100.0))
)


@pytest.mark.parametrize("seed", range(5))
def test_noise_errs_by_less_than_its_bound(start: Start, seed: int) -> None:
    chance = random.Random(seed)
    curve = tuple((0.01 * k, max(20.0, chance.gauss(250, 60))) for k in range(2000))
    gpu = Gpu(uuid=A, curve=curve)
    meter = start(gpu)

    span = meter.window(5.0)
    reading = only(meter, span)

    truth_j = gpu.energy_j(*seconds(span))
    assert abs((reading.energy_j or 0) - truth_j) <= (reading.relative_bound_j or 0)
    assert (reading.relative_bound_j or 0) <= 2e-3 * truth_j


def test_an_aliased_sensor_does_not_discredit_the_counter(start: Start) -> None:
    gpu = Gpu(uuid=A, curve=SQUARE, average=False)
    meter = start(gpu)

    span = meter.window(5.0)
    reading = only(meter, span)

    assert math.isclose(
        reading.energy_j or 0, gpu.energy_j(*seconds(span)), rel_tol=2e-3
    )
    assert reading.method == "counter"


ALIASED = ((0.0, 500.0), (0.07, 60.0))
"""A load of the sensor's own period: its 25 ms see 60 W of the 368 W."""
A100 = Gpu(
    uuid=A, name="NVIDIA A100", architecture=AMPERE, capability=(8, 0), average=False
)


@pytest.mark.parametrize("gpu", [Gpu(uuid=A), A100])
def test_a_part_time_sensor_never_overrules_a_counter_that_moves(
    start: Start, gpu: Gpu
) -> None:
    gpu = replace(gpu, curve=ALIASED, repeat_s=0.1)
    meter = start(gpu)

    span = meter.window(10.0)
    reading = only(meter, span)

    assert reading.method == "counter"
    assert reading.energy_j == pytest.approx(gpu.energy_j(*seconds(span)), rel=2e-3)


def test_a_full_time_mean_is_taken_before_a_part_time_sensor(start: Start) -> None:
    gpu = Gpu(uuid=A, curve=ALIASED, repeat_s=0.1, counter=False)
    meter = start(gpu)

    span = meter.window(10.0)
    reading = only(meter, span)

    assert reading.source == "nvml.power_average"
    assert reading.energy_j == pytest.approx(gpu.energy_j(*seconds(span)), rel=0.01)


def test_joules_of_a_part_time_sensor_alone_are_as_unsure_as_it_is_blind(
    start: Start,
) -> None:
    meter = start(replace(A100, counter=False))

    reading = only(meter, meter.window(10.0))

    assert reading.observed_ratio == 0.25
    assert (reading.relative_bound_j or 0) >= 0.75 * (reading.energy_j or 0)


def test_power_that_stands_still_does_not_overrule_a_counter_that_moves(
    start: Start,
) -> None:
    gpu = Gpu(
        uuid=A, instant=False, curve=((0.0, 400.0), (8.0, 300.0)),
        powers=((0.0, FOREVER, 60_000),),
    )  # fmt: skip
    meter = start(gpu)

    span = meter.window(10.0)
    reading = only(meter, span)

    assert reading.method == "counter"
    assert reading.energy_j == pytest.approx(gpu.energy_j(*seconds(span)), rel=2e-3)
    assert (reading.relative_bound_j or 0) >= 240.0 * span.duration_s
    assert "60 W" in (reading.reason or "")


@pytest.mark.parametrize("period_s", [0.3, 0.4, 0.5, 0.6, 1.0, 2.0])
@pytest.mark.parametrize("phase_s", [0.0, 0.07, 0.23])
def test_a_slow_counter_holds_the_truth(
    start: Start, period_s: float, phase_s: float
) -> None:
    gpu = Gpu(
        uuid=A,
        counter_period_s=period_s,
        counter_phase_s=phase_s,
        curve=((0.0, 50.0), (5.6, 500.0), (10.6, 50.0)),
        instant=False,
        average=False,
        errors=(("power", 0.0, FOREVER, 3),),
    )
    meter = start(gpu)

    span = meter.window(5.0)
    reading = only(meter, span)

    truth_j = gpu.energy_j(*seconds(span))
    assert reading.method == "counter"
    assert abs((reading.energy_j or 0) - truth_j) <= (reading.relative_bound_j or 0)
    assert reading.update_period_s == pytest.approx(period_s, rel=0.1)
    if period_s <= 0.5:
        assert (reading.relative_bound_j or 0) <= 0.01 * truth_j
