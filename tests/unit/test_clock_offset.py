"""The offset of a clock, found where two recordings of a power go together."""

import time

import numpy as np
import pytest

from harness.clock_offset import best_offset_s, power, power_channels
from harness.errors import UsageError
from harness.readings import Channel, Provenance
from harness.series import Series, Trace, Values
from tests.fakes import channel, samples

TENTH_NS = 10**8
RNG_SEED = 7


def trial(start_s: float, end_s: float) -> Series:
    """What a trial's own meters would tell of the load, ten times a second."""
    times_ns = np.arange(round(start_s * 10), round(end_s * 10)) * TENTH_NS
    return Series(times_ns, load_w(times_ns / 1e9))


def load_w(at_s: Values) -> Values:
    """A burst, then two trials of 60 s between idles of 20 s, the second heavier."""
    levels_w = np.select(
        [
            (at_s > 5) & (at_s < 9),
            (at_s > 20) & (at_s < 80),
            (at_s > 100) & (at_s < 160),
        ],
        [300.0, 200.0, 250.0],
        default=50.0,
    )
    return np.asarray(levels_w, np.float64)


def wall(late_s: float, start_s: float = -80.0, end_s: float = 260.0) -> Series:
    """What an analyser with noise and other loads tells, by a clock that is late."""
    true_s = np.arange(start_s, end_s, 0.25)
    noise_w = np.random.default_rng(RNG_SEED).normal(0, 10, len(true_s))
    times_ns = np.round((true_s - late_s) * 1e9).astype(np.int64)
    return Series(times_ns, 80 + 1.2 * load_w(true_s) + noise_w)


@pytest.mark.parametrize("late_s", [0.0, 2.3, -41.7])
def test_one_offset_is_found_for_all_trials_together(late_s: float) -> None:
    other = wall(late_s)

    offset_s, correlation = best_offset_s(
        [(trial(0, 90), other), (trial(90, 170), other)]
    )

    assert offset_s == pytest.approx(late_s, abs=0.15)
    assert correlation > 0.95


def test_trials_without_power_are_left_out() -> None:
    other = wall(1.0)

    offset_s, _ = best_offset_s([(Series.of([], []), other), (trial(0, 90), other)])

    assert offset_s == pytest.approx(1.0, abs=0.15)


def test_a_run_of_a_few_seconds_sets_no_clock() -> None:
    pairs = [(Series.of([], []), wall(1.0)), (trial(0, 19), wall(1.0))]

    with pytest.raises(UsageError, match="less than 20 s of power"):
        best_offset_s(pairs)


@pytest.mark.parametrize(
    "other",
    [
        Series(wall(0.0).times_ns, np.full(len(wall(0.0)), 250.1)),
        Series(wall(0.0).times_ns, wall(0.0).values[::-1]),
        wall(0.0, end_s=30.0),
        wall(0.0, start_s=1000.0, end_s=1100.0),
    ],
    ids=["constant", "of something else", "of less than half", "of another time"],
)
def test_what_does_not_go_with_the_run_is_refused(other: Series) -> None:
    with pytest.raises(UsageError, match="does not go up and down") as told:
        best_offset_s([(trial(0, 90), other)])

    assert "--offset" in told.value.hint


def test_an_offset_beyond_the_search_is_refused() -> None:
    other = wall(645.0, start_s=-800.0, end_s=1000.0)

    with pytest.raises(UsageError, match="within 10 min"):
        best_offset_s([(trial(0, 90), other)])


def test_a_trial_may_not_pass_for_the_next_one() -> None:
    times_ns = np.arange(0, 6000) * TENTH_NS
    same = Series(times_ns, np.where(np.arange(6000) % 1000 < 600, 200.0, 50.0))
    pairs = [(same.cut(k * 10**11, k * 10**11 + 9 * 10**10), same) for k in (2, 3)]

    with pytest.raises(UsageError, match=r"alike at offsets from -30\d\.\d s to"):
        best_offset_s(pairs)


def test_a_load_that_repeats_itself_has_no_single_offset() -> None:
    times_ns = np.arange(-1000, 3000) * TENTH_NS
    square = Series(times_ns, np.where(np.arange(4000) % 100 < 50, 100.0, 200.0))

    with pytest.raises(UsageError, match="fits the run's alike at offsets from"):
        best_offset_s([(square.cut(0, 100 * 10**9), square)])


def test_a_ramp_is_too_blunt_to_set_a_clock_by() -> None:
    times_ns = np.arange(-1000, 3000) * TENTH_NS
    ramp = Series(times_ns, np.linspace(100.0, 300.0, 4000))

    with pytest.raises(UsageError, match="alike"):
        best_offset_s([(ramp.cut(0, 100 * 10**9), ramp)])


def two(*, measured: bool) -> Channel:
    provenance = Provenance.MEASURED if measured else Provenance.MODELLED
    name = "rapl" if measured else "model"
    return channel(name, device=name, kind="gauge", provenance=provenance)


def test_a_model_is_asked_only_where_no_instrument_is() -> None:
    rapl, model = two(measured=True), two(measured=False)
    gpu = channel("nvml", domain="gpu", device="g", kind="gauge")
    known = samples((0, 1), (1, 1))
    trace = {"rapl": known, "model": known, "nvml": known}

    with_it = power_channels([model, rapl, gpu], trace)
    without = power_channels([model, gpu], trace)
    silent = power_channels([model, rapl, gpu], {**trace, "rapl": samples((0, 1))})

    assert [c.name for c in with_it] == ["rapl", "nvml"]
    assert [c.name for c in without] == ["model", "nvml"]
    assert [c.name for c in silent] == ["model", "nvml"]


def test_a_device_is_taken_once_by_its_sharpest_gauge_and_parts_are_not() -> None:
    counter = channel("a")
    mean = channel("b", kind="gauge").model_copy(update={"averaging_s": 1.0})
    instant = channel("c", kind="gauge")
    core = channel("d", device="core-0", kind="gauge", inside="package-0")
    trace = dict.fromkeys("abcd", samples((0, 1), (1, 2), (2, 3)))

    chosen = power_channels([counter, mean, instant, core], trace)

    assert [c.name for c in chosen] == ["c"]


def test_power_is_summed_on_the_grid_while_all_devices_tell_it() -> None:
    mean = channel("cpu", kind="gauge").model_copy(update={"averaging_s": 1.0})
    gpu = channel("gpu", domain="gpu", device="g", kind="gauge")
    trace: Trace = {
        "cpu": samples((0.5, 10), (1.5, 20), (2.5, 30)),  # of half a second before
        "gpu": samples((0.55, 100), (1.55, 100)),
    }

    found = power([mean, gpu], trace)

    assert found.times_ns[[0, -1]].tolist() == [6 * TENTH_NS, 15 * TENTH_NS]
    assert found.values[[0, -1]].tolist() == pytest.approx([116.0, 125.0])
    assert len(power([], trace)) == 0


def test_a_counter_tells_its_power_between_ticks_but_not_over_a_wrap() -> None:
    counter = channel("a", wraps_at_j=40.0)
    points = [(0, 0), (0.5, 0), (1, 10), (2, 30), (2.5, 30), (3, 10), (4, 30)]

    found = power([counter], {"a": samples(*points)})

    assert found.times_ns[[0, -1]].tolist() == [5 * TENTH_NS, 35 * TENTH_NS]
    assert found.values[[0, 10, -1]].tolist() == pytest.approx([10.0, 20.0, 20.0])
    assert found.values.min() >= 0


def test_two_ticks_at_an_edge_are_no_burst_of_power() -> None:
    ticks_s = np.sort(np.append(np.arange(0.0, 30.0, 0.1), 10.001))
    read_s = np.where(np.abs(ticks_s - 10.0) < 1e-6, 10.0009, ticks_s)  # read late
    counted = Series(np.round(read_s * 1e9).astype(np.int64), 100.0 * ticks_s)

    found = power([channel("a")], {"a": counted})

    assert found.values.max() < 110.0
    assert found.values.min() > 90.0


def test_hours_of_a_run_are_aligned_in_seconds() -> None:
    hours_ns = np.arange(0, 4 * 36_000) * TENTH_NS
    chance = np.random.default_rng(RNG_SEED)
    levels_w = np.repeat(chance.uniform(50, 300, len(hours_ns) // 100), 100)
    own = Series(hours_ns, levels_w)
    late = Series(hours_ns - 42 * 10**9, 1.1 * levels_w + 60)
    began_s = time.monotonic()

    offset_s, correlation = best_offset_s([(own, late)])

    assert offset_s == pytest.approx(42.0, abs=0.05)
    assert correlation > 0.999
    assert time.monotonic() - began_s < 3.0
