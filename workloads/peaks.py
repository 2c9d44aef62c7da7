"""How much arithmetic an item takes, and what a device could do at best."""

import time
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

SIDE = 1024
REPEATS = 5
TFLOP = 1e12
TRAIN_OVER_INFER: Mapping[str, float] = {"all": 3.0, "lora": 2.0, "head": 1.0}
"""Products of a training step over those of the forward pass, by what is tuned.

A backward pass multiplies twice for each of them: for the gradient of the weight and
for that of the input. LoRA needs the second alone, a head next to nothing of either.
"""

SHEETS: Mapping[str, Mapping[str, float]] = {
    "H200": {"fp32": 67, "tf32": 494.5, "bf16": 989, "fp8": 1979, "int8": 1979},
    "H100 PCIe": {"fp32": 51, "tf32": 378, "bf16": 756, "fp8": 1513, "int8": 1513},
    "H100": {"fp32": 67, "tf32": 494.5, "bf16": 989, "fp8": 1979, "int8": 1979},
    "L40S": {"fp32": 91.6, "tf32": 183, "bf16": 362, "fp8": 733, "int8": 733},
    "L4": {"fp32": 30.3, "tf32": 60, "bf16": 121, "fp8": 242, "int8": 242},
    "A100": {"fp32": 19.5, "tf32": 156, "bf16": 312, "int8": 624},
    "A10": {"fp32": 31.2, "tf32": 62.5, "bf16": 125, "int8": 250},
    "T4": {"fp32": 8.1, "fp16": 65, "int8": 130},
    "V100": {"fp32": 15.7, "fp16": 125},
}
"""Dense tera-operations a second by a word of the name, of NVIDIA's data sheets (SXM
where not said). From Ampere on fp16 has the figure of bf16."""


def flop_per_item(model: nn.Module, batch: Tensor) -> float | None:
    """Operations of a forward pass an item: those of products and convolutions.

    Run on tensors without data, so it costs no arithmetic; None where it cannot be.
    """
    from torch.func import functional_call
    from torch.utils.flop_counter import FlopCounterMode

    state = {n: t.to("meta") for n, t in model.state_dict(keep_vars=True).items()}
    counter = FlopCounterMode(display=False)
    was_training = model.training
    model.eval()  # normalisation over a batch of one is refused in training
    try:
        with torch.no_grad(), counter:
            functional_call(model, state, (batch.to("meta"),))
    except (RuntimeError, NotImplementedError):
        return None
    finally:
        model.train(was_training)
    return counter.get_total_flops() / len(batch) or None


def peak_flop_per_s(device: str, precision: str) -> tuple[float | None, str | None]:
    """Operations a second at a number format, and where that is from."""
    if device.startswith("cuda"):
        return sheet_flops(torch.cuda.get_device_name(), precision)
    dtypes = {"fp32": torch.float32, "bf16": torch.bfloat16}
    if device == "cpu" and precision in dtypes:
        return timed_flops(
            dtypes[precision]
        ), f"a product of {SIDE} x {SIDE} timed here"
    return None, None


def sheet_flops(name: str, precision: str) -> tuple[float | None, str | None]:
    """Of a GPU by its name; the first word of the table that the name holds."""
    for word, sheet in SHEETS.items():
        if all(part in name for part in word.split()):
            tera = sheet.get(
                precision, sheet.get("bf16") if precision == "fp16" else None
            )
            return (tera * TFLOP, f"data sheet of {word}") if tera else (None, None)
    return None, None


def timed_flops(dtype: Any) -> float:
    """The best of some square products on the processor, operations a second."""
    a, b = (torch.rand(SIDE, SIDE).to(dtype) for _ in range(2))
    best_s = min(_timed_s(a, b) for _ in range(REPEATS))
    return 2 * SIDE**3 / best_s


def _timed_s(a: Tensor, b: Tensor) -> float:
    started_s = time.perf_counter()
    torch.mm(a, b)
    return time.perf_counter() - started_s
