"""AMD GPUs by amdsmi: which devices there are, which are visible, who meters whom.

Two dies of an MI250 share one meter: the first die tells the watts of the card, the
second says 0 (Linux commit 076f55a45e9e, "Only primary die supports power data"). The
same is taken to hold for the partitions of an MI300, of which the first stands for the
chip. A part gets no watts of its own: its whole is metered in its place, and is shared
where not all of its parts are visible.
"""

import contextlib
import io
import os
import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from harness.errors import ProbeUnavailable
from harness.probes.amd_readings import (
    Device,
    Read,
    energy_j,
    known,
    power_w,
    silent,
    states,
    watts,
)
from harness.readings import Channel

FAILURES = (AttributeError, KeyError, TypeError, ValueError)
"""What releases that lack a function, a field or an argument raise."""


class AmdProbe:
    """Every visible AMD GPU."""

    name = "amdsmi"

    def __init__(
        self,
        library: Any = None,
        visible: Mapping[str, str] | None = None,
        driver: Path = Path("/dev/kfd"),
    ) -> None:
        """Name the roots.

        Args:
            library: A module with amdsmi's functions; amdsmi itself by default.
            visible: Environment that may narrow the devices; the process's by default.
            driver: File that the kernel's compute driver makes. Without it amdsmi is
                not imported: it prints, and loads all of its library, when it is.
        """
        self._library = library
        self._visible = visible
        self._driver = driver
        self._reads: dict[str, Read] = {}
        self._is_open = False

    def open(self) -> Sequence[Channel]:
        """Start the library and ask every visible device what it can tell.

        Raises:
            ProbeUnavailable: No driver, no library, no device, a wrong device list.
        """
        self.close()
        if not self._driver.exists():
            raise ProbeUnavailable(
                f"no AMD GPU driver ({self._driver} is missing)",
                hint="an AMD GPU and the amdgpu driver of ROCm are needed",
            )
        if self._library is None:
            self._library = imported()
        try:
            self._library.amdsmi_init()
            self._is_open = True
            devices = self._devices()
        except self._library.AmdSmiException as error:
            raise ProbeUnavailable(
                f"amdsmi does not answer: {error}",
                hint="amd-smi list must work (groups video and render)",
            ) from error
        environment = os.environ if self._visible is None else self._visible
        try:
            chosen = visible_devices(environment, devices)
        except ProbeUnavailable as error:
            listed = Device(
                None, ("visible devices",), 0, has_watts=False, is_part=False
            )
            note = f"{error.message}; {error.hint}"
            missing = [silent(listed).model_copy(update={"note": note})]
            raise ProbeUnavailable(error.message, error.hint, missing) from error
        if not chosen:
            raise ProbeUnavailable(
                "no AMD GPU is visible",
                hint="see ROCR_VISIBLE_DEVICES and HIP_VISIBLE_DEVICES",
            )
        return list(self._channels(devices, chosen))

    def read(self, names: Collection[str] | None = None) -> Mapping[str, float | None]:
        """Values of the named channels, or of all; None where a device is silent."""
        return {
            name: self._try(read)
            for name, read in self._reads.items()
            if names is None or name in names
        }

    def close(self) -> None:
        """Let the library go."""
        self._reads.clear()
        if self._is_open:
            self._is_open = False
            self._try(self._library.amdsmi_shut_down)

    def _try(self, ask: Callable[[], Any]) -> Any:
        try:
            return ask()
        except (self._library.AmdSmiException, *FAILURES):
            return None

    def _devices(self) -> list[Device]:
        """Every GPU in the order of HIP, which device lists count by."""
        handles = self._library.amdsmi_get_processor_handles()
        found = [self._device(handle, index) for index, handle in enumerate(handles)]
        return sorted(found, key=lambda device: device.rank)

    def _device(self, handle: Any, index: int) -> Device:
        library = self._library
        listed = self._field("amdsmi_get_gpu_enumeration_info", handle)
        kfd = self._field("amdsmi_get_gpu_kfd_info", handle)
        asic = self._field("amdsmi_get_gpu_asic_info", handle)
        names = (  # the PCI address first: the kernel's hwmon knows no other
            self._try(lambda: library.amdsmi_get_gpu_device_bdf(handle)),
            self._try(lambda: library.amdsmi_get_gpu_device_uuid(handle)),
            listed.get("hip_uuid"),
        )
        rank = known(listed.get("hip_id"))
        asked = (energy_j, power_w)
        has_watts = any(
            self._try(partial(ask, library, handle)) is not None for ask in asked
        )
        partition = known(kfd.get("current_partition_id")) or 0
        is_die = "MI250" in str(asic.get("market_name")) and not has_watts
        return Device(
            handle=handle,
            uuids=tuple(str(n) for n in names if n and n != "N/A") or (f"gpu-{index}",),
            rank=index if rank is None else int(rank),
            has_watts=has_watts,
            is_part=partition > 0 or is_die,
        )

    def _field(self, function: str, handle: Any) -> Mapping[str, Any]:
        """A dictionary of facts; empty where this release has no such function."""
        found = self._try(lambda: getattr(self._library, function)(handle))
        return found if isinstance(found, Mapping) else {}

    def _channels(
        self, devices: Sequence[Device], chosen: Sequence[Device]
    ) -> Iterator[Channel]:
        metered: dict[str, Device] = {}
        for device in chosen:
            whole = whole_of(device, devices)
            metered[whole.uuid] = whole
            yield from self._answering(states(self._library, device))
        for whole in metered.values():
            parts = [d for d in devices if whole_of(d, devices) is whole]
            shared = any(part not in chosen for part in parts)
            note = f"one meter for {len(parts)} dies or partitions" * (len(parts) > 1)
            if not whole.has_watts:
                yield self._silent(whole)
                continue
            found = watts(self._library, whole)
            for channel in self._answering(found):
                told = {"shared": shared, "note": channel.note or note or None}
                yield channel.model_copy(update=told)

    def _answering(
        self, candidates: Sequence[tuple[Channel, Read]]
    ) -> Iterator[Channel]:
        """The channels that answer now, each asked once."""
        for channel, read in candidates:
            if self._try(read) is not None:
                self._reads[channel.name] = read
                yield channel

    def _silent(self, device: Device) -> Channel:
        """A channel without readings, so that a total says that this GPU is missing."""
        channel = silent(device)
        self._reads[channel.name] = lambda: None
        return channel


def imported() -> Any:
    """The library; what it prints while it is imported is kept for the message.

    Raises:
        ProbeUnavailable: It is not installed, or does not fit the installed ROCm.
    """
    said = io.StringIO()
    try:
        with contextlib.redirect_stdout(said):
            import amdsmi
    except ImportError as error:
        raise ProbeUnavailable(
            f"amdsmi cannot be imported: {error}",
            hint="pip install 'joulebench[amdsmi]', in the release of your ROCm",
        ) from error
    except (AttributeError, KeyError, OSError) as error:
        # Without libamd_smi.so, or with an older one, a lookup of its own fails.
        why = said.getvalue().strip() or repr(error)
        raise ProbeUnavailable(
            f"amdsmi found no library that it fits: {why}",
            hint="install amd-smi-lib, and amdsmi in the release of your ROCm",
        ) from error
    return amdsmi


def visible_devices(
    environment: Mapping[str, str], devices: Sequence[Device]
) -> list[Device]:
    """Devices that ROCR_VISIBLE_DEVICES, then HIP_VISIBLE_DEVICES, leave visible.

    HIP counts among those that ROCR left. CUDA_VISIBLE_DEVICES is HIP's second name
    for its list (ROCm documentation, "GPU isolation techniques").
    """
    left = list(devices)
    hip = next(
        (
            v
            for v in ("HIP_VISIBLE_DEVICES", "CUDA_VISIBLE_DEVICES")
            if v in environment
        ),
        "HIP_VISIBLE_DEVICES",
    )
    for variable in ("ROCR_VISIBLE_DEVICES", hip):
        if variable in environment:
            left = _narrowed(variable, environment[variable], left)
    return left


def _narrowed(variable: str, wanted: str, devices: Sequence[Device]) -> list[Device]:
    chosen: list[Device] = []
    for part in (entry.strip() for entry in wanted.split(",")):
        if part in ("", "-1"):  # ends the list
            break
        if re.fullmatch("[0-9]+", part):
            near = list(devices[int(part) : int(part) + 1])
        else:
            near = [d for d in devices if any(u.startswith(part) for u in d.uuids)]
        if len(near) != 1:
            raise ProbeUnavailable(
                f"{variable} names {part!r}, which is none of {len(devices)} AMD GPUs",
                hint="amd-smi list -e shows them in the order of HIP",
            )
        chosen += [device for device in near if device not in chosen]
    return chosen


def whole_of(device: Device, devices: Sequence[Device]) -> Device:
    """The device that tells the watts: for a part the last whole one before it."""
    before = devices[: devices.index(device)]
    wholes = [other for other in before if not other.is_part]
    return wholes[-1] if device.is_part and wholes else device
