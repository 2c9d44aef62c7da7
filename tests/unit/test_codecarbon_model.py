"""CodeCarbon's figures are a model's and say so, processor and memory apart."""

from typing import Any

import pytest
from codecarbon.core.util import count_cpus

from harness.probes.codecarbon_model import (
    CPU_NAME,
    RAM_NAME,
    CodeCarbonProbe,
    _cpu_note,
    _ram_note,
)
from tests.fakes import FakeClock


class Counted:
    """CodeCarbon's processor, and how often it was asked."""

    def __init__(self, processor: Any) -> None:
        self.processor = processor
        self.asked = 0

    def total_power(self) -> Any:
        self.asked += 1
        return self.processor.total_power()


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def probe(clock: FakeClock) -> CodeCarbonProbe:
    made = CodeCarbonProbe(clock)
    made.open()
    return made


def test_codecarbons_watts_are_marked_as_a_model_and_kept_apart() -> None:
    probe = CodeCarbonProbe()

    cpu, ram = probe.open()
    values = probe.read()

    assert (cpu.provenance, cpu.tier, cpu.domain) == ("modelled", "D", "cpu")
    assert (ram.provenance, ram.tier, ram.domain) == ("modelled", "E", "dram")
    assert (cpu.source, ram.source) == (
        "codecarbon.cpu_load",
        "codecarbon.ram_constant",
    )
    assert (values[CPU_NAME] or 0) > 0
    assert (values[RAM_NAME] or 0) > 0


def test_the_mode_and_where_its_watts_come_from_are_named() -> None:
    known = _cpu_note("A processor", 65.5)
    unknown = _cpu_note("A processor", 4.0 * count_cpus())

    assert "mode cpu_load" in known
    assert "65.5 W (the nominal power in its table)" in known
    assert "its default of 4 W a thread" in unknown
    assert "mode constant" in _ram_note(24.0)


def test_a_load_over_no_time_repeats_the_last_one(
    probe: CodeCarbonProbe, clock: FakeClock
) -> None:
    counted = probe._cpu = Counted(probe._cpu)
    clock.advance(0.06)
    first = probe.read()
    clock.advance(0.01)

    assert probe.read() == first
    assert counted.asked == 1


def test_to_read_the_memory_does_not_use_up_the_load(
    probe: CodeCarbonProbe, clock: FakeClock
) -> None:
    counted = probe._cpu = Counted(probe._cpu)
    clock.advance(1.0)

    memory = probe.read([RAM_NAME])

    assert list(memory) == [RAM_NAME]
    assert counted.asked == 0


def test_a_closed_model_tells_nothing() -> None:
    probe = CodeCarbonProbe()
    probe.close()

    assert probe.read() == {}
