"""Joules, watts and processor temperatures that the kernel's hwmon drivers know.

AMD and Intel GPUs, AMD's processor counters, ACPI power meters (NVIDIA Grace among
them) and the supply rails of Jetson boards. Files stay open and are read from offset 0.
"""

import os
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from pathlib import Path

from harness.errors import ProbeUnavailable
from harness.probes.hwmon_chips import Sensor, chips, old_rails, sensors
from harness.readings import Channel, Quantity

LONGEST_NUMBER_BYTES = 64
NO_SENSORS = (
    "known are the drivers amdgpu, xe, i915, amd_energy, power_meter (module "
    "acpi_power_meter), ina3221, coretemp and k10temp; virtual machines have none: use "
    "a wall meter or a GPU's counter"
)
CURE = "sudo chmod a+r {path} (until the next boot), or a udev rule, or root"
UNSIGNED_ERRORS = range(2**32 - 4096, 2**32)
"""Some releases of amdgpu print an error number as 32 unsigned bits (amdgpu_pm.c,
amdgpu_hwmon_show_power_input, when it was new); no GPU draws 4,295 W."""
UNKNOWN_UW = 0xFFFFFFFF * 1000
"""An ACPI meter that does not know says milliwatts of all ones (ACPI, "_PMM")."""

Pread = Callable[[int, int, int], bytes]
"""Reads so many bytes of a descriptor from an offset, as `os.pread` does."""
Denied = tuple[Sensor, OSError | ValueError]
"""A sensor that could not be read, and why."""


class HwmonProbe:
    """Every sensor of energy and power that hwmon has, and the processors' heat."""

    name = "hwmon"

    def __init__(
        self,
        root: Path = Path("/sys/class/hwmon"),
        i2c: Path = Path("/sys/bus/i2c/drivers"),
        pread: Pread = os.pread,
    ) -> None:
        """Name the roots.

        Args:
            root: A folder for each chip.
            i2c: A folder for each I2C driver, of which old Jetsons have ina3221x.
            pread: How an open file is read.
        """
        self._root = root
        self._i2c = i2c
        self._pread = pread
        self._opened: dict[str, _OpenSensor] = {}

    def open(self) -> Sequence[Channel]:
        """Open every sensor that can be read now, or whose device may wake up later.

        Raises:
            ProbeUnavailable: No sensor, or none that this user may read.
        """
        self.close()
        denied: list[Denied] = []
        for sensor in self._sensors():
            if sensor.channel.name in self._opened:
                continue
            opened = _OpenSensor(sensor, self._pread)
            try:
                is_kept = opened.answers()
            except (OSError, ValueError) as error:
                denied.append((sensor, error))
                is_kept = False
            if is_kept:
                self._opened[sensor.channel.name] = opened
            else:
                opened.close()
        missing = [_missing(*refusal) for refusal in denied if _is_meter(*refusal)]
        if not self._opened:
            raise _unavailable(self._root, denied, missing)
        found = [opened.sensor.channel for opened in self._opened.values()]
        return [*found, *missing]

    def read(self, names: Collection[str] | None = None) -> Mapping[str, float | None]:
        """Values of the named channels, or of all; None where a read failed."""
        return {
            name: opened.value()
            for name, opened in self._opened.items()
            if names is None or name in names
        }

    def close(self) -> None:
        """Close the files."""
        for opened in self._opened.values():
            opened.close()
        self._opened.clear()

    def _sensors(self) -> Iterator[Sensor]:
        for chip in chips(self._root):
            yield from sensors(chip)
        yield from old_rails(self._i2c)


class _OpenSensor:
    """A sensor with its files open."""

    def __init__(self, sensor: Sensor, pread: Pread) -> None:
        self.sensor = sensor
        self._pread = pread
        self._files: list[int] = []

    def answers(self) -> bool:
        """Open the files and read them once; whether there is something to wait for.

        Of a GPU with two dies the second tells 0 W (Linux commit 076f55a45e9e); the
        first tells the watts of both.

        Raises:
            OSError: They may not be read, or the device is not there.
            ValueError: They hold no numbers.
        """
        for file in self.sensor.files:
            self._files.append(os.open(file, os.O_RDONLY))
        try:
            first = self._number()
        except OSError:
            if self.sensor.may_sleep:
                return True
            raise
        return first != 0 or not self.sensor.may_sleep

    def value(self) -> float | None:
        """What it tells now in SI units; None where it does not answer."""
        try:
            number = self._number()
        except (OSError, ValueError):
            return None
        return None if number is None else number * self.sensor.unit

    def close(self) -> None:
        for file in self._files:
            os.close(file)
        self._files.clear()

    def _number(self) -> int | None:
        """The number, or the product of two; None for what stands for no number."""
        product = 1
        for file in self._files:
            product *= int(self._pread(file, LONGEST_NUMBER_BYTES, 0))
        is_power = self.sensor.channel.quantity is Quantity.POWER_W
        is_error = product in UNSIGNED_ERRORS or product == UNKNOWN_UW
        return None if is_power and is_error else product


def _is_meter(sensor: Sensor, error: OSError | ValueError) -> bool:
    """Whether a sensor of joules or watts is kept from this user."""
    return sensor.channel.tier is not None and isinstance(error, PermissionError)


def _missing(sensor: Sensor, error: OSError | ValueError) -> Channel:
    """A channel without readings: a total says what is missing, and the cure."""
    path = sensor.files[0]
    note = f"{path} cannot be read: {error}; {CURE.format(path=path)}"
    return sensor.channel.model_copy(update={"note": note})


def _unavailable(
    root: Path, denied: Sequence[Denied], missing: Sequence[Channel]
) -> ProbeUnavailable:
    """Why there is nothing to read, and what would help."""
    if not denied:
        return ProbeUnavailable(f"{root} has no sensor of energy", hint=NO_SENSORS)
    sensor, error = denied[0]
    path = sensor.files[0]
    is_forbidden = isinstance(error, PermissionError)
    return ProbeUnavailable(
        f"{path} cannot be read: {error}",
        hint=CURE.format(path=path) if is_forbidden else NO_SENSORS,
        missing=missing,
    )
