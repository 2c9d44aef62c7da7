"""`bench gate`."""

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from harness.commands.comparing import DRIFTED
from harness.commands.console import out, print_text, warn
from harness.commands.ranking import FIXED, stored_plan
from harness.errors import OutputError, UsageError
from harness.outcomes import Outcomes
from harness.sequential import ONE_LOOK, looks_of
from harness.sessions import drifted
from harness.store import RUN_ID, RunFolder, read_runs
from reports.gating import exports, terminal
from reports.gating.findings import Demands
from reports.gating.policy import Policy, load_policy
from reports.gating.surroundings import of_run
from reports.gating.verdicts import Run
from reports.gating.verdicts import gate as gate_runs


class Asked(NamedTuple):
    """What `bench gate` was asked for.

    Attributes:
        files: Where to write each form, by its name.
    """

    baseline: Path
    candidate: Path
    anchor: Path | None
    policy: Path | None
    strict: bool
    require_sensor: bool
    paired: bool
    as_json: bool
    annotations: bool
    files: Mapping[str, Path]


def gate(asked: Asked) -> int:
    """Hold one run against another, or two; the exit code is the verdict."""
    for other in filter(None, (asked.baseline, asked.anchor)):
        _check_apart(other, asked.candidate)
    policy = load_policy(asked.policy) if asked.policy else Policy()
    anchor = stored_run(asked.anchor) if asked.anchor else None
    found = gate_runs(
        stored_run(asked.candidate),
        stored_run(asked.baseline),
        policy,
        Demands(strict=asked.strict, require_sensor=asked.require_sensor),
        anchor,
        paired=asked.paired,
    )
    for name, path in asked.files.items():
        write(path, exports.FORMATS[name](found))
    if asked.as_json:
        print_text(exports.FORMATS["json"](found))
    else:
        terminal.render(found, out())
    if asked.annotations and not asked.as_json:
        print_text(exports.to_annotations(found))
    return found.exit_code


def _check_apart(one: Path, candidate: Path) -> None:
    """Refuse a run that is held against itself, which would always pass.

    Raises:
        UsageError: Both are one run.
    """
    marks = [(path / RUN_ID).read_bytes() for path in (one, candidate) if _marked(path)]
    is_copy = len(marks) == 2 and marks[0] == marks[1]
    if one.resolve() == candidate.resolve() or is_copy:
        raise UsageError(
            f"{candidate}: the same run as {one}",
            hint="bench gate calibrate is what holds a run against itself",
        )


def _marked(path: Path) -> bool:
    return (path / RUN_ID).is_file()


def stored_run(path: Path) -> Run:
    """A run folder as the gate takes it.

    Raises:
        UsageError: It cannot be read, or does not tell how it was made.
        NothingMeasured: It holds no readable trial.
    """
    result = read_runs([path])
    for fault in result.faults:
        warn(fault)
    made = stored_plan(path, FIXED)
    is_valid = all(each.valid for each in drifted(RunFolder(path)))
    return Run(
        records=result.records,
        outcomes=Outcomes(result.records, result.folders),
        surroundings=of_run(path),
        looks=looks_of(made.protocol) if made else ONE_LOOK,
        fault=None if is_valid else f"{path}: {DRIFTED}",
    )


def write(path: Path, text: str) -> None:
    """Write a file of results.

    Raises:
        OutputError: It cannot be written.
    """
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise OutputError(f"{path}: cannot be written: {error.strerror}") from error
