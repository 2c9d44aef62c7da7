"""What a worker is asked to do, and what it hands back: times, answers, no joules."""

from typing import Literal

from harness.noun import Noun
from harness.readings import Span
from harness.records import Configuration, Doubt, Factor, MeterCost, ModelFacts, Quality


class Outcome(Noun):
    """What a worker hands back: times and answers, no joules.

    Attributes:
        spans: Edge-to-edge intervals: setup and the convert inside it, idle_before,
            window and each evaluation inside it, idle_after.
        latencies_s: Duration of each step of the window.
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
    """How a trial is run; all durations in seconds."""

    rounds: int = 2
    warmup_min_s: float = 0.5
    warmup_max_s: float = 5.0
    window_min_s: float = 3.0
    idle_s: float = 1.0
    timeout_s: float = 900.0


class Job(Noun):
    """Everything a worker needs for one trial.

    Attributes:
        folder: The run folder that logs and outcomes are written to.
        meter: Socket of the meter process; None for a job that is not metered.
        prepare_only: Fetch data and train the weights that trials will load.
    """

    trial: str
    configuration: Configuration
    protocol: Protocol
    seed: int
    folder: str
    meter: str | None = None
    prepare_only: bool = False
