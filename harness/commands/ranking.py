"""`bench rank`, and the ranking that ends a run."""

import json
from collections.abc import Sequence
from pathlib import Path

from harness.commands.console import check_one, out, print_text, warn
from harness.commands.stored import read_once
from harness.outcomes import Outcomes
from harness.plan import Plan
from harness.sequential import Looks, looks_of
from harness.sessions import drifted
from harness.store import ReadResult, RunFolder
from harness.suite import QualityFloor
from reports import exports, terminal
from reports.ranking import Ranking, unranked
from reports.ranking import rank as rank_records

FIXED = "taken as a run of a fixed number of rounds"


def rank(
    paths: Sequence[Path], chosen: Sequence[str], by: str, *, allow_mixed: bool
) -> int:
    """Rank stored trials of one or several runs."""
    check_one(chosen)
    paths, result = read_once(paths)
    made = stored_plan(paths[0])
    ranking, faults = ranked(made, paths, result, by, allow_mixed=allow_mixed)
    for sentence in (*result.faults, *faults, *ranking.warnings):
        warn(sentence)
    if chosen:
        print_text(exports.FORMATS[chosen[0]](ranking))
    else:
        _show(ranking, made.suite if made else paths[0].name, paths, result)
    return 0


def stored_plan(path: Path, lost: str = "default quality floor") -> Plan | None:
    """The plan of a run; a run without a readable one can still be ranked."""
    try:
        return Plan.model_validate_json((path / "plan.json").read_bytes())
    except (OSError, ValueError):
        warn(f"{path / 'plan.json'}: missing or broken; {lost}")
        return None


def show_ranking(made: Plan, path: Path, result: ReadResult) -> None:
    """Print the ranking of a run that has ended."""
    ranking, _ = ranked(made, [path], result)
    _show(ranking, made.suite, [path], result)
    for sentence in ranking.warnings:
        warn(sentence)


def _show(
    ranking: Ranking, suite: str, paths: Sequence[Path], result: ReadResult
) -> None:
    lines = terminal.header_lines(suite, machine_name(paths), result.records)
    terminal.render(ranking, lines, out())


def ranked(
    made: Plan | None,
    paths: Sequence[Path],
    result: ReadResult,
    by: str = "accuracy_per_j",
    *,
    allow_mixed: bool = False,
) -> tuple[Ranking, list[str]]:
    """The ranking by the rules of the plan, and which stored answers are unusable.

    No ranks are given where the machine drifted in a session.
    """
    quality = made.quality if made else QualityFloor()
    outcomes = Outcomes(result.records, result.folders)
    ranking = rank_records(
        result.records,
        by=by,
        floor=quality.relative,
        absolute=quality.absolute,
        allow_mixed=allow_mixed,
        skips=[(s.configuration, s.reason) for s in made.skips] if made else [],
        outcomes=outcomes,
        looks=_looks(made, paths),
    )
    found = [each for path in paths for each in drifted(RunFolder(path))]
    invalid = [each.message for each in found if not each.valid]
    if invalid:
        ranking = unranked(ranking, invalid[0])
    warnings = tuple(each.message for each in found)
    return ranking.model_copy(update={"warnings": warnings}), outcomes.faults


def _looks(made: Plan | None, paths: Sequence[Path]) -> dict[str, Looks]:
    """When each run looked whether a configuration has rounds enough, by its folder."""
    others = [(path, stored_plan(path, FIXED)) for path in paths[1:]]
    plans = [(paths[0], made), *others]
    return {str(path): looks_of(plan.protocol) for path, plan in plans if plan}


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
