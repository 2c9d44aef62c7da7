"""The seams: what a meter, a workload, a device and a place to run must offer."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from harness.jobs import Job, Outcome
from harness.readings import Channel
from harness.records import (
    Configuration,
    Doubt,
    ModelFacts,
    OptionValue,
    Quality,
    TrialRecord,
)


@dataclass(frozen=True)
class Skip:
    """A reason why something cannot run here: a value, not a failure."""

    reason: str


class Probe(Protocol):
    """Reads one source of numbers; it never computes."""

    name: str

    def open(self) -> Sequence[Channel]:
        """Connect and describe the channels.

        Raises:
            ProbeUnavailable: The source cannot be read here, with the cure.
        """
        ...

    def read(self, names: Collection[str] | None = None) -> Mapping[str, float | None]:
        """Current value of the named channels, or of all; None where a read failed.

        A source that has had nothing new since the last reading may leave it out.
        """
        ...

    def close(self) -> None:
        """Let go of the source; harmless when it was never opened."""
        ...


class Backend(Protocol):
    """One device family.

    Attributes:
        asynchronous: A call may return before the device has done the work, so
            that the duration of a step is not its latency.
    """

    name: str
    asynchronous: bool

    def unavailable(self) -> str | None:
        """Why the device cannot be used here, or None; must not import torch."""
        ...

    def torch_device(self) -> str:
        """What torch calls the device."""
        ...

    def synchronise(self) -> None:
        """Wait until the device has finished its queue."""
        ...

    def memory_peak_bytes(self) -> int | None:
        """Peak of this process's memory on the device since its start."""
        ...


@dataclass(frozen=True)
class Option:
    """A knob of a workload that a suite may set.

    Attributes:
        default: Its kind (words, text, whole number, number) is what a suite may give.
        instead: Other defaults where an option is set so, such as
            `{"size=large": 1e-4}`; the first pattern that matches counts.
    """

    default: OptionValue
    about: str
    choices: tuple[OptionValue, ...] = ()
    minimum: float | None = None
    maximum: float | None = None
    instead: Mapping[str, OptionValue] = field(default_factory=dict)


Refusal = Callable[[Configuration], "str | None"]
"""Why something cannot run a configuration, with the cure; None where it can."""


@dataclass(frozen=True)
class Card:
    """What is known about a workload without importing torch.

    Attributes:
        load: `module:Class` that satisfies Workload.
        preload: Modules that every trial of it imports.
        floor: Held-out accuracy that its trained tiny fp32 model must reach.
        refuse: Why options cannot be: they do not go together, or name files that are
            not there.
        test_items: Held-out items of its own data set; None where that is not known.
    """

    name: str
    about: str
    load: str
    dataset: str
    metric: str
    floor: float
    phases: tuple[str, ...] = ("train", "infer")
    options: Mapping[str, Option] | None = None
    preload: tuple[str, ...] = ("torch",)
    refuse: Refusal = lambda _: None
    test_items: int | None = None

    def values(self, given: Mapping[str, OptionValue]) -> dict[str, OptionValue]:
        """Every option: what is given, and the defaults that go with it."""
        options = self.options or {}
        plain = {name: option.default for name, option in options.items()}
        found = plain | dict(given)
        words = [f"{name}={value}" for name, value in found.items()]
        for name in options.keys() - given.keys():
            for pattern, value in options[name].instead.items():
                if any(fnmatchcase(word, pattern) for word in words):
                    found[name] = value
                    break
        return found


@dataclass(frozen=True)
class Effort:
    """Arithmetic of an item, and what the device could do at best.

    Attributes:
        flop_per_item: None where it is not counted.
        peak_flop_per_s: Operations at the precision that ran; None when unknown.
        source: Where the peak is from.
    """

    flop_per_item: float | None = None
    peak_flop_per_s: float | None = None
    source: str | None = None


@dataclass(frozen=True)
class Setting:
    """What a workload is given to prepare itself."""

    configuration: Configuration
    device: str
    seed: int
    cache: Path


class EdgeMeter(Protocol):
    """Reads every probe when asked; what a trial needs of the metering process."""

    def edge(self, *, aligned: bool = False) -> int:
        """Read all channels, after the counters' next tick if it is to be aligned.

        Returns:
            The instant of the reading in nanoseconds.
        """
        ...

    def unsteady(self, since_ns: int) -> list[str]:
        """Why the machine has not settled of late, looking back to an instant."""
        ...

    def updates(self, since_ns: int) -> int | None:
        """Updates of the slowest measured source since then; None without one."""
        ...


OnEvent = Callable[[dict[str, Any]], None]
"""Called with what a running trial reports, such as its stage."""


class Executor(Protocol):
    """A place where trials run, one after another."""

    def warm_up(self, preload: Sequence[str]) -> None:
        """Import these modules before anything is metered; harmless when repeated."""
        ...

    def run(self, job: Job, preload: Sequence[str], on_event: OnEvent) -> Outcome:
        """Run one job to its end; whatever fails is an outcome with its reason."""
        ...

    def close(self) -> None:
        """End whatever still runs; harmless when repeated."""
        ...


class Observer:
    """Follows a run; every event may be ignored."""

    def run_started(self, trials: int, done: int) -> None:
        """The plan is written; some of its trials may be finished already."""

    def preparing(self, what: str) -> None:
        """Data are fetched or reference weights trained."""

    def trial_started(self, key: str, round_number: int) -> None:
        """A trial begins."""

    def stage(self, name: str, fraction: float, power_w: float | None) -> None:
        """The running trial reached a stage, so far done, drawing so many watts."""

    def trial_finished(self, record: TrialRecord) -> None:
        """The record is on disk."""

    def left_out(self, trials: int, reason: str) -> None:
        """So many planned trials were not needed; the reason of the last one."""

    def run_finished(self) -> None:
        """No trial is left, or the run was interrupted."""


class Workload(Protocol):
    """Data, model, loop and metric of one model family."""

    def prepare(self, setting: Setting) -> Skip | None:
        """Load data and the fp32 model; a Skip where it cannot."""
        ...

    def convert(self) -> Skip | None:
        """Bring the model into its precision and run time, ready for the first step.

        Quantising, calibrating and compiling are costs of their own; a Skip where
        the model cannot be converted here.
        """
        ...

    def total_steps(self) -> int | None:
        """Steps of fixed work (training), or None when the window decides."""
        ...

    def warm(self) -> None:
        """One step of the same work that leaves no trace in the result."""
        ...

    def step(self) -> int:
        """One batch of work; returns the number of items."""
        ...

    def exam_due(self) -> bool:
        """Whether a training that runs to a target is to be examined now."""
        ...

    def examine(self) -> bool:
        """Score the held-out items in the middle of the work; whether it may end."""
        ...

    def evaluate(self) -> tuple[Quality, Mapping[str, Any]]:
        """Quality, and per-item arrays (`correct`: [n], bool) to keep."""
        ...

    def facts(self) -> ModelFacts:
        """What model really ran."""
        ...

    def effort(self) -> Effort:
        """How much arithmetic an item takes, and how much the device could do."""
        ...

    def doubts(self) -> Sequence[Doubt]:
        """Reasons to distrust the result that only the workload can know."""
        ...


@runtime_checkable
class Answering(Protocol):
    """What a workload offers beside, for scenarios in which single items come."""

    def answer(self, items: int) -> None:
        """Answer the next few items, one to a batch of them, in one step."""
        ...

    def forget(self) -> None:
        """As if no item had been answered yet; the window begins."""
        ...
