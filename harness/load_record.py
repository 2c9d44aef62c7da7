"""From queries and a trace to what a load took: levels, a target, proportionality."""

from collections.abc import Iterator, Sequence
from itertools import pairwise

from harness import energy, latency, perimeter
from harness.jobs import Outcome, Served, Stretch
from harness.loads import Level, Load
from harness.readings import Channel, Span
from harness.records import Doubt
from harness.series import Trace

LATE_RATIO = 0.1
"""Waking up this late, over the median latency, is part of what was measured."""
MOST_LACKING = 0.05
"""A level that falls this far short of its rate is not that level."""


def load(outcome: Outcome, channels: Sequence[Channel], trace: Trace) -> Load | None:
    """The record of queries that came by themselves; None where none did."""
    served = outcome.served
    if served is None:
        return None
    spans = {span.name: span for span in outcome.spans}
    levels = [
        _level(s, s.span or spans["window"], channels, trace) for s in served.stretches
    ]
    made = Load(
        capacity_per_s=served.capacity_per_s,
        found_per_s=served.found_per_s,
        tries=served.tries,
        levels=tuple(levels),
        target=served.target,
    )
    if search := spans.get("search"):
        spent = perimeter.total(energy.account(channels, trace, search))
        found = {"search_s": search.duration_s, "search_energy_j": spent.energy_j}
        made = made.model_copy(update=found)
    return made.model_copy(update=_against(served) or _curve(levels))


def _level(
    stretch: Stretch, span: Span, channels: Sequence[Channel], trace: Trace
) -> Level:
    spent = perimeter.total(energy.account(channels, trace, span))
    n, work_s = len(stretch.latencies_s), stretch.work_s
    power_w = None
    if spent.energy_j is not None and span.duration_s > 0:
        power_w = spent.energy_j / span.duration_s
    return Level(
        load_ratio=stretch.load_ratio,
        offered_per_s=stretch.offered_per_s,
        achieved_per_s=n / work_s if work_s > 0 else None,
        duration_s=span.duration_s,
        n=n,
        mean_batch=n / stretch.batches if stretch.batches else None,
        latency_s=latency.summary(stretch.latencies_s),
        late_s=_late(stretch.late_s),
        power_w=power_w,
        energy_j=spent.energy_j,
        provenance=spent.provenance,
        reason=spent.reason,
    )


def _late(late_s: Sequence[float]) -> tuple[float, float] | None:
    ordered = sorted(late_s)
    if not ordered:
        return None
    last = len(ordered) - 1
    return ordered[last // 2], ordered[round(0.99 * last)]


def _against(served: Served) -> dict[str, object]:
    """Whether the window kept the target, where there was one."""
    target = served.target
    if target is None:
        return {}
    latencies_s = served.stretches[0].latencies_s
    ratio = target.percentile_ratio
    reached_s = latency.percentile_s(latencies_s, ratio)
    few = f"p{100 * ratio:g} needs {latency.needed(ratio)} queries"
    return {
        "latency_s": reached_s,
        "bound_s": latency.bound_s(latencies_s, ratio),
        "met": None if reached_s is None else reached_s <= target.latency_s,
        "reason": f"{few}; there are {len(latencies_s)}" if reached_s is None else None,
    }


def _curve(levels: Sequence[Level]) -> dict[str, object]:
    """Dynamic range and proportionality of levels from 0 to 100 %."""
    by_load = {each.load_ratio: each for each in levels}
    idle, full = by_load.get(0.0), by_load.get(1.0)
    if idle is None or full is None:
        return {"reason": "proportionality needs the levels 0 and 100"}
    points = [_point(by_load[share], full) for share in sorted(filter(None, by_load))]
    known = [(0.0, idle.power_w), *points]
    powers_w = [power_w for _, power_w in known if power_w is not None]
    if len(powers_w) < len(known) or powers_w[-1] <= 0:
        return {"reason": "the power of a level is not known"}
    shares = [share for share, _ in known]
    curve = list(zip(shares, (p / powers_w[-1] for p in powers_w), strict=True))
    area = sum((b - a) * (p + q) / 2 for (a, p), (b, q) in pairwise(curve))
    return {
        "dynamic_range_ratio": 1 - curve[0][1],
        "proportionality_ratio": 1 - (area - 0.5) / 0.5,
    }


def _point(level: Level, full: Level) -> tuple[float, float | None]:
    """Load as a share of what was achieved at 100 %, and power."""
    share = (level.achieved_per_s or 0.0) / (full.achieved_per_s or 1.0)
    return min(1.0, share), level.power_w


def doubts(found: Load | None) -> Iterator[Doubt]:
    """A target missed or not to be judged, late waking, a level not reached."""
    if found is None:
        return
    if found.target and not found.met:
        yield _missed(found)
    if found.tries and all(each.met for each in found.tries):
        yield Doubt(
            code="search-ceiling",
            message="the target was kept at every rate that was tried, up to "
            f"{found.tries[-1].offered_per_s:.4g} a second of a capacity of "
            f"{found.capacity_per_s or 0.0:.4g}",
            remedy="a longer window (protocol.window.min) can judge rates nearer to it",
        )
    for level in found.levels:
        usual_s = level.latency_s.p50
        if level.late_s and usual_s and level.late_s[0] > LATE_RATIO * usual_s:
            yield Doubt(
                code="late-waking",
                message=f"the loop woke {1e6 * level.late_s[0]:.0f} us late (median), "
                f"of a median latency of {1e3 * usual_s:.3g} ms",
                remedy="it is the system's timer and part of each latency: read them "
                "as an upper bound",
            )
        achieved = level.achieved_per_s or 0.0
        if level.load_ratio and achieved < (1 - MOST_LACKING) * level.offered_per_s:
            yield Doubt(
                code="level-missed",
                message=f"{achieved:.3g} of {level.offered_per_s:.3g} queries a second "
                f"were answered at {level.load_ratio:.0%}",
                remedy="batches are full only where queries wait; read the level at "
                "the rate it achieved",
            )


def _missed(found: Load) -> Doubt:
    assert found.target is not None  # noqa: S101 (the caller asked)
    wanted = (
        f"p{100 * found.target.percentile_ratio:g} within {found.target.latency_s:g} s"
    )
    if found.met is None:
        return Doubt(
            code="target-unproven",
            message=f"{wanted} cannot be judged: {found.reason}",
            remedy="a longer window (protocol.window.min)",
        )
    searched = bool(found.tries) and found.found_per_s is None
    why = ", and no rate that was tried met it" if searched else ""
    return Doubt(
        code="target-missed",
        message=f"{wanted} was missed: {found.latency_s:.4g} s{why}",
        remedy="a lower rate or a longer target (protocol.scenario.server)",
    )
