"""A meter for the pytest plugin whose joules are known, without any process."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import cycle
from typing import Any, Literal

from harness import perimeter
from harness.meter import Window, reading_of
from harness.metering import Measured
from harness.pytest_plugin.results import Machine
from harness.pytest_plugin.rounds import Metering
from harness.readings import EnergyReading, Provenance, Span
from harness.records import Utilization

MACHINE = Machine(name="box-1", facts={"processor": "A", "meters": "fake"})


def part(
    domain: str, joules: float | None, provenance: Provenance = Provenance.MEASURED
) -> EnergyReading:
    measured = provenance is Provenance.MEASURED
    method: Literal["none", "counter", "model"] = "counter" if measured else "model"
    return EnergyReading(
        domain=domain,
        device=f"{domain}-0",
        energy_j=joules,
        method="none" if joules is None else method,
        source="fake",
        provenance=provenance,
        tier="B" if measured else "E",
        update_period_s=0.001,
        updates=100_000,
        coverage_ratio=1.0,
        error_bound_j=0.1,
        relative_bound_j=0.1,
        reason="GPU is lost" if joules is None else None,
    )


class ScriptedMeter:
    """Windows of these joules, one after the other, again and again."""

    def __init__(
        self, joules: Sequence[float | None], domain: str, provenance: str
    ) -> None:
        self._joules = cycle(joules)
        self._domain, self._provenance = domain, Provenance(provenance)

    @contextmanager
    def window(self, name: str) -> Iterator[Window]:
        window, start_ns = Window(name), time.monotonic_ns()
        yield window
        span = Span(name=name, start_ns=start_ns, end_ns=time.monotonic_ns())
        parts = (
            part(self._domain, next(self._joules), self._provenance),
            part("dram", 1000.0, Provenance.MODELLED),
        )
        measured = Measured(span, parts, perimeter.total(parts), Utilization(), None)
        window.result = reading_of(name, measured)


def metering(
    *joules: float | None,
    domain: str = "gpu",
    provenance: str = "measured",
    machine: Machine = MACHINE,
) -> Metering:
    meter: Any = ScriptedMeter(joules, domain, provenance)
    return Metering(meter, machine, 0.0 if provenance == "measured" else None)
