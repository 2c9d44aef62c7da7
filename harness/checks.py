"""Reasons to distrust a trial, each with its cure; a doubt never changes a number."""

from collections.abc import Iterator

from harness.jobs import Protocol
from harness.readings import EnergyReading, EnergyTotal, Provenance
from harness.records import Doubt, TrialRecord, Utilization

ENOUGH_UPDATES = 100
ENOUGH_S = 10.0
LEAST_MODEL_S = 1.0
IDLE_DRIFT = 0.03
MOST_STEAL = 0.01
MOST_FOREIGN = 0.05
MOST_PRESSURE = 0.01
MOST_METER = 0.01
MOST_METER_ENERGY = 0.005
PUBLISHABLE_S = 60.0
"""MLPerf Power's shortest window."""


def doubts(record: TrialRecord, protocol: Protocol) -> tuple[Doubt, ...]:
    """Everything that the numbers of a finished trial give reason to doubt."""
    duration_s = record.window.duration_s if record.window else 0.0
    found = (
        *short_window(record.energy, duration_s, "protocol.window.min"),
        *_publishing_doubts(record, duration_s),
        *_before_doubts(record),
        *_steady_doubts(record, protocol),
        *source_doubts(record.energy),
        *total_doubts(record.total),
        *_idle_doubts(record, protocol),
        *machine_doubts(record.utilization),
        *_meter_doubts(record),
        *_quality_doubts(record),
    )
    return tuple(found)


def short_window(
    energy: tuple[EnergyReading, ...], duration_s: float, setting: str
) -> list[Doubt]:
    """A window below 10 s or 100 updates of its slowest meter is only indicative.

    Args:
        energy: Readings of the window.
        duration_s: Its length in seconds.
        setting: How it is made longer.
    """
    measured = [r for r in energy if has_joules(r)]
    if not measured:
        return _short_model(duration_s, setting) if energy else []
    slowest = max(measured, key=lambda r: r.update_period_s or 0.0)
    needed_s = max(ENOUGH_S, ENOUGH_UPDATES * (slowest.update_period_s or 0.0))
    if duration_s >= needed_s:
        return []
    return [
        Doubt(
            code="short-window",
            message=f"the window of {duration_s:.1f} s spans {slowest.updates} updates "
            f"of {slowest.source}",
            remedy=f"a window of {needed_s:.3g} s or more: {setting}",
        )
    ]


def _short_model(duration_s: float, setting: str) -> list[Doubt]:
    """A load model has nothing to go by in a moment."""
    if duration_s >= LEAST_MODEL_S:
        return []
    return [
        Doubt(
            code="short-window",
            message=f"a window of {duration_s:.3g} s is too short for a load model",
            remedy=f"a window of {ENOUGH_S:g} s or more: {setting}",
        )
    ]


def _publishing_doubts(record: TrialRecord, duration_s: float) -> Iterator[Doubt]:
    """What is called official has windows of a minute."""
    if record.official and duration_s < PUBLISHABLE_S:
        yield Doubt(
            code="not-publishable",
            message=f"the window of {duration_s:.1f} s is shorter than the "
            f"{PUBLISHABLE_S:g} s of a figure to publish",
            remedy="more work in the window: more epochs, or protocol.window.min",
        )


def _before_doubts(record: TrialRecord) -> Iterator[Doubt]:
    if record.before and record.before.unmet:
        yield Doubt(
            code="not-quiet",
            message=f"the trial began although {'; '.join(record.before.unmet)}",
            remedy="an otherwise idle machine, or longer waits (protocol.cooldown.max, "
            "protocol.load.wait)",
        )


def not_official(weakened: tuple[str, ...]) -> Iterator[Doubt]:
    """A run of the profile `official` that asks for less than it."""
    if weakened:
        yield Doubt(
            code="not-official",
            message=f"profile official with weaker {', '.join(weakened)}",
            remedy="leave these keys of protocol as the profile has them",
        )


def _steady_doubts(record: TrialRecord, protocol: Protocol) -> Iterator[Doubt]:
    if record.window is None or record.window.steady:
        return
    why = "; ".join(record.window.unsteady) or "step times had not settled"
    yield Doubt(
        code="not-steady",
        message=f"{why} (warm-up of {protocol.warmup_max_s:g} s at most)",
        remedy="a longer warm-up (protocol.warmup.max), or an idle machine",
    )


def source_doubts(energy: tuple[EnergyReading, ...]) -> Iterator[Doubt]:
    """What went wrong with a meter inside the window."""
    for reading in energy:
        if not has_joules(reading):
            continue
        if reading.reason or reading.resets:
            yield Doubt(
                code="meter-trouble",
                message=f"{reading.source} of {reading.device}: {reading.reason}",
                remedy="the trace has every reading (bench recompute); run it again",
            )
        if reading.gaps:
            yield Doubt(
                code="gaps",
                message=f"{reading.source} of {reading.device} has {reading.gaps} gaps",
                remedy="a machine that is less busy, or a meter that answers",
            )
        if reading.observed_ratio < 1.0:
            yield Doubt(
                code="part-time-sensor",
                message=f"{reading.source} of {reading.device} looks at "
                f"{reading.observed_ratio:.0%} of the time: a load that repeats itself "
                "at its pace is read wrong",
                remedy="a driver that counts energy or tells the mean power, or "
                "repetitions at random delays",
            )
        if reading.shared:
            yield Doubt(
                code="shared-meter",
                message=f"{reading.device} is shared: its joules are those of all "
                "that run on it",
                remedy="a whole device, with MIG off",
            )


def total_doubts(total: EnergyTotal | None) -> Iterator[Doubt]:
    """Joules that no instrument saw, and parts that are missing."""
    if total is None:
        return
    if total.modelled_ratio:
        yield Doubt(
            code="modelled",
            message=f"{total.modelled_ratio:.0%} of the joules are modelled, "
            "not measured",
            remedy="`bench doctor` shows which meters this machine has",
        )
    if total.energy_j is not None and not total.complete:
        yield Doubt(
            code="incomplete",
            message=f"a part of the perimeter is missing: {total.reason}",
            remedy="`bench doctor` shows the cure",
        )


def _idle_doubts(record: TrialRecord, protocol: Protocol) -> Iterator[Doubt]:
    before_w, after_w = record.idle.before_w, record.idle.after_w
    if not before_w or after_w is None or not _is_measured(record):
        return  # a model's idle power says nothing about the machine
    drift = abs(after_w - before_w) / before_w
    if drift > IDLE_DRIFT:
        yield Doubt(
            code="idle-drift",
            message=f"idle power moved by {drift:.0%} between the two sides of "
            "the window",
            remedy=f"longer idle phases (protocol.idle, now {protocol.idle_s:g} s) on "
            "an otherwise idle machine",
        )


def machine_doubts(seen: Utilization) -> Iterator[Doubt]:
    """What else went on: foreign work, a slowed device, memory at its limit."""
    if seen.throttle_ratios:
        slowed = [f"{why} ({n:.0%})" for why, n in sorted(seen.throttle_ratios.items())]
        yield Doubt(
            code="throttled",
            message=f"a device was slowed down: {', '.join(slowed)}",
            remedy="better cooling, a lower power limit, or a pause between trials",
        )
    if (seen.steal_ratio or 0.0) > MOST_STEAL:
        yield Doubt(
            code="steal",
            message=f"the hypervisor took {seen.steal_ratio:.0%} of the cores' time",
            remedy="a machine of one's own",
        )
    if (seen.foreign_cpu_ratio or 0.0) > MOST_FOREIGN:
        yield Doubt(
            code="foreign-load",
            message=f"other processes used {seen.foreign_cpu_ratio:.0%} of the cores",
            remedy="an otherwise idle machine",
        )
    if seen.foreign_processes:
        yield Doubt(
            code="foreign-gpu-process",
            message=f"{seen.foreign_processes} other processes held the GPU",
            remedy="`nvidia-smi` shows them; end them, or take another GPU",
        )
    if (seen.memory_pressure_ratio or 0.0) > MOST_PRESSURE:
        yield Doubt(
            code="memory-pressure",
            message=f"tasks waited for memory {seen.memory_pressure_ratio:.0%} of the "
            "time",
            remedy="a smaller batch, or more memory",
        )


def _meter_doubts(record: TrialRecord) -> Iterator[Doubt]:
    """The meter may use 1 % of one core, and 0.5 % of the window's energy."""
    cost = record.meter
    if (cost.energy_ratio or 0.0) > MOST_METER_ENERGY:
        yield Doubt(
            code="meter-energy",
            message=f"the meters used {cost.energy_ratio:.2%} of the window's energy",
            remedy="fewer meters, or fewer cores of other work beside them",
        )
    if not cost.cpu_s or not cost.duration_s:
        return
    share = cost.cpu_s / cost.duration_s
    if share > MOST_METER:
        yield Doubt(
            code="meter-cost",
            message=f"the meters used {share:.1%} of a core",
            remedy="a longer window (protocol.window.min)",
        )


def _quality_doubts(record: TrialRecord) -> Iterator[Doubt]:
    quality = record.quality
    if quality and quality.accuracy is not None and not quality.in_window:
        if record.configuration.phase == "train":
            return  # held-out answers of a training always follow its window
        yield Doubt(
            code="quality-after-window",
            message="the window did not cover the test set; the rest was answered "
            "after it",
            remedy="a longer window (protocol.window.min)",
        )


def has_joules(reading: EnergyReading) -> bool:
    """Whether an instrument said how many joules there were."""
    return reading.provenance is Provenance.MEASURED and reading.energy_j is not None


def _is_measured(record: TrialRecord) -> bool:
    total = record.total
    return total is not None and total.provenance is Provenance.MEASURED
