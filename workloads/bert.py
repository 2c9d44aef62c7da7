"""BERT and its kin on clothing reviews, or on the user's texts: which class is it?"""

from pathlib import Path

from torch import Tensor, nn

from workloads import checkpoints
from workloads.cards import CARDS
from workloads.classification import Classification, Options, Recipe
from workloads.datasets import Split
from workloads.texts import load_texts, word_pieces

VOCABULARY = 4_000
TRAIN_ITEMS = 5_120
POSITIONS = 512
DROPOUT = 0.0  # one epoch overfits nothing, and dice cost time

SIZES = {  # layers, width, attention heads; the inner width is four times the width
    "tiny": (2, 128, 2),
    "small": (4, 512, 8),
    "base": (12, 768, 12),
    "large": (24, 1024, 16),
}


def load(options: Options, cache: Path) -> Split:
    """Token ids [n, sequence_length] and classes [n]."""
    length = int(options["sequence_length"])
    name = str(options["checkpoint"])
    tokenizer = (
        checkpoints.tokenizer(checkpoints.find(name), length)
        if name
        else word_pieces(VOCABULARY, length)
    )
    return load_texts(options, cache, tokenizer, TRAIN_ITEMS)


class BertClassifier(nn.Module):
    """Transformers' BERT; ids [batch, length] to logits [batch, classes]."""

    def __init__(
        self,
        layers: int,
        width: int,
        heads: int,
        classes: int,
        positions: int = POSITIONS,
    ) -> None:
        super().__init__()
        from transformers.models.bert.configuration_bert import BertConfig
        from transformers.models.bert.modeling_bert import (
            BertForSequenceClassification,
        )

        self.bert = BertForSequenceClassification(
            BertConfig(
                vocab_size=VOCABULARY,
                hidden_size=width,
                num_hidden_layers=layers,
                num_attention_heads=heads,
                intermediate_size=4 * width,
                max_position_embeddings=positions,
                hidden_dropout_prob=DROPOUT,
                attention_probs_dropout_prob=DROPOUT,
                num_labels=classes,
            )
        )

    def forward(self, ids: Tensor) -> Tensor:
        """Id 0 is padding, which nothing attends to.

        The mask has all its dimensions, so that transformers need not look into it,
        which would make the processor wait for a GPU at every step.
        """
        attended = (ids != 0)[:, None, None, :]  # [batch, 1, 1, length]
        logits: Tensor = self.bert(input_ids=ids, attention_mask=attended).logits
        return logits


class Pretrained(nn.Module):
    """A checkpoint's encoder with a new head; ids [batch, length] to logits."""

    def __init__(
        self, found: checkpoints.Checkpoint, classes: int, share: float
    ) -> None:
        super().__init__()
        self.encoder = checkpoints.model(found, classes, share)
        self.padding = found.padding
        self.takes_whole_mask = found.kind == "bert"

    def forward(self, ids: Tensor) -> Tensor:
        """Nothing attends to padding; BERT's mask is whole, as in BertClassifier."""
        attended = ids != self.padding
        mask = attended[:, None, None, :] if self.takes_whole_mask else attended.long()
        logits: Tensor = self.encoder(input_ids=ids, attention_mask=mask).logits
        return logits


def build(options: Options, classes: int) -> nn.Module:
    """A model of the asked size with new weights, or of a checkpoint."""
    return _network(options, classes, 1.0)


def student(options: Options, classes: int) -> nn.Module:
    """Half the layers, as in DistilBERT (arXiv 1910.01108)."""
    return _network(options, classes, 0.5)


def _network(options: Options, classes: int, share: float) -> nn.Module:
    """With a share of the layers that the options ask for."""
    if name := str(options["checkpoint"]):
        return Pretrained(checkpoints.find(name), classes, share)
    layers, width, heads = SIZES[str(options["size"])]
    positions = max(POSITIONS, int(options["sequence_length"]))
    return BertClassifier(round(layers * share), width, heads, classes, positions)


def bert() -> Classification:
    """The workload."""
    return Classification(Recipe(CARDS["bert"], load, build, student))
