"""Names to "module:object" strings; nothing is imported before its first use."""

from collections.abc import Mapping
from fnmatch import fnmatchcase
from importlib import import_module
from importlib.metadata import entry_points
from typing import Any

from harness.errors import UsageError
from harness.near import nearest

PROBES: Mapping[str, str] = {
    "rapl": "harness.probes.rapl:RaplProbe",
    "rapl-perf": "harness.probes.rapl_perf:RaplPerfProbe",
    "nvml": "harness.probes.nvml:NvmlProbe",
    "hwmon": "harness.probes.hwmon:HwmonProbe",
    "amdsmi": "harness.probes.amd:AmdProbe",
    "apple": "harness.probes.apple:AppleProbe",
    "tpu": "harness.probes.tpu:TpuProbe",
    "external": "harness.probes.external:ExternalProbe",
    "host": "harness.probes.host:HostProbe",
    "codecarbon": "harness.probes.codecarbon_model:CodeCarbonProbe",
}
DECIDING: Mapping[str, tuple[str, ...]] = {
    "nvml": ("CUDA_VISIBLE_DEVICES", "CUDA_DEVICE_ORDER"),
    "amdsmi": ("ROCR_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES", "CUDA_VISIBLE_DEVICES"),
    "tpu": ("JOULEBENCH_TPU_WATTS",),
}
"""Environment variables that decide what a probe reads."""
BACKENDS: Mapping[str, str] = {
    "cpu": "harness.backends.cpu:CpuBackend",
    "cuda": "harness.backends.cuda:CudaBackend",
}
EXECUTORS: Mapping[str, str] = {
    "local": "harness.executors.local:LocalExecutor",
}
WORKLOAD_CARDS = "workloads.cards:CARDS"
PRECISIONS = "workloads.precisions:PRECISIONS"
RUNTIMES = "workloads.runtimes:RUNTIMES"


def load(target: str) -> Any:
    """The object behind `module:name`, imported now."""
    module, _, name = target.partition(":")
    return getattr(import_module(module), name)


def matches(name: str, pattern: str) -> bool:
    """Whether a name matches a pattern with `*` and `?`, in any case of letters."""
    return fnmatchcase(name.casefold(), pattern.casefold())


def create(kind: str, table: Mapping[str, str], name: str) -> Any:
    """A new member of a registry.

    Raises:
        UsageError: No such name; a near one is suggested.
    """
    return load(find(kind, table, name))()


def find(kind: str, table: Mapping[str, str], name: str) -> str:
    """Where a member of a registry is, as `module:name`.

    Raises:
        UsageError: No such name; a near one is suggested.
    """
    members = {**table, **plugins(kind)}
    if name not in members:
        raise UsageError(
            f"unknown {kind} {name!r}{nearest(name, members)}",
            hint=f"known: {', '.join(sorted(members))}",
        )
    return members[name]


def plugins(kind: str) -> dict[str, str]:
    """Members that installed packages add (entry points `joulebench.<kind>`)."""
    return {p.name: p.value for p in entry_points(group=f"joulebench.{kind}")}


def cards() -> Mapping[str, Any]:
    """Workload cards by name, without importing torch."""
    own: dict[str, Any] = dict(load(WORKLOAD_CARDS))
    return own | {n: load(v) for n, v in plugins("workloads").items()}


def precisions() -> Mapping[str, Any]:
    """Precisions by name, without importing torch."""
    found: Mapping[str, Any] = load(PRECISIONS)
    return found


def runtimes() -> Mapping[str, Any]:
    """Run times by name, without importing torch or any of them."""
    found: Mapping[str, Any] = load(RUNTIMES)
    return found
