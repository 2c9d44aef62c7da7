"""Where a history lies: a file in the user's data folder, another, or PostgreSQL."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
from sqlalchemy import URL
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from harness.errors import NothingMeasured, UsageError

VARIABLE = "JOULEBENCH_HISTORY"
ELSEWHERE = f"a file on a local disk by --url FILE or {VARIABLE}, or a PostgreSQL URL"
REMOTE = {
    "nfs", "nfs4", "cifs", "smb3", "smbfs", "fuse.sshfs", "lustre", "beegfs", "gpfs",
    "ceph",
}  # fmt: skip
"""File systems on which several machines would break a log that SQLite shares."""


class BrokenHistory(UsageError):  # noqa: N818 (a state that a file is in)
    """The file is damaged, or is no history."""


@dataclass(frozen=True)
class Place:
    """Where a history lies: in a file of SQLite, or in PostgreSQL.

    Attributes:
        path: The file; None for PostgreSQL.
    """

    url: URL
    path: Path | None

    def __str__(self) -> str:
        return str(self.path or self.url.render_as_string(hide_password=True))


def place(said: str | None = None) -> Place:
    """The place that was said, or the environment's, or the user's data folder.

    Raises:
        UsageError: It is a URL of something else.
    """
    given = said or os.environ.get(VARIABLE)
    if given is None or "://" not in given:
        return _file(Path(given).expanduser() if given else _usual())
    try:
        url = make_url(given)
    except (ArgumentError, ValueError) as error:
        raise UsageError("the history's URL cannot be read", hint=ELSEWHERE) from error
    if url.drivername == "sqlite" and url.database:
        return _file(Path(url.database))
    if url.get_backend_name() not in {"postgresql", "postgres"}:
        raise UsageError(f"no history in {url.drivername}", hint=ELSEWHERE)
    return Place(url.set(drivername="postgresql+psycopg"), None)


def _usual() -> Path:
    base = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
    return Path(base) / "joulebench" / "history.sqlite"


def _file(path: Path) -> Place:
    return Place(URL.create("sqlite", database=str(path.absolute())), path.absolute())


def nothing_yet(where: Place) -> NothingMeasured:
    """There is no history to read."""
    return NothingMeasured(f"{where}: no history yet", hint="bench history add RUN...")


@contextmanager
def guarded(path: Path, *, writing: bool, alone: bool = False) -> Iterator[None]:
    """Keep a file from being set aside while others use it.

    Raises:
        UsageError: Its folder cannot be made or written, or is on another machine.
    """
    kind = file_system(path, psutil.disk_partitions(all=True)) if writing else ""
    if kind in REMOTE:
        raise UsageError(
            f"{path}: on a network's file system ({kind}), where SQLite loses records",
            hint=ELSEWHERE,
        )
    with ExitStack() as stack:
        lock = path.with_name(f"{path.name}.lock")
        try:
            if writing:
                path.parent.mkdir(parents=True, exist_ok=True)
            if writing or lock.exists():  # a copy without it has no writers
                file = stack.enter_context(lock.open("a" if writing else "r"))
                fcntl.flock(file, fcntl.LOCK_EX if alone else fcntl.LOCK_SH)
        except OSError as error:
            raise UsageError(
                f"{path}: cannot be written: {error.strerror}", hint=ELSEWHERE
            ) from error
        yield


def file_system(path: Path, partitions: list[Any]) -> str:
    """Kind of the file system that holds a path; empty where that is not known."""
    real = path.resolve()
    holding = [p for p in partitions if real.is_relative_to(p.mountpoint)]
    deepest = max(holding, key=lambda p: len(p.mountpoint), default=None)
    return str(deepest.fstype) if deepest else ""
