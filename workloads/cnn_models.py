"""Convolutional networks by their published definitions, in plain torch.

ResNet (arXiv 1512.03385, with the stride in the 3x3 convolution of a bottleneck),
MobileNet-v2 (1801.04381) and EfficientNet-lite0 (1905.11946 without squeeze-and-excite,
ReLU6 instead of swish). `tests/unit/test_cnn_models.py` holds their parameter counts
against the published ones.
"""

from typing import Any

from torch import Tensor, nn
from torch.nn.functional import relu

SHRINK = 4  # a bottleneck works at a quarter of its output's channels
IMAGENET_SIDE = 64  # images from here on have the stem that ImageNet's have
RGB = 3

RESNETS = {  # width of the first stage, blocks of each stage, bottleneck blocks?
    "tiny": (16, (1, 1, 1), False),
    "small": (32, (2, 2, 2), False),
    "resnet-18": (64, (2, 2, 2, 2), False),
    "resnet-50": (64, (3, 4, 6, 3), True),
    "resnet-101": (64, (3, 4, 23, 3), True),
}
OURS = ("tiny", "small")
"""Those that see grey images; the published ones see red, green and blue."""

Stage = tuple[int, int, int, int, int]  # kernel, stride, expansion, outputs, blocks
MOBILENET_V2: tuple[Stage, ...] = (
    (3, 1, 1, 16, 1),
    (3, 2, 6, 24, 2),
    (3, 2, 6, 32, 3),
    (3, 2, 6, 64, 4),
    (3, 1, 6, 96, 3),
    (3, 2, 6, 160, 3),
    (3, 1, 6, 320, 1),
)
EFFICIENTNET_LITE0: tuple[Stage, ...] = (
    (3, 1, 1, 16, 1),
    (3, 2, 6, 24, 2),
    (5, 2, 6, 40, 2),
    (3, 2, 6, 80, 3),
    (5, 1, 6, 112, 3),
    (5, 2, 6, 192, 4),
    (3, 1, 6, 320, 1),
)
FIRST, LAST = 32, 1280  # channels of the first and the last convolution
DROPOUT = 0.2
TENSORFLOW_NORM = {"eps": 1e-3}
"""Torch's momentum stays: trainings here are too short for TensorFlow's."""


def channels_of(model: str) -> int:
    """Channels of the images that a model is given: 1 grey, 3 colours."""
    return 1 if model in OURS else RGB


def network(model: str, classes: int, side: int, share: float = 1.0) -> nn.Module:
    """An untrained network by its name in `workloads.cards.CNN_MODELS`.

    It is for images of so many pixels a side, and a student has only a share of the
    channels of every layer.
    """
    if model in RESNETS:
        width, stages, bottleneck = RESNETS[model]
        width = round(width * share)
        if model in OURS:
            return ResNet(width, stages, classes, bottleneck=bottleneck)
        stem = imagenet_stem(width) if side >= IMAGENET_SIDE else None
        return ResNet(
            width, stages, classes, bottleneck=bottleneck, stem=stem, inputs=RGB
        )
    if model == "mobilenet-v2":
        return InvertedNet(MOBILENET_V2, classes, side, share=share)
    return InvertedNet(EFFICIENTNET_LITE0, classes, side, share=share, lite=True)


def convolution(inputs: int, outputs: int, kernel: int, stride: int = 1) -> nn.Module:
    """A convolution that keeps the image's size over its stride, normalised."""
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False),
        nn.BatchNorm2d(outputs),
    )


def imagenet_stem(width: int) -> nn.Module:
    """A quarter of the image's side: 7x7 by steps of two, then a maximum likewise."""
    return nn.Sequential(
        convolution(RGB, width, 7, 2), nn.ReLU(), nn.MaxPool2d(3, 2, padding=1)
    )


def in_colour(images: Tensor) -> Tensor:
    """Images [batch, 1 or 3, h, w] as [batch, 3, h, w]; grey becomes a view."""
    return images.expand(-1, RGB, -1, -1)


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
    """A stem, stages of blocks that halve the image, the mean over it, a linear head.

    Args:
        stem: To `width` channels; a 3x3 convolution when not given.
        inputs: Channels that the stem takes.
    """

    def __init__(
        self,
        width: int,
        stages: tuple[int, ...],
        classes: int,
        *,
        bottleneck: bool,
        stem: nn.Module | None = None,
        inputs: int = 1,
    ) -> None:
        super().__init__()
        plain = nn.Sequential(convolution(inputs, width, 3), nn.ReLU())
        self.stem = plain if stem is None else stem
        self.inputs = inputs
        blocks: list[nn.Module] = []
        before = width
        for stage, depth in enumerate(stages):
            outputs = width * 2**stage * (SHRINK if bottleneck else 1)
            for index in range(depth):
                stride = 2 if stage and not index else 1
                blocks.append(Block(before, outputs, stride, bottleneck=bottleneck))
                before = outputs
        self.blocks = nn.Sequential(*blocks)
        self.head = nn.Linear(before, classes)

    def forward(self, images: Tensor) -> Tensor:
        """Images [batch, 1 or 3, h, w] to logits [batch, classes]."""
        x = images if self.inputs == 1 else in_colour(images)
        features = self.blocks(self.stem(x)).mean((2, 3))  # [batch, channels]
        logits: Tensor = self.head(features)
        return logits


class Plan:
    """Lays convolution after convolution, and keeps account of channels and side.

    TensorFlow pads an even side only at its end when it is halved, torch at both; the
    weights of EfficientNet know the difference.
    """

    def __init__(self, channels: int, side: int, *, lite: bool) -> None:
        self.channels = channels
        self._side = side
        self._lite = lite

    def layer(
        self, outputs: int, kernel: int, stride: int = 1, *, depthwise: bool = False
    ) -> list[nn.Module]:
        """A convolution and its norm; `outputs` are the inputs where depthwise."""
        groups = self.channels if depthwise else 1
        padding, before = self._padding(kernel, stride)
        convolve = nn.Conv2d(
            self.channels, outputs, kernel, stride, padding, groups=groups, bias=False
        )
        settings: dict[str, Any] = TENSORFLOW_NORM if self._lite else {}
        self.channels, self._side = outputs, -(-self._side // stride)
        return [*before, convolve, nn.BatchNorm2d(outputs, **settings)]

    def _padding(self, kernel: int, stride: int) -> tuple[int, list[nn.Module]]:
        """What the convolution pads itself, and what has to be padded before it."""
        halved = -(-self._side // stride)
        needed = max(0, (halved - 1) * stride + kernel - self._side)
        if not self._lite or needed % 2 == 0:
            return (needed // 2 if self._lite else kernel // 2), []
        low, high = needed // 2, needed - needed // 2
        return 0, [nn.ZeroPad2d((low, high, low, high))]


class Inverted(nn.Module):
    """Widen, convolve each channel by itself, narrow; and a way past it all."""

    def __init__(
        self, plan: Plan, kernel: int, stride: int, expansion: int, outputs: int
    ) -> None:
        super().__init__()
        inputs = plan.channels
        layers: list[nn.Module] = []
        if expansion != 1:
            layers += [*plan.layer(inputs * expansion, 1), nn.ReLU6()]
        layers += plan.layer(plan.channels, kernel, stride, depthwise=True)
        layers += [nn.ReLU6(), *plan.layer(outputs, 1)]
        self.body = nn.Sequential(*layers)
        self.same = inputs == outputs and stride == 1

    def forward(self, x: Tensor) -> Tensor:
        """[batch, inputs, h, w] to [batch, outputs, h / stride, w / stride]."""
        y: Tensor = self.body(x)
        return x + y if self.same else y


class InvertedNet(nn.Module):
    """MobileNet-v2 and EfficientNet-lite: inverted residual blocks, a linear head.

    Args:
        share: Of the channels of every layer.
        lite: EfficientNet's padding and norms.
    """

    def __init__(
        self,
        stages: tuple[Stage, ...],
        classes: int,
        side: int,
        *,
        share: float = 1.0,
        lite: bool = False,
    ) -> None:
        super().__init__()
        plan = Plan(RGB, side, lite=lite)
        stride = 2 if side >= IMAGENET_SIDE else 1
        self.stem = nn.Sequential(
            *plan.layer(eighths(FIRST * share), 3, stride), nn.ReLU6()
        )
        self.blocks = nn.Sequential(
            *(
                Inverted(
                    plan,
                    kernel,
                    1 if index else step,
                    expansion,
                    eighths(outputs * share),
                )
                for kernel, step, expansion, outputs, depth in stages
                for index in range(depth)
            )
        )
        self.last = nn.Sequential(*plan.layer(eighths(LAST * share), 1), nn.ReLU6())
        self.dropout = nn.Dropout(DROPOUT)
        self.head = nn.Linear(plan.channels, classes)

    def forward(self, images: Tensor) -> Tensor:
        """Images [batch, 1 or 3, h, w] to logits [batch, classes]."""
        x = self.last(self.blocks(self.stem(in_colour(images))))
        logits: Tensor = self.head(self.dropout(x.mean((2, 3))))
        return logits


def eighths(channels: float) -> int:
    """The nearest multiple of eight, which kernels like, and not less than eight."""
    return max(8, round(channels / 8) * 8)
