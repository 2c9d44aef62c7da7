"""BERT on clothing reviews: which department does a review belong to?"""

from pathlib import Path

from torch import Tensor, nn

from workloads.cards import CARDS
from workloads.classification import Classification, Options, Recipe
from workloads.datasets import Split, reviews

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
    """Token ids [n, sequence_length] and departments [n]."""
    return reviews(
        cache,
        sequence_length=int(options["sequence_length"]),
        vocabulary=VOCABULARY,
        train_items=TRAIN_ITEMS,
    )


class BertClassifier(nn.Module):
    """Transformers' BERT; ids [batch, length] to logits [batch, classes]."""

    def __init__(self, layers: int, width: int, heads: int, classes: int) -> None:
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
                max_position_embeddings=POSITIONS,
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


def build(options: Options, classes: int) -> nn.Module:
    """An untrained model of the asked size."""
    return BertClassifier(*SIZES[str(options["size"])], classes)


def student(options: Options, classes: int) -> nn.Module:
    """Half the layers, as in DistilBERT (arXiv 1910.01108)."""
    layers, width, heads = SIZES[str(options["size"])]
    return BertClassifier(layers // 2, width, heads, classes)


def bert() -> Classification:
    """The workload."""
    return Classification(Recipe(CARDS["bert"], load, build, student))
