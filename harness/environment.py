"""What machine this is, and what is installed: the facts kept beside every run."""

import os
import platform
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import psutil

import harness
from harness.readings import Channel

PACKAGES = (
    "torch", "torchao", "transformers", "numpy", "codecarbon", "ecologits",
    "nvidia-ml-py", "onnxruntime", "openvino", "nncf", "torch-tensorrt",
    "torch-pruning", "peft",
)  # fmt: skip
FLAGS_OF_INTEREST = (
    "avx2", "avx512f", "avx512_vnni", "avx_vnni", "avx512_bf16", "amx_bf16",
    "amx_int8", "asimddp", "bf16", "i8mm", "hypervisor",
)  # fmt: skip


def describe(
    channels: Sequence[Channel], unavailable: Sequence[Sequence[str]]
) -> dict[str, Any]:
    """Machine, software and meters as plain data for machine.json."""
    return {
        "joulebench": harness.__version__,
        "utc": datetime.now(UTC).isoformat(timespec="seconds"),
        "system": platform.platform(),
        "python": platform.python_version(),
        "cpu": cpu_model(),
        "cpu_flags": cpu_flags(),
        "cores_logical": psutil.cpu_count(),
        "cores_physical": psutil.cpu_count(logical=False),
        "memory_bytes": psutil.virtual_memory().total,
        "load_1min": os.getloadavg()[0],
        "packages": {name: _version(name) for name in PACKAGES},
        "governor": governor(),
        "gpus": gpus(channels),
        "channels": [channel.model_dump(mode="json") for channel in channels],
        "meters_unavailable": [
            {"probe": name, "reason": reason, "cure": cure}
            for name, reason, cure in unavailable
        ],
    }


def gpus(channels: Sequence[Channel], nvml: Any = None) -> list[dict[str, str]]:
    """What the driver calls the metered NVIDIA boards, by UUID.

    Args:
        channels: That are metered.
        nvml: The library; None for the installed one.
    """
    nvidia = [c.device for c in channels if c.source.startswith("nvml")]
    uuids = dict.fromkeys(d for d in nvidia if d.startswith("GPU-"))
    if not uuids:
        return []
    nvml = nvml or import_module("pynvml")
    try:
        nvml.nvmlInit()
        found = [_board(uuid, nvml) for uuid in uuids]
        nvml.nvmlShutdown()
    except nvml.NVMLError:
        return []
    return found


def _board(uuid: str, nvml: Any) -> dict[str, str]:
    """Name of a board; its driver and power limit where they are told."""
    handle = nvml.nvmlDeviceGetHandleByUUID(uuid)
    facts: dict[str, Callable[[], str]] = {
        "driver": lambda: str(nvml.nvmlSystemGetDriverVersion()),
        "power_limit_w": lambda: (
            f"{nvml.nvmlDeviceGetEnforcedPowerLimit(handle) / 1000:g}"
        ),
    }
    found = {"uuid": uuid, "name": str(nvml.nvmlDeviceGetName(handle))}
    for name, ask in facts.items():
        with suppress(nvml.NVMLError, AttributeError):
            found[name] = ask()
    return found


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _cpuinfo() -> dict[str, str]:
    """First processor of /proc/cpuinfo; empty where there is none."""
    path = Path("/proc/cpuinfo")
    if not path.exists():
        return {}
    first = path.read_text().split("\n\n")[0].splitlines()
    pairs = (line.partition(":") for line in first)
    return {key.strip(): value.strip() for key, _, value in pairs}


def cpu_model() -> str:
    """Name of the processor as the system gives it."""
    return _cpuinfo().get("model name") or platform.processor() or platform.machine()


def cpu_flags() -> list[str]:
    """Instruction sets that decide how fast a precision is."""
    info = _cpuinfo()
    present = set((info.get("flags") or info.get("Features") or "").split())
    return [flag for flag in FLAGS_OF_INTEREST if flag in present]


def governor(root: Path = Path("/sys/devices/system/cpu")) -> str | None:
    """What decides the processors' frequency; None where the kernel does not tell."""
    told = set()
    for path in root.glob("cpu[0-9]*/cpufreq/scaling_governor"):
        with suppress(OSError):
            told.add(path.read_text(encoding="ascii", errors="replace").strip())
    return " + ".join(sorted(told)) or None
