"""What a worker is asked to do, and what it hands back: times, answers, no joules."""

from typing import Any, Literal

from pydantic import Field

from harness.factor import Factor
from harness.loads import Target, Try
from harness.noun import Noun
from harness.readings import Span
from harness.records import (
    Before,
    Configuration,
    Doubt,
    MeterCost,
    ModelFacts,
    Quality,
)


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
        before: What was waited for before the trial.
    """

    outcome: Outcome
    meter: MeterCost
    started_utc: str
    factor: Factor | None = None
    before: Before | None = None


class Protocol(Noun):
    """How a trial is run; all durations in seconds.

    Attributes:
        rounds: Planned for each configuration: at most so many.
        rounds_min: From so many on, a configuration stops at `target_ci_ratio`.
        target_ci_ratio: Reach of the 95 % interval of J/item on either side; None for
            a fixed number of rounds.
        window_items: Least number of items in a window.
        window_updates: Least number of updates of the slowest meter in a window.
        window_max_s: How long a window waits for those updates; None for four times
            its least length, and a minute at least.
        cooldown_max_s: Longest wait for temperatures within `cooldown_band_c` of idle.
        load_wait_s: Longest wait for others to use less than `load_max_ratio`.
        scenario: Settings of scenarios by their name, as their keys were parsed.
        control: Workload of the control at both ends of a session; None for none.
    """

    rounds: int = 2
    rounds_min: int = 1
    target_ci_ratio: float | None = None
    warmup_min_s: float = 0.5
    warmup_max_s: float = 5.0
    window_min_s: float = 3.0
    window_items: int = 0
    window_updates: int = 0
    window_max_s: float | None = None
    cooldown_max_s: float = 0.0
    cooldown_band_c: float = 3.0
    load_wait_s: float = 0.0
    load_max_ratio: float = 0.05
    idle_s: float = 1.0
    timeout_s: float = 900.0
    scenario: dict[str, dict[str, Any]] = Field(default_factory=dict)
    on_oom: Literal["halve_batch", "skip", "fail"] = "fail"
    control: str | None = None


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
