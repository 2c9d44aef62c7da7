"""Processor and memory energy from Linux powercap (Intel RAPL, and AMD's twin).

Zones are known by their name, never by index: package-0, core, uncore, dram, psys. A
package holds its cores, not its memory. Two zones may be one register: the `-mmio` twin
of a zone, and mirrored dies, are dropped. Files stay open and are read from offset 0.
"""

import os
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path

from harness.clock import Clock, SystemClock
from harness.errors import ProbeUnavailable
from harness.readings import Channel, Provenance, Quantity

CURE = (
    "sudo chmod -R a+r /sys/class/powercap/intel-rapl (until the next boot), or a udev "
    "rule; only root may read it since CVE-2020-8694"
)
MICROJOULES_PER_J = 1_000_000.0
UPDATE_PERIOD_S = 0.001
CEILING_W = 5_000.0
"""More than any package or platform draws: a fall that needs more is no wrap."""
MIRROR_LOOKS = 3
MIRROR_PAUSE_S = 0.003


class RaplProbe:
    """Energy counters of every package, memory and platform zone."""

    name = "rapl"

    def __init__(
        self, root: Path = Path("/sys/class/powercap"), clock: Clock | None = None
    ) -> None:
        self._root = root
        self._clock = clock or SystemClock()
        self._counters: dict[str, _Counter] = {}

    def open(self) -> Sequence[Channel]:
        """Open the counters; one that may not be read is a channel without readings.

        Raises:
            ProbeUnavailable: No zones, or none that this user may read.
        """
        zones = self._zones()
        if not zones:
            raise ProbeUnavailable(
                f"{self._root} has no RAPL zones",
                hint="virtual machines and most non-x86 machines have none: "
                "use a wall meter or a GPU's counter",
            )
        named = {i: zone for i, zone in zones.items() if not _is_nameless(i)}
        counters = {i: _Counter(zone / "energy_uj") for i, zone in named.items()}
        faults = {i: f"zone {i} has no name" for i in zones if i not in named}
        faults |= {i: c.fault for i, c in counters.items() if c.joules() is None}
        silent = {
            i: _channel(i, zones[i], f"{fault}; {CURE}") for i, fault in faults.items()
        }
        if len(silent) == len(zones):
            first = next(iter(faults.values()))
            _close(counters.values())
            raise ProbeUnavailable(
                f"RAPL cannot be read: {first}",
                hint=CURE,
                missing=tuple(silent.values()),
            )
        mirrors = self._mirrors({i: c for i, c in counters.items() if i not in faults})
        _close([counters.pop(copy) for copy in mirrors])
        found = dict(silent)
        for identity, counter in counters.items():
            copies = [copy for copy, kept in mirrors.items() if kept == identity]
            note = f"mirrored by {', '.join(copies)}" if copies else None
            channel = _channel(identity, zones[identity], note)
            channel = found.setdefault(identity, channel)
            self._counters[channel.name] = counter
        return [found[identity] for identity in zones if identity in found]

    def read(self, names: Collection[str] | None = None) -> Mapping[str, float | None]:
        """Energy of each zone in joules; None where the read failed."""
        return {
            name: counter.joules()
            for name, counter in self._counters.items()
            if names is None or name in names
        }

    def close(self) -> None:
        """Close the counters."""
        _close(self._counters.values())
        self._counters.clear()

    def _zones(self) -> dict[str, Path]:
        """Zone folders by identity; a package's parts carry the package's name.

        An `-mmio` zone counts only where the register has no other zone.
        """
        found: dict[str, Path] = {}
        if not self._root.is_dir():
            return found
        zones = [z for z in self._root.glob("*:*") if (z / "energy_uj").exists()]
        for zone in sorted(zones, key=lambda z: ("mmio" in z.name, z.name)):
            found.setdefault(self._identity(zone), zone)
        # Packages first, each with its memory beside it, to be read back to back.
        return dict(sorted(found.items()))

    def _identity(self, zone: Path) -> str:
        control, _, index = zone.name.partition(":")
        parent, nested, _ = index.rpartition(":")
        if not nested:
            return _name(zone)
        return f"{_name(self._root / f'{control}:{parent}')}/{_name(zone)}"

    def _mirrors(self, counters: Mapping[str, "_Counter"]) -> dict[str, str]:
        """Zones that show another's register, with the zone that is kept.

        Of two such zones, the second read between two reads of the first never lies
        outside of them; independent counters of microjoules never do that for long.
        """
        suspects = {
            (kept, copy)
            for kept in counters
            for copy in counters
            if kept < copy and _kind(kept) == _kind(copy)
        }
        for _ in range(MIRROR_LOOKS):
            suspects = {
                (kept, copy)
                for kept, copy in suspects
                if _between(counters[kept], counters[copy])
            }
            if suspects:
                self._clock.sleep(MIRROR_PAUSE_S)
        return {copy: kept for kept, copy in sorted(suspects, reverse=True)}


class _Counter:
    """One counter's file, kept open; opened again when it was replaced.

    Attributes:
        fault: Why the last reading failed; empty when it did not.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: int | None = None
        self._inode = 0
        self._last = b""
        self.fault = ""

    def joules(self) -> float | None:
        """Energy in joules; None where it cannot be read."""
        try:
            text = self._read()
            value = int(text) / MICROJOULES_PER_J
        except OSError as error:
            self.close()
            self.fault = f"{self._path}: {error.strerror}"
            return None
        except ValueError:
            self.fault = f"{self._path}: holds no number"
            return None
        self.fault = ""
        return value

    def close(self) -> None:
        """Close the file; a further reading opens it again."""
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def _read(self) -> bytes:
        if self._file is None:
            self._open()
        assert self._file is not None  # noqa: S101 (opened just now)
        text = os.pread(self._file, 64, 0)
        # A counter that stands still may be one whose file was replaced, as when its
        # module was loaded anew; a real one moves each millisecond, so this is rare.
        if text == self._last and self._path.stat().st_ino != self._inode:
            self.close()
            self._open()
            text = os.pread(self._file, 64, 0)
        self._last = text
        return text

    def _open(self) -> None:
        self._file = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC)
        self._inode = os.fstat(self._file).st_ino


def _close(counters: Iterable[_Counter]) -> None:
    for counter in counters:
        counter.close()


def _between(kept: _Counter, copy: _Counter) -> bool:
    before, middle, after = kept.joules(), copy.joules(), kept.joules()
    if before is None or middle is None or after is None:
        return False
    return 0 < before <= middle <= after


def _channel(identity: str, zone: Path, note: str | None) -> Channel:
    range_uj = _number(zone / "max_energy_range_uj")
    return Channel(
        name=f"rapl.powercap/{identity}/energy_j",
        domain=_kind(identity),
        device=identity,
        quantity=Quantity.ENERGY_J,
        kind="counter",
        provenance=Provenance.MEASURED,
        source="rapl.powercap",
        tier="B",
        update_period_s=UPDATE_PERIOD_S,
        wraps_at_j=range_uj / MICROJOULES_PER_J if range_uj else None,
        inside=inside(identity),
        ceiling_w=CEILING_W,
        note=note,
    )


def _name(zone: Path) -> str:
    """What a zone calls itself; the name of its folder where that cannot be read."""
    try:
        return _text(zone / "name") or zone.name
    except (OSError, ValueError):
        return zone.name


def _is_nameless(identity: str) -> bool:
    """Whether it is a folder's name: what such a zone meters is not known."""
    return ":" in identity


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8").strip()


def _number(path: Path) -> int | None:
    try:
        return int(_text(path))
    except (OSError, ValueError):
        return None


def _kind(identity: str) -> str:
    """The physical perimeter that a zone's name stands for."""
    last = identity.rpartition("/")[2]
    if last.startswith("package"):
        return "cpu"
    if re.fullmatch(r"psys(-\d+)?", last):  # "psys-1": that of the second socket
        return "psys"
    return last if last in ("dram", "core", "uncore") else "other"


def inside(identity: str) -> str | None:
    """Cores and graphics are part of their package, memory is not."""
    parent, nested, last = identity.rpartition("/")
    return parent if nested and last != "dram" else None
