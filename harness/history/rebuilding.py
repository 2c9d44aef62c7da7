"""The history made again from run folders; what they no longer hold is kept or named.

A sound index is made again in place, in one transaction beside other writers. A damaged
file is set aside, never removed, and what can still be read of it is carried over.
"""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Connection
from sqlalchemy.dialects.sqlite import insert

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
    damaged = _set_aside(where) if where.path else None
    with opened(where, writing=True) as engine, engine.begin() as connection:
        if damaged is None:
            old = known(connection)
            added = _again(connection, old, given)
            return Rebuilt(added, _without(old, added), {})
        done = _salvaged(connection, damaged, given)
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S.%fZ")
    kept = damaged.with_suffix(f".damaged-{stamp}")
    _move(damaged, kept)
    return replace(done, aside=kept)


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
    """Move a damaged file out of the way, while nobody uses it; None where it is sound.

    It has a name of its own until it has been read to the end, so that one who comes
    after a crash goes on with it.
    """
    path = where.path or Path()
    aside = path.with_name(f"{path.name}.salvage")
    with guarded(path, writing=True, alone=True):
        if not aside.exists() and path.exists() and _damaged(where):
            _move(path, aside)
    return aside if aside.exists() else None


def _move(path: Path, target: Path) -> None:
    """Give a database another name, its log first."""
    for end in ("-wal", "-shm", ""):
        part = path.with_name(path.name + end)
        if part.exists():
            part.rename(target.with_name(target.name + end))


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
        rows = [
            row
            for row in _readable(damaged, "SELECT * FROM runs")
            if isinstance(row["run"], str) and isinstance(row["folder"], str)
        ]
        old = {row["run"]: Path(row["folder"]) for row in rows}
        whole = {row["run"] for row in rows if _carry(damaged, connection, row)}
    added = _again(connection, old, given)
    gone = _without(old, added)
    kept = {run: folder for run, folder in gone.items() if run in whole}
    lost = {run: folder for run, folder in gone.items() if run not in whole}
    return Rebuilt(added, kept, lost, unread=not rows)


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
    values: dict[str, Any] = {n: "" for n in RUNS.c.keys() if not RUNS.c[n].nullable}  # noqa: SIM118
    told_of = zip(row.keys(), row, strict=True)
    values |= {n: v for n, v in told_of if n in RUNS.c and v is not None}
    connection.execute(insert(RUNS).on_conflict_do_nothing(), values)
    (count,) = next(
        _readable(damaged, "SELECT count(*) FROM trials WHERE run = ?", run), (None,)
    )
    asked = "SELECT trial, position, record FROM trials WHERE run = ?"
    carried = 0
    for trial in _readable(damaged, asked, run):
        with suppress(ValueError, TypeError):
            record = TrialRecord.model_validate_json(trial["record"])
            values = {"run": run, **dict(trial), **derived(record)}
            connection.execute(insert(TRIALS).on_conflict_do_nothing(), values)
            carried += 1
    return carried == count
