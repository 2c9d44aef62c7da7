"""CodeCarbon's estimate of processor and memory power: a model, never a meter.

The processor's watts follow its load between 10 % and 100 % of a nominal power; the
memory's are a constant by its size. Both stay apart and say that they are modelled.
"""

import logging
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from typing import Any, Literal

import psutil

from harness.clock import Clock, SystemClock
from harness.errors import ProbeUnavailable
from harness.records import Channel, Provenance, Quantity
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
        self._ram: Any = None
        self._last_ns: int | None = None
        self._last: Mapping[str, float | None] = {}

    def open(self) -> Sequence[Channel]:
        """Set the model up for this machine.

        Raises:
            ProbeUnavailable: CodeCarbon is not installed.
        """
        try:
            from codecarbon.core.cpu import DEFAULT_POWER_PER_CORE, TDP
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
                "CodeCarbon's model knows neither processor nor load here",
                hint="pip install psutil",
            )
        power_w = float(tdp.tdp)
        default_w = DEFAULT_POWER_PER_CORE * (psutil.cpu_count() or 1)
        model = tdp.model
        self._cpu = CPU.from_utils(
            None, MODE_CPU_LOAD, model, power_w, tracking_mode="machine"
        )
        self._ram = RAM(tracking_mode="machine")
        self.read()  # the load is that since the last reading
        release = version("codecarbon")
        origin = (
            f"its default of {DEFAULT_POWER_PER_CORE} W a thread for unknown processors"
            if power_w == default_w
            else "its table"
        )
        return (
            _channel(
                CPU_NAME,
                "cpu",
                "D",
                f"codecarbon {release}: load model, {model}, {power_w:g} W ({origin})",
            ),
            _channel(
                RAM_NAME,
                "dram",
                "E",
                f"codecarbon {release}: constant by memory size "
                f"({self._ram.machine_memory_GB:.0f} GB)",
            ),
        )

    def read(self) -> Mapping[str, float | None]:
        """Modelled power since the last reading in watts.

        A reading that follows another within 50 ms repeats it: the load of so short
        a time is 0 or 1 by chance.
        """
        now_ns = self._clock.now_ns()
        if self._last_ns is None or now_ns - self._last_ns >= SHORTEST_S * NS_PER_S:
            self._last_ns = now_ns
            self._last = {
                CPU_NAME: float(self._cpu.total_power().W),
                RAM_NAME: float(self._ram.total_power().W),
            }
        return self._last

    def close(self) -> None:
        """Nothing to let go of."""


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
