"""CodeCarbon's estimate of processor and memory power: a model, never a meter.

The processor's watts go from 10 % to 100 % of a nominal power with the cube of the
load; the memory's are a constant by its size. Both stay apart and say that they are
modelled. CodeCarbon's own tracker has more modes (RAPL, Power Gadget, a constant where
psutil is missing); here its load mode is asked for by name, so that what runs is what
is said.
"""

import logging
from collections.abc import Collection, Mapping, Sequence
from importlib.metadata import version
from typing import Any, Literal

from harness.clock import Clock, SystemClock
from harness.errors import ProbeUnavailable
from harness.readings import Channel, Provenance, Quantity
from harness.units import NS_PER_S

CPU_NAME = "codecarbon/cpu/power_w"
RAM_NAME = "codecarbon/ram/power_w"
MODEL_ERROR = 0.4
SHORTEST_S = 0.05
"""Load over less than this is noise: the system counts in steps of 10 ms."""


class CodeCarbonProbe:
    """Power of processor and memory by load and by size."""

    name = "codecarbon"

    def __init__(self, clock: Clock | None = None) -> None:
        self._clock = clock or SystemClock()
        self._cpu: Any = None
        self._last_ns: int | None = None
        self._cpu_w: float | None = None
        self._ram_w: float | None = None

    def open(self) -> Sequence[Channel]:
        """Set the model up for this machine.

        Raises:
            ProbeUnavailable: CodeCarbon is not installed.
        """
        try:
            from codecarbon.core.cpu import TDP
            from codecarbon.external.hardware import CPU, MODE_CPU_LOAD
            from codecarbon.external.ram import RAM
        except ImportError as error:
            raise ProbeUnavailable(
                f"codecarbon cannot be imported: {error}",
                hint="pip install 'codecarbon>=3.3'",
            ) from error
        logging.getLogger("codecarbon").setLevel(logging.CRITICAL)
        tdp = TDP()
        if tdp.tdp is None:
            raise ProbeUnavailable(
                f"CodeCarbon's model does not know the processor {tdp.model!r}",
                hint="it needs a meter: bench doctor lists them",
            )
        self._cpu = CPU.from_utils(
            None, MODE_CPU_LOAD, tdp.model, tdp.tdp, tracking_mode="machine"
        )
        ram = RAM(tracking_mode="machine")
        # A constant is asked for once: under Slurm each question may start a process.
        # 0 is how it says that it failed.
        self._ram_w = float(ram.total_power().W) or None
        self._last_ns = None
        self.read()  # the load is that since the last reading
        return (
            _channel(CPU_NAME, "cpu", "D", _cpu_note(tdp.model, float(tdp.tdp))),
            _channel(RAM_NAME, "dram", "E", _ram_note(ram.machine_memory_GB)),
        )

    def read(self, names: Collection[str] | None = None) -> Mapping[str, float | None]:
        """Modelled power since the last reading in watts.

        A reading that follows another within 50 ms repeats it: the load of so short
        a time is 0 or 1 by chance.
        """
        if self._cpu is None:
            return {}
        if names is None or CPU_NAME in names:
            self._refresh()
        values = {CPU_NAME: self._cpu_w, RAM_NAME: self._ram_w}
        return {n: v for n, v in values.items() if names is None or n in names}

    def _refresh(self) -> None:
        now_ns = self._clock.now_ns()
        if self._last_ns is None or now_ns - self._last_ns >= SHORTEST_S * NS_PER_S:
            self._last_ns = now_ns
            self._cpu_w = float(self._cpu.total_power().W)

    def close(self) -> None:
        """Let the model go."""
        self._cpu = None


def _cpu_note(model: str, power_w: float) -> str:
    """Which model of which processor, and where its nominal power comes from."""
    from codecarbon.core.cpu import DEFAULT_POWER_PER_CORE
    from codecarbon.core.util import count_cpus

    default_w = DEFAULT_POWER_PER_CORE * count_cpus()
    origin = (
        f"its default of {DEFAULT_POWER_PER_CORE} W a thread for unknown processors"
        if power_w == default_w
        else "the nominal power in its table"
    )
    return (
        f"codecarbon {version('codecarbon')}, mode cpu_load (10 % to 100 % with the "
        f"cube of the load): {model}, {power_w:g} W ({origin})"
    )


def _ram_note(memory_gb: float) -> str:
    """The rule of thumb behind the memory's watts."""
    return (
        f"codecarbon {version('codecarbon')}, mode constant: guessed number of modules "
        f"of {memory_gb:.0f} GB"
    )


def _channel(name: str, domain: str, tier: Literal["D", "E"], note: str) -> Channel:
    mode = "cpu_load" if tier == "D" else "ram_constant"
    return Channel(
        name=name,
        domain=domain,
        device=f"{domain}-model",
        quantity=Quantity.POWER_W,
        kind="gauge",
        provenance=Provenance.MODELLED,
        source=f"codecarbon.{mode}",
        tier=tier,
        relative_error=MODEL_ERROR,
        note=note,
    )
