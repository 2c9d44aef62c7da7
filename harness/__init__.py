"""Measure, store and judge the energy of machine-learning workloads."""

__version__ = "0.1.0"
