"""Queries in simulated time: arrivals, batches, latencies, the rate that is sought."""

import math
from itertools import pairwise
from pathlib import Path

import pytest

from harness.bench import Work
from harness.contracts import Setting
from harness.errors import BenchError
from harness.jobs import Outcome, Served
from harness.records import Configuration, Phase
from harness.scenarios import SCENARIOS, load_curve, server, single_stream, unsupported
from harness.scenarios.serving import arrivals_s, arrivals_within_s, rehearse, serve
from harness.trial import run_trial
from tests.fakes import FakeClock
from tests.serving_bench import LateClock, Meter, bench_of, job_of, server_of
from tests.unit.test_trial import StepBackend, StepClock, StepMeter, StepWorkload

SERVICE_S = 0.010


def test_arrivals_are_poisson_and_the_same_for_the_same_seed() -> None:
    found = arrivals_s(50.0, 20_000, "7-0-window")
    gaps = [b - a for a, b in pairwise([0.0, *found])]

    assert found == arrivals_s(50.0, 20_000, "7-0-window")
    assert found != arrivals_s(50.0, 20_000, "7-1-window")
    mean = sum(gaps) / len(gaps)
    deviation = math.sqrt(sum((gap - mean) ** 2 for gap in gaps) / len(gaps))
    assert mean == pytest.approx(1 / 50, rel=0.02)
    assert deviation == pytest.approx(mean, rel=0.03)
    assert sum(gap > 0.02 for gap in gaps) / len(gaps) == pytest.approx(
        math.exp(-1), abs=0.01
    )


def test_a_level_has_exactly_its_number_of_queries_inside_its_time() -> None:
    found = arrivals_within_s(400, 8.0, "x")

    assert len(found) == 400
    assert found == sorted(found)
    assert found[0] >= 0.0
    assert found[-1] <= 8.0
    assert sum(each < 4.0 for each in found) == pytest.approx(200, abs=40)


def test_queries_that_wait_are_answered_together_and_alone_otherwise() -> None:
    bench = bench_of(0.010)

    queue = serve(bench, [0.0, 0.001, 0.002, 0.003, 0.5], batch_size=2)

    assert server_of(bench).asked == [1, 2, 1, 1]
    assert queue.batches == 4
    assert queue.latencies_s == pytest.approx([0.010, 0.019, 0.018, 0.027, 0.010])


def test_latency_counts_from_the_instant_a_query_was_due() -> None:
    """A loop that stalls for a second may not forget who waited for it."""
    bench = bench_of(1.0)

    queue = serve(bench, [0.1 * k for k in range(10)], batch_size=1)

    assert queue.latencies_s == pytest.approx([1.0 + 0.9 * k for k in range(10)])


def test_waking_late_is_kept_and_is_part_of_the_latency() -> None:
    bench = bench_of(0.010, late_s=0.002)

    queue = serve(bench, [0.1, 0.2, 0.2], batch_size=1)

    assert queue.late_s == pytest.approx([0.002, 0.002])
    assert queue.latencies_s == pytest.approx([0.012, 0.012, 0.022])


def test_it_sleeps_between_queries_until_the_end_of_its_time() -> None:
    bench = bench_of(0.010)

    queue = serve(bench, [0.25, 0.5], batch_size=4, until_s=2.0)

    assert isinstance(bench.clock, LateClock)
    assert bench.clock.slept_s == pytest.approx(2.0 - 2 * 0.010)
    assert queue.work_s == pytest.approx(2.0)


def test_the_device_is_waited_for_after_each_batch() -> None:
    bench = bench_of(0.010)

    serve(bench, [0.0, 0.1, 0.2], batch_size=1)

    assert getattr(bench.backend, "waited", 0) == 3


def test_every_size_of_a_small_batch_is_rehearsed() -> None:
    small, large = bench_of(0.001), bench_of(0.001)

    rehearse(small, 6)
    rehearse(large, 1000)

    assert server_of(small).asked == [1, 2, 3, 4, 5, 6]
    assert server_of(large).asked[-5:] == [64, 128, 256, 512, 1000]


def test_a_workload_of_whole_batches_is_told_what_it_lacks() -> None:
    bench = bench_of(0.001)
    clock = StepClock()
    bench.workload = StepWorkload(clock)

    with pytest.raises(BenchError, match="whole batches only") as caught:
        serve(bench, [0.0], 1)

    assert "answer" in caught.value.hint


def waits_at_most(rate_per_s: float, service_s: float, limit_s: float) -> float:
    """P(wait <= t) of M/D/1 (Erlang, 1909)."""
    load = rate_per_s * service_s
    terms = (
        (-rate_per_s * (limit_s - k * service_s)) ** k
        / math.factorial(k)
        * math.exp(rate_per_s * (limit_s - k * service_s))
        for k in range(int(limit_s / service_s) + 1)
    )
    return (1 - load) * math.fsum(terms)


def highest_rate(service_s: float, target_s: float, ratio: float) -> float:
    low, high = 0.0, 1 / service_s
    for _ in range(60):
        rate = (low + high) / 2
        kept = waits_at_most(rate, service_s, target_s - service_s) >= ratio
        low, high = (rate, high) if kept else (low, rate)
    return low


@pytest.mark.parametrize(
    ("target_s", "ratio"), [(0.030, 0.9), (0.050, 0.9), (0.050, 0.99)]
)
def test_the_search_finds_the_rate_that_theory_says(
    target_s: float, ratio: float
) -> None:
    """One server, constant service time, random arrivals: M/D/1 has a formula."""
    bench = bench_of(SERVICE_S)
    job = job_of("server", window_s=600.0, latency=target_s, percentile=ratio)
    work = Work()

    server.prepare(bench, job)(work)

    expected = highest_rate(SERVICE_S, target_s, ratio)
    assert work.served is not None
    assert work.served.capacity_per_s == pytest.approx(1 / SERVICE_S)
    assert work.served.found_per_s == pytest.approx(expected, rel=0.06)
    assert work.served.found_per_s is not None
    assert work.served.found_per_s < 1.02 * expected
    passed = [each.offered_per_s for each in work.served.tries if each.met]
    failed = [each.offered_per_s for each in work.served.tries if not each.met]
    assert max(passed) < min(failed) <= 1.03 * max(passed) + 1e-9


def test_batches_let_a_server_take_more_than_one_at_a_time_could() -> None:
    alone, together = Work(), Work()
    settings = {"latency": 0.05, "percentile": 0.9}

    server.prepare(bench_of(0.009, 0.001), job_of("server", 1, 60.0, **settings))(alone)
    server.prepare(bench_of(0.009, 0.001), job_of("server", 8, 60.0, **settings))(
        together
    )

    assert alone.served is not None
    assert together.served is not None
    assert (together.served.found_per_s or 0.0) > 2 * (alone.served.found_per_s or 1e9)


def test_a_short_try_does_not_let_a_queue_pass_that_has_not_settled() -> None:
    """The target is loose: only the time to settle keeps the search off the edge."""
    bench, work = bench_of(0.001), Work()

    server.prepare(bench, job_of("server", 1, 0.4, latency=0.02, percentile=0.9))(work)

    assert work.served is not None
    assert server.highest(1000.0, 0.2) == pytest.approx(776, abs=1)
    assert server.highest(1000.0, 60.0) == pytest.approx(987, abs=1)
    assert 700.0 < (work.served.found_per_s or 0.0) < 776.0
    (window,) = work.served.stretches
    assert max(window.latencies_s) < 0.02


def test_a_target_out_of_reach_is_given_up_soon() -> None:
    bench, work = bench_of(0.100), Work()

    server.prepare(bench, job_of("server", latency=0.05, percentile=0.9))(work)

    assert work.served is not None
    assert work.served.found_per_s is None
    assert not any(each.met for each in work.served.tries)
    assert [each.offered_per_s for each in work.served.tries] == pytest.approx(
        [2.5, 1.25, 0.625]
    )
    assert all(each.n == 2 for each in work.served.tries)  # one may be, by chance
    assert work.served.stretches[0].offered_per_s == pytest.approx(2.5)


def test_a_given_rate_is_not_searched_for() -> None:
    bench, work = bench_of(SERVICE_S), Work()

    fill = server.prepare(bench, job_of("server", window_s=20.0, rate_per_s=40.0))
    before = len(server_of(bench).asked)
    fill(work)

    assert work.served is not None
    assert (work.served.tries, work.served.found_per_s) == ((), None)
    assert work.served.stretches[0].offered_per_s == 40.0
    assert work.items == 800  # 40 a second, and more than p99 needs
    assert server_of(bench).forgot_after == [before]


def test_the_window_has_arrivals_of_its_own_that_differ_by_round() -> None:
    seeds = set()
    for number in (0, 1):
        job = job_of("server", window_s=20.0, rate_per_s=40.0)
        work = Work()
        later = job.model_copy(update={"round": number})
        server.prepare(bench_of(SERVICE_S), later)(work)
        assert work.served is not None
        seeds.add(work.served.stretches[0].latencies_s)

    assert len(seeds) == 2


def test_a_single_stream_asks_the_next_when_the_last_is_answered() -> None:
    bench, work = bench_of(0.25), Work()

    single_stream.prepare(bench, job_of("single-stream"))(work)

    assert work.items == work.steps == 16
    assert work.latencies_s == pytest.approx([0.25] * 16)
    assert server_of(bench).forgot_after == [1]


def test_a_curve_has_a_level_for_each_share_between_edges_of_its_own() -> None:
    bench, work = bench_of(0.009, 0.001), Work()

    load_curve.prepare(bench, job_of("load-curve", 8, 10.0))(work)

    assert work.served is not None
    capacity = work.served.capacity_per_s
    assert capacity is not None
    assert capacity == pytest.approx(8 / 0.017)
    shares = [each.load_ratio for each in work.served.stretches]
    assert shares == [0.0, 0.1, 0.25, 0.5, 0.75, 1.0]
    for each in work.served.stretches:
        assert each.span is not None
        assert each.span.duration_s >= 10.0 - 1e-6
        assert len(each.latencies_s) == round((each.load_ratio or 0.0) * capacity * 10)
    idle, full = work.served.stretches[0], work.served.stretches[-1]
    assert idle.batches == 0
    assert idle.work_s == pytest.approx(10.0)
    assert len(full.latencies_s) / full.work_s == pytest.approx(capacity, rel=0.05)
    assert [s.name for s in bench.spans] == ["search"] + ["level"] * 6


class SlowMeter(Meter):
    """A counter that changes every so often; never in `period_s` of None."""

    def __init__(self, clock: FakeClock, period_s: float | None) -> None:
        super().__init__(clock)
        self.period_s = period_s

    def updates(self, since_ns: int) -> int:
        elapsed_s = (self.clock.now_ns() - since_ns) / 1e9
        return int(elapsed_s / self.period_s) if self.period_s else 0


def filled(name: str, period_s: float | None, **protocol: object) -> Served:
    """What a window of 10 s at least was filled with."""
    bench, work = bench_of(SERVICE_S), Work()
    assert isinstance(bench.clock, FakeClock)
    bench.meter = SlowMeter(bench.clock, period_s)
    job = job_of(name, window_s=10.0)
    if name == "server":
        job = job_of(name, window_s=10.0, rate_per_s=50.0)
    asked = job.protocol.model_copy(update=protocol)
    SCENARIOS[name].prepare(bench, job.model_copy(update={"protocol": asked}))(work)
    assert work.served is not None
    return work.served


@pytest.mark.parametrize(
    ("period_s", "longest_s", "lasts_s"),
    [(0.01, None, 10.0), (0.2, None, 20.0), (5.0, 30.0, 30.0), (None, 30.0, 30.0)],
)
def test_a_window_of_arrivals_lasts_for_the_updates_of_the_meter(
    period_s: float | None, longest_s: float | None, lasts_s: float
) -> None:
    asked = {"window_updates": 100, "window_max_s": longest_s}

    (window,) = filled("server", period_s, **asked).stretches
    levels = filled("load-curve", period_s, **asked).stretches

    assert len(window.latencies_s) == pytest.approx(max(662, 50 * lasts_s), rel=0.05)
    spans = [each.span.duration_s for each in levels if each.span]
    assert spans[:-1] == pytest.approx([lasts_s] * 5, rel=0.05)


def test_a_window_of_arrivals_has_the_items_that_were_asked_for() -> None:
    (window,) = filled("server", 0.01, window_items=2000).stretches
    curve = filled("load-curve", 0.01, window_items=6000).stretches

    assert len(window.latencies_s) == 2000
    assert sum(len(each.latencies_s) for each in curve) == pytest.approx(6000, abs=6)


@pytest.mark.parametrize("name", [n for n in SCENARIOS if n != "offline"])
def test_a_whole_trial_of_each_scenario(name: str) -> None:
    bench = bench_of(0.001)
    job = job_of(name, window_s=2.0)

    outcome, _ = run_trial(
        job, bench, Setting(job.configuration, "cpu", 0, Path("unused"))
    )

    names = [span.name for span in outcome.spans]
    assert outcome.status == "ok"
    assert outcome.items > 0
    assert names.index("idle_before") < names.index("window")
    assert Outcome.model_validate_json(outcome.model_dump_json()) == outcome


def test_offline_is_as_it_was() -> None:
    clock, work = StepClock(), Work()
    bench = bench_of(0.0)
    bench.workload, bench.clock = StepWorkload(clock), clock
    bench.backend, bench.meter = StepBackend(), StepMeter(clock)

    SCENARIOS["offline"].prepare(bench, job_of("offline"))(work)

    assert (work.items, work.steps, work.served) == (160, 40, None)


def test_what_a_scenario_cannot_run_is_said() -> None:
    def asked(**given: object) -> Configuration:
        plain = {"workload": "w", "precision": "fp32", "device": "cpu"}
        return Configuration.model_validate({**plain, "batch_size": 8, **given})

    train = asked(phase=Phase.TRAIN, scenario="server")
    wide = asked(phase=Phase.INFER, scenario="single-stream")

    assert "scenario of inference" in (unsupported(train) or "")
    assert "batch_size 1" in (unsupported(wide) or "")
    assert unsupported(asked(phase=Phase.TRAIN)) is None
    assert unsupported(asked(phase=Phase.INFER, scenario="load-curve")) is None
    assert wide.key == "w/infer/fp32/cpu/b8/single-stream"
    assert asked(phase=Phase.INFER).key == "w/infer/fp32/cpu/b8"
