"""OpenVINO on a processor: traced with fixed shapes, int8 and int4 by NNCF.

OpenVINO multiplies in bf16 by itself where the processor can; here it does so only
where the precision says so, and every claim is read back from the compiled graph.
"""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from math import prod
from typing import Any

from harness.contracts import Skip
from workloads.conversion import (
    PRECISIONS,
    Context,
    Converted,
    has_bf16,
    layers_of,
    parameter_count,
)
from workloads.precisions import floats
from workloads.runtimes import engines
from workloads.runtimes.engines import (
    NO_CALIBRATION,
    Session,
    Tally,
    calibration,
    quiet,
)

GROUP = 32
"""Weights that share a scale in int4."""
BITS = {"i8": 8, "u8": 8, "i4": 4, "u4": 4}
PRODUCTS = frozenset({"FullyConnected", "MatMul", "Convolution", "RNNSeq", "RNNCell"})
"""What the compiled graph calls the layers in which the products are."""
FUSED = "Subgraph"
"""What it calls a kernel made for several small layers, products among them."""
LENGTHS = {"LSTMSequence": 3, "GRUSequence": 2}
"""Where a recurrent layer takes the lengths of its sequences."""
STATES = frozenset({("LSTMSequence", 1), ("LSTMSequence", 2), ("GRUSequence", 1)})
"""Where it takes its first states, which are no weights."""
UNPACKING = frozenset({"Convert", "Subtract", "Multiply", "Reshape"})
"""What makes floats of packed weights again."""
NO_RECURRENT = "NNCF compresses no recurrent weights; only embedding and head would be"
BF16_IGNORED = "OpenVINO runs no layer of this model in bf16 on this processor"


def convert(model: Any, precision: str, context: Context) -> Converted | Skip:
    """The model compiled for one request at a time, on torch's number of threads."""
    with _without_telemetry():
        import nncf  # noqa: F401
        import openvino  # noqa: F401
    if precision == "bf16":
        return _bf16(model, context)
    if recipe := RECIPES.get(precision):
        return _quantised(model, precision, context, recipe)
    found = PRECISIONS[precision].convert(model, context)
    if isinstance(found, Skip):
        return found
    graph = _traced(found.model, context.example)
    return replace(
        found,
        model=_session(_compiled(graph, "f32")),
        scheme=f"{found.scheme}, OpenVINO",
        weight_bytes=_tally(graph).weight_bytes,
        peak="fp32",
        any_batch=False,
    )


@contextmanager
def _without_telemetry() -> Iterator[None]:
    """Both packages report their use over the network unless this module is missing."""
    name = "openvino_telemetry"
    modules: dict[str, Any] = sys.modules
    hidden = name not in modules
    if hidden:
        modules[name] = None
    try:
        yield
    finally:
        if hidden:
            del modules[name]


def _bf16(model: Any, context: Context) -> Converted | Skip:
    """The engine keeps fp32 weights and makes bf16 ones of them as it compiles."""
    graph = _traced(model, context.example)
    compiled = _compiled(graph, "bf16")
    done = _products(compiled).count("bf16")
    if not done:
        return Skip(BF16_IGNORED)
    return Converted(
        _session(compiled),
        parameters_ratio=parameter_count(layers_of(model).values())
        / parameter_count([model]),
        layers=done,
        scheme="bf16 products, fp32 weights in the graph, OpenVINO",
        weight_bytes=_tally(graph).weight_bytes,
        peak="bf16",
        any_batch=False,
        doubts=() if has_bf16() else (floats.EMULATED_INFERENCE,),
    )


Recipe = Callable[[Any, Context], "tuple[Any, str] | Skip"]


def _quantised(
    model: Any, precision: str, context: Context, recipe: Recipe
) -> Converted | Skip:
    made = recipe(_traced(model, context.example), context)
    if isinstance(made, Skip):
        return made
    graph, scheme = made
    tally = _tally(graph)
    if not tally.sizes or (precision == "int4-weight" and not _tally(graph, 4).sizes):
        return Skip(f"NNCF converted no layer of this model to {precision}")
    rest = "bf16" if has_bf16() else "f32"
    compiled = _compiled(graph, rest)
    products = _products(compiled)
    low = sum(1 for product in products if product in BITS)
    if only := engines.mostly_float(low, len(products), precision):
        return only
    return Converted(
        _session(compiled),
        parameters_ratio=tally.share(model),
        layers=len(tally.sizes),
        scheme=f"{scheme}, {low} of {len(products)} layers of products, "
        f"rest in {rest}, OpenVINO",
        weight_bytes=tally.weight_bytes,
        peak="int8" if precision == "int8-static" else "",
        any_batch=False,
    )


def _static(graph: Any, context: Context) -> tuple[Any, str] | Skip:
    import nncf

    batches = calibration(context)
    if not batches:
        return Skip(NO_CALIBRATION)
    is_transformer = context.workload == "bert"
    with quiet():
        done = nncf.quantize(
            graph,
            nncf.Dataset(batches),
            subset_size=len(batches),
            target_device=nncf.TargetDevice.CPU,
            model_type=nncf.ModelType.TRANSFORMER if is_transformer else None,
        )
    return done, f"NNCF static int8, calibrated on {len(batches)} training batches"


def _int8_weight(graph: Any, context: Context) -> tuple[Any, str] | Skip:
    import nncf

    if context.workload == "rnn":
        return Skip(NO_RECURRENT)
    with quiet():
        done = nncf.compress_weights(graph, mode=nncf.CompressWeightsMode.INT8_ASYM)
    return done, f"NNCF int8 weights (a scale a channel), {_dynamic()}"


def _int4_weight(graph: Any, context: Context) -> tuple[Any, str] | Skip:
    import nncf

    if context.workload == "rnn":
        return Skip(NO_RECURRENT)
    with quiet():
        done = nncf.compress_weights(
            graph, mode=nncf.CompressWeightsMode.INT4_SYM, group_size=GROUP
        )
    fours, eights = len(_tally(done, 4).sizes), len(_tally(done, 8).sizes)
    scheme = (
        f"NNCF int4 weights of {fours} layers (groups of {GROUP}), int8 of {eights}"
    )
    return done, f"{scheme}, {_dynamic()}"


def _dynamic() -> str:
    """What the engine does with the activations of layers whose weights are packed."""
    import openvino

    size = openvino.Core().get_property("CPU", "DYNAMIC_QUANTIZATION_GROUP_SIZE")
    if not size:
        return "activations as they are"
    return f"activations int8 in groups of {size} where a kernel allows it"


RECIPES: dict[str, Recipe] = {
    "int8-static": _static,
    "int8-weight": _int8_weight,
    "int4-weight": _int4_weight,
}


def _traced(model: Any, example: Any) -> Any:
    """The graph of a torch module for inputs of the example's shape alone."""
    import openvino
    import torch

    shape = openvino.PartialShape(list(example.shape))
    with quiet(), torch.no_grad():
        graph = openvino.convert_model(model, example_input=example, input=[shape])
    return _with_lengths(graph)


def _with_lengths(graph: Any) -> Any:
    """Say outright that all sequences have the full length, as torch runs them.

    The converter computes it, and a recurrent layer with computed lengths becomes a
    loop of single operations: 2.4 times slower for an LSTM of 128 in both directions.
    """
    import numpy as np
    from openvino import opset13

    for layer in [n for n in graph.get_ops() if n.get_type_name() in LENGTHS]:
        items, steps = (int(size) for size in list(layer.get_input_shape(0))[:2])
        lengths = opset13.constant(np.full([items], steps, dtype=np.int64))
        port = layer.input(LENGTHS[layer.get_type_name()])
        port.replace_source_output(lengths.output(0))
    graph.validate_nodes_and_infer_types()
    return graph


def _compiled(graph: Any, products: str) -> Any:
    """One stream for one request at a time; products in `f32` or `bf16`."""
    import openvino
    import torch

    return openvino.Core().compile_model(
        graph,
        "CPU",
        {
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_PRECISION_HINT": products,
            "INFERENCE_NUM_THREADS": torch.get_num_threads(),
        },
    )


def _session(compiled: Any) -> Session:
    request = compiled.create_infer_request()

    def run(batch: Any) -> Any:
        return request.infer([batch], share_inputs=True)[0]

    return Session(run)


def _products(compiled: Any) -> list[str]:
    """The format in which each layer of products really runs, such as `bf16`."""
    found = []
    for node in compiled.get_runtime_model().get_ops():
        kind = _told(node, "layerType")
        if kind in PRODUCTS:
            found.append(_told(node, "runtimePrecision"))
        elif kind == FUSED:
            found += _fused_products(node)
    return found


def _told(node: Any, what: str) -> str:
    return str(node.get_rt_info()[what].astype(str))


def _fused_products(node: Any) -> list[str]:
    """The same where one kernel took in several layers with weights of few bits.

    It tells the format of its result alone; that of its products is their weights'.
    """
    sources = [port.get_source_output().get_node() for port in node.inputs()]
    formats = [_told(n, "runtimePrecision") for n in sources if n.get_input_size() == 0]
    low = [each for each in formats if each in BITS]
    names = _told(node, "originalLayersNames").split(",")
    floats_left = sum(name.endswith("/MatMul") for name in names) - len(low)
    rest = _told(node, "runtimePrecision")
    return low + [rest] * floats_left if low else []


def _tally(graph: Any, bits: int | None = None) -> Tally:
    """Weights of so many bits, or of few, and the bytes of all constants."""
    constants = [
        node
        for node in graph.get_ops()
        if node.get_type_name() == "Constant" and not _only_measured(node)
    ]
    sizes = [
        prod(constant.get_output_shape(0))
        for constant in constants
        if _bits(constant) in ((bits,) if bits else (4, 8)) and _is_weight(constant)
    ]
    return Tally(tuple(sizes), sum(constant.get_byte_size() for constant in constants))


def _bits(constant: Any) -> int | None:
    return BITS.get(constant.get_element_type().get_type_name())


def _users(node: Any) -> list[tuple[Any, int]]:
    """Who takes the first output of a node, and where."""
    inputs = node.output(0).get_target_inputs()
    return [(user.get_node(), user.get_index()) for user in inputs]


def _only_measured(constant: Any) -> bool:
    """Whether a quantiser left it only where its shape is taken."""
    return all(user.get_type_name() == "ShapeOf" for user, _ in _users(constant))


def _is_weight(constant: Any) -> bool:
    """A matrix or more that becomes floats again; no zero point, no first state."""
    if len(constant.get_output_shape(0)) < 2:
        return False
    found, waiting = set(), [constant]
    while waiting:
        for user, port in _users(waiting.pop()):
            found.add((user.get_type_name(), port))
            if user.get_type_name() in UNPACKING:
                waiting.append(user)
    is_other = ("Subtract", 1) in found or not found.isdisjoint(STATES)
    return ("Convert", 0) in found and not is_other
