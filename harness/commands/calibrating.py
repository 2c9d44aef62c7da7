"""`bench gate calibrate`."""

import sys
from collections.abc import Sequence
from contextlib import redirect_stdout
from pathlib import Path

from harness.commands.console import out, print_text
from harness.commands.gating import stored_run
from harness.commands.running import run as run_suite
from harness.errors import UsageError
from reports.gating import terminal
from reports.gating.calibration import calibrate as calibrate_runs
from reports.gating.policy import Policy, load_policy
from reports.gating.surroundings import differing

NOTHING = 4


def calibrate(
    subjects: Sequence[str],
    policy: Path | None,
    output: Path | None,
    rounds: int,
    *,
    as_json: bool,
) -> int:
    """Hold A against A; 4 where no spread could be had.

    Raises:
        UsageError: The runs are not alike, or a suite stands among several.
    """
    limits = load_policy(policy) if policy else Policy()
    folders = [Path(each) for each in subjects]
    if not all((folder / "plan.json").is_file() for folder in folders):
        folders = [_measured(subjects, output, rounds)]
    runs = [stored_run(folder) for folder in folders]
    for path, run in zip(folders, runs, strict=True):
        if facts := differing(runs[0].surroundings, run.surroundings):
            raise UsageError(
                f"{path}: not made like {folders[0]}: {facts[0]}",
                hint="calibrate one machine and one suite at a time",
            )
    found = calibrate_runs(runs, limits)
    if as_json:
        print_text(found.model_dump_json(indent=2))
    else:
        terminal.render_calibration(found, out())
    return 0 if found.known else NOTHING


def _measured(subjects: Sequence[str], output: Path | None, rounds: int) -> Path:
    """The folder of a suite that is run now."""
    if len(subjects) > 1:
        raise UsageError(
            "one suite, or run folders", hint="bench gate calibrate SUITE|RUN..."
        )
    folder = output or Path("runs") / f"calibration-{Path(subjects[0]).stem}"
    with redirect_stdout(sys.stderr):  # the calibration alone is the result
        run_suite(subjects[0], folder, [f"protocol.rounds={rounds}"], None, "local")
    return folder
