"""Run folders as a user names them: no trial counts twice."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from harness.errors import UsageError
from harness.store import ReadResult, read_runs

if TYPE_CHECKING:
    from harness.records import TrialRecord


def read_once(paths: Sequence[Path]) -> tuple[list[Path], ReadResult]:
    """The folders, each once by whatever name, and their trials.

    Raises:
        UsageError: A folder is a copy of another: its joules would count twice.
        NothingMeasured: No run holds a readable trial.
    """
    folders: dict[str, Path] = {}
    for path in paths:
        folders.setdefault(os.path.realpath(path), path)
    once = list(folders.values())
    result = read_runs(once)
    if len(once) > 1:
        _check_copies(result)
    return once, result


def _check_copies(result: ReadResult) -> None:
    """Refuse trials that stand in two folders, word for word.

    Raises:
        UsageError: There are such.
    """
    seen: dict[tuple[str, str], list[tuple[TrialRecord, Path]]] = {}
    for record, folder in zip(result.records, result.folders, strict=True):
        found = seen.setdefault((record.trial, record.started_utc), [])
        for twin, other in found:
            if other != folder and twin == record:
                raise UsageError(
                    f"{folder} and {other} hold the same trial {record.trial!r}",
                    hint="name each run once: its joules would count twice",
                )
        found.append((record, folder))
