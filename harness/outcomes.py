"""Answers item by item, as `outcomes/<trial>.npz` keeps them; untrusted, so checked."""

import io
import math
import zipfile
import zlib
from collections.abc import Container, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from harness.records import TrialRecord

MOST_BYTES = 256 * 1024 * 1024
Array = np.ndarray[Any, Any]
BROKEN = (
    OSError, ValueError, KeyError, EOFError, RuntimeError,
    zipfile.BadZipFile, zlib.error,
)  # fmt: skip


class Answers(NamedTuple):
    """What one trial answered.

    Attributes:
        item: [n] index of each item in the test set, ascending and unique.
        correct: [n] 1 where the answer was right, else 0.
        truth: [n] the right answers; None in runs before they were kept.
    """

    item: Array
    correct: Array
    truth: Array | None


class Outcomes:
    """Answers of stored trials, each read when it is asked for.

    Attributes:
        faults: Why answers could not be used, one sentence a file.
    """

    def __init__(
        self, records: Sequence[TrialRecord] = (), folders: Sequence[Path] = ()
    ) -> None:
        self._records = records  # kept, so that no other object takes an id
        paired = zip(records, folders, strict=True)
        self._folders = {id(record): folder for record, folder in paired}
        self._unpacker = Unpacker()
        self.faults: list[str] = []

    def folder_of(self, record: TrialRecord) -> str:
        """The run that a record came from; only rounds of one run were side by side."""
        return str(self._folders.get(id(record), ""))

    def read(self, record: TrialRecord) -> Answers | None:
        """Answers of a trial, or None where there are none that fit its record."""
        folder = self._folders.get(id(record))
        if folder is None or record.quality is None or _leaves(record.trial):
            return None
        path = f"{folder}/outcomes/{record.trial}.npz"
        try:
            answers, accuracy = self._unpacker.answers(path)
            _agree(len(answers.correct), accuracy, record)
        except FileNotFoundError:
            return None
        except BROKEN as error:
            self.faults.append(f"{path}: not used: {error}")
            return None
        return answers


def _leaves(trial: str) -> bool:
    """Whether a name from a record would lead out of the run folder."""
    return not trial or any(mark in trial for mark in "/\\:")


class Unpacker:
    """Arrays of files, one after another.

    Rounds of an inference answer alike, and all files of a workload name the same
    items: what is byte for byte what the last file had is not unpacked again.
    """

    def __init__(self) -> None:
        self._file: tuple[bytes, tuple[Answers, float]] | None = None
        self._items: tuple[object, Items] | None = None

    def answers(self, path: str) -> tuple[Answers, float]:
        """Arrays of a file that agree with each other, and the share of right answers.

        Raises:
            ValueError: They do not, or are too large to be answers.
        """
        with io.FileIO(path) as file:  # a third of the time that a Path takes
            data = file.readall()
        if self._file is None or self._file[0] != data:
            self._file = data, self._unpacked(data)
        return self._file[1]

    def _unpacked(self, data: bytes) -> tuple[Answers, float]:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            parts = {part.filename: part for part in archive.infolist()}
            if sum(part.file_size for part in parts.values()) > MOST_BYTES:
                raise ValueError("more than 256 MiB unpacked")
            correct = _array(archive, "correct")
            if correct.ndim != 1 or correct.dtype != bool or not correct.size:
                raise ValueError("`correct` is not a row of true and false")
            named = [parts[name] for name in ("item.npy", "truth.npy") if name in parts]
            mark = (len(correct), *(_mark(part, archive, data) for part in named))
            if self._items is None or self._items[0] != mark:
                self._items = mark, _items(archive, parts, correct)
        order, item, truth = self._items[1]
        accuracy = np.count_nonzero(correct) / len(correct)
        return Answers(item, correct[order].astype(np.float32), truth), accuracy


class Items(NamedTuple):
    """The items of a file: their ascending order, and both arrays in it."""

    order: Array
    item: Array
    truth: Array | None


def _mark(
    part: zipfile.ZipInfo, archive: zipfile.ZipFile, data: bytes
) -> tuple[object, ...]:
    """All that decides what a part of an archive unpacks to."""
    starts = [each.header_offset for each in archive.infolist()]
    ends = (start for start in starts if start > part.header_offset)
    packed = data[part.header_offset : min(ends, default=archive.start_dir)]
    return packed, part.CRC, part.file_size, part.compress_size, part.compress_type


def _array(archive: zipfile.ZipFile, name: str) -> Array:
    """An array of an archive, never a pickled one."""
    data = archive.read(f"{name}.npy")
    start = 10 + int.from_bytes(data[8:10], "little")
    shape, dtype = _layout(data[:start])
    return np.frombuffer(data, dtype, math.prod(shape), start).reshape(shape)


@lru_cache(maxsize=8)  # all files of a workload have the same ones
def _layout(header: bytes) -> tuple[tuple[int, ...], np.dtype[Any]]:
    """Shape and type of the array behind a header (numpy.lib.format, version 1).

    Raises:
        ValueError: It is no such header.
    """
    file = io.BytesIO(header)
    if np.lib.format.read_magic(file) != (1, 0):
        raise ValueError("not an array of plain numbers")
    shape, _, dtype = np.lib.format.read_array_header_1_0(file)
    if dtype.hasobject:
        raise ValueError("it holds objects, and allow_pickle is off")
    return shape, dtype


def _items(archive: zipfile.ZipFile, names: Container[str], correct: Array) -> Items:
    """What was answered, in ascending order.

    Raises:
        ValueError: It does not fit the answers.
    """
    item = _array(archive, "item") if "item.npy" in names else np.arange(len(correct))
    truth = _array(archive, "truth") if "truth.npy" in names else None
    for name, array in (("item", item), ("truth", truth)):
        if array is not None and array.shape != correct.shape:
            raise ValueError(f"`{name}` has another length than `correct`")
    if item.dtype.kind not in "iu" or len(np.unique(item)) != len(item):
        raise ValueError("`item` does not name each item once")
    order = np.argsort(item)
    return Items(
        order, item[order].astype(np.int64), None if truth is None else truth[order]
    )


def _agree(count: int, accuracy: float, record: TrialRecord) -> None:
    """Raise ValueError where the record says another accuracy."""
    quality = record.quality
    said = quality.accuracy if quality else None
    if quality is None or said is None or quality.n != count:
        raise ValueError("the record scored another number of items")
    if not math.isclose(said, accuracy, abs_tol=1e-6):
        raise ValueError("the record says another accuracy")


def common(one: Answers, other: Answers) -> tuple[Answers, Answers] | None:
    """Answers to the items that both answered, side by side; None where there are none.

    Nor are there any where the right answers differ.
    """
    if one.item is not other.item and not np.array_equal(one.item, other.item):
        _, mine, theirs = np.intersect1d(
            one.item, other.item, assume_unique=True, return_indices=True
        )
        one, other = _chosen(one, mine), _chosen(other, theirs)
    if not len(one.item):
        return None
    truths = [each.truth for each in (one, other) if each.truth is not None]
    if len(truths) == 2 and truths[0] is not truths[1]:
        return (one, other) if np.array_equal(truths[0], truths[1]) else None
    return one, other


def _chosen(answers: Answers, places: Array) -> Answers:
    """Some of the items, by their places."""
    truth = None if answers.truth is None else answers.truth[places]
    return Answers(answers.item[places], answers.correct[places], truth)
