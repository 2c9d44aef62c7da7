"""Processor and memory energy from Linux powercap (Intel RAPL, and AMD's twin).

Zones are known by their name, never by index: package-0, core, uncore, dram, psys. A
package holds its cores, not its memory. `-mmio` twins mirror the MSR zones and are
dropped. Files stay open and are read from offset 0.
"""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from harness.errors import ProbeUnavailable
from harness.records import Channel, Provenance, Quantity

CURE = (
    "sudo chmod -R a+r /sys/class/powercap/intel-rapl (until the next boot), or a udev "
    "rule; only root may read it since CVE-2020-8694"
)
MICROJOULES_PER_J = 1_000_000.0
UPDATE_PERIOD_S = 0.001


class RaplProbe:
    """Energy counters of every package, memory and platform zone."""

    name = "rapl"

    def __init__(self, root: Path = Path("/sys/class/powercap")) -> None:
        self._root = root
        self._files: dict[str, int] = {}

    def open(self) -> Sequence[Channel]:
        """Open the counters.

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
        channels = []
        denied = []
        for identity, zone in zones.items():
            try:
                channels.append(self._channel(identity, zone))
            except (OSError, ValueError) as error:
                denied.append(f"{zone.name}: {error}")
        if not channels:
            raise ProbeUnavailable(f"RAPL cannot be read: {denied[0]}", hint=CURE)
        return channels

    def read(self) -> Mapping[str, float | None]:
        """Energy of each zone in joules; None where the read failed."""
        return {name: _joules(file) for name, file in self._files.items()}

    def close(self) -> None:
        """Close the counters."""
        for file in self._files.values():
            os.close(file)
        self._files.clear()

    def _zones(self) -> dict[str, Path]:
        """Zone folders by identity; a package's parts carry the package's name."""
        found: dict[str, Path] = {}
        if not self._root.is_dir():
            return found
        for zone in sorted(self._root.glob("*:*")):
            if "mmio" in zone.name or not (zone / "energy_uj").exists():
                continue
            found.setdefault(self._identity(zone), zone)
        return found

    def _identity(self, zone: Path) -> str:
        name = _text(zone / "name")
        control, _, index = zone.name.partition(":")
        parent, nested, _ = index.rpartition(":")
        if not nested:
            return name
        return f"{_text(self._root / f'{control}:{parent}' / 'name')}/{name}"

    def _channel(self, identity: str, zone: Path) -> Channel:
        """Open one counter and describe it.

        Raises:
            OSError: It may not be read.
            ValueError: It holds no number.
        """
        file = os.open(zone / "energy_uj", os.O_RDONLY)
        try:
            int(os.pread(file, 64, 0))
        except (OSError, ValueError):
            os.close(file)
            raise
        range_uj = _number(zone / "max_energy_range_uj")
        channel = Channel(
            name=f"rapl.powercap/{identity}/energy_j",
            domain=_domain(identity),
            device=identity,
            quantity=Quantity.ENERGY_J,
            kind="counter",
            provenance=Provenance.MEASURED,
            source="rapl.powercap",
            tier="B",
            update_period_s=UPDATE_PERIOD_S,
            wraps_at_j=range_uj / MICROJOULES_PER_J if range_uj else None,
            inside=_inside(identity),
        )
        self._files[channel.name] = file
        return channel


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8").strip()


def _number(path: Path) -> int | None:
    try:
        return int(_text(path))
    except (OSError, ValueError):
        return None


def _joules(file: int) -> float | None:
    try:
        return int(os.pread(file, 64, 0)) / MICROJOULES_PER_J
    except (OSError, ValueError):
        return None


def _domain(identity: str) -> str:
    """The physical perimeter that a zone's name stands for."""
    last = identity.rpartition("/")[2]
    if last.startswith("package"):
        return "cpu"
    return last if last in ("dram", "psys", "core", "uncore") else "other"


def _inside(identity: str) -> str | None:
    """Cores and graphics are part of their package, memory is not."""
    parent, nested, last = identity.rpartition("/")
    return parent if nested and last != "dram" else None
