"""Measure, store and judge the energy of machine-learning workloads."""

from importlib import import_module
from typing import Any

__version__ = "0.1.0"
__all__ = ["Meter", "__version__"]


def __getattr__(name: str) -> Any:
    """The public Meter, loaded on first use: the command line does without it."""
    if name == "Meter":
        return import_module("harness.meter").Meter
    raise AttributeError(name)
