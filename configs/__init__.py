"""Bundled suites, shipped as data."""
