"""Static int8: scales found beforehand on training data, by PT2E quantisation."""

from copy import deepcopy
from itertools import islice
from typing import Any

from harness.contracts import Skip
from harness.records import Configuration
from workloads.conversion import (
    INFER,
    TRAIN,
    Context,
    Converted,
    layers_of,
    parameter_count,
    precision,
    quiet,
)

MOST_ITEMS = 1 << 20
BATCHES = 16
"""Calibration batches; the published recipes use 100 to 500 items."""
LSTM_STAYS = "PT2E does not quantise recurrent layers; only the head would change"


def _no_static(configuration: Configuration) -> str | None:
    if configuration.workload == "rnn":
        return LSTM_STAYS
    if configuration.device != "cpu":
        return "PT2E's quantiser is for x86 processors; on a GPU take int8-dynamic"
    return None


@precision(
    "int8-static",
    "int8 weights and activations, scales calibrated on training data (PT2E)",
    phases=INFER,
    refuse=_no_static,
)
def int8_static(model: Any, context: Context) -> Converted | Skip:
    """Export, observe training batches, convert; lowered to kernels where eager."""
    import torch

    with quiet():
        from torchao.quantization.pt2e.lowering import lower_pt2e_quantized_to_x86
        from torchao.quantization.pt2e.quantize_pt2e import convert_pt2e, prepare_pt2e
    layers = layers_of(model)
    whole = parameter_count([model])
    with torch.no_grad(), quiet():
        exported = torch.export.export(model, (context.example,)).module()
        prepared = prepare_pt2e(exported, quantiser(is_qat=False))
        for batch in islice(context.calibration(), BATCHES):
            prepared(batch)
        converted = convert_pt2e(prepared)
        done = quantised_weights(converted)
        if not done:
            return Skip("PT2E quantised no layer of this model")
        sizes = sum(weight.numel() for weight in done)
        if context.runtime == "eager":
            converted = lower_pt2e_quantized_to_x86(converted, (context.example,))
    return Converted(
        converted,
        parameters_ratio=sizes / whole,
        layers=min(len(done), len(layers)),
        scheme=f"PT2E static int8, calibrated on {BATCHES} training batches",
        weight_bytes=sizes + 4 * (whole - sizes),
        peak="int8",
        any_batch=False,  # exported for the example's shape
    )


QAT_UNCOMPILED = "a model with fake quantisation is trained operation by operation here"


@precision(
    "int8-qat",
    "training with int8 rounding in every product, scored as the int8 model it becomes "
    "(PT2E)",
    phases=TRAIN,
    refuse=_no_static,
)
def int8_qat(model: Any, context: Context) -> Converted | Skip:
    """Quantisation-aware training; what is scored is the converted model."""
    import torch

    with quiet():
        from torchao.quantization.pt2e.quantize_pt2e import (
            convert_pt2e,
            prepare_qat_pt2e,
        )
    sizes = ({0: torch.export.Dim("items", min=2, max=MOST_ITEMS)},)
    with quiet():
        exported = torch.export.export(
            model.train(), (context.example,), dynamic_shapes=sizes
        ).module()
        prepared = prepare_qat_pt2e(exported, quantiser(is_qat=True))
    prepared(context.example)  # observers take their sizes from what they see

    def examinee(trained: Any) -> Any:
        with quiet():
            return convert_pt2e(_evaluating(deepcopy(trained)))

    weights = quantised_weights(examinee(prepared))
    if not weights:
        return Skip("PT2E quantised no layer of this model")
    share = sum(weight.numel() for weight in weights) / parameter_count([model])
    return Converted(
        prepared,
        parameters_ratio=share,
        layers=len(weights),
        scheme="PT2E quantisation-aware training, int8 weights and activations",
        examinee=examinee,
        resume=lambda trained: trained,
        peak="fp32",
    )


def _evaluating(model: Any) -> Any:
    """An exported model with its dropout and normalisation as in use."""
    from torchao.quantization.pt2e import move_exported_model_to_eval

    move_exported_model_to_eval(model)
    return model


def quantiser(*, is_qat: bool) -> Any:
    """The quantiser whose patterns the x86 kernels know."""
    from torchao.quantization.pt2e.quantizer import x86_inductor_quantizer as x86

    made = x86.X86InductorQuantizer()
    made.set_global(x86.get_default_x86_inductor_quantization_config(is_qat=is_qat))
    return made


def quantised_weights(graph_module: Any) -> list[Any]:
    """The int8 weights that a converted graph takes apart again, each once."""
    import torch

    names = {
        node.args[0].target
        for node in graph_module.graph.nodes
        if node.op == "call_function" and "dequantize_per_channel" in str(node.target)
    }
    tensors = [_attribute(graph_module, str(name)) for name in sorted(map(str, names))]
    return [t for t in tensors if t is not None and t.dtype == torch.int8]


def _attribute(module: Any, path: str) -> Any:
    for name in path.split("."):
        module = getattr(module, name, None)
    return module
