"""Pretrained encoders: from a pinned package, the hub, or a folder; safetensors only.

A checkpoint's own code is never run and nothing of it is unpickled. Torch is imported
only where weights are loaded.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.errors import BenchError
from harness.near import nearest
from workloads.own_data import content_sha256
from workloads.places import HUB, NAMED, checkpoint_place
from workloads.sources import cache_dir, fetch
from workloads.texts import Encode, Tokenizer

ENCODERS = (
    "albert", "bert", "camembert", "convbert", "deberta", "deberta-v2", "distilbert",
    "electra", "ernie", "eurobert", "mobilebert", "modernbert", "mpnet",
    "nystromformer", "rembert", "roberta", "roberta-prelayernorm", "roformer",
    "squeezebert", "xlm-roberta", "xlm-roberta-xl",
)  # fmt: skip
"""Kinds of transformers' sequence encoders that can classify."""
VOCABULARIES = ("tokenizer.json", "vocab.txt", "vocab.json", "*.model")
"""A tokenizer has one of them; without any it is made up, and knows no word."""
WANTED = ("config.json", "*.safetensors", "*.safetensors.index.json", "*.txt",
          "tokenizer*", "special_tokens_map.json", "vocab.json", "*.model")  # fmt: skip


@dataclass(frozen=True)
class Checkpoint:
    """A folder with config, weights and tokenizer.

    Attributes:
        sha256: Digest over all its files.
        padding: Id of the padding token.
        positions: Longest sequence in tokens, None without a limit.
        words: Number of tokens that its embeddings know, None where it does not say.
    """

    name: str
    folder: Path
    sha256: str
    kind: str
    padding: int
    positions: int | None
    words: int | None


def find(name: str) -> Checkpoint:
    """A checkpoint by the value of the option; brought from its place if need be.

    Raises:
        BenchError: There is none, or it cannot be used; with the cure.
    """
    folder = _folder(name)
    config = _config(name, folder)
    kind = str(config.get("model_type"))
    _check_kind(name, kind, is_custom="auto_map" in config)
    _check_files(name, folder, config)
    positions = _whole(name, config, "max_position_embeddings")
    padding = _whole(name, config, "pad_token_id") or 0
    if positions is not None and "roberta" in kind:
        positions -= padding + 1
    digest = content_sha256(folder, WANTED)
    words = _whole(name, config, "vocab_size")
    return Checkpoint(name, folder, digest, kind, padding, positions, words)


def _folder(name: str) -> Path:
    place = checkpoint_place(name)
    if isinstance(place, Path):
        return place
    if place in NAMED:
        return fetch(place, cache_dir())
    return _from_hub(*place.partition("@")[::2])


def _from_hub(name: str, revision: str) -> Path:
    """A snapshot: the one that is already here, else downloaded."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import (
        HfHubHTTPError,
        HFValidationError,
        LocalEntryNotFoundError,
    )

    asked: dict[str, Any] = {"revision": revision or None, "allow_patterns": WANTED}
    try:
        kept = Path(snapshot_download(name, local_files_only=True, **asked))
        if list(kept.glob("*.safetensors")):
            return kept
    except LocalEntryNotFoundError:
        pass
    except HFValidationError as error:
        raise BenchError(
            f"checkpoint: {name!r} is no name on the hub: {error}",
            hint=f"write {HUB}OWNER/NAME, {HUB}OWNER/NAME@REVISION or {HUB}/FOLDER",
        ) from error
    try:
        return Path(snapshot_download(name, **asked))
    except (HfHubHTTPError, LocalEntryNotFoundError, OSError) as error:
        said = (str(error).splitlines() or [type(error).__name__])[0]
        raise BenchError(
            f"checkpoint {HUB}{name}: could not be downloaded: {said:.300}",
            hint=f"check the name and the network, or copy its files to a folder and "
            f"give {HUB}/FOLDER; `minilm-l6` comes from the package index",
        ) from error


def _config(name: str, folder: Path) -> dict[str, Any]:
    return _json(name, folder / "config.json")


def _json(name: str, path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BenchError(
            f"checkpoint {name}: {path} cannot be read: {error}",
            hint="give the folder that save_pretrained(...) wrote",
        ) from error
    return found if isinstance(found, dict) else {}


def _whole(name: str, config: Mapping[str, Any], field: str) -> int | None:
    """A whole number of the config, None where it has none."""
    value = config.get(field)
    if value is None or type(value) is int:
        return value
    raise BenchError(
        f"checkpoint {name}: {field} in its config.json is {value!r:.40}, "
        "no whole number",
        hint="give the folder that save_pretrained(...) wrote",
    )


def _check_files(name: str, folder: Path, config: Mapping[str, Any]) -> None:
    """Whole weights of its own in safetensors, which nothing leads away from.

    Transformers follows an adapter to the weights that it names, and an index to files
    of any format.
    """
    if not list(folder.glob("*.safetensors")):
        raise BenchError(
            f"checkpoint {name}: no *.safetensors in {folder}",
            hint="weights in other formats can run code when loaded and are refused; "
            "load them elsewhere and save_pretrained(...) writes safetensors",
        )
    if (folder / "adapter_config.json").exists():
        raise BenchError(
            f"checkpoint {name}: an adapter, whose weights are elsewhere",
            hint="merge them: merge_and_unload() and save_pretrained(...) of peft",
        )
    for key in ("quantization_config", "transformers_weights"):
        if config.get(key):
            raise BenchError(
                f"checkpoint {name}: its config.json has {key}",
                hint="the fp32 reference needs plain weights in model.safetensors; "
                "the suite's precisions quantise them here",
            )
    for index in folder.glob("*.safetensors.index.json"):
        parts = _json(name, index).get("weight_map")
        named = set(map(str, parts.values())) if isinstance(parts, dict) else {"?"}
        if not named <= {path.name for path in folder.glob("*.safetensors")}:
            raise BenchError(
                f"checkpoint {name}: {index} names files that are no *.safetensors "
                "here",
                hint="give the folder that save_pretrained(...) wrote, with all its "
                "parts",
            )


def _check_kind(name: str, kind: str, *, is_custom: bool) -> None:
    if kind in ENCODERS:
        return
    if is_custom:
        raise BenchError(
            f"checkpoint {name}: {kind!r} needs code of its own, which is never run",
            hint=f"take one of a known kind: {', '.join(ENCODERS)}",
        )
    near = nearest(kind, list(ENCODERS))
    raise BenchError(
        f"checkpoint {name}: {kind!r} is no sequence encoder{near}",
        hint=f"known: {', '.join(ENCODERS)}",
    )


def tokenizer(checkpoint: Checkpoint, sequence_length: int) -> Tokenizer:
    """The checkpoint's own tokenizer, whatever the training texts are.

    Raises:
        BenchError: It has none that is fast, or takes no texts so long.
    """
    limit = checkpoint.positions
    if limit is not None and sequence_length > limit:
        raise BenchError(
            f"checkpoint {checkpoint.name}: takes {limit} tokens at most, but "
            f"sequence_length is {sequence_length}",
            hint=f"set sequence_length to {limit} or less",
        )

    def make(_: Sequence[str]) -> Encode:
        return _encoder(checkpoint, sequence_length)

    facts = {"sequence_length": sequence_length, "checkpoint": checkpoint.sha256}
    return Tokenizer(make, facts)


def _encoder(checkpoint: Checkpoint, sequence_length: int) -> Encode:
    from huggingface_hub.errors import StrictDataclassError
    from transformers import AutoTokenizer

    if not any(any(checkpoint.folder.glob(each)) for each in VOCABULARIES):
        raise BenchError(
            f"checkpoint {checkpoint.name}: no tokenizer in it: none of "
            f"{', '.join(VOCABULARIES)}",
            hint="save_pretrained(...) of its tokenizer writes tokenizer.json",
        )
    try:
        made = AutoTokenizer.from_pretrained(
            checkpoint.folder,
            use_fast=True,
            trust_remote_code=False,
            local_files_only=True,
        )
    except (
        OSError,
        ValueError,
        KeyError,
        TypeError,
        ImportError,
        StrictDataclassError,
    ) as error:
        raise _unusable(checkpoint, "tokenizer", error) from error
    if not made.is_fast or made.pad_token_id != checkpoint.padding:
        raise BenchError(
            f"checkpoint {checkpoint.name}: its tokenizer is not a fast one with the "
            f"padding id {checkpoint.padding} of its config",
            hint="a folder needs tokenizer.json, as save_pretrained(...) writes it",
        )

    def encode(texts: Sequence[str]) -> NDArray[np.int64]:
        ids = made(
            list(texts),
            padding="max_length",
            truncation=True,
            max_length=sequence_length,
        )["input_ids"]
        found = np.array(ids, dtype=np.int64)
        if checkpoint.words and found.max(initial=0) >= checkpoint.words:
            raise BenchError(
                f"checkpoint {checkpoint.name}: its tokenizer gives the id "
                f"{found.max()}, but its weights know {checkpoint.words} tokens",
                hint="the tokenizer is of another model, or tokens were added to it",
            )
        return found

    return encode


def model(checkpoint: Checkpoint, classes: int, layers_share: float = 1.0) -> Any:
    """The encoder with a new head; with the first share of its layers, for a student.

    Raises:
        BenchError: The weights do not fit the config.
    """
    import torch
    from huggingface_hub.errors import StrictDataclassError
    from safetensors import SafetensorError
    from transformers import AutoConfig, AutoModelForSequenceClassification

    try:
        config = AutoConfig.from_pretrained(
            checkpoint.folder, num_labels=classes, trust_remote_code=False
        )
        layers = max(1, round(config.num_hidden_layers * layers_share))
        config.num_hidden_layers = layers
        made, loaded = AutoModelForSequenceClassification.from_pretrained(
            checkpoint.folder,
            config=config,
            use_safetensors=True,
            trust_remote_code=False,
            local_files_only=True,
            ignore_mismatched_sizes=True,
            dtype=torch.float32,
            output_loading_info=True,
        )
    except (
        OSError,
        ValueError,
        RuntimeError,
        AttributeError,
        TypeError,
        ImportError,
        SafetensorError,
        StrictDataclassError,
    ) as error:
        raise _unusable(checkpoint, "weights", error) from error
    _check_loaded(checkpoint, made, loaded)
    return made


def _check_loaded(checkpoint: Checkpoint, made: Any, loaded: Mapping[str, Any]) -> None:
    """No weight of the encoder was made up; its head is new, and so may a pooler be."""
    other = [key for key, *_ in loaded["mismatched_keys"]]
    encoder = f"{made.base_model_prefix}."
    lacking = sorted(
        key
        for key in (*loaded["missing_keys"], *other)
        if key.startswith(encoder) and ".pooler." not in key
    )
    if lacking:
        raise BenchError(
            f"checkpoint {checkpoint.name}: its weights do not fit its config.json: "
            f"{len(lacking)} are missing or of another shape, such as {lacking[0]}",
            hint="config.json or the *.safetensors is of another model: give the "
            "folder that save_pretrained(...) wrote",
        )


def _unusable(checkpoint: Checkpoint, what: str, error: Exception) -> BenchError:
    said = (str(error).splitlines() or [type(error).__name__])[0]
    return BenchError(
        f"checkpoint {checkpoint.name}: its {what} cannot be loaded: {said:.300}",
        hint=f"{checkpoint.folder} should be as save_pretrained(...) wrote it",
    )
