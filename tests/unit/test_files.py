"""A file is the old one or the new one, never a part."""

from pathlib import Path

import pytest

from harness.files import replacing


def test_a_file_is_replaced_when_the_block_is_done(tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    path.write_text("old")

    with replacing(path) as part:
        part.write_text("new")
        assert path.read_text() == "old"

    assert [(f.name, f.read_text()) for f in tmp_path.iterdir()] == [
        ("page.html", "new")
    ]


def fail_halfway(path: Path) -> None:
    with replacing(path) as part:
        part.write_text("half")
        raise ZeroDivisionError


def test_what_fails_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    path.write_text("old")

    with pytest.raises(ZeroDivisionError):
        fail_halfway(path)

    assert [f.name for f in tmp_path.iterdir()] == ["page.html"]
    assert path.read_text() == "old"


def test_a_part_that_was_never_begun_is_no_second_fault(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), replacing(tmp_path / "no" / "f") as part:
        part.write_text("lost")
