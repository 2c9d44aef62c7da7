"""`bench recompute`: every derived number of a run again, from its raw traces."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from harness import assembly
from harness.errors import BenchError, UsageError
from harness.plan import parse_plan
from harness.records import TrialRecord
from harness.schedule import read_schedule
from harness.store import RunFolder
from harness.traces import Recording, read_recording, write_recording

BACKUP = "trials.before.jsonl"
Beside = Callable[[Recording], Recording]


@dataclass(frozen=True)
class Recomputed:
    """One trial derived again.

    Attributes:
        changed: Names of the parts that came out differently; empty when the line is
            the same byte for byte.
        reason: Why it could not be derived; None when it could.
        recording: What it was derived from, where something was added to it.
    """

    stored: TrialRecord
    derived: TrialRecord | None
    changed: tuple[str, ...] = ()
    reason: str | None = None
    recording: Recording | None = None


def recompute(folder: RunFolder, beside: Beside | None = None) -> Iterator[Recomputed]:
    """Each finished trial of a run, derived from what it left.

    Args:
        folder: The run.
        beside: Adds what another instrument measured to a trial's recording.

    Raises:
        UsageError: The folder's plan cannot be read.
    """
    plan = parse_plan(folder.read("plan.json"), folder.path / "plan.json")
    schedule = read_schedule(folder, plan)
    for stored in schedule.records:
        planned = schedule.find(stored.trial)
        if planned is None:
            reason = "it is not in the plan of this run"
            yield Recomputed(stored, None, reason=reason)
            continue
        try:
            raw = folder.read_raw(stored.trial)
            recording = read_recording(folder.trace_path(stored.trial))
            recording = beside(recording) if beside else recording
        except BenchError as error:
            yield Recomputed(stored, None, reason=error.message)
            continue
        derived = assembly.assemble(
            planned, raw, plan, recording.channels, recording.trace
        )
        yield Recomputed(
            stored, derived, _changed(stored, derived), recording=recording
        )


def replace(folder: RunFolder, results: list[Recomputed]) -> None:
    """Write the derived records in place of the stored ones, which are kept aside.

    Traces that were added to are written, too: what they held before is still in them.

    Raises:
        UsageError: The lines before are kept already, and would be lost.
    """
    target, backup = folder.path / "trials.jsonl", folder.path / BACKUP
    if backup.exists():
        raise UsageError(
            f"{backup}: is there already", hint="move it away, so that nothing is lost"
        )
    lines = [(result.derived or result.stored).to_json() for result in results]
    folder.write(BACKUP, target.read_text(encoding="utf-8"))
    for result in results:
        if result.recording is not None:
            path = folder.trace_path(result.stored.trial)
            write_recording(path, result.recording)
    folder.write("trials.jsonl", "".join(f"{line}\n" for line in lines))


def _changed(stored: TrialRecord, derived: TrialRecord) -> tuple[str, ...]:
    if stored.to_json() == derived.to_json():
        return ()
    before, after = (r.model_dump(mode="json") for r in (stored, derived))
    return tuple(name for name in after if before.get(name) != after[name])
