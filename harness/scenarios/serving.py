"""Queries that come by themselves: their instants, the queue, and batches of it.

A query is one item. The instants at which queries are due are drawn beforehand, and
latency counts from them, whenever the loop gets to a query: a loop that falls behind
cannot hide it (coordinated omission). Between queries the loop sleeps, so that idle
power is what it would be; how late the system wakes it is kept beside the latencies.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from random import Random
from typing import Any

from harness.bench import Bench
from harness.contracts import Answering
from harness.errors import BenchError
from harness.jobs import Stretch
from harness.units import NS_PER_S, seconds

REPORT_PERIOD_S = 0.5
EVERY_SIZE = 64
"""Up to this batch size, every size of a batch is run once beforehand."""
LEAST_BATCHES = 5
Times = Sequence[int]
GiveUp = Callable[[Sequence[float]], bool]
"""Told the latencies so far, after each batch; whether to stop."""


@dataclass
class Queue:
    """What came of some queries so far."""

    latencies_s: list[float] = field(default_factory=list)
    late_s: list[float] = field(default_factory=list)
    batches: int = 0
    work_s: float = 0.0

    def stretch(self, offered_per_s: float, **more: Any) -> Stretch:
        """The same as a value."""
        return Stretch(
            offered_per_s=offered_per_s,
            work_s=self.work_s,
            batches=self.batches,
            latencies_s=tuple(self.latencies_s),
            late_s=tuple(self.late_s),
            **more,
        )


def arrivals_s(rate_per_s: float, n: int, seed: str) -> list[float]:
    """Instants of n queries of a Poisson process, from 0 on.

    The same seed gives the same pattern at every rate, stretched.
    """
    chance = Random(seed)  # noqa: S311 (spreads queries, keeps no secret)
    gaps = (chance.expovariate(1.0) / rate_per_s for _ in range(n))
    return list(accumulate(gaps))


def arrivals_within_s(n: int, duration_s: float, seed: str) -> list[float]:
    """Instants of a Poisson process that had n queries in so many seconds.

    Given their number, they are spread evenly and independently.
    """
    chance = Random(seed)  # noqa: S311
    return sorted(chance.uniform(0.0, duration_s) for _ in range(n))


def answering(bench: Bench) -> Answering:
    """The workload as one that answers single items.

    Raises:
        BenchError: It cannot.
    """
    workload = bench.workload
    if not isinstance(workload, Answering):
        raise BenchError(
            f"{type(workload).__name__} answers whole batches only",
            hint="scenario offline, or give the workload `answer` and `forget` "
            "(harness.contracts.Answering)",
        )
    return workload


def rehearse(bench: Bench, batch_size: int) -> None:
    """Run each size of a batch once: kernels are chosen, and compiled, at first use."""
    workload = answering(bench)
    sizes = {*range(1, min(batch_size, EVERY_SIZE) + 1), batch_size}
    sizes |= {1 << power for power in range(batch_size.bit_length())}
    for size in sorted(sizes):
        workload.answer(size)
        bench.backend.synchronise()


def capacity_per_s(bench: Bench, batch_size: int, duration_s: float) -> float:
    """Items a second in full batches, each waited for, one after another."""
    workload = answering(bench)
    start_ns = bench.clock.now_ns()
    batches, elapsed_s = 0, 0.0
    while elapsed_s < duration_s or batches < LEAST_BATCHES:
        workload.answer(batch_size)
        bench.backend.synchronise()
        batches += 1
        elapsed_s = seconds(bench.clock.now_ns() - start_ns)
    return batches * batch_size / elapsed_s


def serve(
    bench: Bench,
    due_s: Sequence[float],
    batch_size: int,
    *,
    give_up: GiveUp = lambda _: False,
    until_s: float = 0.0,
    stage: str = "window",
) -> Queue:
    """Answer queries as they come due; those that wait are answered together.

    Args:
        bench: What they are answered with.
        due_s: Instants from now on, in order.
        batch_size: Most that one step answers.
        give_up: Ends it early.
        until_s: Sleep on until then, at least.
        stage: What progress is reported of.
    """
    clock, workload = bench.clock, answering(bench)
    start_ns = clock.now_ns()
    due_ns = [start_ns + round(each_s * NS_PER_S) for each_s in due_s]
    queue = Queue()
    first, reported_ns = 0, start_ns
    while first < len(due_ns) and not give_up(queue.latencies_s):
        last = _waiting(due_ns, first, _awake(bench, due_ns[first], queue), batch_size)
        workload.answer(last - first)
        bench.backend.synchronise()
        now_ns = clock.now_ns()
        queue.latencies_s += [seconds(now_ns - due) for due in due_ns[first:last]]
        queue.batches += 1
        first = last
        if seconds(now_ns - reported_ns) >= REPORT_PERIOD_S:
            reported_ns = now_ns
            bench.report(stage, first / len(due_ns))
    sleep_until(bench, start_ns + round(until_s * NS_PER_S))
    queue.work_s = seconds(clock.now_ns() - start_ns)
    return queue


def _awake(bench: Bench, due_ns: int, queue: Queue) -> int:
    """Sleep until a query is due, where it is not; the instant after that."""
    if bench.clock.now_ns() < due_ns:
        sleep_until(bench, due_ns)
        queue.late_s.append(seconds(bench.clock.now_ns() - due_ns))
    return bench.clock.now_ns()


def sleep_until(bench: Bench, instant_ns: int) -> None:
    """Sleep, never spin: what is left of it is slept again."""
    while (left_ns := instant_ns - bench.clock.now_ns()) > 0:
        bench.clock.sleep(seconds(left_ns))


def _waiting(due_ns: Times, first: int, now_ns: int, batch_size: int) -> int:
    """Where the queries end that are due by now, at most a batch from the first."""
    last = first + 1
    most = min(len(due_ns), first + batch_size)
    while last < most and due_ns[last] <= now_ns:
        last += 1
    return last
