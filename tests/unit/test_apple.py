"""Apple's energy model: joules that are modelled, each part counted once."""

from types import SimpleNamespace
from typing import Any

import pytest

from harness.energy import account
from harness.errors import ProbeUnavailable
from harness.perimeter import total
from harness.probes.apple import AppleProbe
from harness.readings import Span
from harness.series import Series


class FakeChip:
    """zeus_apple_silicon: a monitor that counts millijoules, or fails."""

    def __init__(self, **counted_mj: int | None) -> None:
        self.counted_mj = counted_mj
        self.failing = False

    def AppleEnergyMonitor(self) -> Any:  # noqa: N802 (the library's name)
        return self

    def get_cumulative_energy(self) -> Any:
        if self.failing:
            raise RuntimeError("could not subscribe to IOReport")
        return SimpleNamespace(**self.counted_mj)


@pytest.fixture
def chip() -> FakeChip:
    return FakeChip(
        cpu_total_mj=5_000, gpu_mj=2_000, gpu_sram_mj=500, dram_mj=1_000, ane_mj=0
    )


def test_the_parts_of_a_chip_are_modelled_joules(chip: FakeChip) -> None:
    probe = AppleProbe(chip, "darwin")

    channels = probe.open()

    assert {(c.provenance, c.tier, c.kind) for c in channels} == {
        ("modelled", "D", "counter")
    }
    assert probe.read() == {
        "apple/cpu/energy_j": 5.0,
        "apple/gpu/energy_j": 2.0,
        "apple/gpu_sram/energy_j": 0.5,
        "apple/dram/energy_j": 1.0,
        "apple/ane/energy_j": 0.0,
    }


def test_nothing_is_counted_twice(chip: FakeChip) -> None:
    probe = AppleProbe(chip, "darwin")
    channels = probe.open()
    times_ns = range(0, 10**9 + 1, 10**8)
    trace = {
        name: Series.of(times_ns, [value * (1 + t / 1e9) for t in times_ns])
        for name, value in probe.read().items()
        if value is not None
    }

    spent = total(account(channels, trace, Span(name="w", start_ns=0, end_ns=10**9)))

    assert spent.energy_j == pytest.approx(8.0)


def test_a_part_that_the_chip_does_not_tell_has_no_channel() -> None:
    probe = AppleProbe(FakeChip(cpu_total_mj=1, dram_mj=None), "darwin")

    assert [c.device for c in probe.open()] == ["apple-cpu"]


def test_only_named_parts_are_read(chip: FakeChip) -> None:
    probe = AppleProbe(chip, "darwin")
    probe.open()

    assert probe.read(["apple/gpu/energy_j"]) == {"apple/gpu/energy_j": 2.0}
    assert probe.read([]) == {}


def test_a_model_that_stops_answering_is_missing_not_zero(chip: FakeChip) -> None:
    probe = AppleProbe(chip, "darwin")
    probe.open()
    chip.failing = True

    assert set(probe.read().values()) == {None}


def test_another_system_is_no_mac(chip: FakeChip) -> None:
    with pytest.raises(ProbeUnavailable, match="not a Mac"):
        AppleProbe(chip, "linux").open()


def test_a_mac_without_the_model_says_so(chip: FakeChip) -> None:
    chip.failing = True

    with pytest.raises(ProbeUnavailable, match="IOReport"):
        AppleProbe(chip, "darwin").open()
    with pytest.raises(ProbeUnavailable, match="tells nothing"):
        AppleProbe(FakeChip(), "darwin").open()


def test_a_mac_without_the_library_gets_the_cure() -> None:
    with pytest.raises(ProbeUnavailable, match="cannot be imported") as caught:
        AppleProbe(platform="darwin").open()

    assert caught.value.hint == "pip install 'joulebench[apple]'"
