"""NVIDIA GPUs by NVML: energy counter, power, load, heat, throttling, processes.

Each quantity is asked for once when a device is opened; what it does not support gets
no channel. Devices are known by UUID. CUDA_VISIBLE_DEVICES narrows what is metered to
what the work can use.
"""

import os
from collections.abc import Collection, Mapping, Sequence
from functools import partial
from typing import Any

from harness.errors import ProbeUnavailable
from harness.probes.nvml_devices import Board, visible
from harness.probes.nvml_quantities import (
    AVERAGE_FIELD,
    GPM,
    GPU_SCOPE,
    INSTANT_FIELD,
    MEMORY_SCOPE,
    MODULE_SCOPE,
    Facts,
    Field,
    Read,
    attempt,
    energy_channel,
    facts,
    power_channel,
    scope_channel,
    silent_channel,
    state_channel,
    states,
    unmetered,
)
from harness.probes.own_processes import OwnProcesses
from harness.readings import Channel, Quantity

LOST_CURE = "nvidia-smi shows what ails it; a lost GPU needs a reset or a boot"
NO_DRIVER = "an NVIDIA GPU and its driver are needed (nvidia-smi)"


class NvmlProbe:
    """Every visible NVIDIA GPU.

    Args:
        visible: In place of CUDA_VISIBLE_DEVICES.
        order: In place of CUDA_DEVICE_ORDER.
        own: Tells our own processes on a GPU from others.
    """

    name = "nvml"

    def __init__(
        self,
        visible: str | None = None,
        order: str | None = None,
        own: OwnProcesses | None = None,
    ) -> None:
        self._own = own or OwnProcesses()
        self._visible = visible
        self._order = order
        self._nvml: Any = None
        self._devices: list[_Device] = []
        self._lost: list[Channel] = []

    def open(self) -> Sequence[Channel]:
        """Start NVML and ask every visible device what it can tell.

        Raises:
            ProbeUnavailable: No driver, no device, or a wrong device list.
        """
        try:
            import pynvml as nvml
        except ImportError as error:
            raise ProbeUnavailable(
                "nvidia-ml-py is not installed", hint="pip install nvidia-ml-py"
            ) from error
        try:
            nvml.nvmlInit()
            self._nvml = nvml
            return self._open_devices(nvml)
        except nvml.NVMLError as error:
            self.close()
            reason = f"NVML does not answer: {error}"
            is_absent = error.value in (
                nvml.NVML_ERROR_LIBRARY_NOT_FOUND,
                nvml.NVML_ERROR_DRIVER_NOT_LOADED,
            )
            missing = [] if is_absent else [unmetered("NVML", reason)]
            raise ProbeUnavailable(reason, hint=NO_DRIVER, missing=missing) from error
        except ProbeUnavailable:
            self.close()
            raise

    def read(self, names: Collection[str] | None = None) -> Mapping[str, float | None]:
        """Current values; None where a device stopped answering."""
        found: dict[str, float | None] = {}
        for device in self._devices:
            found |= device.read(names)
        return found

    def close(self) -> None:
        """Let NVML go."""
        for device in self._devices:
            device.close()
        self._devices.clear()
        self._lost.clear()
        if self._nvml is not None:
            attempt(self._nvml, self._nvml.nvmlShutdown)
            self._nvml = None

    def _open_devices(self, nvml: Any) -> Sequence[Channel]:
        handles = [_handle(nvml, index) for index in range(nvml.nvmlDeviceGetCount())]
        boards = [_board(nvml, index, handle) for index, handle in enumerate(handles)]
        by_uuid = dict(zip((b.uuid for b in boards), handles, strict=True))
        for uuid, shared in self._chosen(boards).items():
            handle = by_uuid[uuid]
            if isinstance(handle, nvml.NVMLError):
                self._lost.append(unmetered(uuid, f"NVML: {handle}; {LOST_CURE}"))
                continue
            board = facts(nvml, handle, uuid, shared)
            self._devices.append(_Device(nvml, handle, board, self._own))
        if not self._lost and not any(device.is_told for device in self._devices):
            raise ProbeUnavailable(
                "NVML answers, but gives neither energy nor power",
                hint="a Jetson's watts come from its INA3221 (probe hwmon)",
            )
        channels = [channel for device in self._devices for channel in device.channels]
        return [*channels, *self._lost]

    def _chosen(self, boards: Sequence[Board]) -> Mapping[str, str | None]:
        """The boards to meter, by UUID, with the reason why one is shared.

        Raises:
            ProbeUnavailable: None is visible, or the list of devices is wrong.
        """
        wanted = _given(self._visible, "CUDA_VISIBLE_DEVICES")
        order = _given(self._order, "CUDA_DEVICE_ORDER")
        try:
            chosen = visible(wanted, order, boards)
        except ProbeUnavailable as error:
            if not boards:
                raise
            note = f"{error.message}; {error.hint}"
            missing = [unmetered(f"CUDA_VISIBLE_DEVICES={wanted}", note)]
            raise ProbeUnavailable(error.message, error.hint, missing) from error
        if not chosen:
            raise ProbeUnavailable(
                "no NVIDIA GPU is visible",
                hint="CUDA_VISIBLE_DEVICES hides all of them" if boards else NO_DRIVER,
            )
        return chosen


class _Device:
    """One GPU: what it supports, asked once, and how each of that is read.

    Attributes:
        is_told: It tells joules or watts, or why it does not.
    """

    def __init__(self, nvml: Any, handle: Any, board: Facts, own: OwnProcesses) -> None:
        self._nvml = nvml
        self._handle = handle
        self._reads: dict[str, Read] = {}
        self._fields: dict[str, Field] = {}
        self._gpm = _Gpm(nvml, handle, board)
        self.channels: list[Channel] = []
        self._add_sources(board)
        fault = None if self.channels else self._fault()
        self.is_told = bool(self.channels or fault)
        if not self.channels:
            self._add(silent_channel(board, fault), self._power_w)
        for channel, read in states(nvml, handle, board, own):
            if attempt(nvml, read) is not None:
                self._add(channel, read)
        self.channels += self._gpm.channels

    def read(self, names: Collection[str] | None) -> dict[str, float | None]:
        """The named channels of this device, or all."""
        reads = {n: r for n, r in self._reads.items() if names is None or n in names}
        fields = {n: f for n, f in self._fields.items() if names is None or n in names}
        found = {name: attempt(self._nvml, read) for name, read in reads.items()}
        found |= self._field_values(fields)
        return found | self._gpm.read(names)

    def close(self) -> None:
        """Free what NVML allocated."""
        self._gpm.close()

    def _add(self, channel: Channel, read: Read) -> None:
        self.channels.append(channel)
        self._reads[channel.name] = read

    def _add_sources(self, board: Facts) -> None:
        """The counter, and the power readings that differ from one another."""
        if attempt(self._nvml, self._energy_j) is not None:
            self._add(energy_channel(board), self._energy_j)
        wanted: dict[Field, Channel] = {
            (INSTANT_FIELD, GPU_SCOPE): power_channel(board, "power_instant"),
            (AVERAGE_FIELD, GPU_SCOPE): power_channel(board, "power_average"),
        }
        if board.is_superchip:
            for scope in (MODULE_SCOPE, MEMORY_SCOPE):
                wanted[AVERAGE_FIELD, scope] = scope_channel(board, scope)
        values = self._field_values({c.name: field for field, c in wanted.items()})
        for field, channel in wanted.items():
            if values[channel.name] is not None:
                self.channels.append(channel)
                self._fields[channel.name] = field
        has_power = any(c.quantity is Quantity.POWER_W for c in self.channels)
        if not has_power and attempt(self._nvml, self._power_w) is not None:
            self._add(power_channel(board, "power_usage"), self._power_w)

    def _energy_j(self) -> float:
        """Energy since the driver was loaded (NVML counts millijoules)."""
        total_mj = self._nvml.nvmlDeviceGetTotalEnergyConsumption(self._handle)
        return float(total_mj) / 1000.0

    def _power_w(self) -> float:
        """Power of the board (NVML reports milliwatts)."""
        return float(self._nvml.nvmlDeviceGetPowerUsage(self._handle)) / 1000.0

    def _fault(self) -> str | None:
        """What a board answers that is asked for its power; None if it has none."""
        try:
            self._power_w()
        except self._nvml.NVMLError as error:
            is_absent = error.value == self._nvml.NVML_ERROR_NOT_SUPPORTED
            return None if is_absent else f"NVML: {error}; {LOST_CURE}"
        return None

    def _field_values(self, fields: Mapping[str, Field]) -> dict[str, float | None]:
        """Watts of several fields in one call; each has a return code of its own."""
        missing: dict[str, float | None] = dict.fromkeys(fields)
        if not fields:
            return missing
        ask = self._nvml.nvmlDeviceGetFieldValues
        values = attempt(self._nvml, ask, self._handle, list(fields.values()))
        if values is None:
            return missing
        return {
            name: value.value.uiVal / 1000.0 if value.nvmlReturn == 0 else None
            for name, value in zip(fields, values, strict=True)
        }


class _Gpm:
    """GPU performance monitoring (Hopper and later): means between two readings."""

    def __init__(self, nvml: Any, handle: Any, board: Facts) -> None:
        self._nvml = nvml
        self._handle = handle
        self._last: Any = None
        self._metrics: dict[str, int] = {}
        self.channels: list[Channel] = []
        support = attempt(nvml, nvml.nvmlGpmQueryDeviceSupport, handle)
        if support is None or not support.isSupportedDevice or board.shared:
            return
        for what, metric in GPM.items():
            name = f"{what}_ratio"
            channel = state_channel(board, what, name, Quantity.RATIO)
            self.channels.append(channel)
            self._metrics[channel.name] = metric

    def read(self, names: Collection[str] | None) -> dict[str, float | None]:
        """Means since the last reading; None at the first."""
        wanted = {n: m for n, m in self._metrics.items() if names is None or n in names}
        if not wanted:
            return {}
        missing: dict[str, float | None] = dict.fromkeys(wanted)
        before, self._last = self._last, self._sample()
        if before is None or self._last is None:
            return missing
        try:
            return self._between(before, self._last, wanted)
        except self._nvml.NVMLError:
            return missing
        finally:
            self._free(before)

    def close(self) -> None:
        """Free the last sample."""
        if self._last is not None:
            self._free(self._last)
            self._last = None

    def _sample(self) -> Any:
        sample = attempt(self._nvml, self._nvml.nvmlGpmSampleAlloc)
        if sample is None:
            return None
        get = partial(self._nvml.nvmlGpmSampleGet, self._handle)
        if attempt(self._nvml, get, sample) is None:
            self._free(sample)
            return None
        return sample

    def _free(self, sample: Any) -> None:
        attempt(self._nvml, self._nvml.nvmlGpmSampleFree, sample)

    def _between(
        self, before: Any, after: Any, wanted: Mapping[str, int]
    ) -> dict[str, float | None]:
        request = self._nvml.c_nvmlGpmMetricsGet_t()
        request.version = self._nvml.NVML_GPM_METRICS_GET_VERSION
        request.numMetrics = len(wanted)
        request.sample1, request.sample2 = before, after
        for index, metric in enumerate(wanted.values()):
            request.metrics[index].metricId = metric
        self._nvml.nvmlGpmMetricsGet(request)
        answers = zip(wanted, request.metrics, strict=False)
        return {
            name: answer.value / 100.0 if answer.nvmlReturn == 0 else None
            for name, answer in answers
        }


def _given(stated: str | None, variable: str) -> str | None:
    return os.environ.get(variable) if stated is None else stated


def _handle(nvml: Any, index: int) -> Any:
    """The handle of a GPU, or the error in its place: it takes no other along."""
    try:
        handle = nvml.nvmlDeviceGetHandleByIndex(index)
        nvml.nvmlDeviceGetUUID(handle)
    except nvml.NVMLError as error:
        return error
    return handle


def _board(nvml: Any, index: int, handle: Any) -> Board:
    """Identity of a board, and its slices where MIG is on."""
    if isinstance(handle, nvml.NVMLError):
        return Board(f"GPU {index}", "")
    uuid = str(nvml.nvmlDeviceGetUUID(handle))
    name = str(attempt(nvml, nvml.nvmlDeviceGetName, handle))
    mode = attempt(nvml, nvml.nvmlDeviceGetMigMode, handle)
    if not mode or not mode[0]:
        return Board(uuid, name)
    most = attempt(nvml, nvml.nvmlDeviceGetMaxMigDeviceCount, handle) or 0
    asked = partial(nvml.nvmlDeviceGetMigDeviceHandleByIndex, handle)
    parts = [attempt(nvml, asked, index) for index in range(most)]
    slices = [nvml.nvmlDeviceGetUUID(part) for part in parts if part is not None]
    return Board(uuid, name, tuple(slices) or ("MIG",))
