"""What a worker is asked to do, and what it hands back: times, answers, no joules."""

from typing import Any, Literal

from pydantic import Field

from harness.loads import Target, Try
from harness.noun import Noun
from harness.readings import Span
from harness.records import Configuration, Doubt, Factor, MeterCost, ModelFacts, Quality


class Stretch(Noun):
    """Queries that came at one rate.

    Attributes:
        load_ratio: Share of the capacity; None where a rate was asked for.
        work_s: From its start to its last answer, or to its planned end.
        latencies_s: Of each query, from the instant it was due to its answer.
        late_s: How late the loop woke, for each query that it slept until.
        batches: Steps that answered them.
        span: Between edges of its own inside the window; None: it is the window.
    """

    offered_per_s: float
    work_s: float
    batches: int
    latencies_s: tuple[float, ...]
    late_s: tuple[float, ...]
    load_ratio: float | None = None
    span: Span | None = None


class Served(Noun):
    """Queries that came by themselves, and what was found out before the window."""

    stretches: tuple[Stretch, ...]
    capacity_per_s: float | None = None
    target: Target | None = None
    found_per_s: float | None = None
    tries: tuple[Try, ...] = ()


class Outcome(Noun):
    """What a worker hands back: times and answers, no joules.

    Attributes:
        spans: Edge-to-edge intervals: setup and the convert inside it, idle_before,
            window and each evaluation inside it, idle_after.
        latencies_s: Duration of each step of the window, or of each query that was
            asked alone.
        served: Queries that came by themselves.
        work_s: Duration of the work inside the window.
        cpu_s: Processor seconds that the trial used in the window.
        unsteady: What the meters said had not settled when the warm-up ended.
    """

    trial: str
    status: Literal["ok", "failed", "skipped"]
    reason: str | None = None
    spans: tuple[Span, ...] = ()
    items: int = 0
    steps: int = 0
    steady: bool = False
    latencies_s: tuple[float, ...] = ()
    served: Served | None = None
    quality: Quality | None = None
    model: ModelFacts | None = None
    memory_peak_bytes: int | None = None
    flop_per_item: float | None = None
    peak_flop_per_s: float | None = None
    peak_source: str | None = None
    work_s: float | None = None
    cpu_s: float | None = None
    unsteady: tuple[str, ...] = ()
    doubts: tuple[Doubt, ...] = ()


class Raw(Noun):
    """What a trial left beside its trace: all that its record is derived from.

    Attributes:
        factor: Carbon intensity of the suite's place as it was known then.
    """

    outcome: Outcome
    meter: MeterCost
    started_utc: str
    factor: Factor | None = None


class Protocol(Noun):
    """How a trial is run; all durations in seconds.

    Attributes:
        scenario: Settings of scenarios by their name, as their keys were parsed.
    """

    rounds: int = 2
    warmup_min_s: float = 0.5
    warmup_max_s: float = 5.0
    window_min_s: float = 3.0
    idle_s: float = 1.0
    timeout_s: float = 900.0
    scenario: dict[str, dict[str, Any]] = Field(default_factory=dict)


class Job(Noun):
    """Everything a worker needs for one trial.

    Attributes:
        folder: The run folder that logs and outcomes are written to.
        meter: Socket of the meter process; None for a job that is not metered.
        round: Which round of the run the trial is in.
        prepare_only: Fetch data and train the weights that trials will load.
    """

    trial: str
    configuration: Configuration
    protocol: Protocol
    seed: int
    folder: str
    meter: str | None = None
    round: int = 0
    prepare_only: bool = False
