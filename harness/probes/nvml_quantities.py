"""What one NVIDIA GPU can be asked, and how its answers are to be understood.

Power readings differ by generation (SC'24, arXiv 2312.02741): nvmlDeviceGetPowerUsage
is a mean of the last second on Ampere (but for GA100), Ada and Hopper, and of the
moment before; the power of the moment covers 25 of every 100 ms on A100 and H100, and
10 of 20 ms on V100. Newer boards are taken to be like Hopper, and say so.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from harness.probes.own_processes import OwnProcesses
from harness.readings import Channel, Provenance, Quantity

CALIBRATION_ERROR = 0.05
PERIOD_S = 0.1
AVERAGING_S = 1.0
STATE_S = 1.0
ABOVE_LIMIT = 2.0
"""Boards pass their limit for moments, but never by this factor."""
AVERAGE_FIELD, INSTANT_FIELD = 185, 186
GPU_SCOPE, MODULE_SCOPE, MEMORY_SCOPE = 0, 1, 2
AMPERE = 7
GA100, GV100, GH100 = (8, 0), (7, 0), (9, 0)
OBSERVED = {GA100: 0.25, GH100: 0.25, GV100: 0.5}
SUPERCHIPS = ("GH200", "GB200", "GB300")
"""Only these have a module with a processor, whatever others answer to the scope."""
GPM = {"sm_active": 2, "tensor_active": 5, "dram_active": 10}
"""GPM metrics in percent: NVML_GPM_METRIC_{SM_UTIL, ANY_TENSOR_UTIL, DRAM_BW_UTIL}."""
Read = Callable[[], float | None]
Field = tuple[int, int]


@dataclass(frozen=True)
class Facts:
    """What decides how a board's readings are understood.

    Attributes:
        capability: CUDA compute capability.
        shared: Why more than the work runs on it; None when it is its own.
    """

    uuid: str
    name: str
    architecture: int | None
    capability: tuple[int, int] | None
    ceiling_w: float | None
    shared: str | None

    @property
    def averages(self) -> bool:
        """Whether nvmlDeviceGetPowerUsage is the mean of a second."""
        if self.architecture is None or self.architecture < AMPERE:
            return False
        return self.capability != GA100

    @property
    def is_superchip(self) -> bool:
        """Whether a module with a processor holds the GPU."""
        return any(name in self.name for name in SUPERCHIPS)


def facts(nvml: Any, handle: Any, uuid: str, shared: str | None) -> Facts:
    """Ask a board for its model; what it does not say is None."""
    most_mw = attempt(nvml, nvml.nvmlDeviceGetPowerManagementLimitConstraints, handle)
    capability = attempt(nvml, nvml.nvmlDeviceGetCudaComputeCapability, handle)
    name = attempt(nvml, nvml.nvmlDeviceGetName, handle)
    return Facts(
        uuid=uuid,
        name=str(name or "NVIDIA GPU"),
        architecture=attempt(nvml, nvml.nvmlDeviceGetArchitecture, handle),
        capability=None if capability is None else (capability[0], capability[1]),
        ceiling_w=ABOVE_LIMIT * most_mw[1] / 1000.0 if most_mw else None,
        shared=shared,
    )


def attempt(nvml: Any, ask: Callable[..., Any], *arguments: Any) -> Any:
    """What NVML answers; None where it refuses."""
    try:
        return ask(*arguments)
    except nvml.NVMLError:
        return None


def energy_channel(board: Facts) -> Channel:
    """The counter of joules since the driver was loaded."""
    return _source(board, "total_energy", "counter", Quantity.ENERGY_J)


def power_channel(board: Facts, what: str) -> Channel:
    """A power reading: instant, average or usage."""
    averages = what == "power_average" or (what == "power_usage" and board.averages)
    update: dict[str, Any] = {"averaging_s": AVERAGING_S if averages else 0.0}
    if not averages:
        update["observed_ratio"] = OBSERVED.get(board.capability or (0, 0), 1.0)
        if board.capability == GV100:
            update["update_period_s"] = 0.02
    if (board.capability or (0, 0)) > GH100:
        update["note"] = "how this generation's sensor works is published nowhere"
    return _source(board, what, "gauge", Quantity.POWER_W).model_copy(update=update)


def scope_channel(board: Facts, scope: int) -> Channel:
    """Power of the superchip's module, or of the GPU's memory."""
    what = "module" if scope == MODULE_SCOPE else "memory"
    made = power_channel(board, "power_average")
    return made.model_copy(
        update={
            "name": f"nvml/{board.uuid}/{what}_power",
            "domain": "module" if scope == MODULE_SCOPE else "gpu_memory",
            "device": f"{board.uuid}/{what}",
            "source": f"nvml.{what}_power",
            "inside": None if scope == MODULE_SCOPE else board.uuid,
            "ceiling_w": None,
        }
    )


def silent_channel(board: Facts, fault: str | None) -> Channel:
    """A board that tells neither joules nor watts is missing, and is said to be.

    Args:
        board: Its facts.
        fault: What it answers instead; None where it has no such readings.
    """
    note = fault or f"NVML gives neither energy nor power of {board.name}"
    made = _source(board, "power_usage", "gauge", Quantity.POWER_W)
    return made.model_copy(update={"note": note})


def unmetered(what: str, note: str) -> Channel:
    """A GPU, or a list of them, that is there and cannot be metered."""
    board = Facts(what, "", None, None, None, None)
    return silent_channel(board, note)


def states(
    nvml: Any, handle: Any, board: Facts, own: OwnProcesses
) -> list[tuple[Channel, Read]]:
    """What tells about the state of a board, not about its joules."""
    clock, heat = nvml.nvmlDeviceGetClockInfo, nvml.nvmlDeviceGetTemperature
    sm, memory, sensor = (
        nvml.NVML_CLOCK_SM, nvml.NVML_CLOCK_MEM, nvml.NVML_TEMPERATURE_GPU,
    )  # fmt: skip
    table: list[tuple[str, str, Quantity, Read]] = [
        ("utilization", "utilization_ratio", Quantity.RATIO,
         lambda: nvml.nvmlDeviceGetUtilizationRates(handle).gpu / 100.0),
        ("memory_used", "memory_used_bytes", Quantity.BYTES,
         lambda: float(nvml.nvmlDeviceGetMemoryInfo(handle).used)),
        ("temperature", "temperature_c", Quantity.CELSIUS,
         lambda: float(heat(handle, sensor))),
        ("clock", "sm_clock_hz", Quantity.HERTZ, lambda: clock(handle, sm) * 1e6),
        ("memory_clock", "memory_clock_hz", Quantity.HERTZ,
         lambda: clock(handle, memory) * 1e6),
        ("throttle", "throttle_reasons", Quantity.FLAGS,
         lambda: float(nvml.nvmlDeviceGetCurrentClocksEventReasons(handle))),
        ("power_limit", "power_limit_w", Quantity.LIMIT_W,
         lambda: nvml.nvmlDeviceGetEnforcedPowerLimit(handle) / 1000.0),
        ("processes", "processes", Quantity.COUNT,
         lambda: own.foreign(
             process.pid
             for process in nvml.nvmlDeviceGetComputeRunningProcesses(handle)
         )),
    ]  # fmt: skip
    return [(state_channel(board, w, n, q), read) for w, n, q, read in table]


def state_channel(board: Facts, what: str, name: str, quantity: Quantity) -> Channel:
    """A channel of state, read once a second."""
    return Channel(
        name=f"nvml/{board.uuid}/{name}",
        domain="gpu",
        device=board.uuid,
        quantity=quantity,
        kind="gauge",
        provenance=Provenance.MEASURED,
        source=f"nvml.{name}",
        what=what,
        read_every_s=STATE_S,
    )


def _source(
    board: Facts, what: str, kind: Literal["counter", "gauge"], quantity: Quantity
) -> Channel:
    return Channel(
        name=f"nvml/{board.uuid}/{what}",
        domain="gpu",
        device=board.uuid,
        quantity=quantity,
        kind=kind,
        provenance=Provenance.MEASURED,
        source=f"nvml.{what}",
        tier="B" if kind == "counter" else "C",
        update_period_s=PERIOD_S,
        relative_error=CALIBRATION_ERROR,
        inside=f"{board.uuid}/module" if board.is_superchip else None,
        shared=board.shared is not None,
        ceiling_w=board.ceiling_w,
        note=board.shared,
    )
