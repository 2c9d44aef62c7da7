"""`bench run`, `bench resume` and `bench plan`."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

from rich.markup import escape

from harness import frozen_factors, registry
from harness.commands.console import err, out, print_json, table, warn
from harness.commands.ranking import show_ranking
from harness.contracts import Executor
from harness.errors import UsageError
from harness.forecast import Forecast, earlier, forecast, undecided
from harness.matrix import Skipped
from harness.plan import Plan, make_plan, parse_plan, shortest_s
from harness.progress import ProgressDisplay, left
from harness.runner import run_plan
from harness.store import RunFolder
from harness.suite import load_suite

INTERRUPTED = 130
FEW_KEYS = 3
"""More skipped keys are not all listed."""


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
    factors = frozen_factors.ask(suite.site)
    utc = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    folder = RunFolder.create(output or Path("runs") / f"{suite.name}-{utc}")
    folder.write("suite.yaml", suite.text)
    frozen_factors.keep(folder, factors)
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
    if reason := frozen_factors.frozen(folder).fallback_reason:
        warn(f"carbon: a yearly mean stands in for the live intensity: {reason}")
    result = folder.records()
    if result.records:
        show_ranking(made, folder.path, result)
    out().print(str(folder.path), soft_wrap=True, markup=False, highlight=False)
    return code


def plan(
    suite_name: str,
    settings: Sequence[str],
    only: str | None,
    history: Path,
    *,
    as_json: bool,
) -> int:
    """What would run, how long and for how many joules, and why the rest would not."""
    made = make_plan(load_suite(suite_name, settings), only)
    expected = forecast(made, earlier(made, history))
    doubtful = _undecided(made)
    if as_json:
        more = {"forecast": asdict(expected) if expected else None}
        print_json(made.model_dump(mode="json") | more | {"warnings": doubtful})
        return 0
    counts = Counter(trial.key for trial in made.trials)
    shown = table("configuration", "trials")
    for key in sorted(counts):
        shown.add_row(escape(key), str(counts[key]))
    out().print(shown)
    for line in skipped_lines(made.skips):
        out().print(line, style="dim", markup=False, highlight=False)
    out().print(
        f"{_trials(made)}; idle, warm-up and windows take at least "
        f"{left(shortest_s(made))} minutes, loading and training come on top",
        highlight=False,
    )
    if expected:
        out().print(_said(expected, history), highlight=False)
    if made.weakened:
        weaker = ", ".join(made.weakened)
        doubtful = [f"not official: weaker than the profile in {weaker}", *doubtful]
    for line in doubtful:
        out().print(line, style="yellow", markup=False, highlight=False, soft_wrap=True)
    return 0


def _trials(made: Plan) -> str:
    if made.protocol.target_ci_ratio is None:
        return f"{len(made.trials)} trials"
    least = len(made.trials) * made.protocol.rounds_min // made.protocol.rounds
    return f"{least} to {len(made.trials)} trials"


def _said(expected: Forecast, history: Path) -> str:
    joules = expected.energy_j
    energy = "" if joules is None else f" and {joules:.3g} J ({joules / 3600:.2g} Wh)"
    return (
        f"by the runs in {history}: {left(expected.duration_s)} minutes{energy}; "
        f"they know {expected.known} of {expected.configurations} configurations"
    )


def skipped_lines(skips: Sequence[Skipped]) -> list[str]:
    """What would not run, by reason, the most frequent first."""
    by_reason: dict[str, list[str]] = defaultdict(list)
    for skip in skips:
        by_reason[skip.reason].append(skip.configuration.key)
    ordered = sorted(by_reason.items(), key=lambda each: (-len(each[1]), each[0]))
    return [f"skipped {len(k)}: {why}: {_brief(k)}" for why, k in ordered]


def _brief(keys: Sequence[str]) -> str:
    """A few keys; of more, the parts that all have in common, where there are any."""
    if len(keys) <= FEW_KEYS:
        return ", ".join(keys)
    parts = list(zip(*(key.split("/") for key in keys), strict=False))
    common = [part[0] if len(set(part)) == 1 else "*" for part in parts]
    if set(common) == {"*"}:
        return f"{', '.join(keys[:FEW_KEYS])} and {len(keys) - FEW_KEYS} more"
    is_longer = any(key.count("/") >= len(common) for key in keys)
    return "/".join(common) + "*" * (is_longer and common[-1] != "*")


def _undecided(made: Plan) -> list[str]:
    cards = registry.cards()
    sizes = {n: c.test_items for n, c in cards.items() if c.test_items is not None}
    return undecided(made, sizes, {name: card.floor for name, card in cards.items()})
