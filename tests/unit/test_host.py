"""The host tells what it does beside the work, with whatever its kernel offers."""

import time
from collections import namedtuple
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from harness.probes.host import (
    BUSY,
    MEMORY,
    QUOTA,
    STEAL,
    SUSPENDED,
    THROTTLES,
    TOTAL,
    HostProbe,
    system_clocks,
)

Linux = namedtuple("Linux", "user system idle iowait steal guest")  # noqa: PYI024 (as psutil's)
Mac = namedtuple("Mac", "user nice system idle")  # noqa: PYI024


class FakeSystem:
    """As much of psutil as the probe asks for."""

    def __init__(self, times: Any) -> None:
        self.times = times
        self.asked = 0

    def cpu_times(self) -> Any:
        self.asked += 1
        return self.times

    def virtual_memory(self) -> Any:
        return SimpleNamespace(used=3 * 2**30)


class FakeClocks:
    """A clock that runs on in sleep and one that stops, in nanoseconds."""

    def __init__(self, asleep_s: float = 0.0) -> None:
        self.awake_ns = 10**9
        self.asleep_ns = round(asleep_s * 1e9)
        self.late_ns = 0

    def always(self) -> int:
        return self.awake_ns + self.asleep_ns

    def awake(self) -> int:
        self.awake_ns += self.late_ns
        return self.awake_ns


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def pressure(root: Path, resource: str, total_us: int) -> Path:
    zeros = "avg10=0.00 avg60=0.00 avg300=0.00"
    lines = f"some {zeros} total={total_us}\nfull {zeros} total=7\n"
    return write(root / "proc" / "pressure" / resource, lines)


def throttled(
    root: Path, cpu: int, place: tuple[int, int], counts: tuple[int, int]
) -> None:
    """A processor thread: its package and core, its core's and package's counts."""
    folder = root / "sys" / "devices" / "system" / "cpu" / f"cpu{cpu}"
    write(folder / "topology" / "physical_package_id", f"{place[0]}\n")
    write(folder / "topology" / "core_id", f"{place[1]}\n")
    write(folder / "thermal_throttle" / "core_throttle_count", f"{counts[0]}\n")
    write(folder / "thermal_throttle" / "package_throttle_count", f"{counts[1]}\n")


def descriptors() -> set[str]:
    return {path.name for path in Path("/proc/self/fd").iterdir()}


def on(root: Path, system: Any = None, clocks: FakeClocks | None = None) -> HostProbe:
    clocks = clocks or FakeClocks()
    return HostProbe(
        root / "proc",
        root / "sys",
        system or FakeSystem(Mac(1.0, 0.0, 1.0, 2.0)),
        (clocks.always, clocks.awake),
    )


def test_the_host_counts_busy_time_within_total_time() -> None:
    probe = HostProbe()
    probe.open()
    before = probe.read()
    until = time.monotonic() + 0.1
    while time.monotonic() < until:
        pass
    after = probe.read()
    probe.close()

    busy = (after[BUSY] or 0) - (before[BUSY] or 0)
    total = (after[TOTAL] or 0) - (before[TOTAL] or 0)
    assert 0 < busy <= total + 0.011


def test_guests_are_counted_once_and_stolen_time_is_told(tmp_path: Path) -> None:
    system = FakeSystem(
        Linux(user=10.0, system=5.0, idle=80.0, iowait=4.0, steal=1.0, guest=3.0)
    )
    probe = on(tmp_path, system)
    channels = {c.name: c for c in probe.open()}

    values = probe.read()
    probe.close()

    assert (values[TOTAL], values[BUSY], values[STEAL]) == (100.0, 16.0, 1.0)
    assert channels[STEAL].what == "steal"


def test_busy_time_does_not_fall_while_a_machine_idles(tmp_path: Path) -> None:
    system = FakeSystem(Linux(23677.06, 0.17, 0.0, 0.3, 0.1, 0.7))
    probe = on(tmp_path, system)
    probe.open()

    busy_s = []
    for tick in range(500):
        system.times = system.times._replace(idle=61_234.56 + tick / 100)
        busy_s.append(probe.read()[BUSY])
    probe.close()

    assert set(busy_s) == {23_677.33}


def test_a_system_that_tells_little_has_few_channels(tmp_path: Path) -> None:
    probe = on(tmp_path)

    names = [c.name for c in probe.open()]
    values = probe.read()
    probe.close()

    assert names == [BUSY, TOTAL, SUSPENDED, MEMORY]
    assert values == {BUSY: 2.0, TOTAL: 4.0, SUSPENDED: 0.0, MEMORY: 3 * 2**30}


def test_pressure_is_the_time_in_which_some_task_waited(tmp_path: Path) -> None:
    file = pressure(tmp_path, "io", 1_500_000)
    probe = on(tmp_path)
    channels = {c.name: c for c in probe.open()}
    before = probe.read(["host/io_pressure_s"])
    pressure(tmp_path, "io", 2_500_000)

    after = probe.read(["host/io_pressure_s"])
    file.write_text("")
    broken = probe.read(["host/io_pressure_s"])
    probe.close()

    assert before == {"host/io_pressure_s": pytest.approx(1.5)}
    assert after == {"host/io_pressure_s": pytest.approx(2.5)}
    assert broken == {"host/io_pressure_s": None}
    assert channels["host/io_pressure_s"].what == "io_pressure"
    assert "host/cpu_pressure_s" not in channels


def test_a_sleep_of_the_machine_is_seen(tmp_path: Path) -> None:
    clocks = FakeClocks(asleep_s=100.0)
    probe = on(tmp_path, clocks=clocks)
    probe.open()
    before = probe.read([SUSPENDED])[SUSPENDED] or 0
    clocks.asleep_ns += 10 * 10**9

    after = probe.read([SUSPENDED])[SUSPENDED] or 0
    probe.close()

    assert after - before == pytest.approx(10.0)


def test_a_delay_between_the_clocks_is_no_sleep(tmp_path: Path) -> None:
    clocks = FakeClocks(asleep_s=100.0)
    probe = on(tmp_path, clocks=clocks)
    probe.open()
    before = probe.read([SUSPENDED])[SUSPENDED]
    clocks.late_ns = 5 * 10**6

    after = probe.read([SUSPENDED])[SUSPENDED]
    probe.close()

    assert after == before == 100.0


def test_this_systems_clocks_can_tell_a_sleep() -> None:
    clocks = system_clocks()

    assert clocks is not None
    assert clocks[0]() - clocks[1]() > -1_000_000_000


def test_throttling_is_counted_once_a_core_and_once_a_package(tmp_path: Path) -> None:
    throttled(tmp_path, 0, place=(0, 0), counts=(5, 100))
    throttled(tmp_path, 1, place=(0, 1), counts=(7, 100))
    throttled(tmp_path, 2, place=(0, 0), counts=(5, 100))
    throttled(tmp_path, 3, place=(1, 0), counts=(1, 20))
    probe = on(tmp_path)
    channels = {c.name: c for c in probe.open()}

    count = probe.read([THROTTLES])[THROTTLES]
    probe.close()

    assert count == 5 + 7 + 1 + 100 + 20
    assert channels[THROTTLES].quantity == "count"
    assert channels[THROTTLES].what == "thermal_throttle"
    assert channels[THROTTLES].read_every_s == 1.0


def test_a_quota_of_the_own_cgroup_or_of_one_around_it_is_told(tmp_path: Path) -> None:
    write(tmp_path / "proc" / "self" / "cgroup", "0::/batch.slice/job.scope\n")
    tree = tmp_path / "sys" / "fs" / "cgroup"
    own = "usage_usec 9\nnr_throttled 3\nthrottled_usec 250000\n"
    write(tree / "batch.slice" / "job.scope" / "cpu.stat", own)
    write(tree / "batch.slice" / "cpu.stat", "throttled_usec 1000000\n")
    write(tree / "cpu.stat", "usage_usec 9\n")
    probe = on(tmp_path)
    channels = {c.name: c for c in probe.open()}

    throttled_s = probe.read([QUOTA])[QUOTA]
    probe.close()

    assert throttled_s == pytest.approx(1.25)
    assert channels[QUOTA].what == "quota_throttle"


@pytest.mark.parametrize("mount", ["cpu,cpuacct", "cpu"])
def test_a_quota_of_the_older_cgroups_is_told(tmp_path: Path, mount: str) -> None:
    lines = "4:cpu,cpuacct:/docker/not-seen-from-inside\n0::/\n"
    write(tmp_path / "proc" / "self" / "cgroup", lines)
    stat = tmp_path / "sys" / "fs" / "cgroup" / mount / "cpu.stat"
    write(stat, "nr_throttled 2\nthrottled_time 1500000000\n")
    probe = on(tmp_path)
    probe.open()

    throttled_s = probe.read([QUOTA])[QUOTA]
    probe.close()

    assert throttled_s == pytest.approx(1.5)


def test_only_the_named_channels_are_read(tmp_path: Path) -> None:
    system = FakeSystem(Mac(1.0, 0.0, 1.0, 2.0))
    probe = on(tmp_path, system)
    probe.open()
    asked = system.asked

    memory = probe.read([MEMORY])
    busy = probe.read([BUSY])
    probe.close()

    assert list(memory) == [MEMORY]
    assert list(busy) == [BUSY]
    assert system.asked == asked + 1


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="only Linux lists them")
def test_no_file_stays_open(tmp_path: Path) -> None:
    pressure(tmp_path, "cpu", 1)
    write(tmp_path / "proc" / "pressure" / "io", "nothing in it\n")
    before = descriptors()
    probe = on(tmp_path)
    probe.open()
    probe.open()

    during = descriptors()
    probe.close()

    assert len(during) == len(before) + 1
    assert descriptors() == before
