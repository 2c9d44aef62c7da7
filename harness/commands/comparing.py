"""`bench compare`."""

from collections.abc import Sequence
from pathlib import Path

from harness.commands.console import check_one, out, print_text, warn
from harness.commands.ranking import machine_name, stored_plan
from harness.outcomes import Outcomes
from harness.store import read_runs
from harness.suite import QualityFloor
from reports import comparison_exports
from reports.comparing import compare as compare_records

NOTHING_COMPARABLE = 4


def compare(first: Path, second: Path, chosen: Sequence[str], by: str) -> int:
    """One run against another; 4 where nothing can be compared."""
    check_one(chosen)
    results = read_runs([first]), read_runs([second])
    outcomes = tuple(Outcomes(r.records, r.folders) for r in results)
    made = stored_plan(first)
    quality = made.quality if made else QualityFloor()
    found = compare_records(
        (results[0].records, results[1].records),
        (outcomes[0], outcomes[1]),
        by=by,
        floor=quality.relative,
    )
    machines = machine_name([first]), machine_name([second])
    if machines[0] != machines[1]:
        note = f"the machines differ: {machines[0]} against {machines[1]}"
        found = found.model_copy(update={"notes": (note,)})
    faults = [f for read in results for f in read.faults]
    for fault in faults + [f for kept in outcomes for f in kept.faults]:
        warn(fault)
    if not chosen:
        comparison_exports.render(found, out())
    else:
        print_text(comparison_exports.FORMATS[chosen[0]](found))
    return 0 if found.comparable else NOTHING_COMPARABLE
