"""Google TPUs: duty cycle and memory by libtpu's metrics service; watts by a model.

No TPU tells its power (tpu-info 0.14.2). Google publishes a measured minimum, mean and
maximum for v3 (123, 220, 262 W) and v4 (90, 170, 192 W) on their Cloud TPU pages; for
those, or for watts that the user states, power = minimum + duty cycle x (maximum -
minimum). For the others there is a channel without readings that says why. The service
lives in the process that uses the chips: before and after that nothing can be read.
"""

import os
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean
from typing import Any

from harness.errors import ProbeUnavailable
from harness.probes.tpu_service import MetricService
from harness.readings import Channel, Provenance, Quantity

ADDRESS = "localhost:8431"
SLOW_S = 1.0
GOOGLE = "0x1ae0"
TPU_V2_V3 = "0x0027"
CHIPS = {
    "0x005e": "v4",
    "0x0063": "v5e",
    "0x0062": "v5p",
    "0x006f": "v6e",
    "0x0076": "7x",
}
"""PCI device: chip, as in tpu-info's device.py."""
OLD_CHIPS = {"0x004e": "v2", "0x004f": "v3"}
"""PCI subsystem device: chip, where both have the device TPU_V2_V3."""
DUTY = "tpu.runtime.tensorcore.dutycycle.percent"
MEMORY = "tpu.runtime.hbm.memory.usage.bytes"
POWER_UNITS_W = {"watts": 1.0, "watt": 1.0, "milliwatts": 1e-3, "milliwatt": 1e-3}
"""Last word of a metric that tells power; of another word the unit is not known."""
WATTS_VARIABLE = "JOULEBENCH_TPU_WATTS"
GLITCH_W = 2000.0
"""No chip draws more."""


@dataclass(frozen=True)
class Watts:
    """Power of a kind of chip, with where it comes from.

    Attributes:
        least_w: Power at a duty cycle of 0.
        most_w: Power at a duty cycle of 1.
        mean_w: Mean over real work.
    """

    least_w: float
    most_w: float
    mean_w: float
    source: str

    def at(self, duty_ratio: float) -> float:
        """Modelled power in watts at a duty cycle in [0, 1]."""
        return self.least_w + duty_ratio * (self.most_w - self.least_w)

    @property
    def relative_error(self) -> float:
        """Half the range over the mean.

        The duty cycle says that the chip ran, not what: at any duty cycle the power
        lies somewhere in the range, half of it away from the middle at most.
        """
        return (self.most_w - self.least_w) / (2 * self.mean_w)


PUBLISHED = {
    "v3": Watts(123.0, 262.0, 220.0, "cloud.google.com/tpu/docs/v3"),
    "v4": Watts(90.0, 192.0, 170.0, "cloud.google.com/tpu/docs/v4"),
}


@dataclass(frozen=True)
class Reading:
    """How a channel's value comes from a metric.

    The service numbers cores of all chips in a row and tells some metrics by chip and
    some by core, which older chips have two of; tpu-info matches them in this order.

    Attributes:
        metric: Name at the service; None for whatever tells power.
        of_cores: From the values of one chip's cores to the channel's, in SI units.
        chip: Number of the chip.
        chips: How many there are.
    """

    metric: str | None
    of_cores: Callable[[Sequence[float]], float]
    chip: int = 0
    chips: int = 1

    def value(self, told: Sequence[float] | None) -> float | None:
        """The chip's value; None where what is told does not fit the chips."""
        if not told or len(told) % self.chips:
            return None
        cores = len(told) // self.chips
        return float(self.of_cores(told[self.chip * cores : (self.chip + 1) * cores]))


class TpuProbe:
    """Every TPU chip of this machine."""

    name = "tpu"

    def __init__(
        self,
        address: str = ADDRESS,
        sys: Path = Path("/sys"),
        environment: Mapping[str, str] | None = None,
    ) -> None:
        """Name the roots.

        Args:
            address: Where libtpu's metrics service listens.
            sys: Where PCI devices are listed.
            environment: May state watts; the process's by default.
        """
        self._address = address
        self._sys = sys
        self._environment = environment
        self._service: MetricService | None = None
        self._power_metric: str | None = None
        self._reads: dict[str, Reading] = {}

    def open(self) -> Sequence[Channel]:
        """Find the chips; their service need not be there yet.

        Raises:
            ProbeUnavailable: No TPU here, no client for its service, wrong watts.
        """
        self.close()
        kind, addresses = chips(self._sys)
        if not addresses:
            raise ProbeUnavailable(
                "no TPU on the PCI bus", hint="a Cloud TPU machine is needed"
            )
        environment = os.environ if self._environment is None else self._environment
        watts = stated_watts(environment) or PUBLISHED.get(kind)
        self._service = MetricService(self._address)
        self._power_metric = power_metric(self._service.supported())
        found: list[Channel] = []
        for index, address in enumerate(addresses):
            for channel, reading in self._candidates(kind, address, watts):
                self._reads[channel.name] = replace(
                    reading, chip=index, chips=len(addresses)
                )
                found.append(channel)
        return found

    def read(self, names: Collection[str] | None = None) -> Mapping[str, float | None]:
        """Values of the named channels, or of all; None while no program runs."""
        if self._service is None:
            return {}
        wanted = {n: r for n, r in self._reads.items() if names is None or n in names}
        if self._power_metric is None and any(not r.metric for r in wanted.values()):
            self._power_metric = power_metric(self._service.supported())
        metrics = {self._metric(reading) for reading in wanted.values()}
        told = {m: self._service.values(m) for m in metrics if m}
        return {
            name: reading.value(told.get(self._metric(reading)))
            for name, reading in wanted.items()
        }

    def close(self) -> None:
        """Let the service go."""
        if self._service is not None:
            self._service.close()
        self._service = None
        self._reads.clear()

    def _metric(self, reading: Reading) -> str:
        """The service's name of a metric; empty while none tells power."""
        return reading.metric or self._power_metric or ""

    def _candidates(
        self, kind: str, address: str, watts: Watts | None
    ) -> Iterator[tuple[Channel, Reading]]:
        """Channels of one chip: state, and one of power, measured before modelled."""
        yield (
            _state(address, "utilization_ratio", Quantity.RATIO, "utilization"),
            Reading(DUTY, lambda cores: fmean(cores) / 100.0),
        )
        yield (
            _state(address, "memory_used_bytes", Quantity.BYTES, "memory_used"),
            Reading(MEMORY, sum),
        )
        if watts is None or self._power_metric is not None:
            yield (
                _measured_power(kind, address, self._power_metric),
                Reading(None, lambda cores: sum(cores) * self._power_unit_w()),
            )
        else:
            yield (
                _modelled_power(kind, address, watts),
                Reading(DUTY, lambda cores: watts.at(fmean(cores) / 100.0)),
            )

    def _power_unit_w(self) -> float:
        return POWER_UNITS_W[(self._power_metric or "watts").rpartition(".")[2]]


def chips(sys: Path) -> tuple[str, list[str]]:
    """Kind and PCI addresses of the TPU chips of this machine, in tpu-info's order.

    Functions of one address are cores of one chip. Newer drivers number the chips by
    their IOMMU group.
    """
    found: dict[tuple[int, str], str] = {}
    for folder in (sys / "bus" / "pci" / "devices").glob("*"):
        if _word(folder / "vendor") != GOOGLE:
            continue
        device = _word(folder / "device")
        subsystem = _word(folder / "subsystem_device")
        kind = CHIPS.get(device)
        if device == TPU_V2_V3:
            kind = OLD_CHIPS.get(subsystem)
        if kind is None:
            continue
        address = folder.name.partition(".")[0]
        group = (folder / "iommu_group").resolve().name
        found[(int(group) if group.isdigit() else 0, address)] = kind
    addresses = list(dict.fromkeys(address for _, address in sorted(found)))
    return next(iter(found.values()), ""), addresses


def _word(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").strip()
    except OSError:
        return ""


def stated_watts(environment: Mapping[str, str]) -> Watts | None:
    """What the user says that one chip draws, as `idle,max` in watts.

    Raises:
        ProbeUnavailable: Not two numbers, the second above the first.
    """
    stated = environment.get(WATTS_VARIABLE)
    if not stated:
        return None
    try:
        least_w, most_w = (float(part) for part in stated.split(","))
    except ValueError:
        least_w = most_w = 0.0
    if not 0 <= least_w < most_w < GLITCH_W:
        raise ProbeUnavailable(
            f"{WATTS_VARIABLE} is {stated!r}",
            hint=f"{WATTS_VARIABLE}=idle,max in watts of one chip, such as 60,200",
        )
    mean_w = (least_w + most_w) / 2
    return Watts(least_w, most_w, mean_w, f"stated in {WATTS_VARIABLE}")


def power_metric(supported: Sequence[str]) -> str | None:
    """The metric that tells power in a known unit, if there is one by now."""
    for name in supported:
        if "power" in name and name.rpartition(".")[2] in POWER_UNITS_W:
            return name
    return None


def _measured_power(kind: str, address: str, metric: str | None) -> Channel:
    """Power that libtpu tells, or may tell once a program runs."""
    missing = (
        f"libtpu tells no power, and Google publishes none for {kind}: state it with "
        f"{WATTS_VARIABLE}=idle,max"
    )
    return Channel(
        **_of_chip(address, "power_w"),
        quantity=Quantity.POWER_W,
        provenance=Provenance.MEASURED,
        source="tpu.power",
        tier="C",
        ceiling_w=GLITCH_W,
        read_every_s=SLOW_S,
        note=metric or missing,
    )


def _modelled_power(kind: str, address: str, watts: Watts) -> Channel:
    return Channel(
        **_of_chip(address, "model_power_w"),
        quantity=Quantity.POWER_W,
        provenance=Provenance.MODELLED,
        source="tpu.duty_cycle",
        tier="D",
        relative_error=watts.relative_error,
        read_every_s=SLOW_S,
        note=f"{kind}: {watts.least_w:g} W to {watts.most_w:g} W by duty cycle "
        f"({watts.source})",
    )


def _state(address: str, name: str, quantity: Quantity, what: str) -> Channel:
    return Channel(
        **_of_chip(address, name),
        quantity=quantity,
        provenance=Provenance.MEASURED,
        source=f"tpu.{what}",
        what=what,
        read_every_s=SLOW_S,
    )


def _of_chip(address: str, name: str) -> dict[str, Any]:
    return {
        "name": f"tpu/{address}/{name}",
        "domain": "tpu",
        "device": f"tpu-{address}",
        "kind": "gauge",
    }
