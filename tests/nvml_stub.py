"""A scripted NVML: GPUs whose power is known, read by the real pynvml.

`NvmlStub` builds tests/stub/nvml.c. `install` loads it into this process before pynvml
looks for its library (the soname is the same); `environment` is for other processes.
"""

import ctypes
import os
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

SOURCE = Path(__file__).parent / "stub" / "nvml.c"
SONAME = "libnvidia-ml.so.1"
HOPPER, AMPERE, VOLTA = 9, 7, 5
NOT_SUPPORTED, GPU_IS_LOST, UNKNOWN = 3, 15, 999
Points = tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class Gpu:
    """One scripted GPU; times are seconds since the script's origin.

    Attributes:
        curve: True power: (from this second on, watts), the first from 0.
        repeat_s: Length after which the curve begins anew.
        active_s: An instant reading is the mean over so long before its tick.
        usage_average: nvmlDeviceGetPowerUsage is the 1 s mean, as on Hopper.
        errors: (what, from, to, NVML code); what is energy, power, instant, average,
            fields, utilization, memory, temperature, clock, throttle, processes, limit,
            gpm, or * for everything.
        powers: (from, to, milliwatts): readings in place of the true power.
        throttle: (from, to, mask of reasons).
        module_w: What the module draws beside the GPU; None without a module.
        memory_share: Share of the power that its memory draws; None without such.
    """

    uuid: str = "GPU-aaaaaaaa-0000-0000-0000-000000000001"
    name: str = "NVIDIA H100 80GB HBM3"
    architecture: int = HOPPER
    capability: tuple[int, int] = (9, 0)
    curve: Points = ((0.0, 200.0),)
    repeat_s: float = 0.0
    counter: bool = True
    counter_period_s: float = 0.1
    counter_phase_s: float = 0.0
    resets_s: tuple[float, ...] = ()
    frozen_from_s: float = -1.0
    power_period_s: float = 0.1
    power_phase_s: float = 0.0
    active_s: float = 0.025
    instant: bool = True
    average: bool = True
    usage_average: bool = True
    errors: tuple[tuple[str, float, float, int], ...] = ()
    powers: tuple[tuple[float, float, int], ...] = ()
    throttle: tuple[tuple[float, float, int], ...] = ()
    temperature_c: float = 55.0
    limit_w: float = 700.0
    max_limit_w: float = 700.0
    processes: tuple[int, ...] = ()
    mig: bool = False
    slices: tuple[str, ...] = ()
    gpm: bool = False
    module_w: float | None = None
    memory_share: float | None = None

    def energy_j(self, start_s: float, end_s: float) -> float:
        """True joules between two seconds."""
        return self._since_origin_j(end_s) - self._since_origin_j(start_s)

    def _since_origin_j(self, at_s: float) -> float:
        if not self.repeat_s:
            return self._pass_j(at_s)
        turns, rest_s = divmod(at_s, self.repeat_s)
        return turns * self._pass_j(self.repeat_s) + self._pass_j(rest_s)

    def _pass_j(self, at_s: float) -> float:
        ends = [start for start, _ in self.curve[1:]] + [float("inf")]
        spans = zip(self.curve, ends, strict=True)
        return sum(
            watts * max(0.0, min(at_s, end) - start) for (start, watts), end in spans
        )

    def script(self) -> str:
        """Lines of the stub's script."""
        assert all(before[0] < after[0] for before, after in pairwise(self.curve))
        lines = [f"gpu {self.uuid}", f"name {self.name}", f"arch {self.architecture}"]
        lines += [
            "cc {} {}".format(*self.capability),
            f"counter {int(self.counter)}",
            f"counter_period {self.counter_period_s!r}",
            f"counter_phase {self.counter_phase_s!r}",
            f"power_period {self.power_period_s!r}",
            f"power_phase {self.power_phase_s!r}",
            f"active {self.active_s!r}",
            f"repeat {self.repeat_s!r}",
            f"frozen {self.frozen_from_s!r}",
            f"instant {int(self.instant)}",
            f"average {int(self.average)}",
            f"usage_average {int(self.usage_average)}",
            f"temperature {self.temperature_c}",
            f"limit {self.limit_w}",
            f"max_limit {self.max_limit_w}",
            f"mig {int(self.mig)}",
            f"gpm {int(self.gpm)}",
        ]
        lines += [f"reset {at!r}" for at in self.resets_s]
        lines += [f"error {w} {f!r} {t!r} {code}" for w, f, t, code in self.errors]
        lines += [f"power {f!r} {t!r} {mw}" for f, t, mw in self.powers]
        lines += [f"throttle {f!r} {t!r} {mask}" for f, t, mask in self.throttle]
        lines += [f"process {pid}" for pid in self.processes]
        lines += [f"slice {uuid}" for uuid in self.slices]
        if self.module_w is not None:
            lines.append(f"module {self.module_w}")
        if self.memory_share is not None:
            lines.append(f"memory {self.memory_share}")
        lines += [f"p {start!r} {watts!r}" for start, watts in self.curve]
        return "\n".join(lines)


def has_compiler() -> bool:
    """Whether the stub can be built here."""
    return shutil.which("gcc") is not None


class NvmlStub:
    """The built library, in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.path = folder / SONAME
        command = ["gcc", "-O1", "-shared", "-fPIC", f"-Wl,-soname,{SONAME}"]
        subprocess.run([*command, "-o", str(self.path), str(SOURCE), "-lm"], check=True)
        self._library: ctypes.CDLL | None = None

    def write(
        self,
        gpus: Sequence[Gpu],
        *,
        origin_ns: int = 0,
        init_error: int = 0,
        mute: bool = False,
    ) -> Path:
        """Write a script; `mute` answers everything with Not Supported (Jetson)."""
        path = self.folder / "script"
        head = [
            f"origin_ns {origin_ns}",
            f"init_error {init_error}",
            f"mute {int(mute)}",
        ]
        path.write_text("\n".join([*head, *(gpu.script() for gpu in gpus)]) + "\n")
        return path

    def install(
        self,
        *gpus: Gpu,
        origin_ns: int = 0,
        init_error: int = 0,
        mute: bool = False,
    ) -> None:
        """Load the library into this process; the next nvmlInit reads the script."""
        path = self.write(gpus, origin_ns=origin_ns, init_error=init_error, mute=mute)
        self.library.stub_load(str(path).encode())

    def set_now(self, time_ns: int) -> None:
        """Stand still at this instant of the monotonic clock; -1: the real clock."""
        self.library.stub_set_now(ctypes.c_int64(time_ns))

    @property
    def library(self) -> ctypes.CDLL:
        """The library, loaded once for all that look for its soname."""
        if self._library is None:
            self._library = ctypes.CDLL(str(self.path), mode=ctypes.RTLD_GLOBAL)
        return self._library

    def environment(self, gpus: Sequence[Gpu], *, origin_ns: int = 0) -> dict[str, str]:
        """Variables for a process that shall find the stub."""
        script = self.write(gpus, origin_ns=origin_ns)
        paths = [str(self.folder), os.environ.get("LD_LIBRARY_PATH", "")]
        return {
            "LD_LIBRARY_PATH": ":".join(p for p in paths if p),
            "NVML_STUB_SCRIPT": str(script),
        }
