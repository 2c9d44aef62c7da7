import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from harness.errors import BenchError
from workloads import cnn, own_images
from workloads.cards import CARDS
from workloads.own_images import read_own_images

SHADES = {"dark": 20, "light": 230}


def fill(folder: Path, items: int = 5, suffix: str = "png") -> Path:
    for name, shade in SHADES.items():
        (folder / name).mkdir(parents=True)
        for number in range(items):
            image = Image.new("RGB", (40 + number, 30), (shade, 0, shade))
            image.save(folder / name / f"{number}.{suffix}")
    return folder


def fault(folder: Path) -> str:
    with pytest.raises(BenchError) as caught:
        read_own_images(folder, 28, 1)
    assert caught.value.hint
    return caught.value.message.replace(str(folder), "FOLDER")


@pytest.mark.parametrize("suffix", ["png", "jpg"])
def test_a_folder_a_class_is_divided_evenly(tmp_path: Path, suffix: str) -> None:
    split = read_own_images(fill(tmp_path, 10, suffix), 32, 3)

    assert split.x_train.shape == (16, 3, 32, 32)
    assert split.x_train.dtype == np.uint8
    assert np.bincount(split.y_test).tolist() == [2, 2]
    for image, label in zip(split.x_test, split.y_test, strict=True):
        shade = list(SHADES.values())[label]
        assert abs(int(image[0].mean()) - shade) < 4
        assert image[1].mean() < 4


def test_folders_of_sides_are_obeyed(tmp_path: Path) -> None:
    fill(tmp_path / "train", 4)
    fill(tmp_path / "test", 2)

    split = read_own_images(tmp_path, 28, 1)

    assert (split.x_train.shape, len(split.x_test)) == ((8, 1, 28, 28), 4)
    assert np.bincount(split.y_train).tolist() == [4, 4]


def test_the_workload_sees_floats_in_the_channels_of_its_model(tmp_path: Path) -> None:
    folder, cache = fill(tmp_path / "mine"), tmp_path / "cache"
    for model, channels in (("tiny", 1), ("resnet-18", 3)):
        options = CARDS["cnn"].values({"data": str(folder), "model": model})

        split = cnn.load(options, cache)

        assert split.x_train.shape[1:] == (channels, 28, 28)
        assert split.x_train.dtype == np.float32
        assert split.x_train.max() <= 1.0
    assert len(list((cache / "arrays").iterdir())) == 2


def test_what_memory_has_no_room_for_is_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(own_images, "BUDGET_BYTES", 4 * 28 * 28 * 10)

    split = read_own_images(fill(tmp_path, 10), 28, 1)

    assert (len(split.x_train), len(split.x_test)) == (8, 2)


def empty(folder: Path) -> None:
    folder.mkdir()


def a_file(folder: Path) -> None:
    folder.write_text("x")


def one_class(folder: Path) -> None:
    fill(folder)
    for path in (folder / "dark").iterdir():
        path.unlink()
    (folder / "dark").rmdir()


def no_image(folder: Path) -> None:
    fill(folder)
    (folder / "other").mkdir()
    (folder / "other" / "notes.txt").write_text("x")


def one_item(folder: Path) -> None:
    fill(folder, 1)


def no_photo(folder: Path) -> None:
    fill(folder)
    (folder / "dark" / "0.png").write_bytes(b"GIF89a" + bytes(100))


def cut_off(folder: Path) -> None:
    fill(folder)
    noise = np.random.default_rng(0).integers(0, 255, (90, 90, 3), dtype=np.uint8)
    Image.fromarray(noise).save(folder / "dark" / "0.png")
    raw = (folder / "dark" / "0.png").read_bytes()
    (folder / "dark" / "0.png").write_bytes(raw[: len(raw) // 2])


def bomb(folder: Path) -> None:
    """A PNG of a few bytes that claims 50,000 x 50,000 pixels."""
    fill(folder)

    def chunk(kind: bytes, data: bytes) -> bytes:
        sum_ = struct.pack(">I", zlib.crc32(kind + data))
        return struct.pack(">I", len(data)) + kind + data + sum_

    head = struct.pack(">IIBBBBB", 50_000, 50_000, 8, 2, 0, 0, 0)
    raw = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head)
    raw += chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")
    (folder / "dark" / "0.png").write_bytes(raw)


def sixteen_bits(folder: Path) -> None:
    fill(folder)
    Image.fromarray(np.zeros((9, 9), np.uint16)).save(folder / "dark" / "0.png")


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (empty, "FOLDER: no folders in it"),
        (a_file, "FOLDER: not a folder"),
        (one_class, "one class only, 'light'"),
        (no_image, "FOLDER/other: no image in it"),
        (one_item, "has one item"),
        (no_photo, "FOLDER/dark/0.png: neither PNG nor JPEG"),
        (cut_off, "FOLDER/dark/0.png: cannot be read"),
        (bomb, "FOLDER/dark/0.png: "),
        (sixteen_bits, "FOLDER/dark/0.png: 16 bits"),
    ],
)
def test_what_does_not_fit_says_where(
    tmp_path: Path, make: Callable[[Path], None], words: str
) -> None:
    make(tmp_path / "mine")

    assert words in fault(tmp_path / "mine")


def test_a_large_image_is_not_unpacked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(own_images, "MAX_PIXELS", 1000)
    assert "pixels are too many" in fault(fill(tmp_path / "a"))
    monkeypatch.setattr(own_images, "MAX_FILE_BYTES", 10)
    assert "larger than" in fault(tmp_path / "a")
