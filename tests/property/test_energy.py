"""What holds for every trace, and what the stated bounds are worth."""

import random
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness import counters, energy, gauges
from harness.readings import Channel, EnergyReading
from harness.series import Series
from tests.fakes import channel, samples, span

STEP_S = 0.01
PHASES = 200
NOMINAL = 0.93
"""Of 200 phases so many must hold the truth, at 95 % nominal."""
values = st.lists(
    st.floats(0, 1e6, allow_nan=False, allow_infinity=False), min_size=3, max_size=30
)


@dataclass(frozen=True)
class Curve:
    """True power in steps of 10 ms, and what instruments make of it."""

    watts: np.ndarray[tuple[int], np.dtype[np.float64]]

    def energy_j(self, at_s: float) -> float:
        """Joules from 0 to an instant."""
        edges_s = np.arange(len(self.watts) + 1) * STEP_S
        grown_j = np.concatenate(([0.0], np.cumsum(self.watts) * STEP_S))
        return float(np.interp(at_s, edges_s, grown_j))

    def counter(self, at_s: list[float], period_s: float, phase_s: float) -> Series:
        """A counter that was read at these instants."""
        ticks_s = [_last_tick(t, period_s, phase_s) for t in at_s]
        return samples(
            *[(t, self.energy_j(k)) for t, k in zip(at_s, ticks_s, strict=True)]
        )

    def gauge(
        self, at_s: list[float], period_s: float, phase_s: float, averaging_s: float
    ) -> Series:
        """A gauge that was read at these instants."""
        ticks_s = [_last_tick(t, period_s, phase_s) for t in at_s]
        over_s = max(averaging_s, STEP_S)
        powers = [
            (self.energy_j(k) - self.energy_j(k - over_s)) / over_s for k in ticks_s
        ]
        return samples(*zip(at_s, powers, strict=True))


def _last_tick(at_s: float, period_s: float, phase_s: float) -> float:
    return phase_s + (at_s - phase_s) // period_s * period_s


def curve(kind: str, chance: np.random.Generator) -> Curve:
    """30 s of power: idle, then 5 s or so of work from 10 s on."""
    watts = np.full(3000, 70.0)
    work = slice(1000, 2000)
    if kind == "constant":
        watts[:] = 200.0
    elif kind == "step":
        watts[1250:] = 300.0
    elif kind == "work":
        watts[work] = 300.0
    elif kind == "square":
        watts[work] = np.where(np.arange(1000) % 37 < 18, 300.0, 100.0)
    elif kind == "noise":
        watts[work] = np.clip(chance.normal(250.0, 60.0, 1000), 20.0, None)
    return Curve(watts)


def polls(start_s: float, end_s: float, chance: random.Random) -> list[float]:
    """Readings every 100 ms, spread by 20 %, as the sampler takes them."""
    times = [start_s]
    while times[-1] < end_s:
        times.append(times[-1] + chance.uniform(0.08, 0.12))
    return times


def one(described: Channel, series: Series, start: float, end: float) -> EnergyReading:
    trace = {described.name: series}
    (reading,) = energy.account([described], trace, span(start, end))
    return reading


def hits(readings: list[tuple[EnergyReading, float]]) -> float:
    """Share of readings whose interval holds the truth."""
    inside = [
        abs((r.energy_j or 0.0) - truth_j)
        <= (r.relative_bound_j or 0.0) + 1e-6 * truth_j
        for r, truth_j in readings
    ]
    return sum(inside) / len(inside)


KINDS = ["constant", "step", "work", "square", "noise"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("period_s", [0.001, 0.02, 0.1])
def test_an_aligned_counter_holds_the_truth(kind: str, period_s: float) -> None:
    chance = random.Random(kind)
    truth = curve(kind, np.random.default_rng(7))
    described = channel(period_s=period_s)
    found = []
    for _ in range(PHASES):
        phase_s = chance.uniform(0.0, period_s)
        start_s = _next_tick(10.0 + chance.uniform(0, 0.3), period_s, phase_s)
        end_s = _next_tick(15.0 + chance.uniform(0, 0.3), period_s, phase_s)
        at_s = sorted(
            {*polls(8.0, 18.0, chance), start_s - 0.001, start_s, end_s - 0.001, end_s}
        )
        series = truth.counter(at_s, period_s, phase_s)
        truth_j = truth.energy_j(end_s) - truth.energy_j(start_s)
        found.append((one(described, series, start_s, end_s), truth_j))

    assert hits(found) >= NOMINAL
    widest = max((r.relative_bound_j or 0.0) / truth_j for r, truth_j in found)
    assert widest <= 0.002


def _next_tick(at_s: float, period_s: float, phase_s: float) -> float:
    """When the meter sees the next tick: up to a millisecond after it."""
    return _last_tick(at_s, period_s, phase_s) + period_s + 0.0004


@pytest.mark.parametrize("kind", KINDS)
def test_an_unaligned_counter_holds_the_truth(kind: str) -> None:
    chance = random.Random(kind)
    truth = curve(kind, np.random.default_rng(7))
    described = channel(period_s=0.1)
    found = []
    for _ in range(PHASES):
        start_s, end_s = 10.0 + chance.uniform(0, 0.3), 15.0 + chance.uniform(0, 0.3)
        at_s = sorted({*polls(8.0, 18.0, chance), start_s, end_s})
        series = truth.counter(at_s, 0.1, chance.uniform(0.0, 0.1))
        truth_j = truth.energy_j(end_s) - truth.energy_j(start_s)
        found.append((one(described, series, start_s, end_s), truth_j))

    assert hits(found) >= NOMINAL
    widest = max((r.relative_bound_j or 0.0) / truth_j for r, truth_j in found)
    assert widest <= 0.1


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("averaging_s", [0.0, 1.0])
def test_integrated_power_holds_the_truth(kind: str, averaging_s: float) -> None:
    chance = random.Random(kind)
    truth = curve(kind, np.random.default_rng(7))
    described = channel(kind="gauge", tier="C", period_s=0.1).model_copy(
        update={"averaging_s": averaging_s}
    )
    found = []
    for _ in range(PHASES):
        start_s, end_s = 10.0 + chance.uniform(0, 0.3), 15.0 + chance.uniform(0, 0.3)
        at_s = sorted({*polls(8.0, 18.0, chance), start_s, end_s})
        series = truth.gauge(at_s, 0.1, chance.uniform(0.0, 0.1), averaging_s)
        truth_j = truth.energy_j(end_s) - truth.energy_j(start_s)
        found.append((one(described, series, start_s, end_s), truth_j))

    assert hits(found) >= NOMINAL


@given(values, st.sampled_from([None, 1000.0, 262_144.0]))
def test_no_sequence_of_readings_gives_a_negative_joule(
    readings: list[float], wraps_at_j: float | None
) -> None:
    described = channel(wraps_at_j=wraps_at_j)
    trace = samples(*enumerate(readings))

    found = counters.count(described, trace, span(0, len(readings) - 1))

    assert found.energy_j is None or found.energy_j >= 0
    assert found.bound_j >= 0


@given(values, st.data())
def test_adjacent_windows_of_a_gauge_add_up(
    readings: list[float], data: st.DataObject
) -> None:
    described = channel(kind="gauge")
    trace = samples(*enumerate(r % 1e5 + 1.0 for r in readings))
    last = len(readings) - 1
    middle = data.draw(st.floats(0.1, last - 0.1))

    whole = gauges.integrate(described, trace, span(0, last)).energy_j
    parts = [
        gauges.integrate(described, trace, span(0, middle)).energy_j,
        gauges.integrate(described, trace, span(middle, last)).energy_j,
    ]

    assert sum(p or 0.0 for p in parts) == pytest.approx(whole, rel=1e-6, abs=1e-6)


steps_j = st.lists(st.floats(0.1, 50.0), min_size=30, max_size=60)


@given(steps_j, st.data())
def test_adjacent_windows_of_a_counter_add_up_on_ticks(
    grown: list[float], data: st.DataObject
) -> None:
    described = channel(period_s=0.1)
    total = np.cumsum(grown)
    trace = samples(*[(0.1 * i, float(v)) for i, v in enumerate(total)])
    cut = data.draw(st.integers(5, len(grown) - 5))

    def joules(first: int, last: int) -> float:
        part = counters.count(described, trace, span(0.1 * first, 0.1 * last))
        assert part.energy_j is not None
        return part.energy_j

    assert joules(1, cut) + joules(cut, len(grown) - 1) == pytest.approx(
        joules(1, len(grown) - 1)
    )


@given(steps_j, st.floats(0.6, 2.0))
def test_adjacent_windows_of_a_counter_add_up_within_their_bounds(
    grown: list[float], middle: float
) -> None:
    described = channel(period_s=0.1)
    trace = samples(*[(0.1 * i, float(v)) for i, v in enumerate(np.cumsum(grown))])
    last = 0.1 * (len(grown) - 1)
    whole, left, right = (
        counters.count(described, trace, span(start, end))
        for start, end in ((0.1, last), (0.1, middle), (middle, last))
    )

    apart_j = abs((left.energy_j or 0) + (right.energy_j or 0) - (whole.energy_j or 0))

    assert apart_j <= left.bound_j + right.bound_j
