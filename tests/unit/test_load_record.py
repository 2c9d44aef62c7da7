"""From queries and a trace to levels, a target kept or missed, and proportionality."""

import pytest

from harness.assembly import assemble
from harness.jobs import Outcome, Raw, Served, Stretch
from harness.loads import Load, Target, Try
from harness.readings import Span
from harness.records import Configuration, MeterCost, TrialRecord
from reports.ranking import rank
from reports.rows import unusable
from tests.fakes import channel, samples
from tests.unit.test_assembly import CONFIGURATION, PLAN, PLANNED

COUNTER = channel(period_s=0.001)
LEVEL_S = 10.0
CAPACITY_PER_S = 100.0


def at(name: str, start_s: float, end_s: float) -> Span:
    return Span(name=name, start_ns=round(start_s * 1e9), end_ns=round(end_s * 1e9))


def assembled(
    served: Served, spans: list[Span], trace_w: list[tuple[float, float]], scenario: str
) -> TrialRecord:
    """A record of a trial whose meter saw these watts until these instants."""
    points, joules, now_s = [(0.0, 0.0)], 0.0, 0.0
    for until_s, power_w in trace_w:
        while now_s < until_s - 1e-9:
            now_s += 0.1
            joules += 0.1 * power_w
            points.append((now_s, joules))
    configuration = CONFIGURATION.model_copy(update={"scenario": scenario})
    planned = PLANNED.model_copy(
        update={"configuration": configuration, "key": configuration.key}
    )
    outcome = Outcome(
        trial="r0-000",
        status="ok",
        spans=tuple(spans),
        items=sum(len(each.latencies_s) for each in served.stretches),
        steps=1,
        steady=True,
        served=served,
        work_s=LEVEL_S,
    )
    raw = Raw(outcome=outcome, meter=MeterCost(), started_utc="2026-11-25T00:00:00Z")
    return assemble(planned, raw, PLAN, (COUNTER,), {COUNTER.name: samples(*points)})


def curve(powers_w: list[float], shares: list[float]) -> Load:
    spans, stretches, trace_w = [], [], []
    for index, (power_w, share) in enumerate(zip(powers_w, shares, strict=True)):
        span = at("level", index * LEVEL_S, (index + 1) * LEVEL_S)
        n = round(share * CAPACITY_PER_S * LEVEL_S)
        stretch = Stretch(
            offered_per_s=n / LEVEL_S,
            work_s=LEVEL_S,
            batches=n // 2,
            latencies_s=(0.01,) * n,
            late_s=(),
            load_ratio=share,
            span=span,
        )
        spans.append(span)
        stretches.append(stretch)
        trace_w.append((span.end_ns / 1e9, power_w))
    window = at("window", 0.0, len(shares) * LEVEL_S)
    served = Served(stretches=tuple(stretches), capacity_per_s=CAPACITY_PER_S)
    load = assembled(served, [*spans, window], trace_w, "load-curve").load
    assert load is not None
    return load


@pytest.mark.parametrize(
    ("powers_w", "proportionality", "dynamic_range"),
    [
        ([1.0, 50.5, 100.0], 0.99, 0.99),  # next to the ideal
        ([100.0, 100.0, 100.0], 0.0, 0.0),  # the same power at any load
        ([50.0, 75.0, 100.0], 0.5, 0.5),  # a line above half of the peak
        ([50.0, 100.0, 100.0], 0.25, 0.5),  # and a bulge over it
    ],
)
def test_proportionality_is_that_of_the_area(
    powers_w: list[float], proportionality: float, dynamic_range: float
) -> None:
    load = curve(powers_w, [0.0, 0.5, 1.0])

    assert load.proportionality_ratio == pytest.approx(proportionality, abs=1e-6)
    assert load.dynamic_range_ratio == pytest.approx(dynamic_range, abs=1e-6)
    assert [each.power_w for each in load.levels] == pytest.approx(powers_w)
    assert [each.achieved_per_s for each in load.levels] == [0.0, 50.0, 100.0]
    assert [each.mean_batch for each in load.levels] == [None, 2.0, 2.0]


def test_the_order_of_the_levels_does_not_matter() -> None:
    up = curve([20.0, 60.0, 100.0], [0.0, 0.5, 1.0])
    down = curve([100.0, 60.0, 20.0], [1.0, 0.5, 0.0])

    assert up.proportionality_ratio == pytest.approx(down.proportionality_ratio)


def test_without_both_ends_there_is_no_proportionality() -> None:
    load = curve([20.0, 60.0], [0.0, 0.5])

    assert load.proportionality_ratio is None
    assert load.reason == "proportionality needs the levels 0 and 100"


def served_at(latencies_s: tuple[float, ...], limit_s: float) -> TrialRecord:
    target = Target(latency_s=limit_s, percentile_ratio=0.9)
    stretch = Stretch(
        offered_per_s=len(latencies_s) / LEVEL_S,
        work_s=LEVEL_S,
        batches=len(latencies_s),
        latencies_s=latencies_s,
        late_s=(0.002, 0.002),
    )
    served = Served(
        stretches=(stretch,),
        capacity_per_s=50.0,
        target=target,
        found_per_s=20.0,
        tries=(Try(offered_per_s=20.0, n=70, over=1, met=True),),
    )
    spans = [at("search", 0.0, 2.0), at("window", 2.0, 2.0 + LEVEL_S)]
    return assembled(served, spans, [(13.0, 30.0)], "server")


LATENCIES_S = tuple(0.001 * (k % 10 + 1) for k in range(200))


def test_a_target_that_was_kept_stands_with_its_bound_and_its_search() -> None:
    record = served_at(LATENCIES_S, 0.010)

    assert record.load is not None
    assert record.load.met is True
    assert record.load.latency_s == pytest.approx(0.009, rel=0.02)
    assert record.load.bound_s == pytest.approx(0.010)
    assert record.load.search_energy_j == pytest.approx(60.0)
    assert record.performance is not None
    assert record.performance.latency_s.n == 200
    assert record.performance.latency_s.reason == "p99 needs 662; there are 200"
    codes = {doubt.code for doubt in record.doubts}
    assert codes >= {"late-waking", "search-ceiling"}
    assert unusable(record) is None


def test_a_target_that_was_missed_is_not_ranked() -> None:
    record = served_at(LATENCIES_S, 0.005)

    assert record.load is not None
    assert record.load.met is False
    assert "target-missed" in {doubt.code for doubt in record.doubts}
    assert unusable(record) == "its window missed the latency target"


def test_too_few_queries_prove_nothing() -> None:
    record = served_at(LATENCIES_S[:50], 0.005)

    assert record.load is not None
    assert (record.load.met, record.load.latency_s) == (None, None)
    assert record.load.reason == "p90 needs 64 queries; there are 50"
    assert "target-unproven" in {doubt.code for doubt in record.doubts}


def test_scenarios_and_targets_are_ranked_apart() -> None:
    strict, loose = served_at(LATENCIES_S, 0.010), served_at(LATENCIES_S, 0.020)
    offline = strict.model_copy(
        update={"configuration": CONFIGURATION, "key": CONFIGURATION.key, "load": None}
    )
    failed = strict.model_copy(
        update={"trial": "x", "round": 1, "status": "failed", "load": None}
    )

    for mixed in (False, True):
        found = rank([strict, loose, offline], allow_mixed=mixed).groups
        assert [group.scenario for group in found] == [
            "offline",
            "server (p90 within 10.0 ms)",
            "server (p90 within 20.0 ms)",
        ]
    assert "server (p90" in found[1].title
    assert len(rank([strict, failed]).groups) == 1


def test_a_record_of_before_is_offline() -> None:
    plain = CONFIGURATION.model_dump(mode="json")
    del plain["scenario"]

    assert Configuration.model_validate(plain).scenario == "offline"
