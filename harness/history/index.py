"""Adding run folders to the history, one transaction a folder."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Table, select
from sqlalchemy.dialects import postgresql, sqlite

from harness.errors import UsageError
from harness.history.folders import Fault, Row, run_row, trial_rows
from harness.history.tables import RUNS, TRIALS

BATCH = 500


@dataclass(frozen=True)
class Added:
    """A run that is in the history, with what was left out of it.

    Attributes:
        faults: One sentence for each line that was left out.
    """

    run: str
    folder: Path
    trials: int
    faults: tuple[str, ...]


def add(connection: Connection, folder: Path) -> Added:
    """Bring a run into the history, or up to date; nothing is added twice.

    The run's row comes first, so that two that add the same run do so one by one.

    Raises:
        UsageError: The folder cannot be read, or has the id of another run.
        NothingMeasured: No trial of it has finished.
    """
    row = run_row(folder)
    run = row["run"]
    _upsert(connection, RUNS, [row], only_if_same="plan_sha256")
    held = connection.scalar(select(RUNS.c.plan_sha256).where(RUNS.c.run == run))
    if held != row["plan_sha256"]:
        raise UsageError(
            f"{folder}: has the id of another run, whose plan differs",
            hint="remove its run.json if it began as a copy of that folder",
        )
    faults: list[str] = []
    names: set[str] = set()
    rows = trial_rows(folder)
    while batch := list(islice(rows, BATCH)):
        faults += [each.message for each in batch if isinstance(each, Fault)]
        kept = [{"run": run, **each} for each in batch if not isinstance(each, Fault)]
        _upsert(connection, TRIALS, kept)
        names |= {each["trial"] for each in kept}
    return Added(run, folder, len(names), tuple(faults))


def known(connection: Connection) -> dict[str, Path]:
    """Folder of each run, as it was when it was added last."""
    found = connection.execute(select(RUNS.c.run, RUNS.c.folder).order_by(RUNS.c.run))
    return {run: Path(folder) for run, folder in found}


def _upsert(
    connection: Connection,
    table: Table,
    rows: Sequence[Row],
    only_if_same: str | None = None,
) -> None:
    """Insert rows; those whose key is there are replaced, if a column is the same."""
    if not rows:
        return
    dialects: dict[str, Any] = {"sqlite": sqlite, "postgresql": postgresql}
    made = dialects[connection.dialect.name].insert(table)
    keys = [column.name for column in table.primary_key]
    statement = made.on_conflict_do_update(
        index_elements=keys,
        set_={name: made.excluded[name] for name in rows[0] if name not in keys},
        where=table.c[only_if_same] == made.excluded[only_if_same]
        if only_if_same
        else None,
    )
    connection.execute(statement, rows)
