"""Trained reference weights in the user's cache, named by all that shaped them."""

import fcntl
import hashlib
import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from harness.contracts import Card
from harness.errors import BenchError
from harness.records import Configuration, OptionValue
from workloads import checkpoints
from workloads.cards import TRAINING_ONLY, WITH_IMAGENET, options_of
from workloads.own_data import content_sha256
from workloads.places import checkpoint_place, existing, own_path
from workloads.precisions import PRECISIONS
from workloads.sources import SOURCES, made

REFERENCE = "fp32"

PLACES = frozenset({"data", "checkpoint"})
"""Options that name files, of which the content counts and not the name."""
SHAPERS = (
    "workloads.classification",
    "workloads.training",
    "workloads.precisions.students",
    "workloads.precisions.pruning",
    "workloads.datasets",
    "workloads.own_data",
)
"""Modules whose text shapes what is learnt."""
TEXTS = ("workloads.texts", "workloads.own_texts")
FAMILY_SHAPERS = {
    "workloads.bert": (*TEXTS, "workloads.checkpoints"),
    "workloads.rnn": TEXTS,
    "workloads.cnn": ("workloads.cnn_models", "workloads.own_images"),
}
"""Those of one family."""


def needed_weights(
    card: Card, configuration: Configuration, cache: Path
) -> Mapping[Path, str]:
    """Weights that a trial of a trained model loads, and the precision they are of."""
    paths = {weights_path(card, configuration, cache): REFERENCE}
    if PRECISIONS[configuration.precision].track == "open":
        variant = configuration.precision
        paths[weights_path(card, configuration, cache, variant)] = variant
    return paths


def weights_path(
    card: Card, configuration: Configuration, cache: Path, variant: str = ""
) -> Path:
    """Where the fp32 reference weights of a configuration are or will be.

    The name covers workload, options, data, training source and torch's version;
    not precision, batch size or device, so that all of them load the same weights. A
    variant names others that come of them, such as those of `distilled`. Imports no
    torch.
    """
    options = options_of(card, configuration)
    aside = PLACES.union(TRAINING_ONLY)
    facts = {
        "workload": card.name,
        "options": {n: v for n, v in options.items() if n not in aside},
        "variant": variant,
        **_content(card, options),
        "source": source_sha256(card.load.partition(":")[0]),
        "torch": version("torch"),
    }
    digest = hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()
    return cache / "weights" / f"{digest}.safetensors"


def own_inputs(
    options: Mapping[str, OptionValue],
) -> Iterator[tuple[str, Callable[[], str]]]:
    """Paths of the user's as the options have them, each with its digest on demand."""
    if text := str(options.get("data", "")):
        yield text, lambda: content_sha256(existing(text, "data"))
    name = str(options.get("checkpoint", ""))
    if name and isinstance(_place(name), Path):
        yield name, lambda: checkpoints.find(name).sha256


def _place(name: str) -> Path | str:
    """Of a checkpoint, whether or not it is there."""
    try:
        return checkpoint_place(name)
    except BenchError:
        return Path(name)


def _content(card: Card, options: Mapping[str, OptionValue]) -> dict[str, str]:
    """Digests of the data and of the weights that training starts from."""
    source = SOURCES.get(card.dataset)
    facts = {"dataset": source.sha256 if source else card.dataset}
    if path := own_path(options):
        facts["dataset"] = content_sha256(path)
    if name := str(options.get("checkpoint", "")):
        facts["checkpoint"] = checkpoints.find(name).sha256
    if options.get("pretrained", "no") != "no":
        facts["pretrained"] = SOURCES[WITH_IMAGENET].sha256
    return facts


def source_sha256(module: str) -> str:
    """Digest over the source text of the module, the training loop and the data."""
    digest = hashlib.sha256()
    for name in (module, *SHAPERS, *FAMILY_SHAPERS.get(module, ())):
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
        made(path.parent)
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
