"""A few shares of the capacity, one after another: power as a function of load.

The levels are those of a graduated load (SPECpower_ssj2008 has them, too): queries at
random instants at each share of the capacity that was found before the window, and no
query at all at 0 %. Each level lasts a window and lies between edges of its own; it has
the meter updates of one, and all levels together its items.
"""

from typing import Any

from harness.bench import Bench, Fill, Scenario, Work
from harness.filling import lasting_s
from harness.jobs import Job, Protocol, Served, Stretch
from harness.scenarios.serving import (
    answering,
    arrivals_within_s,
    capacity_per_s,
    rehearse,
    serve,
)
from harness.yaml_source import Key, number

LEVELS = (0.0, 0.1, 0.25, 0.5, 0.75, 1.0)
LOOK_RATIO = 0.5
"""The look for the capacity lasts so much of a window."""


def prepare(bench: Bench, job: Job) -> Fill:
    """Find the capacity."""
    batch = job.configuration.batch_size
    found: list[float] = []

    def look() -> None:
        rehearse(bench, batch)
        look_s = LOOK_RATIO * job.protocol.window_min_s
        found.append(capacity_per_s(bench, batch, look_s))

    bench.span("search", look)
    answering(bench).forget()
    updates_s = lasting_s(job.protocol, bench.meter, bench.spans[-1])
    lasts_s = max(updates_s, _items_s(job.protocol, found[0]))
    return lambda work: _work(bench, job, work, (found[0], lasts_s))


def _items_s(protocol: Protocol, capacity: float) -> float:
    """How long a level must last for all of them to have the items of a window."""
    rate_per_s = capacity * sum(_levels(protocol))
    return protocol.window_items / rate_per_s if rate_per_s else 0.0


def _work(bench: Bench, job: Job, work: Work, found: tuple[float, float]) -> None:
    """Level by level, each until its time is up and its queries are answered."""
    capacity, lasts_s = found
    stretches = [
        _level(bench, job, share, (round(share * capacity * lasts_s), lasts_s))
        for share in _levels(job.protocol)
    ]
    work.items = sum(len(each.latencies_s) for each in stretches)
    work.steps = sum(each.batches for each in stretches)
    work.served = Served(stretches=tuple(stretches), capacity_per_s=capacity)


def _level(bench: Bench, job: Job, share: float, queries: tuple[int, float]) -> Stretch:
    """So many queries within so many seconds."""
    n, lasts_s = queries
    seed = f"{job.seed}-{job.round}-{share}"
    due_s = arrivals_within_s(n, lasts_s, seed)
    found: list[Stretch] = []

    def body() -> None:
        queue = serve(bench, due_s, job.configuration.batch_size, until_s=lasts_s)
        found.append(queue.stretch(n / lasts_s, load_ratio=share))

    bench.span("level", body, aligned=True)
    return found[0].model_copy(update={"span": bench.spans[-1]})


def _levels(protocol: Protocol) -> tuple[float, ...]:
    given = SCENARIO.settings(protocol).get("levels", LEVELS)
    return tuple(float(each) for each in given)


def _share(value: Any) -> float:
    """Percent of the capacity as a ratio."""
    return number(0, 100)(value) / 100


SCENARIO = Scenario(
    "load-curve",
    "0, 10, 25, 50, 75 and 100 % of the capacity: energy proportionality",
    prepare,
    keys={
        "levels": Key(
            _share, {"type": "number", "minimum": 0, "maximum": 100}, at_least=1
        )
    },
    windows=lambda protocol: LOOK_RATIO + len(_levels(protocol)),
    varies=True,
)
