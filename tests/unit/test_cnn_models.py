from pathlib import Path

import numpy as np
import pytest
import torch

from harness.errors import BenchError
from workloads import cnn
from workloads.cards import CARDS, CNN_MODELS, WITH_IMAGENET
from workloads.cnn_models import InvertedNet, ResNet, eighths, network
from workloads.datasets import Split
from workloads.own_images import _image, as_floats
from workloads.sources import DataSource, cache_dir, fetch_source

PUBLISHED = {  # parameters at 1000 classes and three channels
    "resnet-18": 11_689_512,
    "resnet-50": 25_557_032,
    "resnet-101": 44_549_160,
    "mobilenet-v2": 3_504_872,
    "efficientnet-lite0": 4_652_008,
}
PHOTO_CLASSES = (
    243, 559, 438, 990, 949, 853, 609, 609, 915, 455,
    541, 630, 741, 471, 129, 99, 251, 22, 317, 305,
)  # fmt: skip
PHOTOS = DataSource(
    name="photos",
    package="foolbox",
    version="3.3.4",
    sha256="11049d515d38e765e206a73ace9cc648b81a0d6d1da9ad9057e149ee117989cb",
    members=tuple(
        f"foolbox/data/imagenet_{number:02d}_{label}.jpg"
        for number, label in enumerate(PHOTO_CLASSES)
    ),
    licence="package MIT; photos under ImageNet's terms",
    size_bytes=1_677_112,
    about="20 photos of ImageNet; their names end in the class",
)


def parameters(model: torch.nn.Module) -> int:
    return sum(p.numel() for p in model.parameters())


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_network_has_as_many_parameters_as_was_published(name: str) -> None:
    with torch.device("meta"):
        assert parameters(network(name, 1000, 224)) == PUBLISHED[name]


@pytest.mark.parametrize("name", CNN_MODELS)
@pytest.mark.parametrize(("side", "channels"), [(28, 1), (64, 1), (64, 3), (97, 1)])
def test_every_network_takes_every_image(name: str, side: int, channels: int) -> None:
    if channels == 3 and name in ("tiny", "small"):
        pytest.skip("sees grey images")
    with torch.device("meta"):
        model = network(name, 5, side).eval()
        logits = model(torch.empty(2, channels, side, side))

    assert logits.shape == (2, 5)


@pytest.mark.parametrize("name", CNN_MODELS)
def test_a_student_is_about_a_quarter(name: str) -> None:
    with torch.device("meta"):
        ratio = parameters(network(name, 10, 64, 0.5)) / parameters(
            network(name, 10, 64)
        )

    assert 0.24 < ratio < 0.28


def test_large_images_meet_the_stem_of_imagenet() -> None:
    small, large = network("resnet-18", 2, 63), network("resnet-18", 2, 64)

    assert isinstance(small, ResNet)
    assert isinstance(large, ResNet)
    assert small.stem(torch.rand(1, 3, 63, 63)).shape == (1, 64, 63, 63)
    assert large.stem(torch.rand(1, 3, 64, 64)).shape == (1, 64, 16, 16)


@pytest.mark.parametrize("side", [28, 64, 65, 224])
def test_efficientnet_halves_as_tensorflow_does(side: int) -> None:
    model = network("efficientnet-lite0", 2, side)
    assert isinstance(model, InvertedNet)
    wanted = -(-side // 2) if side >= 64 else side
    with torch.no_grad():
        x = model.stem(torch.rand(1, 3, side, side))
        assert x.shape[2] == wanted
        for block in model.blocks:
            before, x = x, block(x)
            assert x.shape[2] in (before.shape[2], -(-before.shape[2] // 2))


def test_grey_images_are_seen_as_colours() -> None:
    model = network("mobilenet-v2", 3, 28).eval()
    grey = torch.rand(2, 1, 28, 28)

    with torch.no_grad():
        assert torch.allclose(model(grey), model(grey.repeat(1, 3, 1, 1)), atol=1e-5)


def test_channels_come_in_eights() -> None:
    assert [eighths(c) for c in (1, 12.1, 16, 25)] == [8, 16, 16, 24]


def test_images_are_resized_as_they_are_loaded() -> None:
    generator = np.random.default_rng(0)
    images = generator.random((20, 1, 28, 28), dtype=np.float32)
    labels = np.arange(20)
    split = Split(images, labels, images[:5], labels[:5])

    found = cnn.resized(split, 64)

    assert found.x_train.shape == (20, 1, 64, 64)
    assert found.x_test.dtype == np.float32
    assert abs(found.x_train.mean() - images.mean()) < 0.01
    assert cnn.resized(split, 28) is split


def test_images_beyond_the_memory_are_fewer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("workloads.own_images.BUDGET_BYTES", 4 * 64 * 64 * 10)
    images, labels = np.zeros((16, 1, 28, 28), np.float32), np.arange(16)

    found = cnn.resized(Split(images, labels, images[:4], labels[:4]), 64)

    assert (len(found.x_train), len(found.x_test)) == (8, 2)
    assert len(found.y_train) == 8


def test_weights_that_no_package_ships_are_an_error() -> None:
    options = CARDS["cnn"].values({"model": "resnet-50", "pretrained": "imagenet"})

    with pytest.raises(BenchError, match="no package ships ImageNet weights") as caught:
        cnn.build(options, 10)

    assert WITH_IMAGENET in caught.value.hint


@pytest.mark.slow
def test_imagenet_weights_know_photos() -> None:
    folder = fetch_source(PHOTOS, cache_dir())
    names = [Path(member).name for member in PHOTOS.members]
    pixels = as_floats(np.stack([_image(folder / name, 224, 3) for name in names]))
    x = torch.from_numpy((pixels - cnn.IMAGENET_MEAN) / cnn.IMAGENET_SPREAD)

    with torch.no_grad():
        answers = cnn.pretrained(WITH_IMAGENET, 1000, 224).eval()(x.float()).argmax(1)

    right = (answers.numpy() == np.array(PHOTO_CLASSES)).sum()
    print(f"{right} of {len(names)} photos")  # noqa: T201
    assert right >= 14
