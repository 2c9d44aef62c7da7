"""Where reports go, and that nobody's file is lost."""

from pathlib import Path

import pytest

from harness.commands.reporting import Target, write
from harness.errors import StorageError, UsageError

KNOWN = ("html", "md", "json", "csv", "pdf")


def files(output: str | None, formats: str | None, home: Path) -> dict[str, Path]:
    path = None if output is None else Path(output)
    return Target(path, formats).files("ranking", home, KNOWN)


@pytest.mark.parametrize(
    ("output", "formats", "names"),
    [
        (None, None, {"html": "run/ranking.html"}),
        (None, "md,csv", {"md": "run/ranking.md", "csv": "run/ranking.csv"}),
        ("x.pdf", None, {"pdf": "x.pdf"}),
        ("x.HTM", None, {"html": "x.HTM"}),
        ("x.txt", "md", {"md": "x.txt"}),
        ("out", None, {"html": "out/ranking.html"}),
        ("out", "html, pdf", {"html": "out/ranking.html", "pdf": "out/ranking.pdf"}),
        ("-", None, {"md": "-"}),
        ("-", "json", {"json": "-"}),
    ],
)
def test_formats_follow_the_option_then_the_suffix(
    output: str | None, formats: str | None, names: dict[str, str]
) -> None:
    found = files(output, formats, Path("run"))

    assert {name: str(path) for name, path in found.items()} == names


@pytest.mark.parametrize(
    ("output", "formats", "words"),
    [
        ("x.html", "html,pdf", "one format"),
        ("-", "html,md", "one format"),
        (None, "htlm", "did you mean 'html'"),
    ],
)
def test_what_cannot_be_is_said_with_its_cure(
    output: str | None, formats: str | None, words: str
) -> None:
    with pytest.raises(UsageError, match=words) as caught:
        files(output, formats, Path("run"))

    assert caught.value.hint


def test_a_file_of_somebody_else_is_not_replaced(tmp_path: Path) -> None:
    path = tmp_path / "trials.json"
    path.write_text('{"joulebench": "0.1.0"}')

    with pytest.raises(UsageError, match="did not write it"):
        Target(path, None).files("ranking", tmp_path, KNOWN)

    assert Target(path, None, force=True).files("ranking", tmp_path, KNOWN)


def test_our_own_file_is_replaced(tmp_path: Path) -> None:
    from reports.page.html import MARK

    path = tmp_path / "x.pdf"
    path.write_bytes(b"%PDF" + bytes(10_000) + f"\n% {MARK}\n".encode())

    files_ = Target(path, None).files("ranking", tmp_path, KNOWN)
    write(files_, {"pdf": lambda: b"new"})

    assert path.read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [path]


def test_a_failed_write_leaves_the_old_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")

    with pytest.raises(StorageError, match="cannot be written"):
        write({"md": tmp_path / "file" / "x.md"}, {"md": lambda: "new"})


def test_a_fault_while_writing_makes_no_file(tmp_path: Path) -> None:
    def broken() -> str:
        raise UsageError("no")

    with pytest.raises(UsageError):
        write({"md": tmp_path / "x.md"}, {"md": broken})

    assert list(tmp_path.iterdir()) == []
