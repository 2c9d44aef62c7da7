"""The user's texts: CSV, TSV or Parquet with a column of texts and one of classes."""

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from harness.errors import BenchError
from harness.near import nearest
from workloads.own_data import MAX_ITEMS, divided, numbered, readable

MAX_FILE_BYTES = 512 << 20
MAX_TABLE_BYTES = 4 << 30  # of a Parquet file when it is unpacked
DELIMITERS = ",;\t|"
SUFFIXES = (".csv", ".tsv", ".parquet")
TEXT_NAMES = ("text", "review", "review text", "sentence", "content", "comment")
LABEL_NAMES = ("label", "class", "category", "target", "sentiment")
SPLIT_NAMES = ("split",)
TRAIN, TEST = "train", "test"


@dataclass(frozen=True)
class Texts:
    """Training and held-out texts with class numbers [n], [m]; none is in both."""

    train: list[str]
    y_train: NDArray[np.int64]
    test: list[str]
    y_test: NDArray[np.int64]


class Row(NamedTuple):
    """A text, its class and the side it is on, empty where the file does not say."""

    text: str
    label: str
    side: str


class Columns(NamedTuple):
    """Places of the columns in a table; `side` is None without one."""

    text: int
    label: int
    side: int | None


def read_own_texts(path: Path, text_column: str, label_column: str) -> Texts:
    """Texts of a file, or of `train` and `test` files in a folder.

    Raises:
        BenchError: A file does not fit; names file, line and cure.
    """
    asked = (text_column, label_column)
    if path.is_dir():
        rows = [
            row._replace(side=side)
            for side in (TRAIN, TEST)
            for row in _read(_file_of(path, side), asked)
        ]
    else:
        rows = list(_read(path, asked))
    distinct = list({row.text: row for row in reversed(rows)}.values())[::-1]
    if any(row.side for row in rows):
        return _as_given(path, distinct)
    labels, train, test = divided(path, [row.label for row in distinct])
    texts = [row.text for row in distinct]
    return Texts(
        [texts[i] for i in train],
        labels[train],
        [texts[i] for i in test],
        labels[test],
    )


def _as_given(path: Path, rows: Sequence[Row]) -> Texts:
    """Sides as the file has them; what is neither train nor test is left out."""
    train = [row for row in rows if row.side == TRAIN]
    test = [row for row in rows if row.side == TEST]
    if path.is_file() and not (train and test):
        said = sorted({row.side for row in rows})
        raise BenchError(
            f"data: {path}: no {'test' if train else 'training'} items; its split "
            f"says {_listed(said)}",
            hint=f"write {TRAIN} and {TEST} there, or take the column out",
        )
    y_train, y_test = numbered(path, [r.label for r in train], [r.label for r in test])
    return Texts([r.text for r in train], y_train, [r.text for r in test], y_test)


def _file_of(folder: Path, side: str) -> Path:
    found = [p for s in SUFFIXES if (p := folder / f"{side}{s}").is_file()]
    if not found:
        raise BenchError(
            f"data: {folder}: no {side}.csv, {side}.tsv or {side}.parquet in it",
            hint="a folder of texts holds both train and test; or name one file",
        )
    return found[0]


def _read(path: Path, asked: tuple[str, str]) -> Iterator[Row]:
    """Rows of a file, checked one by one."""
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise BenchError(
            f"data: {path}: not one of {', '.join(SUFFIXES)}",
            hint="save it as CSV with a first line that names the columns",
        )
    if not path.is_file():
        raise BenchError(
            f"data: {path}: not a file", hint="save what it gives in a file"
        )
    if path.stat().st_size > MAX_FILE_BYTES:
        raise BenchError(
            f"data: {path}: larger than {MAX_FILE_BYTES >> 20} MiB",
            hint="take a sample of its rows",
        )
    reader = _parquet_rows if suffix == ".parquet" else _csv_rows
    for count, (place, text, label, side) in enumerate(reader(path, asked)):
        if count >= MAX_ITEMS:
            raise BenchError(
                f"data: {path}: more than {MAX_ITEMS} rows", hint="take a sample"
            )
        yield _row(f"data: {path}:{place}", text, label, side)


def _row(where: str, text: Any, label: Any, side: Any) -> Row:
    """One row of words, or what is wrong with it."""
    for name, value in (("text", text), ("class", label)):
        if _is_missing(value):
            raise BenchError(
                f"{where}: no {name}", hint="fill it in, or take out such rows"
            )
    if not isinstance(text, str):
        raise BenchError(
            f"{where}: the text is {type(text).__name__} {text!r:.40}",
            hint="name the column of texts with the option text_column",
        )
    if not isinstance(label, str | int | float):
        raise BenchError(
            f"{where}: the class is {type(label).__name__}",
            hint="name the column of classes with the option label_column",
        )
    given = "" if side is None else str(side).strip().lower()
    return Row(" ".join(text.split()), str(label).strip(), given)


def _is_missing(value: Any) -> bool:
    """None, NaN as a number or as programs write it, or nothing but space."""
    return value is None or str(value).strip() in ("", "nan", "NaN")


def _csv_rows(
    path: Path, asked: tuple[str, str]
) -> Iterator[tuple[str, str, str, str]]:
    with readable(path):
        raw = path.read_bytes()
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        raise BenchError(
            f"data: {path}:{line}: not UTF-8 text", hint="save the file as UTF-8"
        ) from error
    first = text.partition("\n")[0]
    delimiter = (
        "\t" if path.suffix.lower() == ".tsv" else max(DELIMITERS, key=first.count)
    )
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        header = next(reader, [])
        columns = _columns(path, header, asked)
        for row in reader:
            if not row:
                continue
            if len(row) != len(header):
                raise BenchError(
                    f"data: {path}:{reader.line_num}: {len(row)} fields, but "
                    f"{len(header)} columns are named in the first line",
                    hint="put texts with a delimiter in them in quotes",
                )
            side = "" if columns.side is None else row[columns.side]
            yield f"{reader.line_num}", row[columns.text], row[columns.label], side
    except csv.Error as error:
        raise BenchError(
            f"data: {path}:{reader.line_num}: not CSV: {error}",
            hint="a quote may be missing its partner (within a text write it twice), "
            f"or a text has more than {csv.field_size_limit()} characters",
        ) from error


def _parquet_rows(
    path: Path, asked: tuple[str, str]
) -> Iterator[tuple[str, Any, Any, Any]]:
    from pyarrow import ArrowException, parquet

    number = 0
    try:
        file = parquet.ParquetFile(path)
        meta = file.metadata
        groups = (meta.row_group(i) for i in range(meta.num_row_groups))
        if sum(group.total_byte_size for group in groups) > MAX_TABLE_BYTES:
            raise BenchError(
                f"data: {path}: larger than {MAX_TABLE_BYTES >> 30} GiB unpacked",
                hint="take a sample of its rows",
            )
        names = file.schema_arrow.names
        columns = _columns(path, names, asked)
        wanted = [names[i] for i in columns if i is not None]
        for batch in file.iter_batches(columns=wanted):
            values = [batch.column(name).to_pylist() for name in wanted]
            for row in zip(*values, strict=True):
                number += 1
                yield f"row {number}", row[0], row[1], row[2] if row[2:] else None
    except (ArrowException, OSError) as error:
        raise BenchError(
            f"data: {path}: not a Parquet file: {str(error).splitlines()[0]:.200}",
            hint="write it anew, or save it as CSV",
        ) from error
    except UnicodeDecodeError as error:
        raise BenchError(
            f"data: {path}:row {number + 1} or later: not UTF-8 text",
            hint="write it anew with its texts as UTF-8",
        ) from error


def _columns(path: Path, header: Sequence[str], asked: tuple[str, str]) -> Columns:
    """Where the columns are: as asked, or by usual names in any case."""
    plain = [name.strip().lower().replace("_", " ") for name in header]
    found = []
    for kind, wanted, usual in (
        ("text", asked[0], TEXT_NAMES),
        ("label", asked[1], LABEL_NAMES),
    ):
        if wanted and wanted not in header:
            raise BenchError(
                f"data: {path}:1: no column {wanted!r}{nearest(wanted, list(header))}",
                hint=f"its columns: {_listed(header)}",
            )
        known = [plain.index(name) for name in usual if name in plain]
        if not wanted and not known:
            raise BenchError(
                f"data: {path}:1: no column is called {', '.join(usual)}",
                hint=f"name one with the option {kind}_column; its columns: "
                f"{_listed(header)}",
            )
        found.append(list(header).index(wanted) if wanted else known[0])
    sides = [plain.index(name) for name in SPLIT_NAMES if name in plain]
    columns = Columns(found[0], found[1], sides[0] if sides else None)
    for name in (header[place] for place in columns if place is not None):
        if list(header).count(name) > 1:
            raise BenchError(
                f"data: {path}:1: more than one column is called {name!r}",
                hint="give each a name of its own",
            )
    return columns


def _listed(header: Sequence[str]) -> str:
    """Names of columns, not too many of them."""
    names = [repr(name)[:40] for name in header[:12]]
    return ", ".join(names) + (", ..." if len(header) > 12 else "") or "none"
