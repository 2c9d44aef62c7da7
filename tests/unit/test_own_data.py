"""Files that users really have: links, pipes, odd names, missing values."""

import os
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest
from PIL import Image
from pyarrow import parquet

from harness.errors import BenchError
from workloads.own_data import content_sha256
from workloads.own_images import read_own_images
from workloads.own_texts import read_own_texts
from workloads.places import existing


def images(folder: Path, shade: int = 0) -> Path:
    for name in ("a", "b"):
        (folder / name).mkdir(parents=True)
        for number in range(3):
            Image.new("L", (30, 30), shade + number).save(
                folder / name / f"{number}.png"
            )
    return folder


def linked(folder: Path, to: Path) -> Path:
    folder.mkdir()
    for name in ("a", "b"):
        (folder / name).symlink_to(to / name)
    return folder


def texts_fault(path: Path) -> str:
    with pytest.raises(BenchError) as caught:
        read_own_texts(path, "", "")
    return caught.value.told()


def images_fault(folder: Path) -> str:
    with pytest.raises(BenchError) as caught:
        read_own_images(folder, 28, 1)
    return caught.value.told()


def test_what_links_lead_to_is_part_of_the_content(tmp_path: Path) -> None:
    dark, light = images(tmp_path / "dark"), images(tmp_path / "light", 200)

    one = content_sha256(linked(tmp_path / "one", dark))
    two = content_sha256(linked(tmp_path / "two", light))

    assert one == content_sha256(dark)
    assert one != two


def test_a_link_to_the_folder_above_ends(tmp_path: Path) -> None:
    folder = images(tmp_path / "mine")
    (folder / "c").symlink_to("..")

    assert content_sha256(folder)
    assert "no image in it" in images_fault(folder)


def test_names_need_not_be_utf8(tmp_path: Path) -> None:
    folder = images(tmp_path / "mine")
    odd = Path(os.fsdecode(os.fsencode(folder) + b"/a/caf\xe9.png"))
    Image.new("L", (30, 30)).save(odd)

    assert content_sha256(folder) != content_sha256(images(tmp_path / "other"))
    assert len(read_own_images(folder, 28, 1).x_train) == 5
    odd.write_bytes(b"no image")
    told = images_fault(folder)
    assert "caf\\udce9.png: neither PNG nor JPEG" in told
    assert told.encode()  # a record is UTF-8


def a_pipe(path: Path) -> None:
    os.mkfifo(path)


def a_device(path: Path) -> None:
    path.symlink_to("/dev/zero")


def nowhere(path: Path) -> None:
    path.symlink_to("nowhere")


def itself(path: Path) -> None:
    path.symlink_to(path.name)


@pytest.mark.timeout(20)
@pytest.mark.parametrize("spoil", [a_pipe, a_device, nowhere, itself])
def test_an_image_is_a_file(tmp_path: Path, spoil: Callable[[Path], None]) -> None:
    folder = images(tmp_path)
    spoil(folder / "a" / "x.png")

    assert content_sha256(folder)
    assert "a/x.png: not a file" in images_fault(folder)


@pytest.mark.timeout(20)
@pytest.mark.parametrize("spoil", [a_pipe, a_device])
def test_texts_are_a_file(tmp_path: Path, spoil: Callable[[Path], None]) -> None:
    spoil(tmp_path / "x.csv")

    assert "x.csv: not a file" in texts_fault(tmp_path / "x.csv")


@pytest.mark.parametrize("spoil", [nowhere, itself])
def test_a_link_to_nothing_is_told(
    tmp_path: Path, spoil: Callable[[Path], None]
) -> None:
    spoil(tmp_path / "x.csv")

    with pytest.raises(BenchError, match="a link to nothing"):
        existing(str(tmp_path / "x.csv"), "data")


def test_hidden_files_are_no_images(tmp_path: Path) -> None:
    folder = images(tmp_path)
    (folder / "a" / "._0.png").write_bytes(b"what another system left")

    assert len(read_own_images(folder, 28, 1).x_train) == 4


def table(path: Path, names: list[str], *columns: pa.Array) -> Path:
    parquet.write_table(pa.Table.from_arrays(list(columns), names=names), path)
    return path


def test_texts_of_a_table_that_are_no_text(tmp_path: Path) -> None:
    sound = pa.array([b"\xff\xfe", b"\xff"])
    spoilt = pa.Array.from_buffers(pa.string(), 2, sound.buffers())
    path = table(tmp_path / "x.parquet", ["text", "label"], spoilt, pa.array(["a"] * 2))

    assert "not UTF-8" in texts_fault(path)


def test_two_columns_of_one_name(tmp_path: Path) -> None:
    column = pa.array(["a", "b"])
    names = ["text", "text", "label"]
    path = table(tmp_path / "x.parquet", names, column, column, column)

    assert "more than one column is called 'text'" in texts_fault(path)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("text,label\none,a\ntwo,NaN\n", ":3: no class"),
        ("text,label\none,a\ntwo,nan\n", ":3: no class"),
        (f"text,label\n{'x' * 200_000},a\n", "more than 131072 characters"),
        ("text,label,split\none,a,train\ntwo,a,dev\n", "its split says 'dev', 'train'"),
        ("text,label,label\none,a,b\n", "more than one column is called 'label'"),
    ],
)
def test_texts_that_do_not_fit(tmp_path: Path, content: str, words: str) -> None:
    path = tmp_path / "x.csv"
    path.write_text(content)

    assert words in texts_fault(path)
