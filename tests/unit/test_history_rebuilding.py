"""The history of an older or newer joulebench, damaged ones, and making it again."""

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from harness.errors import UsageError
from harness.history.database import opened
from harness.history.places import BrokenHistory, Place, place
from harness.history.rebuilding import rebuild
from harness.history.tables import VERSION
from tests.history_makers import added, enter, file, rows, run_folder


@pytest.fixture
def where(tmp_path: Path) -> Place:
    return place(str(tmp_path / "data" / "history.sqlite"))


def test_an_older_index_is_completed_from_its_records(
    where: Place, tmp_path: Path
) -> None:
    with opened(where, writing=True) as engine:
        added(engine, run_folder(tmp_path / "run", trials=2))
    with closing(sqlite3.connect(file(where))) as old:
        old.execute("DROP INDEX trials_by_time")
        old.execute("ALTER TABLE trials DROP COLUMN energy_per_item_j")
        old.execute("ALTER TABLE trials DROP COLUMN tier")
        old.execute("UPDATE meta SET value = '0'")
        old.commit()

    with opened(where) as engine:
        found = rows(engine, columns=("energy_per_item_j", "tier"))

    assert [row["tier"] for row in found] == ["B", "B"]
    assert {row["energy_per_item_j"] for row in found} == {0.5, 0.51}
    with closing(sqlite3.connect(file(where))) as new:
        assert new.execute("SELECT value FROM meta").fetchone() == (str(VERSION),)
        assert new.execute(
            "SELECT count(*) FROM sqlite_master WHERE name = 'trials_by_time'"
        ).fetchone() == (1,)


def test_a_newer_index_is_refused_untouched(where: Place) -> None:
    enter(where)
    with closing(sqlite3.connect(file(where))) as new:
        new.execute("UPDATE meta SET value = ?", (str(VERSION + 1),))
        new.commit()

    with (
        pytest.raises(UsageError, match="newer") as caught,
        opened(where, writing=True),
    ):
        pass

    assert "pip install -U" in caught.value.hint


def test_a_database_of_another_program_is_left_alone(where: Place) -> None:
    file(where).parent.mkdir()
    with closing(sqlite3.connect(file(where))) as other:
        other.execute("CREATE TABLE bookmarks (url)")
        other.commit()

    with (
        pytest.raises(BrokenHistory, match="another program"),
        opened(where, writing=True),
    ):
        pass


def test_a_rebuild_keeps_what_folders_no_longer_hold(
    where: Place, tmp_path: Path
) -> None:
    there, gone = (run_folder(tmp_path / name) for name in ("there", "gone"))
    with opened(where, writing=True) as engine:
        runs = [added(engine, path).run for path in (there, gone)]
    shutil.rmtree(gone)
    with closing(sqlite3.connect(file(where))) as direct:
        direct.execute("UPDATE trials SET energy_j = 0 WHERE run = ?", (runs[0],))
        direct.commit()

    done = rebuild(where, [])

    assert [each.run for each in done.added] == runs[:1]
    assert done.kept == {runs[1]: gone}
    with opened(where) as engine:
        assert len(rows(engine)) == 6
        assert min(row["energy_j"] for row in rows(engine, columns=("energy_j",))) == 50


def ruin(path: Path, table: str) -> None:
    """Overwrite every page of a table with noise."""
    with closing(sqlite3.connect(path)) as direct:
        direct.execute("PRAGMA journal_mode=DELETE")
        size = direct.execute("PRAGMA page_size").fetchone()[0]
        pages = direct.execute(
            "SELECT rootpage FROM sqlite_master WHERE tbl_name = ?", (table,)
        ).fetchall()
    with path.open("r+b") as target:
        for (page,) in pages:
            target.seek((page - 1) * size)
            target.write(b"\xa5" * size)


def test_a_damaged_index_is_set_aside_and_what_is_lost_is_named(
    where: Place, tmp_path: Path
) -> None:
    there, moved, gone = (
        run_folder(tmp_path / name) for name in ("there", "moved", "gone")
    )
    with opened(where, writing=True) as engine:
        runs = [added(engine, path).run for path in (there, moved, gone)]
    now = moved.rename(tmp_path / "now")
    shutil.rmtree(gone)
    ruin(file(where), "trials")
    with pytest.raises(BrokenHistory) as caught, opened(where) as engine:
        rows(engine, columns=("record",))
    assert "bench history rebuild" in caught.value.hint

    done = rebuild(where, [now])

    assert {each.run for each in done.added} == {runs[0], runs[1]}
    assert done.lost == {runs[2]: gone}
    assert done.aside is not None
    assert done.aside.exists()
    with opened(where) as engine:
        assert len(rows(engine)) == 6


def test_a_file_that_is_no_database_is_set_aside(where: Place, tmp_path: Path) -> None:
    path = run_folder(tmp_path / "run")
    file(where).parent.mkdir()
    file(where).write_bytes(b"no database at all" * 1000)
    with pytest.raises(BrokenHistory, match="damaged"):
        enter(where)

    done = rebuild(where, [path])

    assert done.unread
    assert done.aside is not None
    assert done.aside.read_bytes().startswith(b"no database")
    with opened(where) as engine:
        assert len(rows(engine)) == 3


def test_a_damaged_index_keeps_trials_that_can_still_be_read(
    where: Place, tmp_path: Path
) -> None:
    gone = run_folder(tmp_path / "gone")
    with opened(where, writing=True) as engine:
        run = added(engine, gone).run
    shutil.rmtree(gone)
    with closing(sqlite3.connect(file(where))) as direct:
        direct.execute("PRAGMA journal_mode=DELETE")
        (page,) = direct.execute(
            "SELECT rootpage FROM sqlite_master WHERE name = 'trials_by_time'"
        ).fetchone()
        size = direct.execute("PRAGMA page_size").fetchone()[0]
    with file(where).open("r+b") as target:
        target.seek((page - 1) * size)
        target.write(b"\xa5" * size)

    done = rebuild(where, [])

    assert (done.kept, done.lost) == ({run: gone}, {})
    with opened(where) as engine:
        assert len(rows(engine)) == 3


def test_a_rebuild_that_was_killed_is_gone_on_with(
    where: Place, tmp_path: Path
) -> None:
    gone = run_folder(tmp_path / "gone")
    with opened(where, writing=True) as engine:
        run = added(engine, gone).run
    shutil.rmtree(gone)
    file(where).rename(file(where).with_name("history.sqlite.salvage"))
    with opened(where, writing=True) as engine:
        added(engine, run_folder(tmp_path / "new"))

    done = rebuild(where, [])

    assert done.kept == {run: gone}
    assert rebuild(where, []).aside is None
    with opened(where) as engine:
        assert len(rows(engine)) == 6
