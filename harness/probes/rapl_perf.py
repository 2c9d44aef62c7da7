"""Processor and memory energy from perf events: the second way to the RAPL registers.

The kernel's `power` PMU widens the registers to 64 bits, so that they do not wrap. It
is another permission than powercap's: /proc/sys/kernel/perf_event_paranoid of 0 or
below, or CAP_PERFMON (Documentation/admin-guide/perf-security.rst). Devices have the
names that powercap gives them: where both answer, one of them is taken.
"""

import ctypes
import os
import platform
import struct
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from harness.errors import ProbeUnavailable
from harness.readings import Channel, Provenance, Quantity

SYSCALL = {"x86_64": 298, "aarch64": 241}
"""Numbers of perf_event_open."""
ATTR_BYTES = 128
CURE = (
    "sudo sysctl kernel.perf_event_paranoid=0 (until the next boot), or "
    "setcap cap_perfmon+ep on the Python interpreter"
)
UPDATE_PERIOD_S = 0.001
EVENTS = {
    "energy-pkg": ("cpu", "{package}", None),
    "energy-cores": ("core", "{package}/core", "{package}"),
    "energy-gpu": ("uncore", "{package}/uncore", "{package}"),
    "energy-ram": ("dram", "{package}/dram", None),
    "energy-psys": ("psys", "{platform}", None),
}
"""Domain, device and surrounding device of each event (arch/x86/events/rapl.c)."""
TERM_BITS = {"event": 0, "umask": 8}
"""Where the terms of an event lie in its number (arch/x86/events/rapl.c, "format")."""
Opener = Callable[[int, int, int], int]
"""(type, config, cpu) to a file descriptor; raises OSError."""


def perf_event_open(kind: int, config: int, cpu: int) -> int:
    """Open a counting event on a processor for all processes.

    Raises:
        OSError: The kernel refuses, or this architecture's number is not known.
    """
    number = SYSCALL.get(platform.machine())
    if number is None:
        raise OSError(f"perf_event_open is not known on {platform.machine()}")
    # struct perf_event_attr: type, size, config; all else 0.
    attr = struct.pack("=IIQ", kind, ATTR_BYTES, config).ljust(ATTR_BYTES, b"\0")
    libc = ctypes.CDLL(None, use_errno=True)
    every_process, no_group, close_on_exec = -1, -1, 8
    file = libc.syscall(
        ctypes.c_long(number),
        ctypes.c_char_p(attr),
        ctypes.c_int(every_process),
        ctypes.c_int(cpu),
        ctypes.c_int(no_group),
        ctypes.c_ulong(close_on_exec),
    )
    if file < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return int(file)


class RaplPerfProbe:
    """Energy counters of the `power` PMU, one event for each package."""

    name = "rapl-perf"

    def __init__(
        self, root: Path = Path("/sys"), opener: Opener = perf_event_open
    ) -> None:
        self._pmu = root / "bus/event_source/devices/power"
        self._cpus = root / "devices/system/cpu"
        self._opener = opener
        self._files: dict[str, tuple[int, float]] = {}

    def open(self) -> Sequence[Channel]:
        """Open every event on the processors that the PMU names.

        Raises:
            ProbeUnavailable: No such PMU, or no permission.
        """
        try:
            kind = int(_text(self._pmu / "type"))
            packages = self._packages(_cpu_list(_text(self._pmu / "cpumask")))
        except (OSError, ValueError) as error:
            raise ProbeUnavailable(
                f"{self._pmu} has no energy events: {error}",
                hint="virtual machines and most non-x86 machines have none",
            ) from error
        channels: list[Channel] = []
        missing: list[Channel] = []
        refused = ""
        for cpu, package in packages.items():
            for event in self._events():
                channel = _channel(event, package)
                if channel.name in self._files:
                    continue  # a platform has one zone, however many dies
                try:
                    self._files[channel.name] = self._opened(kind, cpu, event)
                except (OSError, ValueError) as error:
                    refused = f"perf event {event} of processor {cpu}: {error}"
                    missing.append(_silent(channel, refused))
                else:
                    channels.append(channel)
        if refused or not channels:
            self.close()
            reason = refused or f"{self._pmu} names no energy event"
            sockets = [c for c in missing if c.domain == "cpu"]
            raise ProbeUnavailable(reason, hint=CURE, missing=sockets)
        return channels

    def read(self, names: Collection[str] | None = None) -> Mapping[str, float | None]:
        """Energy since each event was opened in joules; None where the read failed."""
        return {
            name: _joules(file, scale_j)
            for name, (file, scale_j) in self._files.items()
            if names is None or name in names
        }

    def close(self) -> None:
        """Close the events."""
        for file, _ in self._files.values():
            os.close(file)
        self._files.clear()

    def _packages(self, cpus: Iterable[int]) -> Mapping[int, str]:
        """Powercap's name of what each processor stands for: a package, or a die.

        Of a package with several dies the PMU names a processor on each.
        """
        numbers: dict[str, list[int]] = {}
        for cpu in cpus:
            path = self._cpus / f"cpu{cpu}/topology/physical_package_id"
            numbers.setdefault(_text(path), []).append(cpu)
        has_dies = any(len(dies) > 1 for dies in numbers.values())
        return {
            cpu: f"package-{package}" + f"-die-{die}" * has_dies
            for package, dies in numbers.items()
            for die, cpu in enumerate(dies)
        }

    def _events(self) -> list[str]:
        return [event for event in EVENTS if (self._pmu / "events" / event).exists()]

    def _opened(self, kind: int, cpu: int, event: str) -> tuple[int, float]:
        """An event's descriptor, and the joules of a count."""
        path = self._pmu / "events" / event
        scale_j = float(_text(path.with_name(f"{event}.scale")))
        return self._opener(kind, _config(_text(path)), cpu), scale_j


def _channel(event: str, package: str) -> Channel:
    domain, device, around = EVENTS[event]
    number = package.split("-")[1]
    platform_zone = "psys" if number == "0" else f"psys-{number}"
    identity = device.format(package=package, platform=platform_zone)
    return Channel(
        name=f"rapl.perf/{identity}/energy_j",
        domain=domain,
        device=identity,
        quantity=Quantity.ENERGY_J,
        kind="counter",
        provenance=Provenance.MEASURED,
        source="rapl.perf",
        tier="B",
        update_period_s=UPDATE_PERIOD_S,
        inside=around and around.format(package=package),
    )


def _silent(channel: Channel, fault: str) -> Channel:
    return channel.model_copy(update={"note": f"{fault}; {CURE}"})


def _config(text: str) -> int:
    """The number of an event such as `event=0x02` or `event=0x02,umask=0x1`.

    Raises:
        ValueError: It has terms whose place in the number is not known.
    """
    terms = dict(term.split("=", 1) for term in text.split(","))
    if unknown := terms.keys() - TERM_BITS.keys():
        raise ValueError(f"unknown terms {', '.join(sorted(unknown))}")
    return sum(int(value, 16) << TERM_BITS[term] for term, value in terms.items())


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8").strip()


def _cpu_list(text: str) -> Iterator[int]:
    """Processors of a kernel list such as `0,18-20`."""
    for part in text.split(","):
        first, _, last = part.partition("-")
        yield from range(int(first), int(last or first) + 1)


def _joules(file: int, scale_j: float) -> float | None:
    try:
        (count,) = struct.unpack("=Q", os.read(file, 8))
    except (OSError, struct.error):
        return None
    return float(count) * scale_j
