"""One trial: setup, idle, warm-up, the measured window, the quality of its answers."""

import random
import statistics
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from harness.clock import Clock, process_cpu_s
from harness.contracts import Backend, EdgeMeter, Setting, Skip, Workload
from harness.jobs import Job, Outcome
from harness.readings import Span
from harness.units import seconds

REPORT_PERIOD_S = 0.5
ASK_PERIOD_S = 0.5
SENSOR_PERIOD_S = 0.1
STEADY_STEPS = 5
STEADY_SPREAD = 0.10

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
    """What the window did, and what examining a training in between took."""

    items: int = 0
    steps: int = 0
    exams_s: float = 0.0
    exams_cpu_s: float = 0.0
    latencies_s: list[float] = field(default_factory=list)


def run_trial(
    job: Job, bench: Bench, setting: Setting
) -> tuple[Outcome, Mapping[str, Any]]:
    """Run one trial and return its times and answers, with per-item arrays."""
    workload = bench.workload
    if skip := _set_up(bench, setting):
        spans = tuple(bench.spans)
        return Outcome(
            trial=job.trial, status="skipped", reason=skip.reason, spans=spans
        ), {}
    idle_s = job.protocol.idle_s
    bench.span("idle_before", lambda: bench.clock.sleep(idle_s), aligned=True)
    steady, unsteady = _warm_up(bench, job)
    bench.clock.sleep(phase_s(job.trial))
    work = Work()
    cpu_s = process_cpu_s()
    work_s = bench.span("window", lambda: _work(bench, job, work), aligned=True)
    cpu_s = process_cpu_s() - cpu_s - work.exams_cpu_s
    answers: list[tuple[Any, Mapping[str, Any]]] = []
    bench.span("evaluate", lambda: answers.append(workload.evaluate()))
    bench.span("idle_after", lambda: bench.clock.sleep(idle_s), aligned=True)
    quality, arrays = answers[0]
    effort = workload.effort()
    outcome = Outcome(
        trial=job.trial,
        status="ok",
        spans=tuple(bench.spans),
        items=work.items,
        steps=work.steps,
        steady=steady,
        latencies_s=tuple(work.latencies_s),
        quality=quality,
        model=workload.facts(),
        memory_peak_bytes=bench.backend.memory_peak_bytes(),
        flop_per_item=effort.flop_per_item,
        peak_flop_per_s=effort.peak_flop_per_s,
        peak_source=effort.source,
        work_s=work_s - work.exams_s,
        cpu_s=cpu_s,
        unsteady=tuple(unsteady),
        doubts=tuple(workload.doubts()),
    )
    return outcome, arrays


def _set_up(bench: Bench, setting: Setting) -> Skip | None:
    """Load, then convert; spans for both together and for the conversion alone."""
    skips: list[Skip | None] = []
    bench.span("load", lambda: skips.append(bench.workload.prepare(setting)))
    if not skips[-1]:
        bench.span("convert", lambda: skips.append(bench.workload.convert()))
    start_ns, end_ns = bench.spans[0].start_ns, bench.spans[-1].end_ns
    bench.spans.append(Span(name="setup", start_ns=start_ns, end_ns=end_ns))
    return skips[-1]


def phase_s(trial: str) -> float:
    """A delay of up to one update period of slow sensors, different in each trial.

    A loop whose period divides the sensor's would otherwise be read at one phase of it
    in every round (SC'24, arXiv 2312.02741).
    """
    chance = random.Random(trial)  # noqa: S311 (spreads phases, keeps no secret)
    return chance.uniform(0.0, SENSOR_PERIOD_S)


def _warm_up(bench: Bench, job: Job) -> tuple[bool, list[str]]:
    """Repeat steps until they and the machine settle, up to a cap.

    Returns:
        Whether it settled, and what the meters said had not.
    """
    bench.report("warm-up", 0.0)
    durations_s: list[float] = []
    started_ns = bench.clock.now_ns()
    asked_s = 0.0
    unsteady: list[str] = []
    while True:
        before_ns = bench.clock.now_ns()
        bench.workload.warm()
        bench.backend.synchronise()
        now_ns = bench.clock.now_ns()
        durations_s.append(seconds(now_ns - before_ns))
        elapsed_s = seconds(now_ns - started_ns)
        settled = is_steady(durations_s)
        if elapsed_s >= max(job.protocol.warmup_min_s, asked_s) and settled:
            unsteady = bench.meter.unsteady(started_ns)
            if not unsteady:
                return True, []
            asked_s = elapsed_s + ASK_PERIOD_S
        if elapsed_s >= job.protocol.warmup_max_s:
            return False, unsteady


def is_steady(durations_s: list[float]) -> bool:
    """Whether the last two groups of steps took the same time within 10 %."""
    if len(durations_s) < 2 * STEADY_STEPS:
        return False
    late = statistics.median(durations_s[-STEADY_STEPS:])
    early = statistics.median(durations_s[-2 * STEADY_STEPS : -STEADY_STEPS])
    return abs(late - early) <= STEADY_SPREAD * early


def _work(bench: Bench, job: Job, work: Work) -> None:
    """Fixed work where the workload has it, else steps until the window is full."""
    total = bench.workload.total_steps()
    start_ns = now_ns = bench.clock.now_ns()
    reported_s = 0.0
    elapsed_s = 0.0
    passed = False
    while not passed and not _is_done(work.steps, total, elapsed_s, _floor(job)):
        work.items += bench.workload.step()
        work.steps += 1
        before_ns, now_ns = now_ns, bench.clock.now_ns()
        elapsed_s = seconds(now_ns - start_ns)
        if not bench.backend.asynchronous:
            work.latencies_s.append(seconds(now_ns - before_ns))
        if elapsed_s - reported_s >= REPORT_PERIOD_S:
            reported_s = elapsed_s
            share = work.steps / total if total else elapsed_s / _floor(job)
            bench.report("window", min(1.0, share))
        if bench.workload.exam_due():
            passed = _examined(bench, work)
            now_ns = bench.clock.now_ns()


def _examined(bench: Bench, work: Work) -> bool:
    """Score a training in the middle of its window, between edges of its own."""
    passed: list[bool] = []
    cpu_s, started_ns = process_cpu_s(), bench.clock.now_ns()
    bench.span("evaluation", lambda: passed.append(bench.workload.examine()))
    work.exams_cpu_s += process_cpu_s() - cpu_s
    work.exams_s += seconds(bench.clock.now_ns() - started_ns)
    return passed[0]


def _is_done(steps: int, total: int | None, elapsed_s: float, window_s: float) -> bool:
    """Fixed work ends with its last step, open work with the window."""
    if total is not None:
        return steps >= total
    return steps > 0 and elapsed_s >= window_s


def _floor(job: Job) -> float:
    return max(job.protocol.window_min_s, 1e-9)
