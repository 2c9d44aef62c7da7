"""A trial meters exactly its work, on a clock that the test owns."""

import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from harness.bench import Bench
from harness.contracts import Effort, Setting, Skip
from harness.filling import Filling, longest_wait_s
from harness.jobs import Job, Outcome, Protocol
from harness.records import Configuration, Doubt, ModelFacts, Phase, Quality
from harness.trial import is_steady, phase_s, run_trial, sound

STEP_S = 0.1


class StepClock:
    """Time that only work and sleep move."""

    def __init__(self) -> None:
        self.now = 0

    def now_ns(self) -> int:
        return self.now

    def sleep(self, duration_s: float) -> None:
        self.now += round(duration_s * 1e9)


class StepBackend:
    name = "cpu"
    asynchronous = False

    def unavailable(self) -> str | None:
        return None

    def torch_device(self) -> str:
        return "cpu"

    def synchronise(self) -> None:
        return None

    def memory_peak_bytes(self) -> int | None:
        return 1


class StepMeter:
    """An aligned edge waits for the next tick, each 0.25 s; it settles in time."""

    def __init__(self, clock: StepClock, settles_s: float = 0.0) -> None:
        self.clock = clock
        self.settles_ns = settles_s * 1e9
        self.aligned: list[bool] = []
        self.asked_ns: list[int] = []
        self.update_s: float | None = None

    def edge(self, *, aligned: bool = False) -> int:
        self.aligned.append(aligned)
        if aligned:
            self.clock.now += -self.clock.now % 250_000_000
        return self.clock.now_ns()

    def unsteady(self, since_ns: int) -> list[str]:
        return ["it warms"] if self.clock.now - since_ns < self.settles_ns else []

    def updates(self, since_ns: int) -> int | None:
        self.asked_ns.append(self.clock.now)
        if self.update_s is None:
            return None
        return int((self.clock.now - since_ns) / 1e9 / self.update_s)


class StepWorkload:
    """Each step takes 0.1 s; `total` steps where the work is fixed."""

    def __init__(self, clock: StepClock, total: int | None = None) -> None:
        self.clock = clock
        self.total = total
        self.skip: Skip | None = None
        self.passes_after: int | None = None
        self.done = 0
        self.warmed = 0

    def prepare(self, setting: Setting) -> Skip | None:
        self.clock.sleep(2.0)
        return self.skip

    def convert(self) -> Skip | None:
        self.clock.sleep(1.0)
        return None

    def total_steps(self) -> int | None:
        return self.total

    def exam_due(self) -> bool:
        self.done += 1
        return self.passes_after is not None and self.done % 5 == 0

    def examine(self) -> bool:
        self.clock.sleep(0.5)
        return self.done >= (self.passes_after or 0)

    def effort(self) -> Effort:
        return Effort(flop_per_item=10.0, peak_flop_per_s=100.0, source="fake")

    def warm(self) -> None:
        self.warmed += 1
        self.clock.sleep(STEP_S)

    def step(self) -> int:
        self.clock.sleep(STEP_S)
        return 4

    def evaluate(self) -> tuple[Quality, Mapping[str, Any]]:
        self.clock.sleep(1.0)
        return Quality(metric="accuracy", accuracy=0.5, n=4), {"correct": [True]}

    def facts(self) -> ModelFacts:
        return ModelFacts(parameters=1, weight_bytes=4)

    def doubts(self) -> Sequence[Doubt]:
        return ()


def perform(
    total: int | None = None,
    skip: Skip | None = None,
    trial: str = "t",
    settles_s: float = 0.0,
    passes_after: int | None = None,
) -> Outcome:
    clock = StepClock()
    workload = StepWorkload(clock, total)
    workload.skip = skip
    workload.passes_after = passes_after
    configuration = Configuration(
        workload="tiny", phase=Phase.INFER, precision="fp32", device="cpu", batch_size=4
    )
    job = Job(
        trial=trial,
        configuration=configuration,
        protocol=Protocol(window_min_s=3.0, idle_s=1.0),
        seed=0,
        folder="unused",
    )
    meter = StepMeter(clock, settles_s)
    bench = Bench(workload, StepBackend(), meter, clock, lambda *_: None)
    setting = Setting(configuration, "cpu", 0, Path("unused"))
    outcome, _ = run_trial(job, bench, setting)
    return outcome


def lengths(outcome: Outcome) -> dict[str, float]:
    return {span.name: round(span.duration_s, 6) for span in outcome.spans}


def test_open_work_fills_the_window_and_nothing_else_is_in_it() -> None:
    outcome = perform()

    assert lengths(outcome) == {
        "load": 2.0,
        "convert": 1.0,
        "setup": 3.0,
        "idle_before": 1.0,
        "window": 3.0,
        "evaluate": 1.0,
        "idle_after": 1.0,
    }
    assert (outcome.items, outcome.steps) == (120, 30)


def test_fixed_work_ends_with_its_last_step_whatever_the_window() -> None:
    outcome = perform(total=7)

    assert outcome.steps == 7
    assert lengths(outcome)["window"] == 0.75
    assert outcome.work_s == pytest.approx(0.7)


def test_the_window_and_both_idles_lie_on_ticks() -> None:
    outcome = perform(total=7)

    for span in outcome.spans:
        if span.name in ("idle_before", "window", "idle_after"):
            assert (span.start_ns % 250_000_000, span.end_ns % 250_000_000) == (0, 0)


def test_no_two_trials_begin_at_the_same_phase() -> None:
    phases_s = {phase_s(trial) for trial in ("r0-a", "r1-a", "r0-b")}

    assert len(phases_s) == 3
    assert all(0.0 <= phase <= 0.1 for phase in phases_s)


def test_the_warm_up_goes_on_until_the_machine_has_settled() -> None:
    early, late = perform(settles_s=0.5), perform(settles_s=2.5)

    assert (early.steady, late.steady) == (True, True)
    assert warmed_s(late) > warmed_s(early) + 1.0


def test_a_machine_that_does_not_settle_is_said_not_to() -> None:
    outcome = perform(settles_s=1e9)

    assert not outcome.steady
    assert outcome.unsteady == ("it warms",)
    assert warmed_s(outcome) < 7.0


def warmed_s(outcome: Outcome) -> float:
    """Seconds between the idle phase and the window."""
    spans = {span.name: span for span in outcome.spans}
    return (spans["window"].start_ns - spans["idle_before"].end_ns) / 1e9


def test_every_step_of_a_synchronous_device_has_its_latency() -> None:
    outcome = perform()

    assert len(outcome.latencies_s) == outcome.steps
    assert max(outcome.latencies_s) < 0.11


def test_a_skip_ends_the_trial_with_its_reason_and_no_window() -> None:
    outcome = perform(skip=Skip("no such instructions"))

    assert (outcome.status, outcome.reason) == ("skipped", "no such instructions")
    assert outcome.spans[-1].name == "setup"


def test_steps_that_still_get_faster_are_not_steady() -> None:
    assert not is_steady([1.0] * 4)
    assert not is_steady([2.0] * 5 + [1.0] * 5)
    assert is_steady([5.0] + [1.0] * 10)


def test_a_training_ends_at_its_target_and_its_examinations_stand_apart() -> None:
    outcome = perform(total=40, passes_after=10)

    exams = [span for span in outcome.spans if span.name == "evaluation"]
    assert outcome.steps == 10
    assert [round(exam.duration_s, 6) for exam in exams] == [0.5, 0.5]
    assert outcome.work_s == pytest.approx(10 * STEP_S)
    window = next(span for span in outcome.spans if span.name == "window")
    assert all(window.start_ns <= exam.start_ns for exam in exams)
    assert all(exam.end_ns <= window.end_ns for exam in exams)


def test_a_target_out_of_reach_ends_with_the_epochs() -> None:
    assert perform(total=12, passes_after=100).steps == 12


def window_of(protocol: Protocol, update_s: float | None) -> tuple[Filling, float]:
    """Length of a window of steps of 0.1 s with four items each."""
    clock = StepClock()
    meter = StepMeter(clock)
    meter.update_s = update_s
    filling = Filling(protocol, meter, 0)
    items = 0
    while not filling.is_full(items, clock.now / 1e9):
        clock.sleep(STEP_S)
        items += 4
    return filling, clock.now / 1e9


def test_a_window_lasts_until_time_items_and_updates_are_there() -> None:
    at_least = Protocol(window_min_s=2.0)
    items = at_least.model_copy(update={"window_items": 400})
    updates = at_least.model_copy(update={"window_updates": 100})

    assert window_of(at_least, 0.1)[1] == pytest.approx(2.0)
    assert window_of(items, 0.1)[1] == pytest.approx(10.0)
    assert window_of(updates, 0.25)[1] == pytest.approx(25.0, abs=0.6)
    assert window_of(updates, None)[1] == pytest.approx(2.0)


def test_the_meter_is_asked_at_most_twice_a_second_and_not_for_ever() -> None:
    asked = Protocol(window_min_s=2.0, window_updates=100, window_max_s=20.0)

    filling, duration_s = window_of(asked, 1e9)

    assert duration_s == pytest.approx(20.0)
    assert isinstance(filling.meter, StepMeter)
    times_ns = filling.meter.asked_ns
    gaps_ns = [b - a for a, b in itertools.pairwise(times_ns)]
    assert min(gaps_ns) >= 0.5e9
    assert longest_wait_s(Protocol(window_min_s=2.0)) == 60.0
    assert longest_wait_s(Protocol(window_min_s=60.0)) == 240.0


def test_what_is_not_a_number_is_missing_with_a_reason() -> None:
    broken = Quality(metric="accuracy", accuracy=float("nan"), n=4, skill=0.5)

    said = sound(broken)

    assert (said.accuracy, said.skill) == (None, 0.5)
    assert said.reason == "not a number: accuracy"
    assert sound(said) is said
