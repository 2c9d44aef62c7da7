"""What amdsmi tells of one AMD GPU, in SI units.

The energy is an accumulator times its resolution (15.3 microjoules); it may go back,
which is for whoever takes differences to see. "N/A", 0 W and numbers of all ones are
how the library says that it does not know: an MI300X has no average power, an MI210
none of the moment (ml-energy/zeus pull request 203).
"""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

from harness.readings import Channel, Provenance, Quantity

MICRO = 1e-6
MEBI = float(2**20)
MEGA = 1e6
UNKNOWN = frozenset({0xFFFF, 0xFFFFFFFF, 0xFFFFFFFFFFFFFFFF})
"""All ones in 16, 32 or 64 bits: a field that the firmware does not fill."""
CEILING_W = 3000.0
"""The hungriest accelerator (MI355X) draws 1,400 W."""
CALIBRATION_ERROR = 0.05
"""AMD states no accuracy; this is what NVIDIA states for its boards."""
SLOW_S = 1.0
Read = Callable[[], float | None]


@dataclass(frozen=True)
class Device:
    """One handle of the library: a GPU, or a die or partition of one.

    Attributes:
        uuids: Every name by which a device list may call it; the first is its identity.
        rank: Its number in the eyes of HIP.
        has_watts: Whether it answers when asked for power or energy.
        is_part: Whether another handle tells its watts.
    """

    handle: Any
    uuids: tuple[str, ...]
    rank: int
    has_watts: bool
    is_part: bool

    @property
    def uuid(self) -> str:
        """Its identity: a UUID, or a PCI address where there is none."""
        return self.uuids[0]


def known(value: Any) -> float | None:
    """A number; None for "N/A", for all ones and for what is not a number."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return None if value in UNKNOWN else float(value)


def positive(value: Any) -> float | None:
    """A number above 0; a GPU never draws nothing and never has counted nothing."""
    return known(value) or None


def scaled(value: Any, unit: float) -> float | None:
    """A number in SI units."""
    number = known(value)
    return None if number is None else number * unit


def energy_j(library: Any, handle: Any) -> float | None:
    """Energy since the driver was loaded in joules.

    Releases before ROCm 6 call the accumulator `power`.
    """
    told = library.amdsmi_get_energy_count(handle)
    count = positive(told.get("energy_accumulator", told.get("power")))
    resolution_uj = positive(told.get("counter_resolution"))
    if count is None or resolution_uj is None:
        return None
    return count * resolution_uj * MICRO


def power_w(library: Any, handle: Any) -> float | None:
    """Power of the socket in watts: of the moment, else the driver's mean."""
    told = library.amdsmi_get_power_info(handle)
    power = positive(told.get("current_socket_power"))
    return positive(told.get("average_socket_power")) if power is None else power


def power_cap_w(library: Any, handle: Any) -> float | None:
    """Power cap in watts; the library tells microwatts."""
    told = library.amdsmi_get_power_cap_info(handle)
    return positive(scaled(told.get("power_cap"), MICRO))


def utilization_ratio(library: Any, handle: Any) -> float | None:
    """Share of the time that the graphics engine was active; told in percent."""
    return scaled(library.amdsmi_get_gpu_activity(handle).get("gfx_activity"), 0.01)


def memory_used_bytes(library: Any, handle: Any) -> float | None:
    """Memory in use in bytes; told in MiB."""
    return scaled(library.amdsmi_get_gpu_vram_usage(handle).get("vram_used"), MEBI)


def temperature_c(library: Any, handle: Any) -> float | None:
    """Temperature in degrees Celsius: the hottest spot, or the edge on old boards."""
    kinds, metric = library.AmdSmiTemperatureType, library.AmdSmiTemperatureMetric
    for kind in (kinds.HOTSPOT, kinds.EDGE):
        with suppress(library.AmdSmiException):
            told = library.amdsmi_get_temp_metric(handle, kind, metric.CURRENT)
            if positive(told) is not None:
                return float(told)
    return None


def clock_hz(library: Any, handle: Any, kind: str) -> float | None:
    """Clock of an engine in hertz; told in MHz. Idle engines may well be at 0."""
    told = library.amdsmi_get_clock_info(handle, getattr(library.AmdSmiClkType, kind))
    return scaled(told.get("clk"), MEGA)


def watts(library: Any, device: Device) -> list[tuple[Channel, Read]]:
    """Channels of energy and power that a device may have."""
    handle = device.handle
    return [
        (
            _channel(device, "energy_count", Quantity.ENERGY_J, tier="B"),
            partial(energy_j, library, handle),
        ),
        (
            _channel(device, "socket_power", Quantity.POWER_W, tier="C"),
            partial(power_w, library, handle),
        ),
    ]


def silent(device: Device) -> Channel:
    """A channel without readings, so that a total says that this GPU is missing."""
    channel = _channel(device, "socket_power", Quantity.POWER_W, tier="C")
    note = "the driver tells neither energy nor power of this GPU"
    return channel.model_copy(update={"note": note})


def states(library: Any, device: Device) -> list[tuple[Channel, Read]]:
    """Channels of state that a device may have."""
    table: tuple[tuple[str, Quantity, str, Callable[..., float | None]], ...] = (
        ("utilization_ratio", Quantity.RATIO, "utilization", utilization_ratio),
        ("memory_used_bytes", Quantity.BYTES, "memory_used", memory_used_bytes),
        ("temperature_c", Quantity.CELSIUS, "temperature", temperature_c),
        ("power_cap_w", Quantity.LIMIT_W, "power_limit", power_cap_w),
        ("clock_hz", Quantity.HERTZ, "clock", partial(clock_hz, kind="GFX")),
        (
            "memory_clock_hz",
            Quantity.HERTZ,
            "memory_clock",
            partial(clock_hz, kind="MEM"),
        ),
    )
    return [
        (
            _channel(device, name, quantity, what=what),
            partial(read, library, device.handle),
        )
        for name, quantity, what, read in table
    ]


def _channel(
    device: Device,
    name: str,
    quantity: Quantity,
    *,
    what: str = "",
    tier: Literal["B", "C"] | None = None,
) -> Channel:
    is_counter = quantity is Quantity.ENERGY_J
    return Channel(
        name=f"amdsmi/{device.uuid}/{name}",
        domain="gpu",
        device=device.uuid,
        quantity=quantity,
        kind="counter" if is_counter else "gauge",
        provenance=Provenance.MEASURED,
        source=f"amdsmi.{name}",
        tier=tier,
        relative_error=CALIBRATION_ERROR if tier else None,
        ceiling_w=CEILING_W if tier else None,
        what=what,
        read_every_s=None if tier else SLOW_S,
    )
