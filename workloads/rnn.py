"""A bidirectional LSTM on clothing reviews: the recurrent answer to bert.py."""

from pathlib import Path

from torch import Tensor, nn

from workloads.cards import CARDS
from workloads.classification import Classification, Options, Recipe
from workloads.datasets import Split, reviews

VOCABULARY = 4_000
TRAIN_ITEMS = 8_192
EMBEDDING = 128

SIZES = {  # layers, width of each direction
    "tiny": (1, 128),
    "small": (1, 256),
    "base": (2, 512),
    "large": (2, 1024),
}


def load(options: Options, cache: Path) -> Split:
    """Token ids [n, sequence_length] and departments [n]."""
    return reviews(
        cache,
        sequence_length=int(options["sequence_length"]),
        vocabulary=VOCABULARY,
        train_items=TRAIN_ITEMS,
    )


class BiLstm(nn.Module):
    """Embedding, LSTM both ways, maximum over time, linear head."""

    def __init__(self, layers: int, width: int, classes: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(VOCABULARY, EMBEDDING, padding_idx=0)
        self.lstm = nn.LSTM(
            EMBEDDING, width, layers, batch_first=True, bidirectional=True
        )
        self.head = nn.Linear(2 * width, classes)

    def forward(self, ids: Tensor) -> Tensor:
        """Ids [batch, length], 0 is padding, to logits [batch, classes]."""
        states, _ = self.lstm(self.embedding(ids))  # [batch, length, 2 * width]
        padding = (ids == 0).unsqueeze(-1)
        pooled = states.masked_fill(padding, -1.0).amax(1)  # states exceed -1
        logits: Tensor = self.head(pooled)
        return logits


def build(options: Options, classes: int) -> nn.Module:
    """An untrained model of the asked size."""
    return BiLstm(*SIZES[str(options["size"])], classes)


def student(options: Options, classes: int) -> nn.Module:
    """Half the width of the LSTM."""
    layers, width = SIZES[str(options["size"])]
    return BiLstm(layers, width // 2, classes)


def rnn() -> Classification:
    """The workload."""
    return Classification(Recipe(CARDS["rnn"], load, build, student))
