"""Which files of the kernel's hwmon drivers tell energy, power or a processor's heat.

Units are the kernel's (Documentation/hwmon/sysfs-interface.rst): microjoules,
microwatts, millivolts, milliamperes, thousandths of a degree. Chips are known by the
name of their driver, never by the number of their folder, which changes at each boot.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from harness.readings import Channel, Provenance, Quantity

MICRO = 1e-6
MILLI = 1e-3
SLOW_S = 1.0
RAPL_PERIOD_S = 0.001
"""The registers behind amd_energy are updated so often (its documentation)."""
GPU_CEILING_W = 3000.0
"""The hungriest accelerator draws 1,400 W."""
MODULE_CEILING_W = 10_000.0
"""A Grace Blackwell superchip, with two GPUs, draws 2,700 W."""
BOARD_CEILING_W = 500.0
"""The hungriest Jetson draws 130 W."""
CALIBRATION_ERROR = 0.05
"""No driver states an accuracy; this is what NVIDIA states for its boards."""
APU_NOTE = "the watts of the whole package, processor cores included"
METER = re.compile(r"(Module|Grace|CPU|SysIO) Power Socket (\d+)")
WHOLE_MACHINE = ("", "Meter measures total domain")
"""What a meter says of itself if it says nothing, and in Intel's Node Manager."""
RAILS: Mapping[str, tuple[str, str | None]] = MappingProxyType(
    {
        # Jetson Orin NX and Nano, Xavier NX
        "VDD_IN": ("soc", None),
        "VDD_CPU_GPU_CV": ("cpu", "VDD_IN"),
        "VDD_SOC": ("other", "VDD_IN"),
        # Jetson AGX Orin: the memory's regulator hangs on the 5 V rail
        "VDD_GPU_SOC": ("gpu", None),
        "VDD_CPU_CV": ("cpu", None),
        "VIN_SYS_5V0": ("other", None),
        "VDDQ_VDD2_1V8AO": ("dram", "VIN_SYS_5V0"),
        # Jetson AGX Thor, which has VIN_SYS_5V0, too
        "VDD_GPU": ("gpu", None),
        "VDD_CPU_SOC_MSS": ("cpu", None),
        # Jetson AGX Xavier: SYS5V is what the others leave
        "GPU": ("gpu", None),
        "CPU": ("cpu", None),
        "SOC": ("other", None),
        "CV": ("other", None),
        "VDDRQ": ("dram", None),
        "SYS5V": ("other", None),
        # Jetson TX2, which has VDD_IN, too
        "VDD_SYS_GPU": ("gpu", "VDD_IN"),
        "VDD_SYS_CPU": ("cpu", "VDD_IN"),
        "VDD_SYS_SOC": ("other", "VDD_IN"),
        "VDD_SYS_DDR": ("dram", "VDD_IN"),
        "VDD_4V0_WIFI": ("other", "VDD_IN"),
        # Jetson Nano and TX1
        "POM_5V_IN": ("soc", None),
        "POM_5V_GPU": ("gpu", "POM_5V_IN"),
        "POM_5V_CPU": ("cpu", "POM_5V_IN"),
    }
)
"""Rails of Jetson boards: the domain, and the rail that feeds this one.

NVIDIA's Jetson Linux Developer Guide ("Software-Based Power Consumption Modeling")
names them. VDD_IN and POM_5V_IN feed the whole module. VDDQ_VDD2_1V8AO is a part of
VIN_SYS_5V0, and SYS5V holds all but the other rails (NVIDIA's forum, topics 223111 and
75574). Other rails are left out: those of the TX2's carrier board (VDD_MUX) hold VDD_IN
themselves, and "NC" is not connected.
"""


@dataclass(frozen=True)
class Sensor:
    """A channel and the files that it is read from.

    Attributes:
        files: One file, or two whose product it is (voltage and current).
        unit: What 1 in the file, or 1 of the product, is in SI units.
        may_sleep: Its device answers with an error while it is suspended.
    """

    channel: Channel
    files: tuple[Path, ...]
    unit: float
    may_sleep: bool = False


@dataclass(frozen=True)
class Chip:
    """One folder of /sys/class/hwmon.

    Attributes:
        driver: Name by which the driver calls itself.
        address: The device's address on its bus, such as 0000:03:00.0.
    """

    folder: Path
    driver: str
    address: str

    def path(self, attribute: str) -> Path:
        """Where an attribute is; old drivers put theirs with their device's."""
        own = self.folder / attribute
        return own if own.exists() else self.folder / "device" / attribute

    def text(self, attribute: str) -> str:
        """An attribute without the space around it; empty where there is none."""
        return text(self.path(attribute))

    def seconds(self, attribute: str) -> float | None:
        """An attribute in milliseconds as seconds; None where it is not above 0."""
        try:
            return int(self.text(attribute)) * MILLI or None
        except ValueError:
            return None

    def labelled(self, kind: str) -> list[tuple[int, str]]:
        """Numbers of the inputs of a kind, such as `energy`, with their labels."""
        inputs = self.folder.glob(f"{kind}*_input")
        found = [re.fullmatch(rf"{kind}(\d+)_input", path.name) for path in inputs]
        numbers = sorted(int(match[1]) for match in found if match)
        return [(number, self.text(f"{kind}{number}_label")) for number in numbers]


def chips(root: Path) -> list[Chip]:
    """Every chip by driver and address, an order that a boot does not change."""
    found = []
    for folder in root.glob("hwmon*"):
        device = folder / "device"
        driver = text(folder / "name") or text(device / "name")
        found.append(Chip(folder, driver, device.resolve().name))
    return sorted(found, key=lambda chip: (chip.driver, chip.address, chip.folder))


def text(path: Path) -> str:
    """A file's text without the space around it; empty where it cannot be read."""
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""


def sensors(chip: Chip) -> Iterator[Sensor]:
    """What a chip tells; nothing for chips that are no matter of ours."""
    driver = "i915" if chip.driver.startswith("i915_gt") else chip.driver
    if driver in DRIVERS:
        yield from DRIVERS[driver](chip)


def amdgpu(chip: Chip) -> Iterator[Sensor]:
    """Power of an AMD GPU: the driver's mean, or else the power of the moment.

    An APU tells the power of its whole package ("On APUs this includes the CPU",
    Documentation/gpu/amdgpu/thermal.rst). Only APUs have the voltage vddnb
    (amdgpu_pm.c). A suspended GPU answers EPERM since Linux 6.15 (amdgpu_pm.c,
    amdgpu_pm_get_access_if_active); before, each reading woke it up.
    """
    is_apu = chip.text("in1_label") == "vddnb"
    mean, moment = chip.path("power1_average"), chip.path("power1_input")
    file = mean if mean.exists() else moment
    if not file.exists():
        return
    notes = [APU_NOTE] if is_apu else []
    if file == mean:
        notes.append("a mean over an interval that the driver does not tell")
    channel = _watts(
        chip,
        "cpu" if is_apu else "gpu",
        chip.address,
        inside="package-0" if is_apu else None,
        ceiling_w=GPU_CEILING_W,
        note="; ".join(notes) or None,
    )
    yield Sensor(channel, (file,), MICRO, may_sleep=True)


def intel_gpu(chip: Chip) -> Iterator[Sensor]:
    """Energy of a discrete Intel GPU: of the card, its package, or one of its tiles.

    Documentation/ABI/testing/sysfs-driver-intel-xe-hwmon and -i915-hwmon: xe labels the
    card and its package, which the card holds; i915 has a chip for the device and one
    for each tile (i915_gtN). The drivers lengthen the 32 bits of the register to 64 and
    wake the device up to read it.
    """
    tile = chip.driver.partition("_")[2]
    for number, label in chip.labelled("energy"):
        part = tile or ("pkg" if label == "pkg" else "")
        device = f"{chip.address}/{part}" if part else chip.address
        yield _joules(
            chip,
            ("gpu", device),
            number,
            inside=chip.address if part else None,
            ceiling_w=GPU_CEILING_W,
            relative_error=CALIBRATION_ERROR,
        )


def amd_energy(chip: Chip) -> Iterator[Sensor]:
    """Energy of AMD's processor sockets, by the name that RAPL has for them.

    The driver lengthens the register to 64 bits. Cores (EcoreN) are parts of a socket
    and are left out (Documentation/hwmon/amd_energy.rst).
    """
    for number, label in chip.labelled("energy"):
        socket = re.fullmatch(r"Esocket(\d+)", label)
        if socket:
            yield _joules(
                chip,
                ("cpu", f"package-{socket[1]}"),
                number,
                update_period_s=RAPL_PERIOD_S,
            )


def power_meter(chip: Chip) -> Iterator[Sensor]:
    """ACPI's power meter: of the whole machine, or of a part of an NVIDIA Grace.

    NVIDIA Grace Performance Tuning Guide, "Power Telemetry": the module holds the GPU
    and its memory, the Grace socket its memory and regulators, then the rails of the
    cores and of the rest of the chip. Meters that say something else of themselves are
    left out: some tell a rail, a throttle count or joules as if they were watts.
    """
    file = chip.path("power1_average")
    told = chip.text("power1_oem_info")
    part = METER.fullmatch(told)
    if not file.exists() or chip.text("power1_is_battery") == "1":
        return
    if not part and told not in WHOLE_MACHINE:
        return
    domain, device, inside = _grace(part[1], part[2]) if part else _MACHINE
    mean_s = chip.seconds("power1_average_interval")
    channel = _watts(
        chip,
        domain,
        device,
        inside=inside,
        ceiling_w=MODULE_CEILING_W if part else None,
        update_period_s=mean_s,
        averaging_s=mean_s or 0.0,
    )
    yield Sensor(channel, (file,), MICRO)


_MACHINE = ("psys", "power_meter", None)


def _grace(part: str, socket: str) -> tuple[str, str, str | None]:
    """Domain, device and surrounding device of one of Grace's meters.

    A Grace socket holds its processor and memory, and no GPU.
    """
    return {
        "Module": ("module", f"module-{socket}", None),
        "Grace": ("socket", f"grace-{socket}", f"module-{socket}"),
        "CPU": ("cpu", f"package-{socket}", f"grace-{socket}"),
        "SysIO": ("other", f"sysio-{socket}", f"grace-{socket}"),
    }[part]


def ina3221(chip: Chip) -> Iterator[Sensor]:
    """Power of a Jetson's supply rails, voltage times current.

    Documentation/hwmon/ina3221.rst: three channels; in4 to in7 are shunt voltages and
    their sum. The chip averages both factors over its update interval.
    """
    mean_s = chip.seconds("update_interval")
    for number in (1, 2, 3):
        label = chip.text(f"in{number}_label")
        files = chip.path(f"in{number}_input"), chip.path(f"curr{number}_input")
        if label in RAILS and all(file.exists() for file in files):
            channel = _rail(chip, label, mean_s)
            yield Sensor(channel, files, MILLI * MILLI)


def old_rails(drivers: Path) -> Iterator[Sensor]:
    """The same rails where the driver of JetPack 4 names them, in milliwatts.

    Args:
        drivers: Folder of the I2C drivers; ina3221x has a folder for each chip.
    """
    for file in sorted(drivers.glob("ina3221x/*/iio:device*/in_power?_input")):
        number = file.name[len("in_power")]
        label = text(file.with_name(f"rail_name_{number}"))
        if label in RAILS:
            chip = Chip(file.parent, "ina3221x", file.parents[1].name)
            yield Sensor(_rail(chip, label, None), (file,), MILLI)


def _rail(chip: Chip, label: str, mean_s: float | None) -> Channel:
    domain, inside = RAILS[label]
    return _watts(
        chip,
        domain,
        label,
        inside=inside,
        ceiling_w=BOARD_CEILING_W,
        update_period_s=mean_s,
        averaging_s=mean_s or 0.0,
    )


def coretemp(chip: Chip) -> Iterator[Sensor]:
    """Temperature of each Intel package."""
    for number, label in chip.labelled("temp"):
        package = re.fullmatch(r"Package id (\d+)", label)
        if package:
            yield _heat(chip, f"package-{package[1]}", number)


def k10temp(chip: Chip) -> Iterator[Sensor]:
    """Temperature of an AMD processor's die.

    Tctl, what the fans are driven by, has an offset on some processors; those tell the
    die's own, Tdie, as well. A Zen 1 package has a chip for each of its dies, so that
    the address stands for the device.
    """
    numbers = {label: number for number, label in chip.labelled("temp")}
    number = numbers.get("Tdie", numbers.get("Tctl"))
    if number is not None:
        yield _heat(chip, chip.address, number)


def _heat(chip: Chip, device: str, number: int) -> Sensor:
    channel = Channel(
        name=f"hwmon.{chip.driver}/{device}/temperature_c",
        domain="cpu",
        device=device,
        quantity=Quantity.CELSIUS,
        kind="gauge",
        provenance=Provenance.MEASURED,
        source=f"hwmon.{chip.driver}",
        what="temperature",
        read_every_s=SLOW_S,
    )
    return Sensor(channel, (chip.path(f"temp{number}_input"),), MILLI)


def _watts(chip: Chip, domain: str, device: str, **more: Any) -> Channel:
    return Channel(
        name=f"hwmon.{chip.driver}/{device}/power_w",
        domain=domain,
        device=device,
        quantity=Quantity.POWER_W,
        kind="gauge",
        provenance=Provenance.MEASURED,
        source=f"hwmon.{chip.driver}",
        tier="C",
        relative_error=CALIBRATION_ERROR,
        **more,
    )


def _joules(chip: Chip, what: tuple[str, str], number: int, **more: Any) -> Sensor:
    domain, device = what
    channel = Channel(
        name=f"hwmon.{chip.driver}/{device}/energy_j",
        domain=domain,
        device=device,
        quantity=Quantity.ENERGY_J,
        kind="counter",
        provenance=Provenance.MEASURED,
        source=f"hwmon.{chip.driver}",
        tier="B",
        **more,
    )
    return Sensor(channel, (chip.path(f"energy{number}_input"),), MICRO)


DRIVERS: Mapping[str, Callable[[Chip], Iterator[Sensor]]] = MappingProxyType(
    {
        "amdgpu": amdgpu,
        "i915": intel_gpu,
        "xe": intel_gpu,
        "amd_energy": amd_energy,
        "power_meter": power_meter,
        "ina3221": ina3221,
        "coretemp": coretemp,
        "k10temp": k10temp,
    }
)
