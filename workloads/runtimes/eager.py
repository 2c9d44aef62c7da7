"""torch as it is: every operation a kernel of its own."""

from typing import Any

from harness.contracts import Skip
from workloads.conversion import PRECISIONS, Context, Converted


def convert(model: Any, precision: str, context: Context) -> Converted | Skip:
    """The model in its precision."""
    return PRECISIONS[precision].convert(model, context)
