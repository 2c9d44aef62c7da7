"""From a worker's times and a meter's trace to a stored record: pure functions."""

from collections.abc import Sequence
from statistics import quantiles

from harness import energy
from harness.carbon import emissions
from harness.checks import doubts
from harness.plan import PlannedTrial
from harness.records import (
    Channel,
    EnergyTotal,
    Factor,
    Idle,
    Latency,
    MeterCost,
    Outcome,
    Performance,
    Protocol,
    Setup,
    Span,
    Trace,
    TrialRecord,
    Utilization,
    WindowRecord,
)


def assemble(  # noqa: PLR0913 (everything that makes a record)
    planned: PlannedTrial,
    outcome: Outcome,
    *,
    channels: Sequence[Channel],
    trace: Trace,
    factor: Factor | None,
    pue: float,
    protocol: Protocol,
    meter: MeterCost,
    started_utc: str,
) -> TrialRecord:
    """The record of a trial; a trial without a window keeps only its reason."""
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
        started_utc=started_utc,
        seed=planned.seed,
        meter=meter,
        doubts=outcome.doubts,
    )
    if window is None:
        return bare
    readings = energy.account(channels, trace, window)
    total = energy.total(readings)
    record = bare.model_copy(
        update={
            "window": _window(outcome, window),
            "energy": readings,
            "total": total,
            "idle": _idle(channels, trace, spans, total),
            "setup": _setup(channels, trace, spans.get("setup")),
            "quality": outcome.quality,
            "performance": _performance(outcome, window),
            "utilization": Utilization(
                cpu_ratio=energy.cpu_ratio(trace, window),
                gpu_ratio=energy.gpu_ratio(channels, trace, window),
                memory_peak_bytes=outcome.memory_peak_bytes,
            ),
            "carbon": emissions(total.energy_j, factor, pue),
            "model": outcome.model,
        }
    )
    found = (*outcome.doubts, *doubts(record, protocol))
    return record.model_copy(update={"doubts": found})


def _window(outcome: Outcome, window: Span) -> WindowRecord:
    return WindowRecord(
        start_s=window.start_ns / 1e9,
        end_s=window.end_ns / 1e9,
        duration_s=window.duration_s,
        items=outcome.items,
        steps=outcome.steps,
        steady=outcome.steady,
    )


def _idle(
    channels: Sequence[Channel],
    trace: Trace,
    spans: dict[str, Span],
    total: EnergyTotal,
) -> Idle:
    """Idle power on both sides and what the window used above it."""
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
    net_j = total.energy_j - idle_w * spans["window"].duration_s
    return Idle(before_w=powers_w[0], after_w=powers_w[1], net_energy_j=net_j)


def _setup(
    channels: Sequence[Channel], trace: Trace, span: Span | None
) -> Setup | None:
    if span is None:
        return None
    spent = energy.total(energy.account(channels, trace, span))
    return Setup(duration_s=span.duration_s, energy_j=spent.energy_j)


def _performance(outcome: Outcome, window: Span) -> Performance:
    duration_s = window.duration_s
    return Performance(
        items_per_s=outcome.items / duration_s if duration_s > 0 else None,
        latency_s=_latency(outcome.latencies_s),
        flop_per_item=outcome.flop_per_item,
    )


def _latency(latencies_s: Sequence[float]) -> Latency:
    """Percentiles of step durations; a p99 of fewer than 100 steps is not given."""
    if len(latencies_s) < 2:
        return Latency()
    cuts = quantiles(latencies_s, n=100, method="inclusive")
    return Latency(
        p50=cuts[49],
        p90=cuts[89] if len(latencies_s) >= 10 else None,
        p99=cuts[98] if len(latencies_s) >= 100 else None,
    )
