"""What can be measured: names, options and floors, readable without torch."""

from collections.abc import Mapping

from harness.contracts import Card, Option
from harness.records import Configuration, OptionValue

SIZES = ("tiny", "small", "base", "large")


def _size(about: str) -> Option:
    return Option(default="tiny", about=about, choices=SIZES)


def _epochs(default: int) -> Option:
    return Option(default, "passes over the training data; fixed work", minimum=1)


def _learning_rate(default: float) -> Option:
    return Option(
        default, "peak of AdamW's warm-up and linear decay; tuned for tiny", minimum=0.0
    )


SEQUENCE_LENGTH = Option(
    default=32, about="tokens of each text, cut or padded", minimum=4
)

CARDS: Mapping[str, Card] = {
    "bert": Card(
        name="bert",
        about="BERT encoder, department of a clothing review",
        load="workloads.bert:bert",
        dataset="reviews",
        metric="accuracy",
        floor=0.65,
        options={
            "size": _size("2x128, 4x512, 12x768 (BERT-base), 24x1024 (BERT-large)"),
            "epochs": _epochs(1),
            "sequence_length": SEQUENCE_LENGTH,
            "learning_rate": _learning_rate(1e-3),
        },
        preload=(
            "torch",
            "workloads.conversion",  # keeps torchao quiet, so before transformers
            "transformers.models.bert.modeling_bert",
        ),
    ),
    "cnn": Card(
        name="cnn",
        about="residual convolutional network, digit of a 28x28 image",
        load="workloads.cnn:cnn",
        dataset="mnist-5k",
        metric="accuracy",
        floor=0.9,
        options={
            "size": _size("7 layers w16, 13 layers w32, ResNet-50, ResNet-101"),
            "epochs": _epochs(1),
            "learning_rate": _learning_rate(5e-3),
        },
    ),
    "rnn": Card(
        name="rnn",
        about="bidirectional LSTM with max-pooling, department of a clothing review",
        load="workloads.rnn:rnn",
        dataset="reviews",
        metric="accuracy",
        floor=0.75,
        options={
            "size": _size("1x128, 1x256, 2x512, 2x1024 per direction"),
            "epochs": _epochs(1),
            "sequence_length": SEQUENCE_LENGTH,
            "learning_rate": _learning_rate(4e-3),
        },
    ),
}


def options_of(card: Card, configuration: Configuration) -> dict[str, OptionValue]:
    """The card's defaults with what the configuration sets instead."""
    defaults = {name: o.default for name, o in (card.options or {}).items()}
    return defaults | configuration.options
