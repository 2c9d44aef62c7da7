"""Joules of tests: a pytest plugin that measures, keeps and compares them."""
