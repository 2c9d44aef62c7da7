"""Runs and trials out of the history."""

import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path
from statistics import median
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, case, func, select

from harness.errors import UsageError
from harness.history.folders import Row
from harness.history.tables import RUNS, TRIALS
from harness.near import nearest

COLUMNS: Mapping[str, ColumnElement[Any]] = {
    **{name: column for name, column in TRIALS.c.items()},  # noqa: C416 (typed apart)
    "suite": RUNS.c.suite,
    "profile": RUNS.c.profile,
    "machine": RUNS.c.machine,
    "folder": RUNS.c.folder,
}
"""What can be asked of a trial; the last four are of its run."""
USUAL = (
    "run", "started_utc", "key", "status", "energy_per_item_j", "provenance", "tier",
    "accuracy",
)  # fmt: skip
ALLOWED = {
    sqlite3.SQLITE_SELECT,
    sqlite3.SQLITE_READ,
    sqlite3.SQLITE_FUNCTION,
    sqlite3.SQLITE_RECURSIVE,
}


@dataclass(frozen=True)
class Asked:
    """Which trials, and what of them.

    Attributes:
        globs: Pattern with `*` and `?`, in any case of letters, by column.
        since: The first day or instant that counts, such as `2026-11-01`; of UTC.
        until: The first that no longer does.
        limit: Of the newest; None for all.
    """

    globs: Mapping[str, str] = field(default_factory=dict)
    since: str | None = None
    until: str | None = None
    columns: tuple[str, ...] = USUAL
    limit: int | None = None


def trials(connection: Connection, asked: Asked) -> list[Row]:
    """The trials that match, newest first.

    Raises:
        UsageError: There is no such column, or a time is none.
    """
    chosen = [_column(name).label(name) for name in asked.columns]
    wanted = [_like(_column(n), glob) for n, glob in asked.globs.items()]
    if asked.since:
        wanted.append(TRIALS.c.started_utc >= _instant(asked.since))
    if asked.until:
        wanted.append(TRIALS.c.started_utc < _instant(asked.until))
    statement = (
        select(*chosen)
        .join_from(TRIALS, RUNS, TRIALS.c.run == RUNS.c.run)
        .where(and_(True, *wanted))  # noqa: FBT003 (SQL's own word)
        .order_by(TRIALS.c.started_utc.desc(), TRIALS.c.run, TRIALS.c.position.desc())
        .limit(asked.limit)
    )
    return [dict(row) for row in connection.execute(statement).mappings()]


def _column(name: str) -> ColumnElement[Any]:
    if name not in COLUMNS:
        raise UsageError(
            f"no column called {name!r}{nearest(name, list(COLUMNS))}",
            hint=f"known: {', '.join(COLUMNS)}",
        )
    return COLUMNS[name]


def _instant(said: str) -> str:
    """A time as records write it."""
    try:
        found = datetime.fromisoformat(said)
    except ValueError as error:
        raise UsageError(
            f"{said!r} is no time", hint="2026-11-01, or 2026-11-01T12:30+01:00"
        ) from error
    utc = found.replace(tzinfo=found.tzinfo or UTC).astimezone(UTC)
    return utc.isoformat(timespec="seconds")


def _like(column: ColumnElement[Any], glob: str) -> ColumnElement[bool]:
    """Whether a value, as text, matches a pattern with `*` and `?`."""
    pattern = glob
    for mark in "\\%_":
        pattern = pattern.replace(mark, f"\\{mark}")
    pattern = pattern.replace("*", "%").replace("?", "_")
    return func.lower(column.cast(TRIALS.c.key.type)).like(pattern.lower(), escape="\\")


def runs(connection: Connection, prefix: str = "") -> list[Row]:
    """Runs whose id begins so, with how their trials went, newest first."""
    ok = func.count(case((TRIALS.c.status == "ok", 1)))
    statement = (
        select(RUNS, func.count(TRIALS.c.trial).label("trials"), ok.label("ok"))
        .join_from(RUNS, TRIALS, TRIALS.c.run == RUNS.c.run, isouter=True)
        .where(RUNS.c.run.startswith(prefix, autoescape=True))
        .group_by(*RUNS.c)
        .order_by(RUNS.c.started_utc.desc(), RUNS.c.run)
    )
    return [dict(row) for row in connection.execute(statement).mappings()]


def run(connection: Connection, prefix: str) -> Row:
    """The one run whose id begins so, with its configurations.

    Raises:
        UsageError: There is none, or there are several.
    """
    found = runs(connection, prefix.lower())
    if len(found) != 1 or not prefix:
        several = ", ".join(row["run"][:12] for row in found[:5])
        raise UsageError(
            f"no run {prefix!r} in the history"
            if not found
            else f"{len(found)} runs begin with {prefix!r}: {several}",
            hint="bench history list",
        )
    asked = select(TRIALS).where(TRIALS.c.run == found[0]["run"])
    rows = connection.execute(asked.order_by(TRIALS.c.key, TRIALS.c.position))
    grouped = groupby(rows.mappings(), key=lambda row: row["key"])
    return found[0] | {
        "configurations": [_configuration(key, list(each)) for key, each in grouped]
    }


def _configuration(key: str, rows: Sequence[Mapping[Any, Any]]) -> Row:
    """Medians of the trials of a configuration that went well."""
    ok = [row for row in rows if row["status"] == "ok"]
    others = dict.fromkeys(row["reason"] for row in rows if row["status"] != "ok")
    return {
        "key": key,
        "trials": len(rows),
        "ok": len(ok),
        "energy_per_item_j": _median(ok, "energy_per_item_j"),
        "accuracy": _median(ok, "accuracy"),
        "duration_s": _median(ok, "duration_s"),
        "provenance": _said(ok, "provenance"),
        "tier": _said(ok, "tier"),
        "reason": "; ".join(reason for reason in others if reason) or None,
    }


def _median(rows: Sequence[Mapping[Any, Any]], name: str) -> float | None:
    values = [row[name] for row in rows if row[name] is not None]
    return median(values) if values else None


def _said(rows: Sequence[Mapping[Any, Any]], name: str) -> str | None:
    return "+".join(sorted({row[name] for row in rows if row[name]})) or None


def answer(path: Path, question: str) -> list[Row]:
    """What SQL of one's own gives; it can read this one file and do nothing else.

    Raises:
        UsageError: It is no SQL, or does more than read.
    """
    with closing(
        sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True, timeout=10)
    ) as connection:
        connection.execute("PRAGMA query_only=ON")
        connection.execute("PRAGMA trusted_schema=OFF")
        connection.set_authorizer(_allowed)
        connection.set_progress_handler(lambda: 0, 100_000)  # Ctrl-C
        try:
            cursor = connection.execute(question)
            names = [name for name, *_ in cursor.description or ()]
            return [dict(zip(names, row, strict=True)) for row in cursor]
        except (sqlite3.Error, sqlite3.Warning) as error:
            raise UsageError(
                f"--sql: {error}",
                hint="one SELECT over the tables runs and trials; nothing is written",
            ) from error


def _allowed(action: int, _: str | None, name: str | None, *__: str | None) -> int:
    fine = action in ALLOWED and name != "load_extension"
    return sqlite3.SQLITE_OK if fine else sqlite3.SQLITE_DENY
