"""What the host does beside the work: load, pressure, throttling, sleep, memory.

None of it is energy, and all of it can spoil a measurement: a neighbour on the same
cores, a hypervisor or a quota that takes them away, a processor that is too hot, a
machine that slept. Files are kept open and read again from their start.
"""

import math
import os
import re
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from harness.readings import Channel, Provenance, Quantity
from harness.units import NS_PER_S

BUSY = "host/cpu_busy_s"
TOTAL = "host/cpu_total_s"
STEAL = "host/cpu_steal_s"
SUSPENDED = "host/suspended_s"
THROTTLES = "host/cpu_throttle_count"
QUOTA = "host/cgroup_throttled_s"
MEMORY = "host/memory_used_bytes"
PRESSURES = ("cpu", "memory", "io")
TICK_S = 0.01
"""Linux counts processor time in steps of USER_HZ, 100 a second."""
SLOW_S = 1.0
"""What changes rarely, or costs more to read, is read this often."""
OFTEN_S = 0.2
"""Processor time is counted in steps of 10 ms, and the kernel works on each answer."""
LONGEST_FILE_BYTES = 4096
SOME_US = rb"some .*total=(\d+)"
"""Of the lines "some" and "full" of a pressure file; in microseconds."""

Clocks = tuple[Callable[[], int], Callable[[], int]]
"""Nanoseconds of a clock that runs on while the machine sleeps, and one that stops."""
Numbered = tuple[Path, bytes, float]
"""A file, the pattern of the number in it, and what one of it is in SI units."""
Values = Mapping[str, float | None]


class HostProbe:
    """State of the host; it answers everywhere, with fewer channels off Linux."""

    name = "host"

    def __init__(
        self,
        proc: Path = Path("/proc"),
        sys: Path = Path("/sys"),
        system: Any = None,
        clocks: Clocks | None = None,
    ) -> None:
        """Name the roots.

        Args:
            proc: Where the kernel's pressure and the own cgroup are told.
            sys: Where throttling is told.
            system: A library with psutil's functions; psutil itself by default.
            clocks: Two clocks that differ by the time asleep; the system's by default.
        """
        self._proc = proc
        self._sys = sys
        self._system = system
        self._clocks = clocks or system_clocks()
        self._reads: list[tuple[frozenset[str], Callable[[], Values]]] = []
        self._files: list[_KeptFile] = []

    def open(self) -> Sequence[Channel]:
        """Describe what this host can tell; psutil is always there."""
        self.close()
        if self._system is None:
            import psutil

            self._system = psutil
        heat = _channel(THROTTLES, "thermal_throttle", "linux.thermal", SLOW_S)
        quota = _channel(QUOTA, "quota_throttle", "linux.cgroup", SLOW_S)
        return [
            *self._processor(),
            *self._pressure(),
            *self._sleep(),
            *self._sum(heat, heat_files(self._sys)),
            *self._sum(quota, quota_files(self._proc, self._sys)),
            *self._memory(),
        ]

    def read(self, names: Collection[str] | None = None) -> Values:
        """Values of the named channels, or of all; None where a file did not answer."""
        values: dict[str, float | None] = {}
        for group, read in self._reads:
            if names is None or not group.isdisjoint(names):
                values.update(read())
        if names is None:
            return values
        return {name: value for name, value in values.items() if name in names}

    def close(self) -> None:
        """Close the files."""
        for file in self._files:
            file.close()
        self._files.clear()
        self._reads.clear()

    def _add(self, names: Sequence[str], read: Callable[[], Values]) -> None:
        self._reads.append((frozenset(names), read))

    def _processor(self) -> list[Channel]:
        """Seconds of all cores together; steal only where the kernel counts it."""
        whats = {BUSY: "cpu_busy", TOTAL: "cpu_total"}
        if hasattr(self._system.cpu_times(), "steal"):
            whats[STEAL] = "steal"
        self._add([*whats], self._processor_times)
        return [_channel(name, what, "psutil", OFTEN_S) for name, what in whats.items()]

    def _processor_times(self) -> Values:
        times = self._system.cpu_times()
        # Linux counts guest time in user and nice time already.
        guest_s = (getattr(times, "guest", 0.0), getattr(times, "guest_nice", 0.0))
        idle_s = (times.idle, getattr(times, "iowait", 0.0))
        total_s = _difference(times, guest_s)
        values = {BUSY: _difference(times, guest_s + idle_s), TOTAL: total_s}
        return values | ({STEAL: times.steal} if hasattr(times, "steal") else {})

    def _memory(self) -> list[Channel]:
        def read() -> Values:
            return {MEMORY: float(self._system.virtual_memory().used)}

        self._add([MEMORY], read)
        return [_channel(MEMORY, "memory_used", "psutil", SLOW_S)]

    def _pressure(self) -> Iterator[Channel]:
        """Seconds in which some task waited for the resource (pressure stall)."""
        for resource in PRESSURES:
            what = f"{resource}_pressure"
            file = (self._proc / "pressure" / resource, SOME_US, 1e-6)
            channel = _channel(f"host/{what}_s", what, "linux.psi", OFTEN_S)
            yield from self._sum(channel, [file])

    def _sleep(self) -> list[Channel]:
        if self._clocks is None:
            return []
        asleep = _Asleep(self._clocks)
        self._add([SUSPENDED], lambda: {SUSPENDED: asleep.duration_s()})
        return [_channel(SUSPENDED, "suspended", "clocks")]

    def _sum(self, channel: Channel, files: Sequence[Numbered]) -> list[Channel]:
        """The channel with the sum of these files; nothing where none answers now."""
        opened = [_KeptFile(*file) for file in files]
        kept = [file for file in opened if file.value() is not None]
        for file in opened:
            if file not in kept:
                file.close()
        if not kept:
            return []
        self._files += kept

        def read() -> Values:
            found = [file.value() for file in kept]
            known = [value for value in found if value is not None]
            return {channel.name: sum(known) if len(known) == len(kept) else None}

        self._add([channel.name], read)
        return [channel]


def _difference(all_s: Sequence[float], less_s: Sequence[float]) -> float:
    """Sum less sum, to the microsecond: no counter may fall by a rounding error."""
    return round(math.fsum([*all_s, *(-value for value in less_s)]), 6)


def system_clocks() -> Clocks | None:
    """The system's clocks with and without sleep; None where it has but one.

    Linux: BOOTTIME runs on, MONOTONIC stops. macOS: MONOTONIC runs on, UPTIME_RAW
    stops (clock_gettime(2) and (3)).
    """
    for always, awake in (
        ("CLOCK_BOOTTIME", "CLOCK_MONOTONIC"),
        ("CLOCK_MONOTONIC", "CLOCK_UPTIME_RAW"),
    ):
        if hasattr(time, always) and hasattr(time, awake):
            return _clock(getattr(time, always)), _clock(getattr(time, awake))
    return None


def _clock(identity: int) -> Callable[[], int]:
    return lambda: time.clock_gettime_ns(identity)


def heat_files(sys: Path) -> list[Numbered]:
    """Counts of throttling by heat: one file a core and one a package.

    Threads of a core, and cores of a package, would tell the same event again.
    """
    found: dict[tuple[str, ...], Path] = {}
    for folder in sorted(sys.glob("devices/system/cpu/cpu[0-9]*/thermal_throttle")):
        topology = folder.parent / "topology"
        package = _text(topology / "physical_package_id") or folder.parent.name
        core = _text(topology / "core_id") or folder.parent.name
        found.setdefault((package, core), folder / "core_throttle_count")
        found.setdefault((package,), folder / "package_throttle_count")
    return [(path, rb"^(\d+)", 1.0) for path in found.values()]


def quota_files(proc: Path, sys: Path) -> list[Numbered]:
    """Throttled time of the own cgroup and of those that hold it, v2 or else v1.

    A container that cannot see its place in the tree sees its own files at the root.
    A quota stands at one level as a rule, so the sum is its throttled time.
    """
    root = sys / "fs" / "cgroup"
    first: list[Numbered] = []
    second: list[Numbered] = []
    for line in (_text(proc / "self" / "cgroup") or "").splitlines():
        _, controllers, place = line.split(":", 2)
        levels = [Path(place.lstrip("/")), *Path(place.lstrip("/")).parents]
        if not controllers:
            pattern = rb"throttled_usec (\d+)"
            second = [(root / p / "cpu.stat", pattern, 1e-6) for p in levels]
        elif "cpu" in controllers.split(","):
            top = root / controllers if (root / controllers).is_dir() else root / "cpu"
            pattern = rb"throttled_time (\d+)"
            first = [(top / p / "cpu.stat", pattern, 1e-9) for p in levels]
    return list(dict.fromkeys(first or second))


def _text(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8").strip()
    except OSError:
        return None


class _KeptFile:
    """A number in a file of the kernel, read again without opening it again."""

    def __init__(self, path: Path, pattern: bytes, unit: float) -> None:
        self._pattern = re.compile(pattern)
        self._unit = unit
        self._descriptor: int | None
        try:
            self._descriptor = os.open(path, os.O_RDONLY)
        except OSError:
            self._descriptor = None

    def value(self) -> float | None:
        """The number in SI units; None where there is none or no file."""
        if self._descriptor is None:
            return None
        try:
            content = os.pread(self._descriptor, LONGEST_FILE_BYTES, 0)
        except OSError:  # pressure that was switched off at boot opens all the same
            return None
        found = self._pattern.search(content)
        return int(found[1]) * self._unit if found else None

    def close(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


class _Asleep:
    """Time that the machine slept since its start, as a counter.

    The clocks cannot be read at one instant. The one that runs on is read first, so
    that their difference is never too large, and the largest one so far is kept.
    """

    def __init__(self, clocks: Clocks) -> None:
        self._always_ns, self._awake_ns = clocks
        self._most_ns = 0

    def duration_s(self) -> float:
        apart_ns = self._always_ns() - self._awake_ns()
        self._most_ns = max(self._most_ns, apart_ns)
        return self._most_ns / NS_PER_S


def _channel(
    name: str, what: str, source: str, every_s: float | None = None
) -> Channel:
    """A channel of the host; its unit is the last word of its name."""
    quantity = {"s": Quantity.SECONDS, "bytes": Quantity.BYTES}.get(
        name.rpartition("_")[2], Quantity.COUNT
    )
    return Channel(
        name=name,
        domain="host",
        device="host",
        quantity=quantity,
        kind="gauge" if quantity is Quantity.BYTES else "counter",
        provenance=Provenance.MEASURED,
        source=source,
        what=what,
        update_period_s=TICK_S if name in (BUSY, TOTAL, STEAL) else None,
        read_every_s=every_s,
    )
