"""What users' own files have in common: where they are, what is in them, the split.

Files are untrusted: none is unpickled, sizes are bounded, faults name the place.
"""

import hashlib
import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from harness.errors import BenchError
from harness.near import nearest
from workloads.datasets import split_indices

TEST_SHARE = 0.2
MAX_ITEMS = 1_000_000
CHUNK = 1 << 20

DEPTHS = ("*", "*/*", "*/*/*")
"""As deep as data is read: `train`, a class, a file; links to folders are followed."""

Indices = NDArray[np.int64]


def content_sha256(path: Path, patterns: Sequence[str] = DEPTHS) -> str:
    """Digest of a file, or of the names and contents of files below a folder.

    Hidden files do not count. Kept for as long as sizes and times stay the same.

    Raises:
        BenchError: Something cannot be read, or there is too much.
    """
    with readable(path):
        if path.is_file():
            return _sha256((path,), _stamp(path))
        found = {p for pattern in patterns for p in path.glob(pattern)}
        files = sorted(p for p in found if p.is_file() and not _hidden(p, path))
        if len(files) > MAX_ITEMS:
            raise BenchError(
                f"data: {path}: more than {MAX_ITEMS} files",
                hint="give a smaller folder",
            )
        return _sha256(tuple(files), tuple(_stamp(file) for file in files), path)


@contextmanager
def readable(path: Path) -> Iterator[None]:
    """What the system refuses about a path becomes a fault of the data."""
    try:
        yield
    except OSError as error:
        where, why = error.filename or path, error.strerror or error
        raise BenchError(
            f"data: {where}: cannot be read: {why}",
            hint="mend its permissions, or take it away",
        ) from error


def _hidden(file: Path, folder: Path) -> bool:
    return any(part.startswith(".") for part in file.relative_to(folder).parts)


def _stamp(file: Path) -> tuple[int, int]:
    """Size in bytes and time of the last change in nanoseconds."""
    stat = file.stat()
    return stat.st_size, stat.st_mtime_ns


@lru_cache(maxsize=64)
def _sha256(files: tuple[Path, ...], stamps: object, folder: Path | None = None) -> str:
    del stamps  # only tells one state of the files from another
    digest = hashlib.sha256()
    for file in files:
        if folder is not None:
            digest.update(os.fsencode(file.relative_to(folder)))
            digest.update(f"\0{file.stat().st_size}\0".encode())
        with file.open("rb") as stream:
            while chunk := stream.read(CHUNK):
                digest.update(chunk)
    return digest.hexdigest()


def numbered(
    path: Path, train: Sequence[str], test: Sequence[str]
) -> tuple[Indices, Indices]:
    """Class numbers [n], [m] of labels that came as training and test items.

    Raises:
        BenchError: One side is empty, one class alone, or a test class never trained.
    """
    if not train or not test:
        missing = "test" if train else "training"
        raise BenchError(
            f"data: {path}: no {missing} items",
            hint="leave the division to joulebench, or give both parts items",
        )
    number = _numbers(path, train)
    if unknown := sorted(set(test) - set(number)):
        raise BenchError(
            f"data: {path}: no training item of the test class {unknown[0]!r}"
            f"{nearest(unknown[0], list(number))}",
            hint="every class must be trained to be recognised",
        )
    return _labels(train, number), _labels(test, number)


def divided(path: Path, labels: Sequence[str]) -> tuple[Indices, Indices, Indices]:
    """Class numbers [n], and shuffled indices of 80 % to train on and 20 % to test.

    Raises:
        BenchError: Too few classes, or too few items of one.
    """
    number = _numbers(path, labels)
    for name, count in Counter(labels).items():
        if count < 2:
            raise BenchError(
                f"data: {path}: class {name!r} has one item; two are needed, one to "
                "train on and one to test",
                hint="add items of it or take it out; is that the right label column?",
            )
    found = _labels(labels, number)
    return found, *split_indices(found, round(TEST_SHARE * len(labels)))


def _numbers(path: Path, labels: Sequence[str]) -> dict[str, int]:
    names = sorted(set(labels))
    if len(names) < 2:
        what = f"one class only, {names[0]!r}" if names else "no items"
        raise BenchError(
            f"data: {path}: {what}",
            hint="a classifier needs items of two classes or more",
        )
    return {name: number for number, name in enumerate(names)}


def _labels(labels: Sequence[str], number: Mapping[str, int]) -> Indices:
    return np.array([number[label] for label in labels], dtype=np.int64)
