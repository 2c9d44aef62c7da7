"""A residual network on handwritten digits; base and large have ResNet-50's shape."""

from pathlib import Path

from torch import Tensor, nn
from torch.nn.functional import relu

from workloads.cards import CARDS
from workloads.classification import Classification, Options, Recipe
from workloads.datasets import Split, digits

CHANNELS = 1
SHRINK = 4  # a bottleneck works at a quarter of its output's channels

SIZES = {  # width of the first stage, blocks of each stage, bottleneck blocks?
    "tiny": (16, (1, 1, 1), False),
    "small": (32, (2, 2, 2), False),
    "base": (64, (3, 4, 6, 3), True),
    "large": (64, (3, 4, 23, 3), True),
}


def load(options: Options, cache: Path) -> Split:  # noqa: ARG001 (no option of data)
    """Images [n, 1, 28, 28] and digits [n]."""
    return digits(cache)


def convolution(inputs: int, outputs: int, kernel: int, stride: int = 1) -> nn.Module:
    """A convolution that keeps the image's size over its stride, normalised."""
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False),
        nn.BatchNorm2d(outputs),
    )


class Block(nn.Module):
    """Two 3x3 convolutions, or 1x1, 3x3, 1x1 of a bottleneck, and a way past them."""

    def __init__(
        self, inputs: int, outputs: int, stride: int, *, bottleneck: bool
    ) -> None:
        super().__init__()
        inner = outputs // SHRINK
        self.body = (
            nn.Sequential(
                convolution(inputs, inner, 1),
                nn.ReLU(),
                convolution(inner, inner, 3, stride),
                nn.ReLU(),
                convolution(inner, outputs, 1),
            )
            if bottleneck
            else nn.Sequential(
                convolution(inputs, outputs, 3, stride),
                nn.ReLU(),
                convolution(outputs, outputs, 3),
            )
        )
        same = inputs == outputs and stride == 1
        self.past = nn.Identity() if same else convolution(inputs, outputs, 1, stride)

    def forward(self, x: Tensor) -> Tensor:
        """[batch, inputs, h, w] to [batch, outputs, h / stride, w / stride]."""
        return relu(self.body(x) + self.past(x))


class ResNet(nn.Module):
    """A 3x3 stem, stages of blocks that halve the image, mean over it, linear head."""

    def __init__(
        self, width: int, stages: tuple[int, ...], classes: int, *, bottleneck: bool
    ) -> None:
        super().__init__()
        self.stem = nn.Sequential(convolution(CHANNELS, width, 3), nn.ReLU())
        blocks: list[nn.Module] = []
        inputs = width
        for stage, depth in enumerate(stages):
            outputs = width * 2**stage * (SHRINK if bottleneck else 1)
            for index in range(depth):
                stride = 2 if stage and not index else 1
                blocks.append(Block(inputs, outputs, stride, bottleneck=bottleneck))
                inputs = outputs
        self.blocks = nn.Sequential(*blocks)
        self.head = nn.Linear(inputs, classes)

    def forward(self, images: Tensor) -> Tensor:
        """Images [batch, 1, h, w] to logits [batch, classes]."""
        features = self.blocks(self.stem(images)).mean((2, 3))  # [batch, channels]
        logits: Tensor = self.head(features)
        return logits


def build(options: Options, classes: int) -> nn.Module:
    """An untrained model of the asked size."""
    width, stages, bottleneck = SIZES[str(options["size"])]
    return ResNet(width, stages, classes, bottleneck=bottleneck)


def student(options: Options, classes: int) -> nn.Module:
    """Half the channels of every layer."""
    width, stages, bottleneck = SIZES[str(options["size"])]
    return ResNet(width // 2, stages, classes, bottleneck=bottleneck)


def cnn() -> Classification:
    """The workload."""
    return Classification(Recipe(CARDS["cnn"], load, build, student))
