"""torch.compile: kernels fused and, in inference, weights frozen and packed."""

from dataclasses import replace
from shutil import which
from typing import Any

from harness.contracts import Skip
from workloads.conversion import PRECISIONS, Context, Converted

NO_COMPILER = (
    "torch.compile needs a C++ compiler on a processor: install g++ (or set CXX)"
)
COMPILERS = ("c++", "g++", "clang++")


def convert(model: Any, precision: str, context: Context) -> Converted | Skip:
    """The model in its precision, compiled; the first batch does the compiling."""
    import torch
    from torch._inductor import config

    if context.device == "cpu" and not any(map(which, COMPILERS)):
        return Skip(NO_COMPILER)
    converted = PRECISIONS[precision].convert(model, context)
    if isinstance(converted, Skip):
        return converted
    config.freezing = context.phase == "infer" and converted.freezes
    compiled = torch.compile(converted.model)
    return replace(
        converted,
        model=compiled,
        scheme=f"{converted.scheme}, compiled",
        any_batch=False,  # another size would be compiled in the window
    )
