"""One trial: setup, idle, warm-up, the measured window, the quality of its answers."""

import math
import random
import statistics
from collections.abc import Mapping
from typing import Any

from harness.bench import Bench, Work
from harness.clock import process_cpu_s
from harness.contracts import Setting, Skip
from harness.jobs import Job, Outcome
from harness.readings import Span
from harness.records import Quality
from harness.scenarios import SCENARIOS
from harness.units import seconds

ASK_PERIOD_S = 0.5
SENSOR_PERIOD_S = 0.1
STEADY_STEPS = 5
STEADY_SPREAD = 0.10


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
    fill = SCENARIOS[job.configuration.scenario].prepare(bench, job)
    bench.clock.sleep(phase_s(job.trial))
    work = Work()
    cpu_s = process_cpu_s()
    work_s = bench.span("window", lambda: fill(work), aligned=True)
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
        served=work.served,
        quality=sound(quality),
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


def sound(quality: Quality) -> Quality:
    """The quality, without what is not a number: missing is None with a reason."""
    numbers = {"accuracy", "constant_baseline", "skill", "f1", "recall"}
    values = {name: getattr(quality, name) for name in numbers}
    broken = [n for n, v in values.items() if v is not None and not math.isfinite(v)]
    if not broken:
        return quality
    reason = f"not a number: {', '.join(sorted(broken))}"
    return quality.model_copy(update={**dict.fromkeys(broken), "reason": reason})


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
