"""Eight and four bits, and eight of a float: torchao, and torch's own int8 LSTM.

Each counts what it converted; a library that converts nothing is a skip, never fp32
under another name.
"""

from collections.abc import Callable
from typing import Any

from harness.contracts import Skip
from harness.records import Configuration, Doubt
from workloads.conversion import (
    INFER,
    Context,
    Converted,
    has_bf16,
    parameter_count,
    precision,
    quiet,
)

GROUP = 32
"""Weights that share a scale in int4; the least that the CPU kernel takes."""
PACKED = 16
"""Rows of an int4 weight are packed by so many."""

EAGER_INT8 = Doubt(
    code="eager-int8",
    message="torchao's dynamic int8 runs eagerly on this CPU: without a compiler "
    "every layer quantises its input in separate passes",
    remedy="read it as the cost of this library in this mode, not of int8; "
    "`runtime: [compile]` fuses the passes",
)
HEAD_ONLY = "it converts Linear layers, and the only one of cnn is its head"
LSTM_UNTOUCHED = "torchao does not convert recurrent layers; only the head would change"
RNN_ON_CPU_ONLY = "torch's int8 LSTM exists for the cpu alone"
LEGACY_UNCOMPILED = "torch.compile cannot trace torch's int8 LSTM"
FP8_NEEDS = (
    "fp8 products need an NVIDIA GPU of compute capability 8.9 or more (Ada, Hopper)"
)


def _dense_only(configuration: Configuration) -> str | None:
    """Precisions of Linear layers do nothing for the other families."""
    reasons = {"cnn": HEAD_ONLY, "rnn": LSTM_UNTOUCHED}
    return reasons.get(configuration.workload)


def _no_dynamic(configuration: Configuration) -> str | None:
    if configuration.workload == "cnn":
        return HEAD_ONLY
    off_cpu = configuration.device != "cpu"
    return RNN_ON_CPU_ONLY if configuration.workload == "rnn" and off_cpu else None


@precision(
    "int8-dynamic",
    "int8 weights, activations quantised while running (torchao; "
    "torch's own int8 LSTM for rnn)",
    phases=INFER,
    refuse=_no_dynamic,
)
def int8_dynamic(model: Any, context: Context) -> Converted | Skip:
    """Linear layers by torchao; an LSTM by torch's older quantisation."""
    if context.workload == "rnn":
        return _legacy_int8(model)
    from torchao.quantization import Int8DynamicActivationInt8WeightConfig

    eager_on_cpu = context.device == "cpu" and context.runtime == "eager"
    return _torchao(
        model,
        Int8DynamicActivationInt8WeightConfig(),
        "torchao Int8DynamicActivationInt8Weight on Linear",
        peak="int8",
        any_batch=context.device == "cpu",  # torch's int8 products need 17 rows there
        doubts=(EAGER_INT8,) if eager_on_cpu else (),
    )


@precision(
    "int8-weight",
    "int8 weights of Linear layers, products in bf16 (torchao)",
    phases=INFER,
    refuse=_dense_only,
)
def int8_weight(model: Any, context: Context) -> Converted | Skip:
    """Weights in int8, activations in bf16, or in fp32 where bf16 is emulated."""
    from torchao.quantization import Int8WeightOnlyConfig

    return _weight_only(model, context, Int8WeightOnlyConfig(), "Int8WeightOnly")


@precision(
    "int4-weight",
    "int4 weights of Linear layers in groups of 32, products in bf16 (torchao)",
    phases=INFER,
    refuse=_dense_only,
)
def int4_weight(model: Any, context: Context) -> Converted | Skip:
    """Weights in int4 where a layer's shape allows it, activations in bf16."""
    with quiet():
        if context.device == "cuda":
            from torchao.quantization import Int4WeightOnlyConfig

            config = Int4WeightOnlyConfig(
                group_size=GROUP, int4_packing_format="tile_packed_to_4d"
            )
        else:
            from torchao.prototype.quantization.int4 import (
                PrototypeInt4WeightOnlyConfig,
            )

            config = PrototypeInt4WeightOnlyConfig(group_size=GROUP)
    return _weight_only(
        model, context, config, f"Int4WeightOnly (groups of {GROUP})", _packs_int4
    )


def _no_fp8(configuration: Configuration) -> str | None:
    if configuration.device == "cpu":
        return FP8_NEEDS
    return _dense_only(configuration)


@precision(
    "fp8",
    "8-bit floats (e4m3) for weights and activations of Linear layers (torchao); "
    "Ada, Hopper and newer",
    devices=("cuda",),
    refuse=_no_fp8,
)
def fp8(model: Any, context: Context) -> Converted | Skip:
    """Dynamic scales a row in inference; torchao's float8 training, over bf16."""
    import torch

    if torch.cuda.get_device_capability() < (8, 9):
        return Skip(FP8_NEEDS)
    if context.phase == "train":
        return _fp8_training(model)
    from torchao.quantization import Float8DynamicActivationFloat8WeightConfig, PerRow

    return _torchao(
        model.to(torch.bfloat16),
        Float8DynamicActivationFloat8WeightConfig(granularity=PerRow()),
        "torchao Float8DynamicActivationFloat8Weight (a scale a row) over bf16",
        _fits_fp8,
        input_dtype=torch.bfloat16,
        peak="fp8",
    )


def _fp8_training(model: Any) -> Converted | Skip:
    import torch
    from torchao.float8 import convert_to_float8_training

    before = _linears(model)
    with quiet():
        convert_to_float8_training(model, module_filter_fn=_fits_fp8)
    done = [n for n, m in _linears(model).items() if type(m) is not type(before[n])]
    if not done:
        return Skip("no Linear layer of this model has sizes that fp8 can take (16)")
    return Converted(
        model,
        parameters_ratio=_share(before, done, model),
        layers=len(done),
        scheme="torchao float8 training (dynamic, a scale a tensor), bf16 autocast",
        autocast=torch.bfloat16,
        peak="fp8",
    )


def _weight_only(
    model: Any,
    context: Context,
    config: Any,
    name: str,
    fits: Callable[[Any, str], bool] | None = None,
) -> Converted | Skip:
    import torch

    native = context.device != "cpu" or has_bf16()
    dtype = torch.bfloat16 if native else torch.float32
    return _torchao(
        model.to(dtype),
        config,
        f"torchao {name} on Linear, activations {'bf16' if native else 'fp32'}",
        fits,
        input_dtype=dtype,
        peak="bf16" if native else "fp32",
        freezes=False,  # inductor of torch 2.13 fails to freeze them
    )


def _torchao(
    model: Any,
    config: Any,
    scheme: str,
    fits: Callable[[Any, str], bool] | None = None,
    **more: Any,
) -> Converted | Skip:
    """Quantise Linear layers in place; a skip where not one was converted."""
    with quiet():
        from torchao.quantization import quantize_

        before = {n: parameter_count([m]) for n, m in _linears(model).items()}
        whole = parameter_count([model])
        quantize_(model, config, filter_fn=fits)
    done = [n for n, m in _linears(model).items() if _is_packed(m.weight)]
    if not done:
        return Skip(
            f"{scheme.split(' on ', maxsplit=1)[0]} converted no layer of this model"
        )
    return Converted(
        model,
        parameters_ratio=sum(before[name] for name in done) / whole,
        layers=len(done),
        scheme=scheme,
        **more,
    )


def _is_packed(weight: Any) -> bool:
    return hasattr(weight, "__tensor_flatten__") or hasattr(weight, "qdata")


def _linears(model: Any) -> dict[str, Any]:
    from torch import nn

    return {n: m for n, m in model.named_modules() if isinstance(m, nn.Linear)}


def _share(before: dict[str, Any], done: list[str], model: Any) -> float:
    return parameter_count(before[n] for n in done) / parameter_count([model])


def _packs_int4(module: Any, _: str) -> bool:
    from torch import nn

    return (
        isinstance(module, nn.Linear)
        and module.out_features % PACKED == 0
        and module.in_features % GROUP == 0
    )


def _fits_fp8(module: Any, _: str) -> bool:
    """Sizes that the scaled product takes: multiples of 16."""
    from torch import nn

    return isinstance(module, nn.Linear) and not (
        module.in_features % 16 or module.out_features % 16
    )


def _legacy_int8(model: Any) -> Converted | Skip:
    import torch

    kinds = (torch.nn.LSTM, torch.nn.GRU, torch.nn.Linear)
    targets = {n: m for n, m in model.named_modules() if isinstance(m, kinds)}
    sizes = {name: parameter_count([module]) for name, module in targets.items()}
    before = parameter_count([model])
    with quiet():
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
        scheme="torch.ao.quantization.quantize_dynamic qint8 on LSTM, GRU and Linear",
        peak="",
    )
