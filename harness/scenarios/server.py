"""Queries of a Poisson process at a rate, with a target for their latency.

The rate is given, or the highest that meets the target is found by bisection below the
capacity. A rate passes where so few queries of its try were over the target that it is
met with 99 % confidence (harness.latency); the window then has arrivals of its own.
"""

from collections.abc import Sequence
from math import ceil, sqrt
from typing import Any

from harness import latency
from harness.bench import Bench, Fill, Scenario, Work
from harness.filling import lasting_s
from harness.jobs import Job, Protocol, Served
from harness.loads import Target, Try
from harness.noun import Noun
from harness.scenarios.serving import (
    Queue,
    answering,
    arrivals_s,
    capacity_per_s,
    rehearse,
    serve,
)
from harness.yaml_source import Key, duration_s, number, whole

SEARCH = "search"
LOWEST_RATIO = 1 / 16
"""A target that this share of the capacity misses is not to be met by waiting less."""
FINE = 1.03
"""The search ends where what passed and what failed are this near to each other."""
SETTLED = 5
"""So many times as long as a queue needs to settle is it watched."""
LEAST_CEILING = 0.5
TRY_RATIO = 0.5
"""A try, and the look for the capacity, last so much of a window."""
USUAL_TRIES = 5
NAMES = {
    "latency": "latency_s",
    "percentile": "percentile_ratio",
    "rate_per_s": "rate_per_s",
    "seed": "seed",
}
"""What a setting is called in a suite, and here."""
DURATION = {"type": "string", "pattern": r"^\s*\d+(\.\d+)?\s*(ms|s|min|h)\s*$"}


class Setting(Noun):
    """What a suite may set.

    Attributes:
        latency_s: Target of the percentile.
        rate_per_s: Queries a second; None: the highest rate that meets the target.
        seed: Of the arrivals; None: the suite's.
    """

    latency_s: float = 0.1
    percentile_ratio: float = 0.99
    rate_per_s: float | None = None
    seed: int | None = None

    @property
    def target(self) -> Target:
        """The latency to be kept."""
        return Target(latency_s=self.latency_s, percentile_ratio=self.percentile_ratio)


def prepare(bench: Bench, job: Job) -> Fill:
    """Find the capacity and, where none is given, the rate."""
    setting = _setting(job.protocol)
    found: list[Served] = []
    bench.span("search", lambda: found.append(_explore(bench, job, setting)))
    answering(bench).forget()
    lasts_s = lasting_s(job.protocol, bench.meter, bench.spans[-1])
    return lambda work: _work(bench, job, work, (found[0], lasts_s))


def _setting(protocol: Protocol) -> Setting:
    given = SCENARIO.settings(protocol)
    return Setting.model_validate({NAMES[name]: each for name, each in given.items()})


def _explore(bench: Bench, job: Job, setting: Setting) -> Served:
    batch = job.configuration.batch_size
    rehearse(bench, batch)
    capacity = capacity_per_s(bench, batch, TRY_RATIO * job.protocol.window_min_s)
    known = Served(stretches=(), capacity_per_s=capacity, target=setting.target)
    if setting.rate_per_s is not None:
        return known
    tries = search(bench, job, capacity)
    passed = [each.offered_per_s for each in tries if each.met]
    best = max(passed, default=None)
    return known.model_copy(update={"tries": tuple(tries), "found_per_s": best})


def search(bench: Bench, job: Job, capacity: float) -> list[Try]:
    """Rates between nothing and the highest that a try can judge, by bisection."""
    low, high = 0.0, highest(capacity, TRY_RATIO * job.protocol.window_min_s)
    tries: list[Try] = []
    while high > max(FINE * low, LOWEST_RATIO * capacity):
        rate = (low + high) / 2
        tries.append(_try(bench, job, rate))
        low, high = (rate, high) if tries[-1].met else (low, rate)
    return tries


def highest(capacity: float, try_s: float) -> float:
    """Highest rate whose queue settles in a fifth of a try, in queries a second.

    Near the capacity c a queue needs about 2 / (c (1 - load)^2) seconds to forget that
    it began empty (relaxation of reflected Brownian motion in heavy traffic: Abate and
    Whitt, Advances in Applied Probability 19, 1987): a short try would let it pass.
    """
    load = 1 - sqrt(2 * SETTLED / (capacity * try_s))
    return capacity * max(load, LEAST_CEILING)


def _try(bench: Bench, job: Job, rate_per_s: float) -> Try:
    """Whether a rate meets the target; given up once it cannot any more."""
    target = _setting(job.protocol).target
    n = _queries(rate_per_s, TRY_RATIO * job.protocol.window_min_s, target)
    most = latency.allowed(n, target.percentile_ratio)
    over = Counting(target.latency_s)
    due_s = arrivals_s(rate_per_s, n, _seed(job, "search"))
    queue = serve(
        bench,
        due_s,
        job.configuration.batch_size,
        give_up=lambda latencies_s: over.count(latencies_s) > most,
        stage="search",
    )
    return Try(
        offered_per_s=rate_per_s,
        n=len(queue.latencies_s),
        over=over.count(queue.latencies_s),
        met=over.count(queue.latencies_s) <= most,
        latency_s=latency.percentile_s(queue.latencies_s, target.percentile_ratio),
    )


class Counting:
    """Counts what is over a limit in a list that grows, each entry once."""

    def __init__(self, limit_s: float) -> None:
        self._limit_s = limit_s
        self._seen = self._over = 0

    def count(self, latencies_s: Sequence[float]) -> int:
        """How many are over the limit so far."""
        new = latencies_s[self._seen :]
        self._seen += len(new)
        self._over += sum(each > self._limit_s for each in new)
        return self._over


def _queries(rate_per_s: float, duration_s: float, target: Target) -> int:
    """As many as fill the time, and as the percentile needs."""
    needed = latency.needed(target.percentile_ratio)
    return max(needed, ceil(rate_per_s * duration_s))


def _seed(job: Job, purpose: str) -> str:
    """The same for all configurations of a round, and another in the next one."""
    given = _setting(job.protocol).seed
    seed = job.seed if given is None else given
    return f"{seed}-{job.round}-{purpose}"


def _work(bench: Bench, job: Job, work: Work, found: tuple[Served, float]) -> None:
    """The window: arrivals of its own at the rate that was given or found.

    Where no rate passed, it is the first that was tried.
    """
    known, lasts_s = found
    setting = _setting(job.protocol)
    rate = setting.rate_per_s or known.found_per_s or known.tries[0].offered_per_s
    n = _queries(rate, lasts_s, setting.target)
    n = max(n, job.protocol.window_items)
    due_s = arrivals_s(rate, n, _seed(job, "window"))
    queue: Queue = serve(bench, due_s, job.configuration.batch_size)
    work.items = len(queue.latencies_s)
    work.steps = queue.batches
    work.served = known.model_copy(update={"stretches": (queue.stretch(rate),)})


def _windows(protocol: Protocol) -> float:
    tries = 0 if _setting(protocol).rate_per_s else USUAL_TRIES
    return 1 + TRY_RATIO * (1 + tries)


def _rate(value: Any) -> float | None:
    """None for `search`."""
    if value == SEARCH:
        return None
    if isinstance(value, str):
        message = f"{value!r} is neither `{SEARCH}` nor queries a second"
        raise ValueError(message)  # noqa: TRY004 (a fault of a file is a ValueError)
    return number(1e-3, 1e9)(value)


def _target_s(value: Any) -> float:
    found = duration_s(value)
    if found <= 0:
        raise ValueError("a target of no time at all cannot be met")
    return found


def _share(value: Any) -> float:
    """A percentile such as 99 as a ratio."""
    return number(50, 99.9)(value) / 100


KEYS = {
    "latency": Key(_target_s, DURATION),
    "percentile": Key(_share, {"type": "number", "minimum": 50, "maximum": 99.9}),
    "rate_per_s": Key(
        _rate, {"anyOf": [{"const": SEARCH}, {"type": "number", "minimum": 1e-3}]}
    ),
    "seed": Key(whole(0, 2**31 - 1), {"type": "integer", "minimum": 0}),
}
SCENARIO = Scenario(
    "server",
    "queries of one item at random instants, at the highest rate that keeps a latency "
    "target: what waits is answered in batches",
    prepare,
    windows=_windows,
    varies=True,
    keys=KEYS,
)
