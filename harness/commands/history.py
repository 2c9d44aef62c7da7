"""`bench history`: many runs in one index, asked together."""

import csv
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.commands.console import err, out, print_json, table, warn
from harness.errors import NothingMeasured, UsageError
from harness.files import replacing
from harness.history import reading
from harness.history.database import opened
from harness.history.folders import Row, find
from harness.history.index import Added, add
from harness.history.places import guarded, place
from harness.history.rebuilding import rebuild
from reports.formatting import energy, printable, significant, unformulated

SHOWN = 8
"""So many letters of a run's id tell it from others."""


@dataclass(frozen=True)
class Output:
    """Where rows go: a table on the terminal unless said otherwise."""

    as_json: bool = False
    as_csv: bool = False
    parquet: Path | None = None


def add_runs(paths: Sequence[Path], url: str | None) -> int:
    """Add run folders; each line that is printed is on disk."""
    where = place(url)
    found = find(paths)
    failed = done = 0
    with opened(where, writing=True) as engine:
        for path in found:
            try:
                with engine.begin() as connection:
                    added = add(connection, path)
            except NothingMeasured as error:
                warn(error.message)
                continue
            except UsageError as error:
                if len(found) == 1:
                    raise
                warn(f"{error.message}\n  {error.hint}")
                failed += 1
                continue
            _tell("added", added)
            done += 1
    if not done and not failed:
        raise NothingMeasured("nothing to add", hint="bench resume RUN")
    return 1 if failed else 0


def _tell(what: str, added: Added) -> None:
    """Say that a run is in the history, at once."""
    for fault in added.faults:
        warn(fault)
    sys.stdout.write(
        f"{what} {added.run[:SHOWN]}  {added.trials} trials  {added.folder}\n"
    )
    sys.stdout.flush()


def list_runs(url: str | None, output: Output) -> int:
    """Show the runs, newest first."""
    with opened(place(url)) as engine, engine.begin() as connection:
        rows = reading.runs(connection)
    names = ("run", "started_utc", "suite", "machine", "trials", "ok", "folder")
    _print(rows, output, names)
    return 0


def show(prefix: str, url: str | None, *, as_json: bool) -> int:
    """Show one run and its configurations."""
    with opened(place(url)) as engine, engine.begin() as connection:
        row = reading.run(connection, prefix)
    if as_json:
        print_json(row)
        return 0
    configurations = row.pop("configurations")
    for name, value in row.items():
        out().print(f"{name}: {_text(name, value)}", markup=False, soft_wrap=True)
    out().print()
    _print(configurations, Output())
    return 0


def query(
    wanted: reading.Asked, question: str | None, url: str | None, output: Output
) -> int:
    """Show the trials that match, or what one's own SQL gives."""
    where = place(url)
    if question is None:
        with opened(where) as engine, engine.begin() as connection:
            rows = reading.trials(connection, wanted)
        _print(rows, output, wanted.columns)
        return 0
    if where.path is None:
        raise UsageError(
            "--sql is for a history in a file",
            hint="psql asks PostgreSQL; or filters here: --workload, --where, ...",
        )
    with opened(where), guarded(where.path, writing=False):
        rows = reading.answer(where.path, question)
    _print(rows, output)
    return 0


def asked(
    globs: Mapping[str, str | None],
    others: Sequence[str],
    columns: str | None,
    **when: Any,
) -> reading.Asked:
    """What the options of `query` ask for."""
    wanted = {name: glob for name, glob in globs.items() if glob is not None}
    for other in others:
        name, equal, glob = other.partition("=")
        if not equal:
            raise UsageError(f"--where {other}: no COLUMN=GLOB", hint="--where tier=B")
        wanted[name.strip()] = glob
    if columns is not None:
        when["columns"] = tuple(name.strip() for name in columns.split(","))
    return reading.Asked(globs=wanted, **when)


def rebuild_all(paths: Sequence[Path], url: str | None) -> int:
    """Make the history again, and say what could not be."""
    done = rebuild(place(url), paths)
    if done.aside:
        warn(f"the damaged file is kept: {done.aside}")
    if done.unread:
        warn("nothing could be read of it, not even which runs it held: name them")
    for run, folder in done.kept.items():
        warn(f"kept as it was: {run[:SHOWN]}; its folder is not at {folder}")
    for run, folder in done.lost.items():
        warn(f"not whole: {run[:SHOWN]}; damaged here, and not at {folder}")
    for added in done.added:
        _tell("made again", added)
    return 1 if done.lost or done.unread else 0


def _print(
    rows: Sequence[Row], output: Output, names: Sequence[str] | None = None
) -> None:
    """Rows in the form that was asked for."""
    if output.as_json and output.as_csv:
        raise UsageError("choose one of --json and --csv")
    columns = list(names or (rows[0] if rows else ()))
    if output.parquet:
        _write_parquet(rows, columns, output.parquet, typed=names is not None)
    if output.as_json:
        print_json(list(rows))
    elif output.as_csv:
        _print_csv(rows, columns)
    elif not output.parquet:
        _print_table(rows, columns)


def _print_table(rows: Sequence[Row], columns: Sequence[str]) -> None:
    if not rows:
        err().print("nothing matches")
        return
    made = table(*columns)
    for row in rows:
        made.add_row(*(_cell(name, row[name]) for name in columns))
    out().print(made)


def _cell(name: str, value: Any) -> Any:
    from rich.text import Text

    return Text(_text(name, value))


def _text(name: str, value: Any) -> str:
    """A value for people; text of others steers no terminal."""
    if value is None:
        return "-"
    if isinstance(value, float):
        return energy(value) if name.endswith("_j") else significant(value)
    if name == "run":
        return printable(str(value))[:SHOWN]
    if name.endswith("_utc"):
        return printable(str(value))[:16].replace("T", " ")
    return printable(str(value))


def _print_csv(rows: Sequence[Row], columns: Sequence[str]) -> None:
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(columns)
    for row in rows:
        values = (row[name] for name in columns)
        writer.writerow([unformulated(v) if isinstance(v, str) else v for v in values])


def _write_parquet(
    rows: Sequence[Row], columns: Sequence[str], path: Path, *, typed: bool
) -> None:
    """Rows as a file of Parquet, all of it or nothing; types as stored, or found."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    arrow = {str: pa.string(), int: pa.int64(), float: pa.float64(), bool: pa.bool_()}
    stored = reading.COLUMNS if typed else {}
    types = {n: arrow[stored[n].type.python_type] for n in columns if n in stored}
    try:
        made = {n: pa.array([row[n] for row in rows], types.get(n)) for n in columns}
        with replacing(path) as part:
            pq.write_table(pa.table(made), part)
    except (OSError, pa.ArrowException) as error:
        raise UsageError(f"{path}: cannot be written: {error}") from error
