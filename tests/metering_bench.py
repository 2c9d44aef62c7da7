"""A meter in simulated time: the real sampler, probes and accounting, no waiting."""

import random
from collections.abc import Callable, Sequence

from harness import energy, perimeter
from harness.contracts import Probe
from harness.readings import EnergyReading, EnergyTotal, Span
from harness.sampler import LEARN_S, Sampler
from tests.fakes import FakeClock
from tests.nvml_stub import NvmlStub


class StubClock(FakeClock):
    """Time that the scripted NVML follows, and whoever else must be told."""

    def __init__(
        self, stub: NvmlStub | None = None, tell: Callable[[float], None] | None = None
    ) -> None:
        super().__init__()
        self._stub = stub
        self._tell = tell
        self.advance(0.0)

    def advance(self, duration_s: float) -> None:
        super().advance(duration_s)
        if self._stub:
            self._stub.set_now(self.time_ns)
        if self._tell:
            self._tell(self.time_ns / 1e9)


class SimulatedMeter:
    """What the meter process does, driven by a test."""

    def __init__(
        self, clock: FakeClock, probes: Sequence[Probe], *, seed: int = 1
    ) -> None:
        self.clock = clock
        self.sampler = Sampler(probes, clock)
        self.sampler.open(learn_s=LEARN_S)
        self._chance = random.Random(seed)

    def run(self, duration_s: float) -> None:
        """Sample for so long, at 10 Hz with the sampler's spread."""
        end_ns = self.clock.time_ns + round(duration_s * 1e9)
        while True:
            pause_s = self._chance.uniform(0.08, 0.12)
            left_s = (end_ns - self.clock.time_ns) / 1e9
            if pause_s >= left_s:
                self.clock.advance(left_s)
                return
            self.clock.advance(pause_s)
            self.sampler.edge()

    def window(
        self, duration_s: float, *, idle_s: float = 2.0, aligned: bool = True
    ) -> Span:
        """Idle, a window between two edges, and idle again."""
        self.run(idle_s)
        start_ns = self.sampler.edge(aligned=aligned)
        self.run(duration_s)
        end_ns = self.sampler.edge(aligned=aligned)
        self.run(idle_s)
        return Span(name="window", start_ns=start_ns, end_ns=end_ns)

    def account(self, span: Span) -> tuple[EnergyReading, ...]:
        """Joules of a window."""
        return energy.account(self.sampler.channels, self.sampler.trace(), span)

    def total(self, span: Span) -> EnergyTotal:
        """Total of a window."""
        return perimeter.total(self.account(span))
