"""The number formats and compressions a model is run in, one module a kind.

Each is one decorated function that converts a model or says why it cannot.
"""

from workloads.conversion import PRECISIONS
from workloads.precisions import (
    floats,
    integers,
    pruning,
    static_int8,
    students,
)

__all__ = ["PRECISIONS", "floats", "integers", "pruning", "static_int8", "students"]
