"""What holds for every trace."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness import energy
from tests.fakes import channel, samples, span

values = st.lists(
    st.floats(0, 1e6, allow_nan=False, allow_infinity=False), min_size=3, max_size=30
)


@given(values, st.sampled_from([None, 1000.0, 262_144.0]))
def test_no_sequence_of_readings_gives_a_negative_joule(
    readings: list[float], wraps_at_j: float | None
) -> None:
    trace = samples(*enumerate(readings))

    found = energy.count(trace, span(0, len(readings) - 1), wraps_at_j)

    assert found.energy_j is None or found.energy_j >= 0


@given(values, st.data())
def test_adjacent_windows_add_up(readings: list[float], data: st.DataObject) -> None:
    trace = samples(*enumerate(readings))
    last = len(readings) - 1
    middle = data.draw(st.integers(1, last - 1)) if last > 1 else 1

    whole = energy.integrate(trace, span(0, last)).energy_j
    parts = [
        energy.integrate(trace, span(0, middle)).energy_j,
        energy.integrate(trace, span(middle, last)).energy_j,
    ]

    assert sum(p or 0.0 for p in parts) == pytest.approx(whole, rel=1e-9, abs=1e-6)


@given(st.floats(0.0, 0.1), st.floats(1.0, 20.0), st.floats(1.0, 500.0))
def test_the_phase_of_sampling_stays_within_the_stated_bound(
    phase_s: float, window_s: float, power_w: float
) -> None:
    gauge = channel(kind="gauge", period_s=0.1)
    times = [phase_s + 0.1 * i for i in range(int(window_s * 10) + 5)]
    trace = {gauge.name: samples(*[(t, power_w) for t in times])}

    (reading,) = energy.account([gauge], trace, span(0, window_s))

    assert reading.energy_j is not None
    assert reading.error_bound_j is not None
    assert abs(reading.energy_j - power_w * window_s) <= reading.error_bound_j
