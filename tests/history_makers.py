"""Run folders without a run, and a PostgreSQL of one's own, for tests."""

import json
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Engine

from harness.history import reading
from harness.history.database import opened
from harness.history.folders import Row
from harness.history.index import Added, add
from harness.history.places import Place
from harness.history.reading import Asked
from harness.records import TrialRecord
from harness.store import RunFolder
from tests.unit.test_ranking import trial

STARTED = "2026-11-{day:02d}T12:00:{round:02d}+00:00"


def run_folder(path: Path, *, trials: int = 3, day: int = 1, **given: Any) -> Path:
    """A run folder of so many rounds of one configuration."""
    folder = RunFolder.create(path)
    plan = {"suite": given.pop("suite", "quick"), "profile": "quick", "of": path.name}
    folder.write("plan.json", json.dumps(plan | {"trials": [{}] * trials}))
    folder.write("machine.json", json.dumps({"cpu": "AMD EPYC"}))
    lines = [at(day, number, **given).to_json() + "\n" for number in range(trials)]
    folder.write("trials.jsonl", "".join(lines))
    return path


def at(day: int, number: int, precision: str = "fp32", **given: Any) -> TrialRecord:
    """A trial of a day, its round in place of a second."""
    made = trial(precision, 50.0 + number, round=number, **given)
    started = STARTED.format(day=day, round=number % 60)
    return made.model_copy(update={"started_utc": started})


def added(engine: Engine, path: Path) -> Added:
    with engine.begin() as connection:
        return add(connection, path)


def rows(engine: Engine, **asked: object) -> list[Row]:
    with engine.begin() as connection:
        return reading.trials(connection, Asked(**asked))  # type: ignore[arg-type]


def enter(where: Place) -> None:
    with opened(where, writing=True):
        pass


def file(where: Place) -> Path:
    assert where.path
    return where.path


def postgres_programs() -> Path | None:
    """Folder of initdb and postgres; None where they are not installed."""
    found = shutil.which("initdb")
    homes = [Path(found).resolve().parent] if found else []
    homes += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    return next((home for home in homes if (home / "postgres").exists()), None)


@contextmanager
def postgres(programs: Path) -> Iterator[str]:
    """URL of a new server on a socket; it is stopped and removed at the end.

    Without fsync: what tests kill is the client.
    """
    home = Path(tempfile.mkdtemp(prefix="jb-pg-"))
    who: dict[str, Any] = {}
    if os.getuid() == 0:  # the server refuses to run as root
        user = next(u for u in map(_user, ("postgres", "nobody")) if u)
        os.chown(home, user.pw_uid, user.pw_gid)
        who = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
    data = home / "data"
    control: list[str | Path] = [programs / "pg_ctl", "-D", data, "-w"]

    def do(*command: str | Path) -> None:
        subprocess.run(command, check=True, cwd=home, stdout=subprocess.DEVNULL, **who)

    try:
        made = ["-A", "trust", "-U", "bench", "-E", "UTF8", "--locale=C.UTF-8", "-N"]
        do(programs / "initdb", "-D", data, *made)
        options = f"-k {home} -c listen_addresses='' -c fsync=off"
        do(*control, "-l", home / "log", "-o", options, "start")
        try:
            yield f"postgresql://bench@/postgres?host={home}"
        finally:
            do(*control, "-m", "immediate", "stop")
    finally:
        shutil.rmtree(home)


def _user(name: str) -> pwd.struct_passwd | None:
    try:
        return pwd.getpwnam(name)
    except KeyError:
        return None
