"""Trained reference weights in the user's cache, named by all that shaped them."""

import fcntl
import hashlib
import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from harness.contracts import Card
from harness.records import Configuration
from workloads.cards import options_of
from workloads.datasets import SOURCES


def weights_path(card: Card, configuration: Configuration, cache: Path) -> Path:
    """Where the fp32 reference weights of a configuration are or will be.

    The name covers workload, options, data, training source and torch's version;
    not precision, batch size or device, so that all of them load the same weights.
    Imports no torch.
    """
    source = SOURCES.get(card.dataset)
    facts = {
        "workload": card.name,
        "options": options_of(card, configuration),
        "dataset": source.sha256 if source else card.dataset,
        "source": source_sha256(card.load.partition(":")[0]),
        "torch": version("torch"),
    }
    digest = hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()
    return cache / "weights" / f"{digest}.safetensors"


def source_sha256(module: str) -> str:
    """Digest over the source text of the module, the training loop and the data."""
    digest = hashlib.sha256()
    for name in (module, "workloads.classification", "workloads.datasets"):
        spec = find_spec(name)
        if spec is not None and spec.origin is not None:
            digest.update(Path(spec.origin).read_bytes())
    return digest.hexdigest()


def load_or_train(
    path: Path, train: Callable[[], dict[str, Any]]
) -> tuple[dict[str, Any], str]:
    """Weights of a file and the file's SHA-256; trained first when it is missing.

    Processes that ask for the same weights wait for the one that trains them.
    """
    from safetensors.torch import load_file, save_file

    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        with _locked(path.with_suffix(".lock")):
            if not path.exists():
                partial = path.with_suffix(f".{os.getpid()}.partial")
                save_file(train(), partial)
                os.replace(partial, path)  # noqa: PTH105 (atomic)
    return load_file(path), hashlib.sha256(path.read_bytes()).hexdigest()


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
