"""`bench rank`, and the ranking that ends a run."""

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from harness.commands.console import err, out
from harness.errors import UsageError
from harness.outcomes import Outcomes
from harness.plan import Plan
from harness.records import TrialRecord
from harness.sessions import drifted
from harness.store import ReadResult, RunFolder, read_runs
from harness.suite import QualityFloor
from reports import exports, terminal
from reports.ranking import Ranking, unranked
from reports.ranking import rank as rank_records


def rank(
    paths: Sequence[Path], chosen: Sequence[str], by: str, *, allow_mixed: bool
) -> int:
    """Rank stored trials of one or several runs."""
    if len(chosen) > 1:
        raise UsageError(f"choose one of --{' and --'.join(chosen)}")
    result = read_runs(paths)
    made = stored_plan(paths[0])
    skips = [(skip.configuration, skip.reason) for skip in made.skips] if made else []
    outcomes = Outcomes(result.records, result.folders)
    options = {"allow_mixed": allow_mixed, "skips": skips, "outcomes": outcomes}
    ranking = _rank(result.records, made, by, **options)
    ranking = _beside_sessions(ranking, paths)
    for fault in (*result.faults, *outcomes.faults, *ranking.warnings):
        err().print(fault, style="yellow", markup=False, soft_wrap=True)
    if not chosen:
        suite = made.suite if made else paths[0].name
        lines = terminal.header_lines(suite, machine_name(paths), result.records)
        terminal.render(ranking, lines, out())
        return 0
    formats = {
        "json": exports.to_json,
        "csv": exports.to_csv,
        "markdown": exports.to_markdown,
    }
    sys.stdout.write(formats[chosen[0]](ranking).rstrip("\n") + "\n")
    return 0


def stored_plan(path: Path) -> Plan | None:
    """The plan of a run; a run without a readable one can still be ranked."""
    try:
        return Plan.model_validate_json((path / "plan.json").read_bytes())
    except (OSError, ValueError):
        err().print(
            f"{path / 'plan.json'}: missing or broken; default quality floor",
            style="yellow",
            markup=False,
            soft_wrap=True,
        )
        return None


def show_ranking(made: Plan, path: Path, result: ReadResult) -> None:
    """Print the ranking of a run that has ended."""
    skips = [(skip.configuration, skip.reason) for skip in made.skips]
    outcomes = Outcomes(result.records, [path] * len(result.records))
    ranking = _rank(result.records, made, skips=skips, outcomes=outcomes)
    ranking = _beside_sessions(ranking, [path])
    machine = machine_name([path])
    lines = terminal.header_lines(made.suite, machine, result.records)
    terminal.render(ranking, lines, out())
    for warning in ranking.warnings:
        err().print(warning, style="yellow", markup=False, soft_wrap=True)


def _beside_sessions(ranking: Ranking, paths: Sequence[Path]) -> Ranking:
    """The ranking with what the sessions say of it; no ranks where one drifted."""
    found = [each for path in paths for each in drifted(RunFolder(path))]
    invalid = [each.message for each in found if not each.valid]
    if invalid:
        ranking = unranked(ranking, invalid[0])
    return ranking.model_copy(update={"warnings": tuple(d.message for d in found)})


def _rank(
    records: Sequence[TrialRecord],
    made: Plan | None,
    by: str = "accuracy_per_j",
    **options: Any,
) -> Ranking:
    quality = made.quality if made else QualityFloor()
    return rank_records(
        records, by=by, floor=quality.relative, absolute=quality.absolute, **options
    )


def machine_name(paths: Sequence[Path]) -> str:
    """Processors of the runs by the name the system gives them."""
    names = []
    for path in paths:
        try:
            facts = json.loads((path / "machine.json").read_text(encoding="utf-8"))
            names.append(f"{facts['cpu']} ({facts['cores_logical']} cores)")
        except (OSError, ValueError, KeyError, TypeError):
            names.append("unknown machine")
    return ", ".join(dict.fromkeys(names))
