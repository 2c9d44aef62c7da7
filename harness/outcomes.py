"""Answers item by item, as `outcomes/<trial>.npz` keeps them; untrusted, so checked."""

import math
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from harness.records import TrialRecord

MOST_BYTES = 256 * 1024 * 1024
Array = np.ndarray[Any, Any]
BROKEN = (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile)


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
        self.faults: list[str] = []

    def folder_of(self, record: TrialRecord) -> str:
        """The run that a record came from; only rounds of one run were side by side."""
        return str(self._folders.get(id(record), ""))

    def read(self, record: TrialRecord) -> Answers | None:
        """Answers of a trial, or None where there are none that fit its record."""
        folder = self._folders.get(id(record))
        if folder is None or record.quality is None or _leaves(record.trial):
            return None
        path = folder / "outcomes" / f"{record.trial}.npz"
        try:
            return _checked(path, record)
        except FileNotFoundError:
            return None
        except BROKEN as error:
            self.faults.append(f"{path}: not used: {error}")
            return None


def _leaves(trial: str) -> bool:
    """Whether a name from a record would lead out of the run folder."""
    return not trial or Path(trial).name != trial


def _checked(path: Path, record: TrialRecord) -> Answers:
    """Arrays of a file that agree with each other and with the record.

    Raises:
        ValueError: They do not, or are too large to be answers.
    """
    with zipfile.ZipFile(path) as archive:
        if sum(part.file_size for part in archive.infolist()) > MOST_BYTES:
            raise ValueError("more than 256 MiB unpacked")
    with np.load(path, allow_pickle=False) as arrays:
        correct = arrays["correct"]
        item = arrays["item"] if "item" in arrays.files else None
        truth = arrays["truth"] if "truth" in arrays.files else None
    if correct.ndim != 1 or correct.dtype != bool or not correct.size:
        raise ValueError("`correct` is not a row of true and false")
    item = np.arange(len(correct)) if item is None else item
    for name, array in (("item", item), ("truth", truth)):
        if array is not None and array.shape != correct.shape:
            raise ValueError(f"`{name}` has another length than `correct`")
    if item.dtype.kind not in "iu" or len(np.unique(item)) != len(item):
        raise ValueError("`item` does not name each item once")
    _agree(correct, record)
    order = np.argsort(item)
    return Answers(
        item[order].astype(np.int64),
        correct[order].astype(np.float32),
        None if truth is None else truth[order],
    )


def _agree(correct: Array, record: TrialRecord) -> None:
    """Raise ValueError where the record says another accuracy."""
    quality = record.quality
    said = quality.accuracy if quality else None
    if quality is None or said is None or quality.n != len(correct):
        raise ValueError("the record scored another number of items")
    if not math.isclose(said, float(correct.mean()), abs_tol=1e-6):
        raise ValueError("the record says another accuracy")


def common(one: Answers, other: Answers) -> tuple[Array, Array] | None:
    """Places of the items that both answered, or None where the items differ."""
    if np.array_equal(one.item, other.item):
        mine = theirs = np.arange(len(one.item))
    else:
        _, mine, theirs = np.intersect1d(
            one.item, other.item, assume_unique=True, return_indices=True
        )
    if not len(mine):
        return None
    known = one.truth is not None and other.truth is not None
    if known and not np.array_equal(one.truth[mine], other.truth[theirs]):  # type: ignore[index]
        return None
    return mine, theirs
