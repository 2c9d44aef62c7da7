"""The tables made, or those of an older joulebench completed in place."""

from sqlalchemy import (
    Connection,
    Engine,
    delete,
    insert,
    inspect,
    select,
    text,
)
from sqlalchemy.schema import CreateColumn

from harness.errors import UsageError
from harness.history.places import ELSEWHERE, BrokenHistory, Place, nothing_yet
from harness.history.tables import META, METADATA, TRIALS, VERSION, derived
from harness.records import TrialRecord

OUR_LOCK = 0x6A6F756C
"""Number of the PostgreSQL lock under which tables are made."""


def make_ready(engine: Engine, where: Place, *, writing: bool) -> None:
    """Make the tables, or complete older ones in place."""
    with engine.begin() as connection:
        version = _version(connection, where)
    if version == VERSION:
        return
    if version is None and not writing:
        raise nothing_yet(where)
    with engine.execution_options(writing=True).begin() as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(text(f"SELECT pg_advisory_xact_lock({OUR_LOCK})"))
        version = _version(connection, where)
        if version == VERSION:
            return
        METADATA.create_all(connection)
        if version is not None:
            _complete(connection)
        connection.execute(delete(META).where(META.c.name == "version"))
        connection.execute(insert(META), {"name": "version", "value": str(VERSION)})


def _version(connection: Connection, where: Place) -> int | None:
    """Version of the tables; None where there are none.

    Raises:
        BrokenHistory: The tables are of something else.
        UsageError: They are of a newer joulebench.
    """
    names = set(inspect(connection).get_table_names())
    ours = set(METADATA.tables)
    if not names & ours:
        if names and where.path:
            raise BrokenHistory(f"{where}: is of another program", hint=ELSEWHERE)
        return None
    said = (
        connection.scalar(select(META.c.value).where(META.c.name == "version"))
        if "meta" in names
        else None
    )
    if said is None or not said.isdecimal():
        raise BrokenHistory(f"{where}: is no history of joulebench", hint=ELSEWHERE)
    if int(said) > VERSION:
        raise UsageError(
            f"{where}: of version {said}, newer than this joulebench knows ({VERSION})",
            hint=f"pip install -U joulebench; or {ELSEWHERE}",
        )
    return int(said)


def _complete(connection: Connection) -> None:
    """Add the columns and indexes that are lacking, and fill them from the records."""
    for table in METADATA.tables.values():
        present = {c["name"] for c in inspect(connection).get_columns(table.name)}
        for column in table.columns:
            if column.name not in present:
                said = CreateColumn(column).compile(dialect=connection.dialect)
                connection.execute(text(f"ALTER TABLE {table.name} ADD COLUMN {said}"))
        for index in table.indexes:
            index.create(connection, checkfirst=True)
    keys = connection.execute(select(TRIALS.c.run, TRIALS.c.trial)).all()
    for run, trial in keys:
        mine = (TRIALS.c.run == run) & (TRIALS.c.trial == trial)
        stored = connection.scalar(select(TRIALS.c.record).where(mine))
        record = TrialRecord.model_validate_json(stored or "")
        connection.execute(TRIALS.update().where(mine).values(derived(record)))
