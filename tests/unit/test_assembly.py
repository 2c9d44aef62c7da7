"""From times and readings to a record, or to the reason why there is none."""

import pytest

from harness.assembly import assemble
from harness.jobs import Outcome, Protocol, Raw
from harness.plan import Plan, PlannedTrial
from harness.readings import Channel, Provenance, Quantity, Span
from harness.records import Configuration, MeterCost, Phase, TrialRecord
from harness.suite import Location, QualityFloor
from tests.fakes import channel, samples

CONFIGURATION = Configuration(
    workload="bert", phase=Phase.INFER, precision="fp32", device="cpu", batch_size=8
)
PLANNED = PlannedTrial(
    trial="r0-000", round=0, key=CONFIGURATION.key, configuration=CONFIGURATION, seed=1
)
PLAN = Plan(
    suite="s",
    profile="quick",
    settings=(),
    seed=1,
    protocol=Protocol(),
    quality=QualityFloor(),
    site=Location(),
    trials=(PLANNED,),
    skips=(),
)
COUNTER = channel(period_s=0.001)
SLEEP = Channel(
    name="host/suspended_s",
    domain="host",
    device="host",
    quantity=Quantity.SECONDS,
    kind="counter",
    provenance=Provenance.MEASURED,
    source="clock",
    what="suspended",
)
SPANS = {
    "setup": (0.0, 2.0),
    "idle_before": (2.0, 4.0),
    "window": (5.0, 20.0),
    "idle_after": (21.0, 23.0),
}


def watts(at_s: float) -> float:
    """Energy of 20 W idle, and 100 W more in the window."""
    return 20.0 * at_s + 100.0 * min(15.0, max(0.0, at_s - 5.0))


def record_of(slept_s: float = 0.0, **given: object) -> TrialRecord:
    spans = tuple(
        Span(name=name, start_ns=round(a * 1e9), end_ns=round(b * 1e9))
        for name, (a, b) in SPANS.items()
    )
    fields = {"trial": "r0-000", "status": "ok", "spans": spans, "items": 300}
    outcome = Outcome.model_validate(
        fields | {"steady": True, "work_s": 14.9, "cpu_s": 1.0} | given
    )
    raw = Raw(outcome=outcome, meter=MeterCost(), started_utc="2026-11-24T00:00:00Z")
    trace = {
        COUNTER.name: samples(*[(0.1 * k, watts(0.1 * k)) for k in range(240)]),
        SLEEP.name: samples(
            *[(float(k), slept_s if k > 10 else 0.0) for k in range(24)]
        ),
    }
    return assemble(PLANNED, raw, PLAN, (COUNTER, SLEEP), trace)


def test_gross_idle_and_net_are_three_figures() -> None:
    record = record_of()

    assert record.status == "ok"
    assert record.total is not None
    assert record.total.energy_j == pytest.approx(1800.0)
    assert record.idle.before_w == pytest.approx(20.0)
    assert record.idle.after_w == pytest.approx(20.0)
    assert record.idle.net_energy_j == pytest.approx(1500.0)
    assert record.setup is not None
    assert record.setup.energy_j == pytest.approx(40.0)


def test_throughput_is_that_of_the_work_not_of_the_wait_for_the_tick() -> None:
    record = record_of()

    assert record.performance is not None
    assert record.performance.items_per_s == pytest.approx(300 / 14.9)
    assert record.window is not None
    assert record.window.duration_s == 15.0


def test_a_window_in_which_the_machine_slept_is_invalid() -> None:
    record = record_of(slept_s=10.0)

    assert record.status == "invalid"
    assert record.reason == "the machine slept for 10.0 s inside the window"
    assert {reading.energy_j for reading in record.energy} == {None}
    assert {reading.reason for reading in record.energy} == {record.reason}
    assert record.total is not None
    assert (record.total.energy_j, record.total.reason) == (None, record.reason)
    assert record.idle.net_energy_j is None
    assert record.carbon is not None
    assert record.carbon.co2e_g is None


def test_a_trial_without_a_window_keeps_its_reason() -> None:
    record = record_of(status="failed", reason="killed", spans=())

    assert (record.status, record.reason) == ("failed", "killed")
    assert record.total is None


def test_examining_a_training_is_not_in_its_joules() -> None:
    spans = {
        **SPANS,
        "convert": (1.0, 2.0),
        "evaluation": (8.0, 9.0),
        "evaluation again": (12.0, 14.0),
    }
    given = [
        {"name": name.removesuffix(" again"), "start_ns": a * 1e9, "end_ns": b * 1e9}
        for name, (a, b) in spans.items()
    ]

    record = record_of(spans=given, flop_per_item=1e9, peak_flop_per_s=1e11)

    assert record.total is not None
    assert record.total.energy_j == pytest.approx(1800.0 - 3 * 120.0)
    assert record.evaluation is not None
    assert record.evaluation.duration_s == pytest.approx(3.0)
    assert record.evaluation.energy_j == pytest.approx(360.0)
    assert record.idle.net_energy_j == pytest.approx(12 * 100.0)
    assert record.setup is not None
    assert record.setup.convert_duration_s == pytest.approx(1.0)
    assert record.setup.convert_energy_j == pytest.approx(20.0)
    assert record.performance is not None
    assert record.performance.peak_flops_ratio == pytest.approx(300 / 14.9 / 100)
