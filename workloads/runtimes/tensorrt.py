"""TensorRT on an NVIDIA GPU, through torch_tensorrt's exporter.

Networks are strongly typed: a layer runs in the format of its weights, so the model is
cast first, and tf32 is a switch of the builder.
"""

from dataclasses import replace
from typing import Any

from harness.contracts import Skip
from harness.records import Doubt
from workloads.conversion import PRECISIONS, Context, Converted, weight_bytes
from workloads.runtimes.engines import quiet

ENGINE = "TensorRTModule"
"""What the classes of compiled parts end in."""
IN_TORCH = "_run_on_gpu"
"""What the names of parts begin with that torch still runs."""
TAKES_NOTHING = "TensorRT took no part of this model"


def convert(model: Any, precision: str, context: Context) -> Converted | Skip:
    """The model cast to its precision and built into engines for one shape."""
    try:
        with quiet():
            import torch_tensorrt
            from torch_tensorrt.logging import errors
    except (ImportError, OSError) as error:
        return Skip(f"torch_tensorrt cannot be imported: {error}")
    found = PRECISIONS[precision].convert(model, context)
    if isinstance(found, Skip):
        return found
    before = weight_bytes(found.model)
    with quiet(), errors():
        built = torch_tensorrt.compile(
            found.model,
            ir="dynamo",
            inputs=[_cast(context.example, found.input_dtype)],
            disable_tf32=precision != "tf32",
            min_block_size=1,
            cache_built_engines=False,
            reuse_cached_engines=False,
        )
    engines, left = parts(built)
    if not engines:
        return Skip(TAKES_NOTHING)
    return replace(
        found,
        model=built,
        scheme=f"{found.scheme}, TensorRT ({engines} engines)",
        weight_bytes=before,
        any_batch=False,
        doubts=found.doubts + ((_hybrid(left),) if left else ()),
    )


def parts(built: Any) -> tuple[int, int]:
    """How many parts of a built model are engines, and how many are torch's."""
    engines = sum(1 for m in built.modules() if type(m).__name__.endswith(ENGINE))
    left = sum(1 for name, _ in built.named_children() if name.startswith(IN_TORCH))
    return engines, left


def _hybrid(left: int) -> Doubt:
    return Doubt(
        code="partly-tensorrt",
        message=f"{left} parts of the model run in torch, between the engines",
        remedy="read it as a mixture of both; TensorRT has no converter for some of it",
    )


def _cast(example: Any, dtype: Any) -> Any:
    """Float inputs in the precision's format; token ids as they are."""
    return example.to(dtype) if dtype and example.is_floating_point() else example
