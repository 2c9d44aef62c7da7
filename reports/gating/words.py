"""A gate in words: what a row says, wherever it is shown."""

from collections import Counter

from reports.gating.findings import ORDER, GateReport, GateRow
from reports.rows import Interval

MOST = 10.0
"""Ratios above are not spelt out."""


def change(ratio: float | None) -> str:
    """A ratio as a change, such as `+8.1 %`."""
    if ratio is None:
        return "-"
    return "> x10" if ratio > MOST else f"{(ratio - 1) * 100:+.3g} %"


def changed(interval: Interval) -> str:
    """A ratio with its interval, such as `+8.1 % [+6.0 % +10 %]`."""
    text = change(interval.value)
    if interval.low is None or interval.high is None or interval.value is None:
        return text
    if interval.low == interval.high:
        return f"{text} (exact)"
    return f"{text} [{change(interval.low)} {change(interval.high)}]"


def points(interval: Interval) -> str:
    """A difference of accuracies in points of 100 with its interval."""
    if interval.value is None:
        return "-"
    text = f"{interval.value * 100:+.2f} pt"
    if interval.low is None or interval.high is None:
        return text
    return f"{text} [{interval.low * 100:+.2f} {interval.high * 100:+.2f}]"


def seen(row: GateRow) -> str:
    """The smallest change that its rounds would have shown."""
    if row.minimal_detectable_ratio is None:
        return "-"
    return change(row.minimal_detectable_ratio).removeprefix("+")


def word(row: GateRow) -> str:
    """Its verdict; a loss of accuracy comes before it."""
    return "accuracy lost" if row.accuracy_lost else row.verdict


def metric(row: GateRow) -> str:
    """What was held against what."""
    return row.metric if row.against == "baseline" else f"{row.metric} vs anchor"


def sentence(report: GateReport) -> str:
    """How many rows came out how."""
    counts = Counter(row.verdict for row in report.rows)
    said = ", ".join(f"{counts[v]} {v}" for v in ORDER if counts[v])
    return f"{report.verdict}: {report.detail} ({said or 'no rows'})"


def sorted_rows(report: GateReport) -> list[GateRow]:
    """The worst first."""
    return sorted(
        report.rows, key=lambda r: (not r.accuracy_lost, ORDER.index(r.verdict), r.key)
    )
