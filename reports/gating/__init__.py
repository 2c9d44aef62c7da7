"""The gate of continuous integration: whether a change costs more joules.

It has nothing to do with the quality gate of the ranking, which is `reports.gate`.
"""
