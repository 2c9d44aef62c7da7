"""Reasons to distrust a trial, each with its cure; a doubt never changes a number."""

from collections.abc import Iterator

from harness.records import Doubt, Protocol, Provenance, TrialRecord

ENOUGH_UPDATES = 100
IDLE_DRIFT = 0.03


def doubts(record: TrialRecord, protocol: Protocol) -> tuple[Doubt, ...]:
    """Everything that the numbers of a finished trial give reason to doubt."""
    found = (
        *_window_doubts(record, protocol),
        *_energy_doubts(record),
        *_idle_doubts(record, protocol),
        *_quality_doubts(record),
    )
    return tuple(found)


def _window_doubts(record: TrialRecord, protocol: Protocol) -> Iterator[Doubt]:
    if record.window is None:
        return
    measured = [
        r
        for r in record.energy
        if r.provenance is Provenance.MEASURED and r.energy_j is not None
    ]
    if measured:
        fewest = min(measured, key=lambda reading: reading.updates)
        if fewest.updates < ENOUGH_UPDATES:
            yield Doubt(
                code="short-window",
                message=f"the window of {record.window.duration_s:.1f} s spans "
                f"{fewest.updates} updates of {fewest.source}",
                remedy=f"a window of {ENOUGH_UPDATES} updates or more "
                "(protocol.window.min)",
            )
    if not record.window.steady:
        yield Doubt(
            code="not-steady",
            message="step times had not settled when the warm-up ended "
            f"(after {protocol.warmup_max_s:g} s at most)",
            remedy="a longer warm-up (protocol.warmup.max), or an idle machine",
        )


def _energy_doubts(record: TrialRecord) -> Iterator[Doubt]:
    total = record.total
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


def _is_measured(record: TrialRecord) -> bool:
    total = record.total
    return total is not None and total.provenance is Provenance.MEASURED
