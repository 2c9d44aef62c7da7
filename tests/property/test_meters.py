"""Any GPU, any trouble: a figure within its bound, or none with a reason."""

import random
from collections.abc import Iterator
from dataclasses import replace

import pytest

from harness.probes.nvml import NvmlProbe
from harness.readings import EnergyReading
from tests.metering_bench import SimulatedMeter, StubClock
from tests.nvml_stub import Gpu, NvmlStub, Points, has_compiler

pytestmark = pytest.mark.skipif(not has_compiler(), reason="gcc builds the stub")
SCENARIOS = 150
NOMINAL = 0.97


def curve(chance: random.Random) -> tuple[Points, float]:
    """True power, and after how long it repeats."""
    kind = chance.choice(["constant", "step", "square", "noise", "work"])
    high = chance.uniform(200.0, 600.0)
    if kind == "constant":
        return ((0.0, high),), 0.0
    if kind == "step":
        return ((0.0, chance.uniform(50, 300)), (chance.uniform(3, 12), high)), 0.0
    if kind == "square":
        period_s = chance.uniform(0.02, 2.0)
        return ((0.0, 100.0), (period_s * chance.uniform(0.2, 0.8), high)), period_s
    if kind == "noise":
        return tuple((0.02 * k, chance.uniform(60, 500)) for k in range(1500)), 0.0
    start_s = chance.uniform(2.5, 4.0)
    end_s = start_s + chance.uniform(1.0, 8.0)
    return ((0.0, 70.0), (start_s, high), (end_s, 70.0)), 0.0


def trouble(chance: random.Random, gpu: Gpu) -> Gpu:
    """The GPU with something wrong, or as it is."""
    from_s = chance.uniform(2.5, 10.0)
    kind = chance.choice(["none", "none", "reset", "freeze", "error", "absurd"])
    if kind == "reset":
        return replace(gpu, resets_s=(from_s,))
    if kind == "freeze":
        return replace(gpu, frozen_from_s=chance.uniform(0.0, 12.0))
    if kind == "error":
        what = chance.choice(["energy", "instant", "average", "fields", "*"])
        to_s = from_s + chance.choice([0.05, 0.5, 3.0, 99.0])
        return replace(gpu, errors=((what, from_s, to_s, chance.choice([3, 15, 999])),))
    if kind == "absurd":
        to_s = from_s + chance.choice([0.1, 0.5])
        return replace(gpu, powers=((from_s, to_s, chance.choice([0, 4_000_000_000])),))
    return gpu


def gpu(chance: random.Random, number: int) -> Gpu:
    points, repeat_s = curve(chance)
    plain = Gpu(
        uuid=f"GPU-{number}",
        curve=points,
        repeat_s=repeat_s,
        counter=chance.random() > 0.2,
        counter_period_s=chance.choice([0.02, 0.1, 0.1]),
        counter_phase_s=chance.uniform(0.0, 0.1),
        power_phase_s=chance.uniform(0.0, 0.1),
        instant=chance.random() > 0.3,
        average=chance.random() > 0.3,
        active_s=chance.choice([0.025, 0.1]),
    )
    return trouble(chance, plain)


def readings(stub: NvmlStub, seed: int) -> Iterator[tuple[EnergyReading, float]]:
    """What the meter says of each GPU in one window, beside the truth."""
    chance = random.Random(seed)
    gpus = {f"GPU-{k}": gpu(chance, k) for k in range(chance.choice([1, 1, 2, 3]))}
    stub.install(*gpus.values())
    clock = StubClock(stub)
    clock.advance(1.0 + chance.random())
    meter = SimulatedMeter(clock, [NvmlProbe()], seed=seed)
    span = meter.window(
        chance.choice([0.5, 2.0, 5.0, 8.0]),
        idle_s=chance.choice([0.5, 2.0]),
        aligned=chance.random() > 0.2,
    )
    for reading in meter.account(span):
        scripted = gpus[reading.device]
        yield reading, scripted.energy_j(span.start_ns / 1e9, span.end_ns / 1e9)
    meter.sampler.close()


def test_whatever_happens_the_truth_lies_within_the_stated_bound(
    nvml: NvmlStub,
) -> None:
    found = [pair for seed in range(SCENARIOS) for pair in readings(nvml, seed)]
    known = [(r, truth_j) for r, truth_j in found if r.energy_j is not None]

    held = [
        abs((r.energy_j or 0.0) - truth_j) <= (r.relative_bound_j or 0.0)
        for r, truth_j in known
    ]

    assert sum(held) / len(held) >= NOMINAL
    assert len(known) > 0.9 * len(found)
    assert all((r.energy_j or 0.0) > 0 for r, _ in known)
    assert all(r.reason and r.method == "none" for r, _ in found if r.energy_j is None)
