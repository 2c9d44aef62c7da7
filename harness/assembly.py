"""From a worker's times and a meter's trace to a stored record: pure functions."""

from collections.abc import Sequence

from harness import energy, latency, load_record, perimeter, states
from harness.carbon import emissions
from harness.checks import doubts, not_official
from harness.jobs import Outcome, Raw
from harness.loads import Latency
from harness.plan import Plan, PlannedTrial
from harness.readings import Channel, EnergyReading, EnergyTotal, Span
from harness.records import (
    Evaluation,
    Idle,
    MeterCost,
    Performance,
    Setup,
    TrialRecord,
    WindowRecord,
)
from harness.scenarios import SCENARIOS
from harness.series import Trace


def assemble(
    planned: PlannedTrial,
    raw: Raw,
    plan: Plan,
    channels: Sequence[Channel],
    trace: Trace,
) -> TrialRecord:
    """The record of a trial; a trial without a window keeps only its reason."""
    outcome = raw.outcome
    spans = {span.name: span for span in outcome.spans}
    window = spans.get("window")
    bare = TrialRecord(
        schema=1,
        trial=planned.trial,
        key=planned.key,
        round=planned.round,
        status=outcome.status,
        reason=outcome.reason,
        configuration=planned.configuration,
        started_utc=raw.started_utc,
        seed=planned.seed,
        meter=raw.meter,
        official=plan.official,
        before=raw.before,
        doubts=outcome.doubts,
    )
    if window is None:
        return bare
    exams = [span for span in outcome.spans if span.name == "evaluation"]
    spent = [energy.account(channels, trace, exam) for exam in exams]
    readings = energy.without(energy.account(channels, trace, window), spent)
    total = perimeter.total(readings)
    if slept := states.slept(channels, trace, window):
        bare = bare.model_copy(update={"status": "invalid", "reason": slept})
        readings = tuple(energy.without_joules(r, slept) for r in readings)
        total = perimeter.nothing(slept)
    record = bare.model_copy(
        update={
            "window": _window(planned, outcome, window, channels, trace),
            "energy": readings,
            "total": total,
            "idle": _idle(channels, trace, spans, total, exams),
            "setup": _setup(channels, trace, spans),
            "evaluation": _evaluation(exams, spent),
            "quality": outcome.quality,
            "performance": _performance(outcome, window),
            "load": None if slept else load_record.load(outcome, channels, trace),
            "utilization": states.utilization(
                channels, trace, window, outcome.cpu_s
            ).model_copy(update={"memory_peak_bytes": outcome.memory_peak_bytes}),
            "carbon": emissions(total.energy_j, raw.factor, plan.site.pue),
            "model": outcome.model,
            "meter": _meter_cost(raw.meter, (channels, trace, window), total, readings),
        }
    )
    found = (
        *outcome.doubts,
        *doubts(record, plan.protocol),
        *not_official(plan.weakened),
        *load_record.doubts(record.load),
    )
    return record.model_copy(update={"doubts": found})


def _window(
    planned: PlannedTrial,
    outcome: Outcome,
    window: Span,
    channels: Sequence[Channel],
    trace: Trace,
) -> WindowRecord:
    varies = SCENARIOS[planned.configuration.scenario].varies
    moved = states.unsteady(channels, trace, window, varies=varies)
    unsteady = (*outcome.unsteady, *moved)
    return WindowRecord(
        start_s=window.start_ns / 1e9,
        end_s=window.end_ns / 1e9,
        duration_s=window.duration_s,
        items=outcome.items,
        steps=outcome.steps,
        steady=outcome.steady and not unsteady,
        work_s=outcome.work_s,
        unsteady=tuple(dict.fromkeys(unsteady)),
    )


def _meter_cost(
    cost: MeterCost,
    whole: tuple[Sequence[Channel], Trace, Span],
    total: EnergyTotal,
    readings: Sequence[EnergyReading],
) -> MeterCost:
    """With the meter's part of the window's energy, idle power of the cores in it."""
    busy_s = states.growth(*whole, "cpu_busy")
    cpu_j = [r.energy_j for r in readings if r.domain == "cpu" and r.energy_j]
    if not (busy_s and cost.cpu_s and cost.duration_s and total.energy_j and cpu_j):
        return cost
    spent_s = cost.cpu_s * whole[2].duration_s / cost.duration_s
    share = min(1.0, sum(cpu_j) / total.energy_j)
    return cost.model_copy(update={"energy_ratio": spent_s / busy_s * share})


def _idle(
    channels: Sequence[Channel],
    trace: Trace,
    spans: dict[str, Span],
    total: EnergyTotal,
    exams: Sequence[Span],
) -> Idle:
    """Idle power on both sides and what the work of the window used above it."""
    powers_w = [
        energy.mean_power_w(channels, trace, spans[name]) if name in spans else None
        for name in ("idle_before", "idle_after")
    ]
    known_w = [power for power in powers_w if power is not None]
    if not known_w or total.energy_j is None:
        return Idle(
            before_w=powers_w[0], after_w=powers_w[1], reason="no idle power was read"
        )
    idle_w = sum(known_w) / len(known_w)
    work_s = spans["window"].duration_s - sum(exam.duration_s for exam in exams)
    net_j = total.energy_j - idle_w * work_s
    return Idle(before_w=powers_w[0], after_w=powers_w[1], net_energy_j=net_j)


def _setup(
    channels: Sequence[Channel], trace: Trace, spans: dict[str, Span]
) -> Setup | None:
    span, convert = spans.get("setup"), spans.get("convert")
    if span is None:
        return None
    whole = perimeter.total(energy.account(channels, trace, span))
    setup = Setup(duration_s=span.duration_s, energy_j=whole.energy_j)
    if convert is None:
        return setup
    part = perimeter.total(energy.account(channels, trace, convert))
    return setup.model_copy(
        update={
            "convert_duration_s": convert.duration_s,
            "convert_energy_j": part.energy_j,
        }
    )


def _evaluation(
    exams: Sequence[Span], spent: Sequence[Sequence[EnergyReading]]
) -> Evaluation | None:
    if not exams:
        return None
    totals = [perimeter.total(readings).energy_j for readings in spent]
    known_j = [joules for joules in totals if joules is not None]
    return Evaluation(
        duration_s=sum(exam.duration_s for exam in exams),
        energy_j=sum(known_j) if len(known_j) == len(totals) else None,
    )


def _performance(outcome: Outcome, window: Span) -> Performance:
    duration_s = outcome.work_s or window.duration_s
    return Performance(
        items_per_s=outcome.items / duration_s if duration_s > 0 else None,
        latency_s=_latency(outcome),
        flop_per_item=outcome.flop_per_item,
        peak_flop_per_s=outcome.peak_flop_per_s,
        peak_flops_ratio=_of_peak(outcome, duration_s),
        peak_source=outcome.peak_source,
    )


def _of_peak(outcome: Outcome, duration_s: float) -> float | None:
    """Operations a second over the device's peak."""
    if not outcome.flop_per_item or not outcome.peak_flop_per_s or duration_s <= 0:
        return None
    rate = outcome.items * outcome.flop_per_item / duration_s
    return rate / outcome.peak_flop_per_s


def _latency(outcome: Outcome) -> Latency:
    """Of steps, or of queries; the levels of a load have each their own."""
    if outcome.served is None:
        return latency.summary(outcome.latencies_s)
    stretches = outcome.served.stretches
    if len(stretches) > 1:
        return Latency(reason="each level has its own, in load.levels")
    return latency.summary(stretches[0].latencies_s)
