"""Items to learn from and held-out ones, as arrays that are made once and kept.

Nothing here imports torch; no file is unpickled.
"""

import csv
import gzip
import hashlib
import json
import os
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workloads.sources import SOURCES, fetch, made

SPLIT_SEED = 20_260_101
TEST_ITEMS = 1_000
FORMAT = 3
"""Raised when the processing changes, so that old arrays are not read."""


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


def split_indices(
    labels: NDArray[np.int64], test_items: int, seed: int = SPLIT_SEED
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Seeded stratified split of [n] labels into shuffled train and test indices.

    Both have an item of every class that has two.
    """
    generator = np.random.default_rng(seed)
    test: list[NDArray[np.int64]] = []
    for label in np.unique(labels):
        members = generator.permutation(np.flatnonzero(labels == label))
        share = max(1, round(len(members) * test_items / len(labels)))
        test.append(members[: min(share, len(members) - 1)])
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
        folder = made(path.parent)
        split = make()
        with tempfile.NamedTemporaryFile(dir=folder, delete=False) as file:
            np.savez_compressed(file, **vars(split))
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
