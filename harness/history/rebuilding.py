"""The history made again from run folders; what they no longer hold is kept or named.

A sound index is made again in place, in one transaction beside other writers. A damaged
file is set aside, never removed, and what can still be read of it is carried over.
"""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import Connection, insert

from harness.errors import BenchError
from harness.history import folders
from harness.history.database import connect, opened, told
from harness.history.index import Added, add, known
from harness.history.places import BrokenHistory, Place, guarded
from harness.history.tables import RUNS, TRIALS, derived
from harness.records import TrialRecord


@dataclass(frozen=True)
class Rebuilt:
    """What became of each run.

    Attributes:
        kept: Runs whose folder is gone, and whose rows stay as they were.
        lost: Runs that the damaged file names and nothing holds any more.
        aside: Where the damaged file is now; None where it was sound.
        unread: Nothing could be read of the damaged file, not even which runs it held.
    """

    added: tuple[Added, ...]
    kept: dict[str, Path]
    lost: dict[str, Path]
    aside: Path | None = None
    unread: bool = False


def rebuild(where: Place, paths: Sequence[Path]) -> Rebuilt:
    """Make the history again from the folders it names and these.

    Raises:
        UsageError: It cannot be written, or a given folder holds no run.
    """
    given = folders.find(paths)
    aside = _set_aside(where)
    with opened(where, writing=True) as engine, engine.begin() as connection:
        if aside:
            return _salvaged(connection, aside, given)
        old = known(connection)
        added = _again(connection, old, given)
        return Rebuilt(added, _without(old, added), {})


def _without(runs: dict[str, Path], added: Sequence[Added]) -> dict[str, Path]:
    held = {each.run for each in added}
    return {run: folder for run, folder in runs.items() if run not in held}


def _again(
    connection: Connection, old: dict[str, Path], given: Sequence[Path]
) -> tuple[Added, ...]:
    """Add the runs that are where they were, and those that were given."""
    there = [path for run, path in old.items() if _id(path) == run]
    sources = dict.fromkeys([*there, *(path for path in given if _id(path))])
    return tuple(add(connection, path) for path in sources)


def _id(path: Path) -> str | None:
    """Id of the run in a folder; None where there is none, or none that can be read."""
    try:
        return str(folders.run_row(path)["run"])
    except BenchError:
        return None


def _set_aside(where: Place) -> Path | None:
    """Move a damaged file out of the way, while nobody uses it."""
    path = where.path
    if path is None or not path.exists():
        return None
    with guarded(path, writing=True, alone=True):
        if not _damaged(where):
            return None
        stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S.%fZ")
        aside = path.with_name(f"{path.name}.damaged-{stamp}")
        for end in ("-wal", "-shm", ""):
            part = path.with_name(path.name + end)
            if part.exists():
                part.rename(aside.with_name(aside.name + end))
        return aside


def _damaged(where: Place) -> bool:
    try:
        with told(where), connect(where).connect() as connection:
            said = connection.exec_driver_sql("PRAGMA integrity_check(1)").scalar()
            return said != "ok"
    except BrokenHistory:
        return True


def _salvaged(connection: Connection, aside: Path, given: Sequence[Path]) -> Rebuilt:
    """Fill a new history from what a damaged file still says, then from folders."""
    with closing(sqlite3.connect(aside)) as damaged:
        damaged.row_factory = sqlite3.Row
        rows = list(_readable(damaged, "SELECT * FROM runs"))
        old = {row["run"]: Path(row["folder"]) for row in rows}
        whole = {row["run"] for row in rows if _carry(damaged, connection, row)}
    added = _again(connection, old, given)
    gone = _without(old, added)
    kept = {run: folder for run, folder in gone.items() if run in whole}
    lost = {run: folder for run, folder in gone.items() if run not in whole}
    return Rebuilt(added, kept, lost, aside, unread=not rows)


def _readable(
    damaged: sqlite3.Connection, question: str, *values: str
) -> Iterator[sqlite3.Row]:
    """Rows up to the first that cannot be read."""
    with suppress(sqlite3.Error):
        yield from damaged.execute(question, values)


def _carry(
    damaged: sqlite3.Connection, connection: Connection, row: sqlite3.Row
) -> bool:
    """Bring a run over from a damaged file; whether all its trials came."""
    run = row["run"]
    told_of = dict(zip(row.keys(), row, strict=True))
    connection.execute(insert(RUNS), {n: v for n, v in told_of.items() if n in RUNS.c})
    (count,) = next(
        _readable(damaged, "SELECT count(*) FROM trials WHERE run = ?", run), (None,)
    )
    asked = "SELECT trial, position, record FROM trials WHERE run = ?"
    carried = 0
    for trial in _readable(damaged, asked, run):
        with suppress(ValueError, TypeError):
            record = TrialRecord.model_validate_json(trial["record"])
            values = {"run": run, **dict(trial), **derived(record)}
            connection.execute(insert(TRIALS), values)
            carried += 1
    return carried == count
