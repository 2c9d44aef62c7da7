"""What a trial is run with, what it did, and how its window is filled."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from harness.clock import Clock
from harness.contracts import Backend, EdgeMeter, Refusal, Workload
from harness.jobs import Job, Protocol, Served
from harness.readings import Span
from harness.units import seconds
from harness.yaml_source import Key

Report = Callable[[str, float], None]
"""Called with a stage's name and the fraction of it that is done."""


@dataclass
class Bench:
    """What a trial is run with; spans collect as it proceeds."""

    workload: Workload
    backend: Backend
    meter: EdgeMeter
    clock: Clock
    report: Report
    spans: list[Span] = field(default_factory=list)

    def span(
        self, name: str, body: Callable[[], None], *, aligned: bool = False
    ) -> float:
        """Run the body between two edges, keep the interval.

        Args:
            name: What the interval is.
            body: The work; the device's queue is waited for on both sides.
            aligned: Both edges wait for the counters' next tick.

        Returns:
            Duration of the body itself in seconds.
        """
        self.report(name, 0.0)
        self.backend.synchronise()
        start_ns = self.meter.edge(aligned=aligned)
        begun_ns = self.clock.now_ns()
        body()
        self.backend.synchronise()
        ended_ns = self.clock.now_ns()
        end_ns = self.meter.edge(aligned=aligned)
        self.spans.append(Span(name=name, start_ns=start_ns, end_ns=end_ns))
        return seconds(ended_ns - begun_ns)


@dataclass
class Work:
    """What the window did, and what examining a training in between took.

    Attributes:
        latencies_s: Duration of each step, or of each query that was asked alone.
        served: Queries that came by themselves; None where the loop asked for them.
    """

    items: int = 0
    steps: int = 0
    exams_s: float = 0.0
    exams_cpu_s: float = 0.0
    latencies_s: list[float] = field(default_factory=list)
    served: Served | None = None


Fill = Callable[[Work], None]
"""Does the work of the window, and nothing else."""


@dataclass(frozen=True)
class Scenario:
    """How items come to a workload in the window.

    Attributes:
        prepare: Does what must be known before the window, such as finding a rate, and
            returns what fills the window.
        keys: What a suite may set under `protocol.scenario`; the values are handed to
            the job as they were parsed.
        refuse: Why it cannot be run with a configuration; None where it can.
        windows: How many windows of `protocol.window.min` it takes at least.
        varies: Its power goes up and down by design.
    """

    name: str
    about: str
    prepare: Callable[[Bench, Job], Fill]
    keys: Mapping[str, Key] = field(default_factory=dict)
    refuse: Refusal = lambda _: None
    windows: Callable[[Protocol], float] = lambda _: 1.0
    varies: bool = False

    def settings(self, protocol: Protocol) -> Mapping[str, Any]:
        """What a suite set for it."""
        return protocol.scenario.get(self.name, {})
