"""What it means to bring a model into a precision: the nouns, and honest counting.

Importing this module imports no torch. torchao's compiled kernels are left alone
(they are built for other versions) before anything can import it.
"""

import os
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal, Protocol

from harness.contracts import Refusal, Skip
from harness.records import Configuration, Doubt

os.environ.setdefault("TORCHAO_FORCE_SKIP_LOADING_SO_FILES", "1")
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")  # it reports over the network

CPU_INFO = Path("/proc/cpuinfo")
BF16_FLAGS = frozenset({"avx512_bf16", "amx_bf16", "avx_ne_convert", "bf16"})
BOTH = ("train", "infer")
INFER = ("infer",)
TRAIN = ("train",)
EVERYWHERE = ("cpu", "cuda")


class Coach(Protocol):
    """Trains what a precision cannot do without; each result is kept in the cache."""

    def student(self) -> Any:
        """An untrained model of the same kind and of half the size."""
        ...

    def taught(self, model: Any, *, epochs: int, teacher: Any) -> Any:
        """The model after some epochs on the training data, or as it was kept.

        It learns the teacher's answers beside the labels.
        """
        ...


@dataclass(frozen=True)
class Context:
    """Where and for what a model is converted.

    Attributes:
        phase: `train` or `infer`.
        device: Family of the torch device, such as `cuda`.
        runtime: What will run it.
        example: A batch of inputs as the window will see them, on the device.
        calibration: Batches of training inputs, as often as it is called.
    """

    phase: str
    workload: str
    device: str
    runtime: str = "eager"
    example: Any = None
    calibration: Callable[[], Iterator[Any]] = lambda: iter(())
    coach: Coach | None = None


@dataclass(frozen=True)
class Converted:
    """A model in its precision.

    Attributes:
        model: Maps a batch of inputs to logits [batch, classes].
        parameters_ratio: Share of the parameters that were converted.
        layers: Number of layers that were converted.
        scheme: How, in words.
        autocast: torch dtype to run under autocast, or None.
        input_dtype: torch dtype of float inputs, or None to leave them.
        scales_loss: Training scales its loss, lest fp16 gradients become 0.
        examinee: Makes of a model in training the one that answers.
        resume: The model in training again after that, and at its start.
        weight_bytes: Bytes of its weights, where it is no torch module.
        peak: Number format of its products, which the device's peak is taken of; empty
            where no peak is known for it.
        freezes: A compiler may take its weights for constants.
        any_batch: It takes batches of any size, not only those it was made for.
    """

    model: Any
    parameters_ratio: float = 0.0
    layers: int = 0
    scheme: str = "none"
    autocast: Any = None
    input_dtype: Any = None
    scales_loss: bool = False
    examinee: Callable[[Any], Any] = lambda model: model.eval()
    resume: Callable[[Any], Any] = lambda model: model.train()
    weight_bytes: int | None = None
    peak: str = "fp32"
    freezes: bool = True
    any_batch: bool = True
    doubts: tuple[Doubt, ...] = ()


Convert = Callable[[Any, Context], Converted | Skip]


def welcome(configuration: Configuration) -> None:
    """Nothing speaks against any configuration."""
    del configuration


@dataclass(frozen=True)
class Precision:
    """A number format or a compression, and what brings a model into it.

    Attributes:
        packages: Modules it needs, which the extra of this distribution installs.
        devices: Where it can run.
        track: `open` where the weights are no longer the reference's.
        refuse: Why it cannot run a configuration here, known without torch.
        portable: It yields an fp32 torch module that any run time takes.
    """

    name: str
    about: str
    convert: Convert
    phases: tuple[str, ...] = BOTH
    devices: tuple[str, ...] = EVERYWHERE
    track: Literal["closed", "open"] = "closed"
    refuse: Refusal = welcome
    portable: bool = False
    packages: tuple[str, ...] = ()
    extra: str = ""


PRECISIONS: dict[str, Precision] = {}


def precision(name: str, about: str, **more: Any) -> Callable[[Convert], Convert]:
    """Register the decorated function as a precision."""

    def register(convert: Convert) -> Convert:
        PRECISIONS[name] = Precision(name, about, convert, **more)
        return convert

    return register


@cache
def has_bf16(path: Path = CPU_INFO) -> bool:
    """Whether the processor multiplies bf16 itself, from its list of flags."""
    try:
        text = path.read_text()
    except OSError:
        return False
    lines = (line.partition(":") for line in text.splitlines())
    return any(
        key.strip().lower() in ("flags", "features")
        and not BF16_FLAGS.isdisjoint(value.split())
        for key, _, value in lines
    )


def weight_bytes(model: Any) -> int:
    """Bytes of all weights and buffers, packed and quantised ones included."""
    return sum(_bytes(value) for value in model.state_dict().values())


def _bytes(value: Any) -> int:
    import torch

    if isinstance(value, torch.Tensor):
        if hasattr(value, "__tensor_flatten__"):
            names = value.__tensor_flatten__()[0]
            return sum(_bytes(getattr(value, name)) for name in names)
        return value.numel() * value.element_size()
    if isinstance(value, torch.ScriptObject):
        return _bytes(value.__getstate__())
    if isinstance(value, list | tuple):
        return sum(_bytes(part) for part in value)
    return 0


def parameter_count(modules: Iterable[Any]) -> int:
    """Number of parameters in the modules."""
    return sum(p.numel() for m in modules for p in m.parameters())


@contextmanager
def quiet() -> Iterator[None]:
    """Torch and torchao warn of their own deprecated parts when they are loaded."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def layers_of(model: Any) -> dict[str, Any]:
    """Linear, convolutional and recurrent layers by name: where the products are."""
    from torch import nn

    kinds = (nn.Linear, nn.Conv2d, nn.LSTM, nn.GRU)
    return {n: m for n, m in model.named_modules() if isinstance(m, kinds)}
