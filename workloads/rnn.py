"""A bidirectional LSTM or GRU on texts: the recurrent answer to bert.py."""

from pathlib import Path

from torch import Tensor, nn

from workloads.cards import CARDS
from workloads.classification import Classification, Options, Recipe
from workloads.datasets import Split
from workloads.texts import load_texts, word_pieces

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
    """Token ids [n, sequence_length] and classes [n]."""
    tokenizer = word_pieces(VOCABULARY, int(options["sequence_length"]))
    return load_texts(options, cache, tokenizer, TRAIN_ITEMS)


class BiLstm(nn.Module):
    """Embedding, LSTM both ways, maximum over time, linear head."""

    cell: type[nn.LSTM | nn.GRU] = nn.LSTM

    def __init__(self, layers: int, width: int, classes: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(VOCABULARY, EMBEDDING, padding_idx=0)
        self.recurrent = self.cell(
            EMBEDDING, width, layers, batch_first=True, bidirectional=True
        )
        self.head = nn.Linear(2 * width, classes)

    def forward(self, ids: Tensor) -> Tensor:
        """Ids [batch, length], 0 is padding, to logits [batch, classes]."""
        states, _ = self.recurrent(self.embedding(ids))  # [batch, length, 2 * width]
        padding = (ids == 0).unsqueeze(-1)
        pooled = states.masked_fill(padding, -1.0).amax(1)  # states exceed -1
        logits: Tensor = self.head(pooled)
        return logits


class BiGru(BiLstm):
    """The same with the smaller unit of arXiv 1406.1078."""

    cell = nn.GRU


CELLS = {"lstm": BiLstm, "gru": BiGru}


def build(options: Options, classes: int) -> nn.Module:
    """An untrained model of the asked unit, layers and size."""
    return _network(options, classes, 1)


def student(options: Options, classes: int) -> nn.Module:
    """Half the width of every layer."""
    return _network(options, classes, 2)


def _network(options: Options, classes: int, divisor: int) -> nn.Module:
    layers, width = SIZES[str(options["size"])]
    layers = int(options["layers"]) or layers
    return CELLS[str(options["cell"])](layers, width // divisor, classes)


def rnn() -> Classification:
    """The workload."""
    return Classification(Recipe(CARDS["rnn"], load, build, student))
