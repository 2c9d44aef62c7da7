"""The nouns: frozen values that every room shares, and the shape of a stored trial.

Units are the last word of a name. Missing is None with a reason beside it, never 0.
"""

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field

from harness.loads import Latency, Load
from harness.noun import Noun
from harness.readings import (
    EnergyReading,
    EnergyTotal,
)

SCHEMA = 1
Count = Annotated[int, Field(ge=-(2**63), lt=2**63)]
"""A whole number that every reader of the record can hold."""


class Phase(StrEnum):
    """What a configuration does with its model."""

    TRAIN = "train"
    INFER = "infer"


class Doubt(Noun):
    """A reason to distrust a trial, with what to do about it."""

    code: str
    message: str
    remedy: str


OptionValue = str | int | float | bool
PLAIN_RUNTIME = "eager"
PLAIN_SCENARIO = "offline"


class Configuration(Noun):
    """One point of the matrix: the thing that is ranked.

    Attributes:
        runtime: What runs the model: `eager` torch, `compile`, `openvino`, ...
        scenario: How items come in the window: `offline`, `single-stream`, ...
        halved_from: Key of the configuration that ran out of memory; None in the suite.
    """

    workload: str
    phase: Phase
    precision: str
    device: str
    batch_size: Annotated[int, Field(gt=0)]
    runtime: str = PLAIN_RUNTIME
    scenario: str = PLAIN_SCENARIO
    track: Literal["closed", "open"] = "closed"
    options: dict[str, OptionValue] = Field(default_factory=dict)
    suffix: str = ""
    halved_from: str | None = None

    @property
    def key(self) -> str:
        """Readable identity, such as `bert/infer/int8-static/cpu/b8/openvino`."""
        head = f"{self.workload}/{self.phase}/{self.precision}/{self.device}"
        runtime = "" if self.runtime == PLAIN_RUNTIME else f"/{self.runtime}"
        scenario = "" if self.scenario == PLAIN_SCENARIO else f"/{self.scenario}"
        return f"{head}/b{self.batch_size}{runtime}{scenario}{self.suffix}"


class WindowRecord(Noun):
    """The measured window; times are seconds of the monotonic clock.

    Attributes:
        steady: The warm-up ended with steady steps, and the machine was settled.
        work_s: Of that the work; the rest is the wait for the meters' tick.
        unsteady: What had not settled.
    """

    start_s: float
    end_s: float
    duration_s: float
    items: Count
    steps: Count
    steady: bool
    work_s: float | None = None
    unsteady: tuple[str, ...] = ()


class Idle(Noun):
    """Idle power around the window and the energy above it."""

    before_w: float | None = None
    after_w: float | None = None
    net_energy_j: float | None = None
    reason: str | None = None


class Setup(Noun):
    """Loading, quantising and compiling, kept out of the window.

    Attributes:
        convert_duration_s: What precision and run time cost, up to the first answer.
    """

    duration_s: float
    energy_j: float | None = None
    convert_duration_s: float | None = None
    convert_energy_j: float | None = None


class Evaluation(Noun):
    """Scoring a training in the middle of its window, kept out of its joules."""

    duration_s: float
    energy_j: float | None = None


class Quality(Noun):
    """Quality of the answers that the window produced.

    Attributes:
        accuracy: In [0, 1], higher is better; None when it could not be had.
        n: Number of held-out items scored.
        constant_baseline: Accuracy of the best answer that ignores the input.
        skill: (accuracy - baseline) / (1 - baseline).
        in_window: Every scored answer was given inside the window.
        f1: Mean over the classes of the harmonic mean of precision and recall.
        recall: Mean over the classes of the share of their items that were found.
        target: Accuracy at which a training was to stop; None for fixed work.
    """

    metric: str
    accuracy: float | None
    n: Count
    constant_baseline: float | None = None
    skill: float | None = None
    in_window: bool = False
    f1: float | None = None
    recall: float | None = None
    target: float | None = None
    reason: str | None = None


class Performance(Noun):
    """Speed of the window.

    Attributes:
        flop_per_item: Operations of the fp32 model's matrix products and convolutions,
            two a multiplication; three times those of a forward pass in training.
        peak_flops_ratio: Operations a second over that peak of the device.
        peak_flop_per_s: Operations a second, at the precision that ran.
        peak_source: Where the peak is from: a data sheet, or a product timed here.
    """

    items_per_s: float | None
    latency_s: Latency = Latency()
    flop_per_item: float | None = None
    peak_flops_ratio: float | None = None
    peak_flop_per_s: float | None = None
    peak_source: str | None = None


class Utilization(Noun):
    """How busy the machine was during the window, as ratios in [0, 1].

    Attributes:
        gpu_ratio: Share of the time in which a kernel ran, however small.
        tensor_ratio: Share of the time in which tensor cores were active.
        steal_ratio: Time that the hypervisor took from our cores, over all cores.
        foreign_cpu_ratio: Time that neither the trial nor the meter used, over all.
        cpu_pressure_ratio: Share of the time in which some task waited for a core.
        throttle_ratios: Share of the time by each reason that slowed a device down.
        foreign_processes: Processes of others on the GPUs at first; None if not known.
    """

    cpu_ratio: float | None = None
    gpu_ratio: float | None = None
    tensor_ratio: float | None = None
    steal_ratio: float | None = None
    foreign_cpu_ratio: float | None = None
    cpu_pressure_ratio: float | None = None
    memory_pressure_ratio: float | None = None
    throttle_ratios: dict[str, float] = Field(default_factory=dict)
    foreign_processes: int | None = None
    memory_peak_bytes: Count | None = None


class Carbon(Noun):
    """Operational emissions of the window at the suite's place."""

    co2e_g: float | None
    intensity_g_per_kwh: float | None = None
    place: str | None = None
    year: int | None = None
    source: str | None = None
    pue: float = 1.0
    reason: str | None = None


class Before(Noun):
    """What a trial waited for before it began.

    Attributes:
        cooldown_s: Wait for temperatures near those of the idle machine.
        load_wait_s: Wait for others to use less of the machine.
        above_idle_c: How far the warmest sensor was above idle; None without a sensor.
        foreign_cpu_ratio: What others used of the cores; None where it is not known.
        foreign_gpu_ratio: Share of the time in which others kept a GPU busy.
        unmet: What was still so when the waits were over.
        reason: Why there was nothing to wait for.
    """

    cooldown_s: float = 0.0
    load_wait_s: float = 0.0
    above_idle_c: float | None = None
    foreign_cpu_ratio: float | None = None
    foreign_gpu_ratio: float | None = None
    unmet: tuple[str, ...] = ()
    reason: str | None = None


class MeterCost(Noun):
    """Processor seconds spent on measuring while the trial ran, and how long it ran.

    Attributes:
        energy_ratio: The meter's part of the window's energy: its share of the busy
            processor seconds times the processors' share of the joules.
    """

    cpu_s: float | None = None
    supervisor_cpu_s: float | None = None
    duration_s: float | None = None
    energy_ratio: float | None = None


class ModelFacts(Noun):
    """What was really run.

    Attributes:
        parameters: Number of parameters before conversion.
        weight_bytes: Of the weights after conversion; the original ones before it.
        quantised_ratio: Share of parameters that it converted, in so many layers.
        scheme: How they were converted, in words.
        weights_sha256: Digest of the weights that were loaded; None if trained.
    """

    parameters: Count
    weight_bytes: Count
    original_weight_bytes: Count | None = None
    quantised_ratio: float = 0.0
    quantised_layers: int = 0
    scheme: str = "none"
    weights_sha256: str | None = None


class TrialRecord(Noun):
    """One line of trials.jsonl; the names are a contract.

    Attributes:
        official: The protocol was at least as strict as the profile `official`.
    """

    schema_: int = Field(default=SCHEMA, alias="schema")
    trial: str
    key: str
    round: int
    status: Literal["ok", "failed", "invalid", "skipped"]
    reason: str | None = None
    configuration: Configuration
    started_utc: str = ""
    seed: int = 0
    official: bool = False
    before: Before | None = None
    window: WindowRecord | None = None
    energy: tuple[EnergyReading, ...] = ()
    total: EnergyTotal | None = None
    idle: Idle = Idle()
    setup: Setup | None = None
    evaluation: Evaluation | None = None
    quality: Quality | None = None
    performance: Performance | None = None
    load: Load | None = None
    utilization: Utilization = Utilization()
    carbon: Carbon | None = None
    meter: MeterCost = MeterCost()
    model: ModelFacts | None = None
    doubts: tuple[Doubt, ...] = ()

    def to_json(self) -> str:
        """One line of JSON with the contract's names."""
        return self.model_dump_json(by_alias=True)
