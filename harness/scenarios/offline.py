"""Batch after batch, as fast as it goes: throughput; and any training."""

from harness.bench import Bench, Fill, Scenario, Work
from harness.clock import process_cpu_s
from harness.filling import Filling
from harness.jobs import Job
from harness.units import seconds

REPORT_PERIOD_S = 0.5


def prepare(bench: Bench, job: Job) -> Fill:
    """Nothing has to be known before."""
    return lambda work: _work(bench, job, work)


SCENARIO = Scenario(
    "offline", "all items are there from the start: throughput (the default)", prepare
)


def _work(bench: Bench, job: Job, work: Work) -> None:
    """Fixed work where the workload has it, else steps until the window is full."""
    total = bench.workload.total_steps()
    start_ns = bench.clock.now_ns()
    filling = Filling(job.protocol, bench.meter, start_ns)
    reported_s = 0.0
    elapsed_s = 0.0
    passed = False
    while not passed and not _is_done(work, total, elapsed_s, filling):
        before_ns = bench.clock.now_ns()
        work.items += bench.workload.step()
        work.steps += 1
        now_ns = bench.clock.now_ns()
        elapsed_s = seconds(now_ns - start_ns)
        if not bench.backend.asynchronous:
            work.latencies_s.append(seconds(now_ns - before_ns))
        if elapsed_s - reported_s >= REPORT_PERIOD_S:
            reported_s = elapsed_s
            share = work.steps / total if total else elapsed_s / _floor(job)
            bench.report("window", min(1.0, share))
        if bench.workload.exam_due():
            passed = _examined(bench, work)


def _examined(bench: Bench, work: Work) -> bool:
    """Score a training in the middle of its window, between edges of its own."""
    passed: list[bool] = []
    cpu_s, started_ns = process_cpu_s(), bench.clock.now_ns()
    bench.span("evaluation", lambda: passed.append(bench.workload.examine()))
    work.exams_cpu_s += process_cpu_s() - cpu_s
    work.exams_s += seconds(bench.clock.now_ns() - started_ns)
    return passed[0]


def _is_done(work: Work, total: int | None, elapsed_s: float, filling: Filling) -> bool:
    """Fixed work ends with its last step, open work with the window."""
    if total is not None:
        return work.steps >= total
    return work.steps > 0 and filling.is_full(work.items, elapsed_s)


def _floor(job: Job) -> float:
    return max(job.protocol.window_min_s, 1e-9)
