"""Images of the user's: a folder with one folder a class, PNG or JPEG in it."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.errors import BenchError
from workloads.datasets import SPLIT_SEED, Split
from workloads.own_data import MAX_ITEMS, divided, numbered, readable

SUFFIXES = (".png", ".jpg", ".jpeg")
FORMATS = ("PNG", "JPEG")
MAX_FILE_BYTES = 64 << 20
MAX_PIXELS = 64 << 20
BUDGET_BYTES = 2 << 30
"""Of all images as float32; beyond it fewer are taken, in the same proportion."""
TRAIN, TEST = "train", "test"


def read_own_images(folder: Path, side: int, channels: int) -> Split:
    """Images [n, channels, side, side] as uint8, stretched to a square.

    Raises:
        BenchError: The folder or an image does not fit; names it and the cure.
    """
    if not folder.is_dir():
        raise BenchError(
            f"data: {folder}: not a folder",
            hint="give a folder with one folder a class, PNG or JPEG in it",
        )
    parts = [folder / TRAIN, folder / TEST]
    if all(part.is_dir() for part in parts):
        (train, train_names), (test, test_names) = map(_items, parts)
        y_train, y_test = numbered(folder, train_names, test_names)
        order = np.random.default_rng(SPLIT_SEED).permutation(len(train))
        train, y_train = [train[i] for i in order], y_train[order]
    else:
        paths, names = _items(folder)
        labels, first, second = divided(folder, names)
        train, y_train = [paths[i] for i in first], labels[first]
        test, y_test = [paths[i] for i in second], labels[second]
    share = share_that_fits(len(train) + len(test), side, channels)
    kept, held = (max(1, int(share * len(part))) for part in (train, test))
    return Split(
        _pixels(train[:kept], side, channels),
        y_train[:kept],
        _pixels(test[:held], side, channels),
        y_test[:held],
    )


def share_that_fits(items: int, side: int, channels: int) -> float:
    """How much of the items the memory has room for, 1 where it has for all."""
    return min(1.0, BUDGET_BYTES / (4 * items * channels * side * side))


def as_floats(images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Values of [0, 255] in [0, 1]."""
    return images.astype(np.float32) / np.float32(255)


def _items(folder: Path) -> tuple[list[Path], list[str]]:
    """Images below a folder, and the class of each: its folder's name."""
    with readable(folder):
        classes = [p for p in _shown(folder) if p.is_dir()]
    if not classes:
        raise BenchError(
            f"data: {folder}: no folders in it",
            hint="make one folder a class and put its images there",
        )
    paths: list[Path] = []
    names: list[str] = []
    for each in classes:
        with readable(each):
            images = [p for p in _shown(each) if p.suffix.lower() in SUFFIXES]
        if not images:
            raise BenchError(
                f"data: {each}: no image in it ({', '.join(SUFFIXES)})",
                hint="put images there, or take the folder away",
            )
        paths += images
        names += [each.name] * len(images)
    if len(paths) > MAX_ITEMS:
        raise BenchError(
            f"data: {folder}: more than {MAX_ITEMS} images", hint="take fewer"
        )
    return paths, names


def _shown(folder: Path) -> list[Path]:
    """What is in a folder, without what is hidden."""
    return sorted(p for p in folder.iterdir() if not p.name.startswith("."))


def _pixels(paths: Sequence[Path], side: int, channels: int) -> NDArray[np.uint8]:
    """Images [n, channels, side, side]."""
    pixels = np.empty((len(paths), channels, side, side), dtype=np.uint8)
    for index, path in enumerate(paths):
        pixels[index] = _image(path, side, channels)
    return pixels


def _image(path: Path, side: int, channels: int) -> NDArray[np.uint8]:
    """One image [channels, side, side]; its size is looked at before it is unpacked."""
    from PIL import Image, ImageOps, UnidentifiedImageError

    if not path.is_file():
        raise _fault(path, "not a file", "mend the link")
    if path.stat().st_size > MAX_FILE_BYTES:
        raise _fault(path, f"larger than {MAX_FILE_BYTES >> 20} MiB", "make it smaller")
    try:
        with Image.open(path, formats=FORMATS) as image:
            if image.width * image.height > MAX_PIXELS:
                size = f"{image.width} x {image.height} pixels are too many"
                raise _fault(path, size, "make it smaller")
            if image.mode.startswith("I"):
                raise _fault(path, "16 bits a value", "save it with 8")
            image.draft("RGB" if channels > 1 else "L", (2 * side, 2 * side))
            upright = ImageOps.exif_transpose(image)
            plain = upright.convert("RGB" if channels > 1 else "L")
            small = plain.resize((side, side), Image.Resampling.BILINEAR)
    except UnidentifiedImageError as error:
        raise _fault(path, "neither PNG nor JPEG", "save it anew") from error
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise _fault(path, f"cannot be read: {error}", "save it anew") from error
    pixels: NDArray[Any] = np.asarray(small, dtype=np.uint8)
    return pixels.reshape(side, side, channels).transpose(2, 0, 1)


def _fault(path: Path, what: str, cure: str) -> BenchError:
    return BenchError(f"data: {path}: {what}", hint=f"{cure}, or take it away")
