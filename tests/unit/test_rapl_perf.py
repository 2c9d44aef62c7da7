"""perf events over a fake PMU, and the system call itself on a software event."""

import os
import struct
import time
from pathlib import Path

import pytest

from harness.errors import ProbeUnavailable
from harness.probes.rapl_perf import RaplPerfProbe, perf_event_open

SOFTWARE, CPU_CLOCK = 1, 0


def file(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text + "\n")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    pmu = tmp_path / "bus/event_source/devices/power"
    file(pmu / "type", "23")
    file(pmu / "cpumask", "0,16")
    for event, config in (("energy-pkg", "0x02"), ("energy-ram", "0x03")):
        file(pmu / "events" / event, f"event={config}")
        file(pmu / "events" / f"{event}.scale", "2.3283064365386962890625e-10")
    for cpu, package in ((0, 0), (16, 1)):
        path = f"devices/system/cpu/cpu{cpu}/topology/physical_package_id"
        file(tmp_path / path, str(package))
    return tmp_path


class Kernel:
    """Opens files that hold 64-bit counts in place of events."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.opened: list[tuple[int, int, int]] = []

    def open(self, kind: int, config: int, cpu: int) -> int:
        self.opened.append((kind, config, cpu))
        path = self.folder / f"{config}-{cpu}"
        path.write_bytes(struct.pack("=QQ", 2**33 * (cpu + 1), 2**34 * (cpu + 1)))
        return os.open(path, os.O_RDONLY)


def test_each_package_has_its_events_under_powercaps_names(
    root: Path, tmp_path: Path
) -> None:
    kernel = Kernel(tmp_path)
    probe = RaplPerfProbe(root, kernel.open)

    channels = probe.open()
    values = probe.read()
    probe.close()

    assert {c.device: c.domain for c in channels} == {
        "package-0": "cpu",
        "package-0/dram": "dram",
        "package-1": "cpu",
        "package-1/dram": "dram",
    }
    assert kernel.opened == [(23, 2, 0), (23, 3, 0), (23, 2, 16), (23, 3, 16)]
    assert values["rapl.perf/package-0/energy_j"] == pytest.approx(2.0)
    assert values["rapl.perf/package-1/energy_j"] == pytest.approx(34.0)
    assert {c.wraps_at_j for c in channels} == {None}


def test_an_event_that_ends_is_missing_not_zero(root: Path, tmp_path: Path) -> None:
    probe = RaplPerfProbe(root, Kernel(tmp_path).open)
    probe.open()

    values = [probe.read(["rapl.perf/package-0/energy_j"]) for _ in range(3)]
    probe.close()

    assert [v["rapl.perf/package-0/energy_j"] for v in values] == [2.0, 4.0, None]


def test_a_refusal_comes_with_the_cure(root: Path) -> None:
    def refuse(kind: int, config: int, cpu: int) -> int:
        raise PermissionError(13, "Permission denied")

    with pytest.raises(ProbeUnavailable, match="Permission denied") as caught:
        RaplPerfProbe(root, refuse).open()

    assert "perf_event_paranoid" in caught.value.hint


def test_a_machine_without_the_pmu_says_so(tmp_path: Path) -> None:
    with pytest.raises(ProbeUnavailable, match="no energy events"):
        RaplPerfProbe(tmp_path).open()


def may_count() -> bool:
    try:
        os.close(perf_event_open(SOFTWARE, CPU_CLOCK, 0))
    except OSError:
        return False
    return True


@pytest.mark.skipif(not may_count(), reason="the kernel does not let us count")
def test_the_system_call_counts() -> None:
    event = perf_event_open(SOFTWARE, CPU_CLOCK, 0)

    before = struct.unpack("=Q", os.read(event, 8))[0]
    time.sleep(0.02)
    after = struct.unpack("=Q", os.read(event, 8))[0]
    os.close(event)

    assert after - before >= 10_000_000  # nanoseconds of the processor's clock


def test_an_unknown_event_is_an_error_with_its_reason() -> None:
    with pytest.raises(OSError, match=r".+"):
        perf_event_open(0xFFFFFF, 0, 0)


def test_every_die_of_a_package_counts(root: Path, tmp_path: Path) -> None:
    file(root / "devices/system/cpu/cpu16/topology/physical_package_id", "0")
    probe = RaplPerfProbe(root, Kernel(tmp_path).open)

    devices = {channel.device for channel in probe.open() if channel.domain == "cpu"}
    probe.close()

    assert devices == {"package-0-die-0", "package-0-die-1"}


def test_the_platform_zone_of_the_second_package_has_powercaps_name(
    root: Path, tmp_path: Path
) -> None:
    events = root / "bus/event_source/devices/power/events"
    file(events / "energy-psys", "event=0x05")
    file(events / "energy-psys.scale", "2.3283064365386962890625e-10")
    probe = RaplPerfProbe(root, Kernel(tmp_path).open)

    devices = {channel.device for channel in probe.open() if channel.domain == "psys"}
    probe.close()

    assert devices == {"psys", "psys-1"}


def test_an_event_with_a_mask_is_opened_by_its_whole_number(
    root: Path, tmp_path: Path
) -> None:
    events = root / "bus/event_source/devices/power/events"
    file(events / "energy-pkg", "event=0x02,umask=0x1")
    kernel = Kernel(tmp_path)
    probe = RaplPerfProbe(root, kernel.open)

    probe.open()
    probe.close()

    assert {config for _, config, _ in kernel.opened} == {0x102, 0x03}


@pytest.mark.parametrize("event", ["event=0x02,frontend=0x1", "event=two", "event"])
def test_an_event_that_nobody_knows_is_a_reason_and_its_package_is_missing(
    root: Path, tmp_path: Path, event: str
) -> None:
    file(root / "bus/event_source/devices/power/events/energy-pkg", event)

    with pytest.raises(ProbeUnavailable, match="energy-pkg") as caught:
        RaplPerfProbe(root, Kernel(tmp_path).open).open()

    assert [c.device for c in caught.value.missing] == ["package-0", "package-1"]


def test_a_processor_without_a_place_is_a_reason(root: Path, tmp_path: Path) -> None:
    (root / "devices/system/cpu/cpu16/topology/physical_package_id").unlink()

    with pytest.raises(ProbeUnavailable, match="physical_package_id"):
        RaplPerfProbe(root, Kernel(tmp_path).open).open()
