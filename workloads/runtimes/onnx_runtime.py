"""ONNX Runtime on a processor: exported by torch, quantised by its own tools.

Every claim is counted in the graph that the session is given.
"""

import os
import platform
from collections.abc import Callable
from dataclasses import replace
from math import prod
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from harness.contracts import Skip
from workloads.conversion import CPU_INFO, PRECISIONS, Context, Converted
from workloads.runtimes.engines import (
    NO_CALIBRATION,
    Session,
    Tally,
    calibration,
    mostly_float,
    quiet,
)

GROUP = 32
"""Weights that share a scale in int4."""
INT8_ACTIVATIONS = 4
"""What MatMulNBits calls products of int8; measured 1.2 times as fast as floats."""
UNLIMITED = 2**31
"""Elements of a constant that may be computed beforehand: LSTM weights put in order."""
X86 = frozenset({"x86_64", "amd64"})
VNNI = frozenset({"avx512_vnni", "avx_vnni"})
ZERO_POINT = "_zero_point"
RECURRENT = frozenset({"LSTM", "GRU", "RNN"})
LOW = frozenset(
    {
        "MatMulInteger",
        "MatMulIntegerToFloat",
        "DynamicQuantizeMatMul",
        "QLinearMatMul",
        "QGemm",
        "QLinearConv",
        "ConvInteger",
        "DynamicQuantizeLSTM",
        "MatMulNBits",
    }
)
"""Layers of products on few bits, as an optimised graph calls them."""
FLOAT = frozenset(
    {"Conv", "FusedConv", "MatMul", "FusedMatMul", "Gemm", "FusedGemm", "LSTM", "GRU"}
)
LSTM_STAYS = "ONNX Runtime's static quantisation leaves recurrent layers as they are"
MATRICES = ("MatMul", "Gemm", "Gather")
"""What is quantised statically of a transformer: with its sums and norms too, its
answers were measured to be lost (0.31 cosine to fp32's)."""


def convert(model: Any, precision: str, context: Context) -> Converted | Skip:
    """The model in an in-memory session, on torch's number of threads."""
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"  # read once, when it is imported
    if recipe := RECIPES.get(precision):
        return _quantised(model, precision, context, recipe)
    found = PRECISIONS[precision].convert(model, context)
    if isinstance(found, Skip):
        return found
    graph = _exported(found.model, context.example)
    return replace(
        found,
        model=_session(graph),
        scheme=f"{found.scheme}, ONNX Runtime",
        weight_bytes=_tally(graph).weight_bytes,
        peak="fp32",
        any_batch=False,
    )


Recipe = Callable[[Any, Context, Path], "tuple[Any, str] | Skip"]


def _quantised(
    model: Any, precision: str, context: Context, recipe: Recipe
) -> Converted | Skip:
    plain = _exported(model, context.example)
    with TemporaryDirectory() as folder:
        with quiet():
            made = recipe(plain, context, Path(folder) / "model.onnx")
        if isinstance(made, Skip):
            return made
        graph, scheme = made
        tally = _tally(graph)
        if not tally.sizes:
            return Skip(f"ONNX Runtime converted no layer of this model to {precision}")
        optimised = Path(folder) / "optimised.onnx"
        session = _session(graph, optimised)
        low, products = _products(optimised)
    if only := mostly_float(low, products, precision):
        return only
    return Converted(
        session,
        parameters_ratio=tally.share(model),
        layers=len(tally.sizes),
        scheme=f"{scheme}, {low} of {products} layers of products, ONNX Runtime",
        weight_bytes=tally.weight_bytes,
        peak="" if precision == "int4-weight" else "int8",
        any_batch=False,
    )


def _dynamic(graph: Any, context: Context, path: Path) -> tuple[Any, str] | Skip:
    import onnx
    from onnxruntime.quantization import QuantType, quantize_dynamic

    del context
    quantize_dynamic(
        graph,
        path,
        per_channel=True,
        reduce_range=overflows(),
        weight_type=QuantType.QInt8,
    )
    scheme = "dynamic int8 (a scale a channel; MatMul, Gemm, Conv, LSTM, embeddings)"
    return onnx.load(path), scheme


def _static(graph: Any, context: Context, path: Path) -> tuple[Any, str] | Skip:
    import onnx
    from onnxruntime.quantization import QuantType, quantize_static

    if any(node.op_type in RECURRENT for node in graph.graph.node):
        return Skip(LSTM_STAYS)
    batches = calibration(context)
    if not batches:
        return Skip(NO_CALIBRATION)
    quantize_static(
        graph,
        path,
        _reader(graph.graph.input[0].name, batches),
        op_types_to_quantize=list(MATRICES) if context.workload == "bert" else None,
        per_channel=True,
        reduce_range=overflows(),
        activation_type=QuantType.QUInt8,
        weight_type=QuantType.QInt8,
    )
    scheme = f"static int8 (QDQ), calibrated on {len(batches)} training batches"
    return onnx.load(path), scheme


def _reader(name: str, batches: list[Any]) -> Any:
    from onnxruntime.quantization import CalibrationDataReader

    rest = iter(batches)

    class Reader(CalibrationDataReader):
        """One calibration batch after the other, then None."""

        def get_next(self) -> dict[str, Any] | None:
            batch = next(rest, None)
            return None if batch is None else {name: batch}

    return Reader()


def _int4(graph: Any, context: Context, path: Path) -> tuple[Any, str] | Skip:
    from onnxruntime.quantization.matmul_nbits_quantizer import MatMulNBitsQuantizer

    del context, path
    made = MatMulNBitsQuantizer(
        graph,
        bits=4,
        block_size=GROUP,
        is_symmetric=True,
        accuracy_level=INT8_ACTIVATIONS,
    )
    made.process()
    scheme = f"int4 weights of MatMul, activations int8 (groups of {GROUP})"
    return made.model.model, scheme


RECIPES: dict[str, Recipe] = {
    "int8-dynamic": _dynamic,
    "int8-static": _static,
    "int4-weight": _int4,
}


def overflows(path: Path = CPU_INFO, machine: str | None = None) -> bool:
    """Whether sums of 8-bit products saturate at 16 bits: x86 without VNNI."""
    if (machine or platform.machine()).lower() not in X86:
        return False
    try:
        return VNNI.isdisjoint(path.read_text().split())
    except OSError:
        return True


def _exported(model: Any, example: Any) -> Any:
    """The ONNX graph for inputs of the example's shape, constants computed."""
    import torch

    with quiet(), torch.no_grad():
        from onnxscript import optimizer

        program = torch.onnx.export(model, (example,), dynamo=True, verbose=False)
        assert program is not None  # noqa: S101 (dynamo always returns one)
        optimizer.fold_constants(
            program.model, input_size_limit=UNLIMITED, output_size_limit=UNLIMITED
        )
        optimizer.remove_unused_nodes(program.model)
        graph = program.model_proto
    del graph.graph.value_info[:]  # torch's shapes contradict the quantiser's
    return graph


def _session(graph: Any, optimised: Path | None = None) -> Session:
    """One run at a time, fully optimised; what really runs is written to a file."""
    import onnxruntime
    import torch

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3  # errors
    options.intra_op_num_threads = torch.get_num_threads()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    if optimised:
        options.optimized_model_filepath = str(optimised)
    session = onnxruntime.InferenceSession(
        graph.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    name = session.get_inputs()[0].name

    def run(batch: Any) -> Any:
        return session.run(None, {name: batch})[0]

    return Session(run)


def _products(optimised: Path) -> tuple[int, int]:
    """Layers of products on few bits, and all of them, of what really runs."""
    import onnx

    graph = onnx.load(optimised, load_external_data=False).graph
    constants = {tensor.name for tensor in graph.initializer}
    kinds = [
        node.op_type for node in graph.node if not constants.isdisjoint(node.input)
    ]
    low = sum(1 for kind in kinds if kind in LOW)
    return low, low + sum(1 for kind in kinds if kind in FLOAT)


def _tally(graph: Any) -> Tally:
    """Weights of 8 and 4 bits, and the bytes of all constants."""
    from onnx import TensorProto, helper

    eights = (TensorProto.INT8, TensorProto.UINT8)
    packed = [node for node in graph.graph.node if node.op_type == "MatMulNBits"]
    taken = {name for node in packed for name in node.input}
    sizes = [_elements(node) for node in packed] + [
        prod(tensor.dims)
        for tensor in graph.graph.initializer
        if tensor.data_type in eights
        and len(tensor.dims) > 1
        and tensor.name not in taken
        and not tensor.name.endswith(ZERO_POINT)
    ]
    weight_bytes = sum(
        prod(tensor.dims) * helper.tensor_dtype_to_np_dtype(tensor.data_type).itemsize
        for tensor in graph.graph.initializer
    )
    return Tally(tuple(sizes), weight_bytes)


def _elements(node: Any) -> int:
    """Weights [K, N] of a product whose constant is packed."""
    values = {attribute.name: attribute.i for attribute in node.attribute}
    return int(values["K"] * values["N"])
