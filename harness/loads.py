"""What came of queries: latencies, a rate that was sought, the levels of a load."""

from harness.noun import Noun
from harness.readings import Provenance


class Latency(Noun):
    """Percentiles in seconds: of steps (offline, training), else of single queries.

    A query's latency counts from the instant it was due, so that the time it waited
    for its turn is in it. A percentile is given where `n` allows it (harness.latency).

    Attributes:
        n: How many there were.
        reason: Why a percentile is missing.
    """

    p50: float | None = None
    p90: float | None = None
    p99: float | None = None
    n: int = 0
    reason: str | None = None


class Target(Noun):
    """So many of the queries are to be answered within so many seconds."""

    latency_s: float
    percentile_ratio: float


class Try(Noun):
    """A rate that was tried on the way to the highest one that meets a target.

    Attributes:
        n: Queries that were answered, fewer than planned where it was given up.
        over: Those that took longer than the target.
        latency_s: Their percentile that the target is about.
    """

    offered_per_s: float
    n: int
    over: int
    met: bool
    latency_s: float | None = None


class Level(Noun):
    """Queries at one rate inside the window, and what they drew.

    Attributes:
        load_ratio: Share of the capacity that was asked for.
        offered_per_s: Queries that were due, a second.
        achieved_per_s: Queries that were answered, a second.
        n: Queries.
        mean_batch: Queries that were answered together, on average.
        late_s: Median and 99th percentile of how late the loop woke to a query that
            was due while it slept; it is part of that query's latency.
    """

    load_ratio: float | None = None
    offered_per_s: float
    achieved_per_s: float | None
    duration_s: float
    n: int
    mean_batch: float | None = None
    latency_s: Latency = Latency()
    late_s: tuple[float, float] | None = None
    power_w: float | None = None
    energy_j: float | None = None
    provenance: Provenance | None = None
    reason: str | None = None


class Load(Noun):
    """What came of queries that arrived by themselves.

    Attributes:
        capacity_per_s: Items a second in full batches, one after another, before the
            window.
        met: Whether the window met the target; None where it had too few queries.
        latency_s: The percentile of the window that the target is about.
        bound_s: The same with 99 % confidence: an order statistic (harness.latency).
        found_per_s: The highest rate that the search passed; None where none did, or
            where the suite gave one.
        search_energy_j: Joules of the search and of what was run before it.
        levels: One where the rate stayed the same.
        dynamic_range_ratio: 1 - (power at 0 % / power at 100 %).
        proportionality_ratio: EP of Ryckbosch, Polfliet and Eeckhout, "Trends in Server
            Energy Proportionality", Computer 44(9), 2011, doi:10.1109/MC.2011.130: 1
            less the area between the curve of power over load and the ideal line, over
            the area below that line (2 - 2 times the area below power over full power);
            1 is proportional, 0 draws the same power at any load.
        reason: Why something is missing.
    """

    capacity_per_s: float | None = None
    target: Target | None = None
    met: bool | None = None
    latency_s: float | None = None
    bound_s: float | None = None
    found_per_s: float | None = None
    search_s: float | None = None
    search_energy_j: float | None = None
    tries: tuple[Try, ...] = ()
    levels: tuple[Level, ...] = ()
    dynamic_range_ratio: float | None = None
    proportionality_ratio: float | None = None
    reason: str | None = None
