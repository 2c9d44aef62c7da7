"""One query after another, each of one item: latency."""

from harness.bench import Bench, Fill, Scenario, Work
from harness.filling import Filling
from harness.jobs import Job
from harness.records import Configuration
from harness.scenarios.serving import REPORT_PERIOD_S, answering, rehearse
from harness.units import seconds


def prepare(bench: Bench, job: Job) -> Fill:
    """Run one query, so that the first of the window is like the others."""
    rehearse(bench, 1)
    answering(bench).forget()
    return lambda work: _work(bench, job, work)


def _work(bench: Bench, job: Job, work: Work) -> None:
    """Ask the next query when the last one is answered, until the window is full."""
    workload, clock = answering(bench), bench.clock
    start_ns = now_ns = reported_ns = clock.now_ns()
    end_ns = start_ns + round(job.protocol.window_min_s * 1e9)
    filling = Filling(job.protocol, bench.meter, start_ns)
    while not work.steps or not filling.is_full(work.items, seconds(now_ns - start_ns)):
        before_ns = clock.now_ns()
        workload.answer(1)
        bench.backend.synchronise()
        now_ns = clock.now_ns()
        work.latencies_s.append(seconds(now_ns - before_ns))
        work.items += 1
        work.steps += 1
        if seconds(now_ns - reported_ns) >= REPORT_PERIOD_S:
            reported_ns = now_ns
            share = (now_ns - start_ns) / (end_ns - start_ns)
            bench.report("window", min(1.0, share))


def _one_item(configuration: Configuration) -> str | None:
    if configuration.batch_size == 1:
        return None
    return "single-stream asks one item at a time: batch_size 1"


SCENARIO = Scenario(
    "single-stream",
    "one query of one item after another: latency",
    prepare,
    refuse=_one_item,
)
