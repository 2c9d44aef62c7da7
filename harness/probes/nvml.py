"""NVIDIA GPUs by NVML: energy counter, power, utilisation, memory, temperature.

Each quantity is asked for once when a device is opened; what it does not support gets
no channel. Devices are known by UUID. CUDA_VISIBLE_DEVICES narrows what is metered to
what the work can use; a name there that fits no device is an error, never all devices.
"""

import os
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from harness.errors import ProbeUnavailable
from harness.records import Channel, Provenance, Quantity

ENERGY_PERIOD_S = 0.1
CALIBRATION_ERROR = 0.05
Read = Callable[[], float]


class NvmlProbe:
    """Every visible NVIDIA GPU."""

    name = "nvml"

    def __init__(self, nvml: Any = None, visible: str | None = None) -> None:
        self._nvml = nvml
        self._visible = visible
        self._reads: dict[str, Read] = {}

    def open(self) -> Sequence[Channel]:
        """Start NVML and ask every visible device what it can tell.

        Raises:
            ProbeUnavailable: No driver, no device, or a wrong device list.
        """
        nvml = self._library()
        try:
            nvml.nvmlInit()
            devices = self._devices(nvml)
        except nvml.NVMLError as error:
            raise ProbeUnavailable(
                f"NVML does not answer: {error}",
                hint="an NVIDIA GPU and its driver are needed (nvidia-smi)",
            ) from error
        if not devices:
            raise ProbeUnavailable(
                "no NVIDIA GPU is visible", hint="see CUDA_VISIBLE_DEVICES"
            )
        return [
            channel
            for uuid, handle in devices.items()
            for channel in self._channels(uuid, handle)
        ]

    def read(self) -> Mapping[str, float | None]:
        """Current values; None where a device stopped answering."""
        return {name: self._try(read) for name, read in self._reads.items()}

    def close(self) -> None:
        """Let NVML go."""
        if self._reads:
            self._try(self._nvml.nvmlShutdown)
        self._reads.clear()

    def _library(self) -> Any:
        if self._nvml is None:
            try:
                import pynvml
            except ImportError as error:
                raise ProbeUnavailable(
                    "nvidia-ml-py is not installed", hint="pip install nvidia-ml-py"
                ) from error
            self._nvml = pynvml
        return self._nvml

    def _try(self, read: Callable[[], Any]) -> Any:
        try:
            return read()
        except self._nvml.NVMLError:
            return None

    def _devices(self, nvml: Any) -> dict[str, Any]:
        """Handles of the visible devices by UUID."""
        every = {}
        for index in range(nvml.nvmlDeviceGetCount()):
            handle = nvml.nvmlDeviceGetHandleByIndex(index)
            every[str(nvml.nvmlDeviceGetUUID(handle))] = handle
        wanted = self._visible
        if wanted is None:
            wanted = os.environ.get("CUDA_VISIBLE_DEVICES")
        if wanted is None:
            return every
        return {uuid: every[uuid] for uuid in visible_uuids(wanted, list(every))}

    def _channels(self, uuid: str, handle: Any) -> list[Channel]:
        """Channels that this device supports, each asked once."""
        found = []
        for channel, read in self._candidates(uuid, handle):
            if self._try(read) is not None:
                self._reads[channel.name] = read
                found.append(channel)
        return found

    def _candidates(self, uuid: str, handle: Any) -> list[tuple[Channel, Read]]:
        nvml = self._nvml
        return [
            (
                _energy_channel(uuid, "total_energy", Quantity.ENERGY_J),
                partial(_energy_j, nvml, handle),
            ),
            (
                _energy_channel(uuid, "power_usage", Quantity.POWER_W),
                partial(_power_w, nvml, handle),
            ),
            (
                _state_channel(uuid, "utilization_ratio", Quantity.RATIO),
                partial(_utilization_ratio, nvml, handle),
            ),
            (
                _state_channel(uuid, "memory_used_bytes", Quantity.BYTES),
                partial(_memory_bytes, nvml, handle),
            ),
            (
                _state_channel(uuid, "temperature_c", Quantity.CELSIUS),
                partial(_temperature_c, nvml, handle),
            ),
        ]


def visible_uuids(wanted: str, uuids: Sequence[str]) -> list[str]:
    """UUIDs that CUDA_VISIBLE_DEVICES leaves visible; -1 or nothing ends the list."""
    chosen = []
    for part in wanted.split(","):
        uuid = resolve(part.strip(), uuids)
        if uuid is None:
            break
        chosen.append(uuid)
    return chosen


def resolve(part: str, uuids: Sequence[str]) -> str | None:
    """UUID behind one entry of CUDA_VISIBLE_DEVICES; None for none (empty, -1).

    Raises:
        ProbeUnavailable: The entry fits no device, or it names a MIG slice.
    """
    if part in ("", "-1", "NoDevFiles"):
        return None
    if part.startswith("MIG-"):
        raise ProbeUnavailable(
            f"CUDA_VISIBLE_DEVICES names the MIG slice {part}",
            hint="a slice has no watts of its own: name its parent GPU to meter that",
        )
    if part.isdigit():
        if int(part) < len(uuids):
            return uuids[int(part)]
    else:
        near = [uuid for uuid in uuids if uuid.startswith(part)]
        if len(near) == 1:
            return near[0]
    raise ProbeUnavailable(
        f"CUDA_VISIBLE_DEVICES names {part!r}, which is none of the {len(uuids)} GPUs",
        hint="nvidia-smi -L lists them",
    )


def _energy_j(nvml: Any, handle: Any) -> float:
    """Energy since the driver was loaded (NVML counts millijoules)."""
    return float(nvml.nvmlDeviceGetTotalEnergyConsumption(handle)) / 1000.0


def _power_w(nvml: Any, handle: Any) -> float:
    """Power of the board (NVML reports milliwatts)."""
    return float(nvml.nvmlDeviceGetPowerUsage(handle)) / 1000.0


def _utilization_ratio(nvml: Any, handle: Any) -> float:
    """Share of the last period in which a kernel ran (NVML reports percent)."""
    return float(nvml.nvmlDeviceGetUtilizationRates(handle).gpu) / 100.0


def _memory_bytes(nvml: Any, handle: Any) -> float:
    return float(nvml.nvmlDeviceGetMemoryInfo(handle).used)


def _temperature_c(nvml: Any, handle: Any) -> float:
    sensor = nvml.NVML_TEMPERATURE_GPU
    return float(nvml.nvmlDeviceGetTemperature(handle, sensor))


def _energy_channel(uuid: str, what: str, quantity: Quantity) -> Channel:
    counter = quantity is Quantity.ENERGY_J
    return Channel(
        name=f"nvml/{uuid}/{what}",
        domain="gpu",
        device=uuid,
        quantity=quantity,
        kind="counter" if counter else "gauge",
        provenance=Provenance.MEASURED,
        source=f"nvml.{what}",
        tier="B" if counter else "C",
        update_period_s=ENERGY_PERIOD_S,
        relative_error=CALIBRATION_ERROR,
    )


def _state_channel(uuid: str, what: str, quantity: Quantity) -> Channel:
    return Channel(
        name=f"nvml/{uuid}/{what}",
        domain="gpu",
        device=uuid,
        quantity=quantity,
        kind="gauge",
        provenance=Provenance.MEASURED,
        source=f"nvml.{what}",
    )
