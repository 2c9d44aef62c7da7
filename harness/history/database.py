"""Where the history lies, and how it is opened: tables made, older ones completed.

SQLite is written through a log and synced at every commit (WAL, synchronous=FULL), one
writer at a time; PostgreSQL waits for its disk, too. What `add` has told is on disk.
"""

import sqlite3
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

from harness.errors import UsageError
from harness.history.places import (
    ELSEWHERE,
    BrokenHistory,
    Place,
    guarded,
    nothing_yet,
)
from harness.history.versions import make_ready

BUSY_S = 60.0


@contextmanager
def opened(where: Place, *, writing: bool = False) -> Iterator[Engine]:
    """The database with tables of this version; made when it is written first.

    Raises:
        BrokenHistory: The file is damaged.
        NothingMeasured: There is no history to read.
        UsageError: It cannot be reached or written, or is of a newer joulebench.
    """
    with ExitStack() as stack:
        if where.path:
            if not writing and not where.path.exists():
                raise nothing_yet(where)
            stack.enter_context(guarded(where.path, writing=writing))
        stack.enter_context(told(where))
        engine = connect(where)
        stack.callback(engine.dispose)
        make_ready(engine, where, writing=writing)
        yield writer(engine) if writing else engine


def connect(where: Place) -> Engine:
    """An engine whose transactions begin as `writer` says."""
    if where.path is None:
        try:
            return create_engine(
                where.url,
                poolclass=NullPool,
                connect_args={"options": "-c synchronous_commit=on"},
            )
        except ModuleNotFoundError as error:
            raise UsageError(
                "PostgreSQL needs psycopg, which is not installed",
                hint="pip install 'joulebench[postgres]'",
            ) from error
    engine = create_engine(
        where.url, poolclass=NullPool, connect_args={"timeout": BUSY_S}
    )
    event.listen(engine, "connect", _set_up)
    event.listen(engine, "begin", _begin)
    return engine


def writer(engine: Engine) -> Engine:
    """The same, for transactions that write: they wait for each other at the start."""
    return engine.execution_options(writing=True)


def _set_up(connection: sqlite3.Connection, _: object) -> None:
    connection.isolation_level = None  # `_begin` says when
    connection.execute("PRAGMA trusted_schema=OFF")
    connection.execute("PRAGMA synchronous=FULL")
    if connection.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
        _use_log(connection)


def _use_log(connection: sqlite3.Connection) -> None:
    """Switch to WAL; SQLite does not wait here for others that do the same."""
    until_s = time.monotonic() + BUSY_S
    while True:
        try:
            mode = connection.execute("PRAGMA journal_mode=WAL").fetchone()[0]
            break
        except sqlite3.OperationalError as error:
            busy = error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY
            if not busy or time.monotonic() > until_s:
                raise
            time.sleep(0.02)
    if mode != "wal":
        raise UsageError("SQLite cannot keep a log here", hint=ELSEWHERE)


def _begin(connection: Connection) -> None:
    writing = connection.get_execution_options().get("writing")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writing else "BEGIN")


@contextmanager
def told(where: Place) -> Iterator[None]:
    """Say what a database answers as a sentence with its cure."""
    try:
        yield
    except DBAPIError as error:
        raise _told(where, error.orig or error) from error
    except sqlite3.Error as error:
        raise _told(where, error) from error


def _told(where: Place, error: BaseException) -> UsageError:
    if not isinstance(error, sqlite3.Error):
        first = next(iter(str(error).strip().splitlines()), type(error).__name__)
        return UsageError(
            f"{where}: {first}", hint="does the server answer, and may you write there?"
        )
    name = getattr(error, "sqlite_errorname", "")
    for start, (what, cure) in CURES.items():
        if name.startswith(start):
            kind = BrokenHistory if cure == REBUILD else UsageError
            return kind(f"{where}: {what} ({error})", hint=cure)
    return UsageError(f"{where}: {error}", hint=ELSEWHERE)


REBUILD = "bench history rebuild [RUN...] makes it again from the run folders"
COPY = f"its folder must be writable, even to read it: copy it, or give {ELSEWHERE}"
CURES = {
    "SQLITE_CORRUPT": ("is damaged", REBUILD),
    "SQLITE_NOTADB": ("is damaged, or is no SQLite file", REBUILD),
    "SQLITE_BUSY": ("another process has been writing for a minute", "try again"),
    "SQLITE_FULL": ("the disk is full", "nothing was added; free some space"),
    "SQLITE_READONLY": ("cannot be written", COPY),
    "SQLITE_CANTOPEN": ("cannot be opened or written", COPY),
}
