"""RAPL over fake powercap trees: names, twins, mirrors, faults, wraps."""

import os
from pathlib import Path

import pytest

from harness import counters
from harness.errors import ProbeUnavailable
from harness.probes.rapl import RaplProbe
from harness.readings import EnergyTotal, Span
from tests.fakes import FakeClock, ScriptedProbe, channel
from tests.metering_bench import SimulatedMeter, StubClock
from tests.powercap_tree import RANGE_J, PowercapTree

PACKAGE = "rapl.powercap/package-0/energy_j"


@pytest.fixture
def tree(tmp_path: Path) -> PowercapTree:
    return PowercapTree(tmp_path)


def server(tree: PowercapTree) -> None:
    """Two packages with memory and cores, and a platform zone."""
    tree.zone("intel-rapl:0", "package-0", 5.0)
    tree.zone("intel-rapl:0:0", "core", 1.0)
    tree.zone("intel-rapl:0:1", "dram", 2.0, range_j=65_712.999613)
    tree.zone("intel-rapl:1", "package-1", 7.0)
    tree.zone("intel-rapl:1:0", "dram", 3.0, range_j=65_712.999613)
    tree.zone("intel-rapl:2", "psys", 90.0)


def probe_of(tree: PowercapTree) -> RaplProbe:
    return RaplProbe(tree.root, StubClock())


def devices(tree: PowercapTree) -> set[str]:
    probe = probe_of(tree)
    found = {channel.device for channel in probe.open()}
    probe.close()
    return found


def test_zones_are_known_by_their_names(tree: PowercapTree) -> None:
    server(tree)
    probe = probe_of(tree)

    channels = {c.device: c for c in probe.open()}
    probe.close()

    assert set(channels) == {
        "package-0", "package-0/core", "package-0/dram",
        "package-1", "package-1/dram", "psys",
    }  # fmt: skip
    assert channels["package-0"].wraps_at_j == pytest.approx(RANGE_J)
    assert channels["package-0/core"].inside == "package-0"
    assert channels["package-0/dram"].inside is None
    assert channels["package-0/dram"].domain == "dram"
    assert channels["psys"].domain == "psys"


def test_the_mmio_twin_of_a_zone_is_dropped(tree: PowercapTree) -> None:
    tree.zone("intel-rapl:0", "package-0", 5.0)
    tree.zone("intel-rapl-mmio:0", "package-0", 8.0)
    probe = probe_of(tree)

    probe.open()

    assert probe.read() == {PACKAGE: 5.0}
    probe.close()


def test_an_mmio_zone_without_a_twin_is_used(tree: PowercapTree) -> None:
    tree.zone("intel-rapl-mmio:0", "package-0", 8.0)

    assert devices(tree) == {"package-0"}


def test_a_mirrored_die_is_dropped_and_said(tree: PowercapTree) -> None:
    tree.zone("intel-rapl:0", "package-0-die-0", 5.0)
    tree.zone("intel-rapl:1", "package-0-die-1", 5.0)
    tree.zone("intel-rapl:2", "package-1-die-0", 9.0)
    probe = probe_of(tree)

    channels = {c.device: c for c in probe.open()}
    probe.close()

    assert set(channels) == {"package-0-die-0", "package-1-die-0"}
    assert channels["package-0-die-0"].note == "mirrored by package-0-die-1"


def test_counters_that_have_not_begun_are_no_mirrors(tree: PowercapTree) -> None:
    tree.zone("intel-rapl:0", "package-0", 0.0)
    tree.zone("intel-rapl:1", "package-1", 0.0)

    assert devices(tree) == {"package-0", "package-1"}


def test_only_what_is_asked_for_is_read(tree: PowercapTree) -> None:
    server(tree)
    probe = probe_of(tree)
    probe.open()

    assert probe.read([PACKAGE]) == {PACKAGE: 5.0}
    probe.close()


@pytest.mark.parametrize("text", ["", "not a number", "12 34"])
def test_a_zone_without_a_number_is_missing_not_zero(
    tree: PowercapTree, text: str
) -> None:
    tree.zone("intel-rapl:0", "package-0", 5.0)
    probe = probe_of(tree)
    probe.open()

    tree.write("intel-rapl:0", text)
    probe.read()

    assert probe.read()[PACKAGE] is None
    probe.close()


def test_a_zone_that_goes_is_missing_and_may_come_back(tree: PowercapTree) -> None:
    tree.zone("intel-rapl:0", "package-0", 5.0)
    probe = probe_of(tree)
    probe.open()
    probe.read()

    tree.drop("intel-rapl:0")
    gone = [probe.read()[PACKAGE] for _ in range(3)]
    tree.set("intel-rapl:0", 9.0)
    back = probe.read()[PACKAGE]
    probe.close()

    assert gone[-1] is None
    assert back == 9.0


def test_a_zone_that_is_replaced_is_read_anew(tree: PowercapTree) -> None:
    tree.zone("intel-rapl:0", "package-0", 5.0)
    probe = probe_of(tree)
    probe.open()
    probe.read()

    tree.set("intel-rapl:0", 6.5)

    assert probe.read()[PACKAGE] == 6.5
    probe.close()


def test_a_machine_without_powercap_says_so(tmp_path: Path) -> None:
    with pytest.raises(ProbeUnavailable, match="no RAPL zones"):
        RaplProbe(tmp_path / "nowhere").open()


def unreadable(tree: PowercapTree, folder: str) -> None:
    """A folder in place of the file: not even root can read it."""
    tree.drop(folder)
    (tree.root / folder / "energy_uj").mkdir()


def test_counters_that_nobody_may_read_are_missing_and_come_with_the_cure(
    tree: PowercapTree,
) -> None:
    tree.zone("intel-rapl:0", "package-0")
    unreadable(tree, "intel-rapl:0")

    with pytest.raises(ProbeUnavailable, match="cannot be read") as caught:
        probe_of(tree).open()
    meter = meter_of(tree, {})
    span = meter.window(1.0, idle_s=0.1)
    (reading,) = meter.account(span)
    total = meter.total(span)

    assert "chmod" in caught.value.hint
    assert (reading.device, reading.energy_j) == ("package-0", None)
    assert "chmod" in (reading.reason or "")
    assert not total.complete
    assert "package-0" in (total.reason or "")
    assert [name for name, _, _ in meter.sampler.unavailable] == ["rapl"]


def test_another_way_to_the_same_package_makes_up_for_it(tree: PowercapTree) -> None:
    tree.zone("intel-rapl:0", "package-0")
    unreadable(tree, "intel-rapl:0")
    clock = FakeClock()
    package = channel("perf", device="package-0", period_s=0.001)
    perf = ScriptedProbe(package, lambda: clock.time_ns * 50e-9)
    meter = SimulatedMeter(clock, [probe_of(tree), perf])

    span = meter.window(1.0, idle_s=0.1)
    total = meter.total(span)

    assert total.complete
    assert total.energy_j == pytest.approx(50.0 * span.duration_s, rel=1e-2)


@pytest.mark.parametrize("name", [None, b"", b"\xff\xfe\n"])
def test_a_zone_without_a_name_is_missing_and_takes_no_other_along(
    tree: PowercapTree, name: bytes | None
) -> None:
    tree.zone("intel-rapl:0", "package-0", 5.0)
    zone = tree.zone("intel-rapl:1", "package-1", 5.0)
    (zone / "name").unlink()
    if name is not None:
        (zone / "name").write_bytes(name)

    total, span = total_of(tree, {"intel-rapl:0": 75.0})

    assert total.energy_j == pytest.approx(75.0 * span.duration_s, rel=1e-3)
    assert not total.complete
    assert "intel-rapl:1 has no name" in (total.reason or "")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every file")
def test_a_denied_counter_comes_with_the_cure(tree: PowercapTree) -> None:
    tree.zone("intel-rapl:0", "package-0").joinpath("energy_uj").chmod(0)

    with pytest.raises(ProbeUnavailable, match="Permission denied"):
        probe_of(tree).open()


def meter_of(tree: PowercapTree, watts: dict[str, float]) -> SimulatedMeter:
    """A meter of zones that draw so many watts from where they stand."""
    bases = {
        folder: int((tree.root / folder / "energy_uj").read_text()) / 1e6
        for folder in watts
    }

    def tell(seconds: float) -> None:
        for folder, power_w in watts.items():
            if (tree.root / folder / "energy_uj").is_file():
                tree.set(folder, bases[folder] + power_w * seconds)

    return SimulatedMeter(StubClock(tell=tell), [RaplProbe(tree.root, StubClock())])


def total_of(tree: PowercapTree, watts: dict[str, float]) -> tuple[EnergyTotal, Span]:
    meter = meter_of(tree, watts)
    span = meter.window(1.0, idle_s=0.5)
    total = meter.total(span)
    meter.sampler.close()
    return total, span


def test_a_platform_with_packages_and_memory_is_counted_once(
    tree: PowercapTree,
) -> None:
    server(tree)
    watts = {
        "intel-rapl:0": 75.0, "intel-rapl:0:0": 60.0, "intel-rapl:0:1": 10.0,
        "intel-rapl:1": 75.0, "intel-rapl:1:0": 10.0, "intel-rapl:2": 170.0,
    }  # fmt: skip

    total, span = total_of(tree, watts)

    assert total.energy_j == pytest.approx(170.0 * span.duration_s, rel=1e-3)
    assert total.perimeter == ("psys",)
    assert total.complete


def test_packages_and_memory_add_where_there_is_no_platform_zone(
    tree: PowercapTree,
) -> None:
    server(tree)
    unreadable(tree, "intel-rapl:2")
    watts = {
        "intel-rapl:0": 75.0, "intel-rapl:0:0": 60.0, "intel-rapl:0:1": 10.0,
        "intel-rapl:1": 75.0, "intel-rapl:1:0": 10.0,
    }  # fmt: skip

    total, span = total_of(tree, watts)

    assert total.energy_j == pytest.approx(170.0 * span.duration_s, rel=1e-3)
    assert total.perimeter == ("cpu", "dram")


def test_a_package_that_may_not_be_read_makes_the_total_incomplete(
    tree: PowercapTree,
) -> None:
    tree.zone("intel-rapl:0", "package-0", 5.0)
    tree.zone("intel-rapl:1", "package-1", 7.0)
    unreadable(tree, "intel-rapl:1")

    total, span = total_of(tree, {"intel-rapl:0": 75.0})

    assert total.energy_j == pytest.approx(75.0 * span.duration_s, rel=1e-3)
    assert not total.complete
    assert "package-1" in (total.reason or "")
    assert "chmod" in (total.reason or "")


def test_the_platform_zone_of_the_second_socket_is_one(tree: PowercapTree) -> None:
    for number, zone in enumerate(("package-0", "package-1", "psys", "psys-1")):
        tree.zone(f"intel-rapl:{number}", zone, 10.0 * (number + 1))

    total, span = total_of(
        tree,
        {
            "intel-rapl:0": 60.0,
            "intel-rapl:1": 61.0,
            "intel-rapl:2": 100.0,
            "intel-rapl:3": 102.0,
        },
    )

    assert total.perimeter == ("psys",)
    assert total.energy_j == pytest.approx(202.0 * span.duration_s, rel=1e-3)


@pytest.mark.parametrize("wraps", [0, 1, 2])
def test_wraps_are_counted_and_cost_nothing(tree: PowercapTree, wraps: int) -> None:
    tree.zone("intel-rapl:0", "package-0", 95.0 if wraps else 5.0, range_j=100.0)
    power_w = {0: 20.0, 1: 60.0, 2: 120.0}[wraps]
    meter = meter_of(tree, {"intel-rapl:0": power_w})

    span = meter.window(1.0, idle_s=0.01)
    (reading,) = meter.account(span)
    meter.sampler.close()

    assert reading.wraps == wraps
    assert reading.energy_j == pytest.approx(power_w * span.duration_s, rel=1e-3)


def test_a_wrap_between_two_reads_a_millisecond_apart_is_exact(
    tree: PowercapTree,
) -> None:
    tree.zone("intel-rapl:0", "package-0", RANGE_J - 0.5)
    probe = probe_of(tree)
    clock = StubClock()
    meter = SimulatedMeter(clock, [probe])
    start_ns = meter.sampler.edge()
    clock.advance(0.001)
    tree.set("intel-rapl:0", RANGE_J + 0.25)

    end_ns = meter.sampler.edge()
    span = Span(name="window", start_ns=start_ns, end_ns=end_ns)
    series = meter.sampler.trace()[PACKAGE]
    part = counters.count(meter.sampler.channels[0], series, span)
    meter.sampler.close()

    assert part.energy_j == pytest.approx(0.75, abs=1e-5)
    assert part.wraps == 1


def test_a_counter_without_a_range_does_not_wrap(tree: PowercapTree) -> None:
    tree.zone("intel-rapl:0", "package-0", 5.0, range_j=0.0)
    probe = probe_of(tree)

    (channel,) = probe.open()
    probe.close()

    assert channel.wraps_at_j is None
