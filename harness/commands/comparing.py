"""`bench compare`."""

from collections.abc import Sequence
from pathlib import Path

from harness.commands.console import check_one, out, print_text, warn
from harness.commands.ranking import FIXED, machine_name, stored_plan
from harness.outcomes import Outcomes
from harness.sequential import ONE_LOOK, looks_of
from harness.sessions import drifted
from harness.store import RunFolder, read_runs
from harness.suite import QualityFloor
from reports import comparison_exports
from reports.comparing import Comparison, unjudged
from reports.comparing import compare as compare_records

NOTHING_COMPARABLE = 4
DRIFTED = "the control workload drifted too far"


def compare(first: Path, second: Path, chosen: Sequence[str], by: str) -> int:
    """One run against another; 4 where nothing can be compared."""
    check_one(chosen)
    results = read_runs([first]), read_runs([second])
    outcomes = tuple(Outcomes(r.records, r.folders) for r in results)
    plans = stored_plan(first), stored_plan(second, FIXED)
    looks = [looks_of(made.protocol) if made else ONE_LOOK for made in plans]
    quality = plans[0].quality if plans[0] else QualityFloor()
    found = compare_records(
        (results[0].records, results[1].records),
        (outcomes[0], outcomes[1]),
        by=by,
        floor=quality.relative,
        looks=(looks[0], looks[1]),
    )
    found = _noted(found, first, second)
    faults = [f for read in results for f in read.faults]
    for fault in faults + [f for kept in outcomes for f in kept.faults]:
        warn(fault)
    if not chosen:
        comparison_exports.render(found, out())
    else:
        print_text(comparison_exports.FORMATS[chosen[0]](found))
    return 0 if found.comparable else NOTHING_COMPARABLE


def _noted(found: Comparison, first: Path, second: Path) -> Comparison:
    """With what the machines say against it: no outcomes where one drifted."""
    notes = list(found.notes)
    machines = machine_name([first]), machine_name([second])
    if machines[0] != machines[1]:
        notes.append(f"the machines differ: {machines[0]} against {machines[1]}")
    sessions = [each for run in (first, second) for each in drifted(RunFolder(run))]
    notes += dict.fromkeys(each.message for each in sessions)
    if not all(each.valid for each in sessions):
        found = unjudged(found, DRIFTED)
    return found.model_copy(update={"notes": tuple(notes)})
