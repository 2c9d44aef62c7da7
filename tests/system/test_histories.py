"""The history under several writers and `kill -9`, in SQLite and in PostgreSQL."""

import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from harness.errors import UsageError
from harness.history.database import opened
from harness.history.index import add
from harness.history.places import place
from harness.history.reading import Asked, runs, trials
from harness.history.rebuilding import rebuild
from harness.store import RUN_ID
from tests.history_makers import added, at, postgres, postgres_programs, run_folder

PROGRAMS = postgres_programs()
BENCH = [sys.executable, "-P", "-m", "harness", "history"]
WRITERS = 3


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    if PROGRAMS is None:
        pytest.skip("PostgreSQL's initdb is not installed (Debian: postgresql)")
    with postgres(PROGRAMS) as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return str(tmp_path / "history.sqlite")
    from sqlalchemy import create_engine, text

    server: str = request.getfixturevalue("server")
    engine = create_engine(server.replace("postgresql:", "postgresql+psycopg:"))
    name = f"t{abs(hash(str(tmp_path)))}"
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    engine.dispose()
    return server.replace("/postgres?", f"/{name}?")


def held(url: str) -> dict[str, int]:
    """Number of trials of each run by its folder's name."""
    with opened(place(url)) as engine, engine.begin() as connection:
        return {Path(row["folder"]).name: row["trials"] for row in runs(connection)}


def start(url: str, *arguments: str | Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*BENCH, *arguments, "--url", url],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_writers_side_by_side_lose_nothing(url: str, tmp_path: Path) -> None:
    for writer in range(WRITERS):
        for number in range(5):
            name = f"w{writer}-{number}"
            run_folder(tmp_path / "runs" / str(writer) / name, trials=3 + number)
    shared = run_folder(tmp_path / "runs" / "shared", trials=40)

    at_once = [
        start(url, "add", tmp_path / "runs" / str(writer), shared)
        for writer in range(WRITERS)
    ]
    said = [process.communicate(timeout=120) for process in at_once]

    assert [process.returncode for process in at_once] == [0] * WRITERS, said
    expected = {f"w{w}-{n}": 3 + n for w in range(WRITERS) for n in range(5)}
    assert held(url) == expected | {"shared": 40}


def test_kill_9_loses_no_run_that_was_told(url: str, tmp_path: Path) -> None:
    many = 40
    for number in range(many):
        run_folder(tmp_path / "runs" / f"r{number:02d}", trials=60)
    told: set[str] = set()

    for victim in range(2):
        process = start(url, "add", tmp_path / "runs")
        assert process.stdout
        for _ in range(5 + 15 * victim):
            told.add(Path(process.stdout.readline().split()[-1]).name)
        process.send_signal(signal.SIGKILL)
        rest, _ = process.communicate()
        whole = (line for line in rest.splitlines(keepends=True) if "\n" in line)
        told |= {Path(line.split()[-1]).name for line in whole}
        there = held(url)
        assert told <= there.keys()
        assert set(there.values()) == {60}  # of each run all trials or none

    last = start(url, "add", tmp_path / "runs")
    last.communicate(timeout=120)
    assert last.returncode == 0
    assert held(url) == {f"r{number:02d}": 60 for number in range(many)}


def test_both_databases_answer_alike(tmp_path: Path, server: str) -> None:
    """Order, patterns and cases of letters do not depend on where it lies."""
    evil = "a\\u0000'); DROP TABLE runs; --%_"
    path = run_folder(tmp_path / "run", trials=3, suite="ÄÖ_%")
    lines = [at(day, 0, "Int8-Static").to_json() for day in (3, 1, 2)]
    lines = [line.replace("#0", f"#{n}") for n, line in enumerate(lines)]
    lines.append(at(4, 9, "fp32").to_json().replace("#9", evil))
    (path / "trials.jsonl").write_text("\n".join(lines))
    answers = []

    for url in (str(tmp_path / "x.sqlite"), server):
        with opened(place(url), writing=True) as engine, engine.begin() as connection:
            add(connection, path)
            add(connection, path)
        with opened(place(url)) as engine, engine.begin() as connection:
            columns = ("run", "trial", "energy_j", "complete", "suite", "record")
            if engine.dialect.name == "postgresql":
                shown = connection.exec_driver_sql("SHOW synchronous_commit")
                assert shown.scalar() == "on"
            asked = [
                Asked(columns=columns),
                Asked(columns=columns, globs={"precision": "int8-*", "suite": "*_%"}),
                Asked(columns=columns, globs={"complete": "*", "batch_size": "8"}),
                Asked(columns=columns, since="2026-11-02", until="2026-11-04", limit=2),
            ]
            answers.append([trials(connection, each) for each in asked])

    assert [len(rows) for rows in answers[0]] == [4, 3, 4, 2]
    assert answers[0] == answers[1]


def test_an_id_of_another_run_replaces_nothing(url: str, tmp_path: Path) -> None:
    path, other = (run_folder(tmp_path / name) for name in ("run", "other"))
    shutil.copy(path / RUN_ID, other / RUN_ID)

    with opened(place(url), writing=True) as engine:
        added(engine, path)
        with pytest.raises(UsageError, match="id of another run"):
            added(engine, other)

    assert held(url) == {"run": 3}


def test_a_rebuild_in_postgresql_keeps_runs_of_other_machines(
    tmp_path: Path, server: str
) -> None:
    where = place(server)
    here, elsewhere = (run_folder(tmp_path / name) for name in ("here", "elsewhere"))
    with opened(where, writing=True) as engine, engine.begin() as connection:
        added = [add(connection, path) for path in (here, elsewhere)]
    elsewhere.rename(tmp_path / "unmounted")

    done = rebuild(where, [])

    assert added[0].run in {each.run for each in done.added}
    assert done.kept == {added[1].run: elsewhere}


def test_a_server_that_does_not_answer_is_a_sentence(tmp_path: Path) -> None:
    pytest.importorskip("psycopg")
    where = place(f"postgresql://me:secret@/db?host={tmp_path}")

    with pytest.raises(UsageError) as caught, opened(where):
        pass

    assert "secret" not in caught.value.message
    assert str(tmp_path) in caught.value.message


def test_many_threads_open_a_new_history_at_once(tmp_path: Path) -> None:
    paths = [run_folder(tmp_path / f"r{number}", trials=1) for number in range(8)]
    where = place(str(tmp_path / "new" / "history.sqlite"))

    def one(path: Path) -> None:
        with opened(where, writing=True) as engine, engine.begin() as connection:
            add(connection, path)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(one, paths))

    assert len(held(str(where))) == 8
