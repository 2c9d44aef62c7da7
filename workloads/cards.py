"""What can be measured: names, options and floors, readable without torch."""

from collections.abc import Mapping

from harness.contracts import Card, Option
from harness.records import Configuration, OptionValue, Phase
from workloads.places import missing

SIZES = ("tiny", "small", "base", "large")
CNN_MODELS = (
    "tiny",
    "small",
    "resnet-18",
    "resnet-50",
    "resnet-101",
    "mobilenet-v2",
    "efficientnet-lite0",
)
WITH_IMAGENET = "efficientnet-lite0"
"""The model whose ImageNet weights ship in a package."""


def _size(about: str) -> Option:
    return Option(default="tiny", about=about, choices=SIZES)


def _epochs(default: int) -> Option:
    return Option(default, "passes over the training data; fixed work", minimum=1)


def _learning_rate(
    default: float, about: str, instead: Mapping[str, OptionValue]
) -> Option:
    about = f"peak of the warm-up and linear decay; tuned for tiny with AdamW{about}"
    return Option(default, about, minimum=0.0, instead=instead)


SEQUENCE_LENGTH = Option(
    default=32, about="tokens of each text, cut or padded", minimum=4, maximum=8192
)
OWN_TEXTS: Mapping[str, Option] = {
    "data": Option(
        "", "your texts instead: a CSV, TSV or Parquet file, or a folder of such"
    ),
    "text_column": Option("", "its column of texts; found by its name when not given"),
    "label_column": Option("", "its column of classes; found likewise"),
}


LEARNING: Mapping[str, Option] = {
    "optimizer": Option(
        "adamw",
        "fused kernels of torch; sgd has momentum, and an encoder from scratch learns "
        "next to nothing by it",
        ("adamw", "sgd"),
    ),
    "target": Option(
        0.0,
        "held-out accuracy at which a training stops, examined four times an epoch; "
        "0: all epochs",
        minimum=0.0,
        maximum=1.0,
    ),
}


TRAINING_ONLY = ("target", "tune", "checkpointing")
"""Options of `train` that leave the reference weights as they are."""


def from_scratch(options: Mapping[str, OptionValue]) -> str | None:
    """Why not only a part of a model can learn; None where it can."""
    is_pretrained = options.get("checkpoint") or options.get("pretrained", "no") != "no"
    if options.get("tune", "all") == "all" or is_pretrained:
        return None
    return (
        f"tune={options['tune']}: it starts from scratch, where all of it must learn: "
        "give it pretrained weights"
    )


def _tuning_refuse(configuration: Configuration) -> str | None:
    """Too little to learn from, or an option that would only name an inference."""
    if configuration.phase == Phase.TRAIN:
        return from_scratch(configuration.options)
    known = CARDS[configuration.workload].options or {}
    for name in TRAINING_ONLY:
        value = configuration.options.get(name)
        if value is not None and value != known[name].default:
            return (
                f"{name}={value} is of training, and inference would be the same "
                "without it: give it in matrix.include with `phase: [train]`"
            )
    return None


def _bert_refuse(configuration: Configuration) -> str | None:
    options = configuration.options
    if options.get("checkpoint") and options.get("size", "tiny") != "tiny":
        return (
            f"a checkpoint has a size of its own, so size={options['size']} would be "
            "ignored: leave one of them out"
        )
    return _columns_refuse(configuration)


def _columns_refuse(configuration: Configuration) -> str | None:
    options = configuration.options
    for name in ("text_column", "label_column"):
        if options.get(name) and not options.get("data"):
            return f"{name} is a column of your own `data`, which is not given"
    return _tuning_refuse(configuration) or missing(options)


def _cnn_refuse(configuration: Configuration) -> str | None:
    options = configuration.options
    model = options.get("model", "tiny")
    if options.get("pretrained", "no") != "no" and model != WITH_IMAGENET:
        return f"no package ships ImageNet weights of {model}; {WITH_IMAGENET} has some"
    return _tuning_refuse(configuration) or missing(options)


CARDS: Mapping[str, Card] = {
    "bert": Card(
        name="bert",
        about="BERT encoder, department of a clothing review",
        load="workloads.bert:bert",
        dataset="reviews",
        metric="accuracy",
        test_items=1_000,
        floor=0.65,
        options={
            "size": _size("2x128, 4x512, 12x768 (BERT-base), 24x1024 (BERT-large)"),
            "checkpoint": Option(
                "",
                "start from pretrained weights, with their own tokenizer: `minilm-l6` "
                "or `hf:` and a name on the hub or a folder",
            ),
            **OWN_TEXTS,
            "epochs": _epochs(1),
            **LEARNING,
            "tune": Option(
                "all",
                "what of a pretrained model learns in `train`: all, its head, or "
                "low-rank additions (LoRA)",
                ("all", "head", "lora"),
            ),
            "checkpointing": Option(
                "off",
                "gradient checkpointing in `train`: less memory, more work",
                ("off", "on"),
            ),
            "sequence_length": SEQUENCE_LENGTH,
            "learning_rate": _learning_rate(
                1e-3,
                "; 1e-4 for base, large and a checkpoint (try 5e-5 to 3e-4), 5e-3 for "
                "its head or LoRA",
                {
                    "tune=head": 5e-3,
                    "tune=lora": 5e-3,
                    "checkpoint=?*": 1e-4,
                    "size=base": 1e-4,
                    "size=large": 1e-4,
                },
            ),
        },
        preload=(
            "torch",
            "workloads.conversion",  # keeps torchao quiet, so before transformers
            "transformers.models.bert.modeling_bert",
        ),
        refuse=_bert_refuse,
    ),
    "cnn": Card(
        name="cnn",
        about="convolutional network, digit of a 28x28 image",
        load="workloads.cnn:cnn",
        dataset="mnist-5k",
        metric="accuracy",
        test_items=1_000,
        floor=0.9,
        options={
            "model": Option(
                "tiny", "residual, 7 layers w16 or 13 w32, or a known one", CNN_MODELS
            ),
            "image_size": Option(
                28,
                "side in pixels; images are resized, and from 64 on the models have "
                "their ImageNet stem",
                minimum=28,
                maximum=1024,
            ),
            "pretrained": Option(
                "no",
                f"ImageNet weights to start from ({WITH_IMAGENET})",
                ("no", "imagenet"),
            ),
            "data": Option("", "your images instead: a folder with one folder a class"),
            "epochs": _epochs(1),
            **LEARNING,
            "tune": Option(
                "all",
                "what of a pretrained model learns in `train`: all, or its head",
                ("all", "head"),
            ),
            "learning_rate": _learning_rate(
                5e-3,
                "; 1e-3 for the others, 0.1 with sgd",
                {"optimizer=sgd": 0.1, "model=*net*": 1e-3},
            ),
        },
        refuse=_cnn_refuse,
    ),
    "rnn": Card(
        name="rnn",
        about="bidirectional LSTM or GRU, max-pooled, department of a clothing review",
        load="workloads.rnn:rnn",
        dataset="reviews",
        metric="accuracy",
        test_items=1_000,
        floor=0.75,
        options={
            "size": _size("1x128, 1x256, 2x512, 2x1024 per direction"),
            "cell": Option("lstm", "recurrent unit", ("lstm", "gru")),
            "layers": Option(
                0,
                "recurrent layers instead of the size's own; 0: those",
                minimum=0,
                maximum=16,
            ),
            **OWN_TEXTS,
            "epochs": _epochs(1),
            **LEARNING,
            "sequence_length": SEQUENCE_LENGTH,
            "learning_rate": _learning_rate(
                4e-3, "; 0.5 with sgd", {"optimizer=sgd": 0.5}
            ),
        },
        refuse=_columns_refuse,
    ),
}


def options_of(card: Card, configuration: Configuration) -> dict[str, OptionValue]:
    """The card's defaults with what the configuration sets instead."""
    return card.values(configuration.options)
