import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from harness.errors import BenchError
from workloads import own_texts
from workloads.own_data import content_sha256
from workloads.own_texts import Texts, read_own_texts
from workloads.places import existing
from workloads.texts import load_texts, word_pieces

ROWS = [(f"text number {n}", "good" if n % 4 else "bad") for n in range(20)]


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def lines(rows: list[tuple[str, str]] = ROWS, header: str = "text,label") -> str:
    return "\n".join([header, *(f"{text},{label}" for text, label in rows)])


def read(path: Path, text: str = "", label: str = "") -> Texts:
    return read_own_texts(path, text, label)


def fault(path: Path, text: str = "", label: str = "") -> str:
    with pytest.raises(BenchError) as caught:
        read(path, text, label)
    assert caught.value.hint
    return f"{caught.value.message} | {caught.value.hint}".replace(f"{path}", "FILE")


def test_a_fifth_of_each_class_is_held_out(tmp_path: Path) -> None:
    found = read(write(tmp_path / "mine.csv", lines()))

    assert (len(found.train), len(found.test)) == (16, 4)
    assert np.bincount(found.y_test).tolist() == [1, 3]
    assert not set(found.train) & set(found.test)
    assert {*found.train, *found.test} == {text for text, _ in ROWS}
    assert found.train == read(tmp_path / "mine.csv").train


@pytest.mark.parametrize(
    ("name", "header", "delimiter"),
    [
        ("a.csv", "id,Review_Text,extra,Category", ","),
        ("a.csv", "Sentence;target;x;y", ";"),
        ("a.tsv", "content\tclass\tx\ty", "\t"),
    ],
)
def test_columns_are_known_by_usual_names(
    tmp_path: Path, name: str, header: str, delimiter: str
) -> None:
    named = {"id": "1", "extra": "x", "x": "1", "y": "2"}
    rows = []
    for text, label in ROWS:
        for column in header.split(delimiter):
            is_label = column.lower() in ("category", "target", "class")
            rows.append(named.get(column, label if is_label else text))
    width = header.count(delimiter) + 1
    body = [delimiter.join(rows[i : i + width]) for i in range(0, len(rows), width)]

    found = read(write(tmp_path / name, "\n".join([header, *body])))

    assert sorted([*found.train, *found.test]) == sorted(text for text, _ in ROWS)


def test_columns_can_be_named(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", lines(header="what,stars"))

    assert len(read(path, "what", "stars").train) == 16
    assert "no column 'start' (did you mean 'stars'?)" in fault(path, "what", "start")
    assert "text_column" in fault(path, "", "stars")


def test_quotes_line_ends_and_marks_are_read(tmp_path: Path) -> None:
    body = "".join(f'"say ""{n}"",\nplease",{"ab"[n % 2]}\r\n' for n in range(8))
    path = tmp_path / "a.csv"
    path.write_bytes(b"\xef\xbb\xbftext,label\r\n" + body.encode())

    found = read(path)

    assert 'say "3", please' in [*found.train, *found.test]


def test_a_column_of_sides_is_obeyed(tmp_path: Path) -> None:
    rows = "a,x,train\nb,y,Train\nc,x,test\nd,y,validation\na,x,test\n"

    found = read(write(tmp_path / "a.csv", f"text,label,split\n{rows}"))

    assert (sorted(found.train), found.test) == (["a", "b"], ["c"])


def test_a_folder_of_two_files_is_obeyed(tmp_path: Path) -> None:
    write(tmp_path / "train.csv", lines())
    write(tmp_path / "test.tsv", "text\tlabel\nnew\tgood\n")

    found = read(tmp_path)

    assert (len(found.train), found.test, found.y_test.tolist()) == (20, ["new"], [1])


def test_parquet_is_read_by_columns(tmp_path: Path) -> None:
    table = {"text": [t for t, _ in ROWS], "label": [n % 2 for n in range(20)]}
    parquet.write_table(pa.table(table), tmp_path / "a.parquet")

    found = read(tmp_path / "a.parquet")

    assert np.bincount(found.y_test).tolist() == [2, 2]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "FILE:1: no column is called text"),
        ("text,label\n", "no items"),
        ("text,label\na,x\nb,x\n", "one class only, 'x'"),
        ("text,label\na,x\nb,x\nc,y\n", "class 'y' has one item"),
        ("text,label\na,x\n ,x\n", "FILE:3: no text"),
        ("text,label\na,x\nb,\n", "FILE:3: no class"),
        ("text,label\na,b,x\n", "FILE:2: 3 fields, but 2 columns"),
        ('text,label\na,x\n"b,x\n', "FILE:3: not CSV"),
        ("words,label\na,x\n", "text_column; its columns: 'words', 'label'"),
        ("text,label,split\na,x,train\nb,y,train\n", "no test items"),
        ("text,label,split\na,x,test\n", "no training items"),
        (
            "text,label,split\na,good,train\nb,bad,train\nc,goood,test\n",
            "no training item of the test class 'goood' (did you mean 'good'?)",
        ),
    ],
)
def test_a_file_that_does_not_fit_says_where(
    tmp_path: Path, text: str, words: str
) -> None:
    assert words in fault(write(tmp_path / "a.csv", text))


def not_utf8(path: Path) -> Path:
    path.with_suffix(".csv").write_bytes(b"text,label\na,x\ncaf\xe9,y\n")
    return path.with_suffix(".csv")


def no_parquet(path: Path) -> Path:
    return write(path.with_suffix(".parquet"), "text,label\n")


def numbers(path: Path) -> Path:
    table = pa.table({"text": [1, 2], "label": ["a", "b"]})
    parquet.write_table(table, path.with_suffix(".parquet"))
    return path.with_suffix(".parquet")


def gap(path: Path) -> Path:
    table = pa.table({"text": ["a", None], "label": ["a", "b"]})
    parquet.write_table(table, path.with_suffix(".parquet"))
    return path.with_suffix(".parquet")


def folder(path: Path) -> Path:
    path.mkdir()
    write(path / "train.csv", lines())
    return path


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (not_utf8, "FILE:3: not UTF-8"),
        (no_parquet, "not a Parquet file"),
        (numbers, "FILE:row 1: the text is int"),
        (gap, "FILE:row 2: no text"),
        (folder, "no test.csv, test.tsv or test.parquet"),
        (lambda path: write(path.with_suffix(".xls"), "x"), "not one of .csv"),
    ],
)
def test_other_files_that_do_not_fit(
    tmp_path: Path, make: Callable[[Path], Path], words: str
) -> None:
    assert words in fault(make(tmp_path / "a"))


def test_files_and_rows_are_bounded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path / "a.csv", lines())
    monkeypatch.setattr(own_texts, "MAX_ITEMS", 5)
    assert "more than 5 rows" in fault(path)
    monkeypatch.setattr(own_texts, "MAX_FILE_BYTES", 5)
    assert "larger than" in fault(path)


def test_a_missing_file_suggests_its_neighbour(tmp_path: Path) -> None:
    write(tmp_path / "reviews.csv", "")

    with pytest.raises(BenchError, match=re.escape("did you mean 'reviews.csv'?")):
        existing(str(tmp_path / "review.csv"), "data")


def test_the_digest_is_of_names_and_content(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", "x")
    seen = {content_sha256(path), content_sha256(tmp_path)}
    write(path, "yy")
    seen |= {content_sha256(path), content_sha256(tmp_path)}
    path.rename(tmp_path / "b.csv")
    seen.add(content_sha256(tmp_path))
    assert len(seen) == 5
    write(tmp_path / ".hidden", "z")
    assert content_sha256(tmp_path) in seen


def test_own_texts_become_ids_once(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", lines())
    options = {"data": str(path), "text_column": "", "label_column": ""}

    split = load_texts(options, tmp_path / "cache", word_pieces(60, 6), 5)

    assert split.x_train.shape == (16, 6)
    assert len(list((tmp_path / "cache" / "arrays").iterdir())) == 1
    write(path, lines(ROWS[:10]))
    split = load_texts(options, tmp_path / "cache", word_pieces(60, 6), 5)
    assert split.x_train.shape == (8, 6)
