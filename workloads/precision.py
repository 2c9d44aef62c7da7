"""The number formats a model is run in; each says what it really converted.

Importing this module imports no torch. torchao's compiled kernels are left alone
(they are built for other versions) before anything can import it.
"""

import os
import warnings
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from harness.contracts import Skip
from harness.records import Configuration, Doubt, Phase

os.environ.setdefault("TORCHAO_FORCE_SKIP_LOADING_SO_FILES", "1")

CPU_INFO = Path("/proc/cpuinfo")
BF16_FLAGS = frozenset({"avx512_bf16", "amx_bf16", "avx_ne_convert", "bf16"})
BOTH = ("train", "infer")

EMULATED_TRAINING = (
    "this processor has no bf16 instructions: training would be emulated, "
    "which was measured about 12 times slower a step on AVX2"
)
EMULATED_INFERENCE = Doubt(
    code="emulated-bf16",
    message="this processor has no bf16 instructions: they are emulated, which "
    "was measured 5 to 10 times slower than fp32 on AVX2",
    remedy="run it on a processor with avx512_bf16, amx_bf16 or Arm bf16",
)
EAGER_INT8 = Doubt(
    code="eager-int8",
    message="torchao's dynamic int8 runs eagerly on this CPU: without a compiler "
    "every layer quantises its input in separate passes",
    remedy="read it as the cost of this library in this mode, not of int8",
)
HEAD_ONLY = "dynamic int8 converts Linear layers, and the only one of cnn is its head"
RNN_ON_CPU_ONLY = "torch's int8 LSTM exists for the cpu alone"


@dataclass(frozen=True)
class Context:
    """Where a model is converted: `train` or `infer`, workload, torch device."""

    phase: str
    workload: str
    device: str


@dataclass(frozen=True)
class Converted:
    """A model in its precision.

    Attributes:
        parameters_ratio: Share of the parameters that were converted.
        layers: Number of modules that were converted.
        scheme: How, in words.
        autocast: torch dtype to run under autocast, or None.
        input_dtype: torch dtype of float inputs, or None to leave them.
    """

    model: Any
    parameters_ratio: float = 0.0
    layers: int = 0
    scheme: str = "none"
    autocast: Any = None
    input_dtype: Any = None
    doubts: tuple[Doubt, ...] = ()


Convert = Callable[[Any, Context], "Converted | Skip"]


@dataclass(frozen=True)
class Precision:
    """A number format and the function that brings a model into it."""

    name: str
    about: str
    phases: tuple[str, ...]
    convert: Convert


PRECISIONS: dict[str, Precision] = {}


def precision(
    name: str, about: str, phases: tuple[str, ...] = BOTH
) -> Callable[[Convert], Convert]:
    """Register the decorated function as a precision."""

    def register(convert: Convert) -> Convert:
        PRECISIONS[name] = Precision(name, about, phases, convert)
        return convert

    return register


def unsupported(name: str, configuration: Configuration) -> str | None:
    """Why a precision cannot run a configuration here, known without torch."""
    found = PRECISIONS[name]
    if configuration.phase not in found.phases:
        return f"{name} is for {' and '.join(found.phases)} only"
    on_cpu = configuration.device == "cpu"
    if name == "bf16" and configuration.phase == Phase.TRAIN:
        return EMULATED_TRAINING if on_cpu and not has_bf16() else None
    if name == "int8-dynamic":
        return _unsupported_int8(configuration.workload, on_cpu=on_cpu)
    return None


def _unsupported_int8(workload: str, *, on_cpu: bool) -> str | None:
    if workload == "cnn":
        return HEAD_ONLY
    return RNN_ON_CPU_ONLY if workload == "rnn" and not on_cpu else None


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


@precision("fp32", "32-bit floats, the reference")
def fp32(model: Any, context: Context) -> Converted | Skip:  # noqa: ARG001
    """The model as it is."""
    return Converted(model)


@precision(
    "bf16",
    "bfloat16: weights and inputs in inference, autocast in training; emulated, "
    "so slower, on processors without bf16 instructions",
)
def bf16(model: Any, context: Context) -> Converted | Skip:
    """Autocast over fp32 weights in training; bf16 weights in inference."""
    import torch

    emulated = context.device == "cpu" and not has_bf16()
    if context.phase == Phase.TRAIN:
        if emulated:
            return Skip(EMULATED_TRAINING)
        scheme = "autocast to bf16 over fp32 weights"
        return Converted(model, scheme=scheme, autocast=torch.bfloat16)
    model = model.to(torch.bfloat16)
    layers = sum(1 for m in model.modules() if list(m.parameters(recurse=False)))
    return Converted(
        model,
        parameters_ratio=1.0,
        layers=layers,
        scheme="bf16 weights and activations",
        input_dtype=torch.bfloat16,
        doubts=(EMULATED_INFERENCE,) if emulated else (),
    )


@precision(
    "int8-dynamic",
    "int8 weights, activations quantised while running (torchao; "
    "torch's own int8 LSTM for rnn)",
    phases=("infer",),
)
def int8_dynamic(model: Any, context: Context) -> Converted | Skip:
    """Linear layers by torchao; an LSTM by torch's older quantisation."""
    if context.workload == "cnn":
        return Skip(HEAD_ONLY)
    if context.phase != Phase.INFER:
        return Skip("int8-dynamic is for infer only")
    if context.workload != "rnn":
        return _torchao_int8(model, context)
    return _legacy_int8(model) if context.device == "cpu" else Skip(RNN_ON_CPU_ONLY)


def _torchao_int8(model: Any, context: Context) -> Converted | Skip:
    import torch

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from torchao.quantization import (
            Int8DynamicActivationInt8WeightConfig,
            quantize_,
        )

        before = parameter_count([model])
        quantize_(model, Int8DynamicActivationInt8WeightConfig())
    linears = [m for m in model.modules() if isinstance(m, torch.nn.Linear)]
    done = [m for m in linears if hasattr(m.weight, "__tensor_flatten__")]
    if not done:
        return Skip("torchao converted no layer of this model")
    return Converted(
        model,
        parameters_ratio=sum(m.weight.numel() for m in done) / before,
        layers=len(done),
        scheme="torchao Int8DynamicActivationInt8Weight on Linear, eager",
        doubts=(EAGER_INT8,) if context.device == "cpu" else (),
    )


def _legacy_int8(model: Any) -> Converted | Skip:
    import torch

    kinds = (torch.nn.LSTM, torch.nn.Linear)
    targets = {n: m for n, m in model.named_modules() if isinstance(m, kinds)}
    sizes = {name: parameter_count([module]) for name, module in targets.items()}
    before = parameter_count([model])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = torch.ao.quantization.quantize_dynamic(
            model, set(kinds), dtype=torch.qint8
        )
    after = dict(model.named_modules())
    done = [n for n, m in targets.items() if type(after.get(n)) is not type(m)]
    if not done:
        return Skip("torch.ao.quantization converted no layer of this model")
    return Converted(
        model,
        parameters_ratio=sum(sizes[name] for name in done) / before,
        layers=len(done),
        scheme="torch.ao.quantization.quantize_dynamic qint8 on LSTM and Linear",
    )
