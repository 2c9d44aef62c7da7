"""Texts as token ids: the clothing reviews, or the user's own, and who tokenises them.

Nothing here imports torch.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.records import OptionValue
from workloads.datasets import TEST_ITEMS, Split, cached_split, split_indices
from workloads.own_data import content_sha256
from workloads.own_texts import Texts, read_own_texts
from workloads.places import own_path
from workloads.sources import SOURCES, fetch

PADDING = "[PAD]"
UNKNOWN = "[UNK]"
FIRST = "[CLS]"
LAST = "[SEP]"
RARE_DEPARTMENT = "Trend"
"""119 of 22,600 reviews, and no department of its own: left out."""

Encode = Callable[[Sequence[str]], NDArray[np.int64]]
"""Texts [n] to ids [n, sequence_length]."""


@dataclass(frozen=True)
class Tokenizer:
    """What makes ids of texts.

    Attributes:
        make: An encoder for training texts, which it may learn its words from.
        facts: All that its ids depend on beside the texts.
    """

    make: Callable[[Sequence[str]], Encode]
    facts: Mapping[str, Any] = field(default_factory=dict)


def load_texts(
    options: Mapping[str, OptionValue],
    cache: Path,
    tokenizer: Tokenizer,
    train_items: int,
) -> Split:
    """Token ids [n, sequence_length] and classes [n].

    Of the reviews so many are trained on; the user's own data is used whole.
    """
    path = own_path(options)
    columns = [str(options.get(f"{kind}_column", "")) for kind in ("text", "label")]
    recipe: dict[str, Any] = {"train": train_items, "sha256": SOURCES["reviews"].sha256}
    recipe["source"] = recipe["sha256"][:12]
    if path is not None:
        digest = content_sha256(path)
        recipe = {"columns": columns, "sha256": digest, "source": f"own-{digest[:12]}"}

    def make() -> Split:
        texts = (
            review_texts(cache, train_items)
            if path is None
            else read_own_texts(path, *columns)
        )
        encode = tokenizer.make(texts.train)
        return Split(
            encode(texts.train), texts.y_train, encode(texts.test), texts.y_test
        )

    return cached_split(cache, {**recipe, **tokenizer.facts}, make)


def review_texts(cache: Path, train_items: int) -> Texts:
    """Clothing reviews of five departments."""
    texts, labels = read_reviews(fetch("reviews", cache))
    train, test = split_indices(labels, TEST_ITEMS)
    train = train[:train_items]
    return Texts(
        [texts[i] for i in train],
        labels[train],
        [texts[i] for i in test],
        labels[test],
    )


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


def word_pieces(vocabulary: int, sequence_length: int) -> Tokenizer:
    """A tokenizer that learns its words from the training texts."""
    return Tokenizer(
        lambda texts: train_tokenizer(texts, vocabulary, sequence_length),
        {"vocabulary": vocabulary, "sequence_length": sequence_length},
    )


def train_tokenizer(
    texts: Sequence[str], vocabulary: int, sequence_length: int
) -> Encode:
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
