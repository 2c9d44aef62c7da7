"""Floating-point formats: fp32 the reference, tf32, bf16, fp16."""

from typing import Any

from harness.contracts import Skip
from harness.records import Configuration, Doubt, Phase
from workloads.conversion import Context, Converted, has_bf16, precision

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
FP16_ON_CPU = (
    "fp16 on a processor: its kernels are fallbacks, measured 4 (BERT-base) to 17 "
    "(ResNet-50) times slower than fp32 on avx512; bf16 is the 16-bit format there"
)


@precision("fp32", "32-bit floats, the reference", portable=True)
def fp32(model: Any, context: Context) -> Converted | Skip:
    """The model as it is, with products in full: cuDNN would take tf32 by itself."""
    _set_products("ieee", context)
    return Converted(model)


@precision(
    "tf32",
    "fp32 weights, products of tensor cores with 10 bits of mantissa",
    devices=("cuda",),
)
def tf32(model: Any, context: Context) -> Converted | Skip:
    """The same weights; matrix products, convolutions and LSTM in tf32."""
    import torch

    if torch.cuda.get_device_capability() < (8, 0):
        return Skip("tf32 needs an NVIDIA GPU of compute capability 8.0 or more")
    _set_products("tf32", context)
    return Converted(model, scheme="fp32 weights, tf32 products", peak="tf32")


def _set_products(name: str, context: Context) -> None:
    """What fp32 products of this process are computed in on a GPU."""
    if context.device != "cuda":
        return
    from torch import backends

    cudnn: Any = backends.cudnn  # its parts are made when it is loaded
    backends.cuda.matmul.fp32_precision = name
    cudnn.conv.fp32_precision = name
    cudnn.rnn.fp32_precision = name


def _no_bf16_training(configuration: Configuration) -> str | None:
    on_cpu = configuration.device == "cpu"
    is_training = configuration.phase == Phase.TRAIN
    return EMULATED_TRAINING if is_training and on_cpu and not has_bf16() else None


@precision(
    "bf16",
    "bfloat16: weights and inputs in inference, autocast in training; emulated, "
    "so slower, on processors without bf16 instructions",
    refuse=_no_bf16_training,
)
def bf16(model: Any, context: Context) -> Converted | Skip:
    """Autocast over fp32 weights in training; bf16 weights in inference."""
    import torch

    emulated = context.device == "cpu" and not has_bf16()
    if context.phase == Phase.TRAIN:
        if emulated:
            return Skip(EMULATED_TRAINING)
        return _autocast(model, torch.bfloat16, "bf16")
    doubts = (EMULATED_INFERENCE,) if emulated else ()
    return _cast(model, torch.bfloat16, "bf16", doubts)


def _no_fp16(configuration: Configuration) -> str | None:
    return FP16_ON_CPU if configuration.device == "cpu" else None


@precision(
    "fp16",
    "half floats: weights and inputs in inference, autocast with a scaled loss in "
    "training; GPUs only",
    devices=("cuda",),
    refuse=_no_fp16,
)
def fp16(model: Any, context: Context) -> Converted | Skip:
    """Autocast and a loss scaler in training; fp16 weights in inference."""
    import torch

    if context.phase == Phase.TRAIN:
        return _autocast(model, torch.float16, "fp16")
    return _cast(model, torch.float16, "fp16", ())


def _autocast(model: Any, dtype: Any, name: str) -> Converted:
    is_half = name == "fp16"
    scheme = f"autocast to {name} over fp32 weights"
    return Converted(
        model,
        scheme=scheme + (", scaled loss" if is_half else ""),
        autocast=dtype,
        scales_loss=is_half,
        peak=name,
    )


def _cast(model: Any, dtype: Any, name: str, doubts: tuple[Doubt, ...]) -> Converted:
    cast = model.to(dtype)
    layers = sum(1 for m in cast.modules() if list(m.parameters(recurse=False)))
    return Converted(
        cast,
        parameters_ratio=1.0,
        layers=layers,
        scheme=f"{name} weights and activations",
        input_dtype=dtype,
        peak=name,
        doubts=doubts,
    )
