"""What the sampler keeps of very long windows, and what it survives."""

import random
from collections.abc import Sequence

import numpy as np
import pytest

from harness import energy
from harness.readings import Channel, Span
from harness.sampler import Sampler
from tests.fakes import FakeClock, ScriptedProbe, channel

COUNTER = channel("joules", domain="gpu", device="GPU-1", period_s=0.1)
GAUGE = channel(
    "watts", domain="gpu", device="GPU-1", kind="gauge", tier="C", period_s=0.1
)
MOST = 8_000


@pytest.mark.parametrize("fullness", [0.9, 1.3, 2.0, 3.7, 7.0, 19.0])
def test_a_window_of_many_times_the_memory_loses_no_joules(fullness: float) -> None:
    clock = FakeClock()

    def tick() -> int:
        return clock.time_ns // 100_000_000

    sampler = Sampler(
        [
            ScriptedProbe(COUNTER, lambda: 20.0 * tick()),
            ScriptedProbe(GAUGE, lambda: 200.0 + tick() % 3),
        ],
        clock,
        most_samples=MOST,
    )
    sampler.open()
    chance = random.Random(1)

    def run(readings: int) -> None:
        for number in range(readings):
            clock.advance(chance.uniform(0.08, 0.12))
            sampler.edge()
            if number % 10 == 0:
                sampler.flush()

    run(100)
    sampler.keep_from(clock.time_ns - 10 * 10**9)
    start_ns = sampler.edge(aligned=True)
    run(round(fullness * MOST))
    span = Span(name="w", start_ns=start_ns, end_ns=sampler.edge(aligned=True))
    trace = sampler.trace()

    (counter,) = energy.account([COUNTER], trace, span)
    (gauge,) = energy.account([GAUGE], trace, span)

    assert len(trace["watts"]) <= 1.2 * MOST
    assert counter.energy_j == pytest.approx(200.0 * span.duration_s, rel=1e-3)
    assert gauge.energy_j == pytest.approx(201.0 * span.duration_s, rel=1e-2)
    assert (counter.gaps, gauge.gaps) == (0, 0)
    assert (counter.coverage_ratio, gauge.coverage_ratio) == (1.0, 1.0)
    assert np.diff(trace["joules"].cut(start_ns - 10**9, start_ns).times_ns).max() < 2e8


@pytest.mark.parametrize("fault", [OSError("gone"), ValueError("odd"), KeyError("x")])
def test_a_probe_that_fails_takes_no_other_along(fault: Exception) -> None:
    clock = FakeClock()

    def fail() -> float:
        raise fault

    odd = ScriptedProbe(GAUGE, fail)
    odd.name = "odd"
    sound = ScriptedProbe(COUNTER, lambda: 7.0)
    sampler = Sampler([odd, sound], clock)
    sampler.open()

    for _ in range(3):
        sampler.edge()

    assert len(sampler.trace()["watts"]) == 0
    assert len(sampler.trace()["joules"]) > 0
    ((name, reason, cure),) = sampler.unavailable
    assert name == "odd"
    assert type(fault).__name__ in reason
    assert cure


@pytest.mark.parametrize("fault", [OSError("gone"), UnicodeError("odd")])
def test_a_probe_that_cannot_be_opened_takes_no_other_along(fault: Exception) -> None:
    class Odd(ScriptedProbe):
        name = "odd"

        def open(self) -> Sequence[Channel]:
            raise fault

    sampler = Sampler(
        [Odd(GAUGE, lambda: 1.0), ScriptedProbe(COUNTER, lambda: 7.0)], FakeClock()
    )

    sampler.open()

    assert [channel.name for channel in sampler.channels] == ["joules"]
    assert "odd" in {name for name, _, _ in sampler.unavailable}
