"""`bench run`, `bench resume` and `bench plan`."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.markup import escape

from harness import registry
from harness.commands.console import err, out, print_json, table
from harness.commands.ranking import show_ranking
from harness.contracts import Executor
from harness.errors import UsageError
from harness.plan import Plan, make_plan, parse_plan, shortest_s
from harness.progress import ProgressDisplay, left
from harness.runner import run_plan
from harness.store import RunFolder
from harness.suite import load_suite

INTERRUPTED = 130


def run(
    suite_name: str,
    output: Path | None,
    settings: Sequence[str],
    only: str | None,
    executor: str,
) -> int:
    """Plan, run, rank; the run folder is the last line of standard output."""
    suite = load_suite(suite_name, settings)
    runner = registry.create("executor", registry.EXECUTORS, executor)
    made = make_plan(suite, only)
    if not made.trials:
        reasons = dict.fromkeys(skip.reason for skip in made.skips)
        raise UsageError(
            f"suite {suite.name}: nothing can run here: {'; '.join(reasons)}",
            hint=f"bench plan {suite_name}",
        )
    utc = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    folder = RunFolder.create(output or Path("runs") / f"{suite.name}-{utc}")
    folder.write("suite.yaml", suite.text)
    folder.write("plan.json", made.model_dump_json(indent=1))
    return _carry_out(made, folder, runner)


def resume(path: Path) -> int:
    """Go on with a run; a finished one is left as it is."""
    folder = RunFolder(path)
    made = parse_plan(folder.read("plan.json"), folder.path / "plan.json")
    runner = registry.create("executor", registry.EXECUTORS, "local")
    return _carry_out(made, folder, runner)


def _carry_out(made: Plan, folder: RunFolder, executor: Executor) -> int:
    """Run what is pending, then show the ranking whatever happened."""
    observer = ProgressDisplay(err(), shortest_s(made))
    code = 0
    try:
        code = 1 if run_plan(made, folder, executor, observer) else 0
    except KeyboardInterrupt:
        err().print(
            f"interrupted; finished trials are kept: bench resume {folder.path}",
            soft_wrap=True,
            markup=False,
        )
        code = INTERRUPTED
    result = folder.records()
    if result.records:
        show_ranking(made, folder.path, result)
    out().print(str(folder.path), soft_wrap=True, markup=False, highlight=False)
    return code


def plan(
    suite_name: str, settings: Sequence[str], only: str | None, *, as_json: bool
) -> int:
    """What would run, in which order, and why the rest would not."""
    made = make_plan(load_suite(suite_name, settings), only)
    if as_json:
        print_json(made.model_dump(mode="json"))
        return 0
    keys = list(dict.fromkeys(trial.key for trial in sorted(made.trials, key=_by_key)))
    shown = table("configuration", "trials")
    for key in keys:
        count = sum(trial.key == key for trial in made.trials)
        shown.add_row(escape(key), str(count))
    for skip in made.skips:
        shown.add_row(
            escape(skip.configuration.key), f"[dim]skipped: {escape(skip.reason)}[/dim]"
        )
    out().print(shown)
    out().print(
        f"{len(made.trials)} trials; idle, warm-up and windows take at least "
        f"{left(shortest_s(made))} minutes, loading and training come on top",
        highlight=False,
    )
    return 0


def _by_key(trial: Any) -> str:
    return str(trial.key)
