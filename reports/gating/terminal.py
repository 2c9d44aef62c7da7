"""A gate for people at a terminal."""

from collections.abc import Iterable

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from reports.formatting import percent, printable
from reports.gating import words
from reports.gating.calibration import Calibrated, Calibration
from reports.gating.findings import GateReport, GateRow
from reports.terminal import folding_table

HEAD = ("configuration", "measure", "verdict", "change", "would see", "accuracy")
MOST_ROWS = 40
"""In a longer table what is equivalent is only counted."""
MOST_NAMED = 3
STYLES = {
    "regressed": "red",
    "accuracy lost": "red",
    "improved": "green",
    "inconclusive": "yellow",
    "not-comparable": "dim",
}


def render(report: GateReport, console: Console) -> None:
    """Print a table, the reasons below it, and a sentence."""
    table = folding_table(HEAD, left=3)
    listed = [r for r in words.sorted_rows(report) if r.ratio.value is not None]
    for row in listed:
        if row.verdict != "equivalent" or row.accuracy_lost or len(listed) <= MOST_ROWS:
            style = STYLES.get(words.word(row))
            table.add_row(*(escape(printable(c)) for c in cells(row)), style=style)
    if table.row_count:
        console.print(table)
    for line in reasons(report):
        _print(console, f"  {line}", "dim")
    for note in report.notes:
        _print(console, f"note: {note}", "yellow")
    _print(console, words.sentence(report), STYLES.get(report.verdict))


def cells(row: GateRow) -> tuple[str, ...]:
    """A row of the table."""
    return (
        row.key,
        words.metric(row),
        words.word(row),
        words.changed(row.ratio),
        words.seen(row),
        words.points(row.accuracy_delta),
    )


def reasons(report: GateReport) -> list[str]:
    """Why rows are undecided, those of one reason together."""
    pairs = [
        (f"{row.verdict}: {row.reason}" if row.reason else None, row.key)
        for row in report.rows
    ]
    return _grouped(pairs)


def _grouped(pairs: Iterable[tuple[str | None, str]]) -> list[str]:
    """Reasons, each once with the names it holds for."""
    said: dict[str, list[str]] = {}
    for reason, key in pairs:
        if reason:
            said.setdefault(reason, []).append(key)
    return [f"{_few(keys)}: {reason}" for reason, keys in said.items()]


def _few(keys: list[str]) -> str:
    """The first of many names, and how many more there are."""
    names = list(dict.fromkeys(keys))
    more = len(names) - MOST_NAMED
    return ", ".join(names[:MOST_NAMED]) + (f" and {more} more" if more > 0 else "")


def _print(console: Console, text: str, style: str | None = None) -> None:
    safe = escape(" " * (len(text) - len(text.lstrip())) + printable(text))
    console.print(safe, style=style, highlight=False, emoji=False)


CALIBRATED = (
    "configuration", "measure", "n", "spread", "A/A", "would see", "advised n",
    "advised delta", "false alarms",
)  # fmt: skip


def render_calibration(found: Calibration, console: Console) -> None:
    """Print what a gate could see."""
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    for place, title in enumerate(CALIBRATED):
        table.add_column(
            title, justify="right" if place > 1 else "left", overflow="fold"
        )
    known = [row for row in found.rows if row.spread_ratio is not None]
    for row in known:
        table.add_row(*(escape(printable(text)) for text in _calibrated(row)))
    if known:
        console.print(table)
    for line in _grouped((row.reason, row.key) for row in found.rows):
        _print(console, f"  {line}", "dim")
    for note in found.notes:
        _print(console, f"note: {note}", "yellow")
    if known:
        rate = sum(row.false_alarm_ratio or 0.0 for row in known) / len(known)
        _print(console, f"Expected false alarms of a single row: {percent(rate)}.")


def _calibrated(row: Calibrated) -> tuple[str, ...]:
    seen = words.change(row.minimal_detectable_ratio).removeprefix("+")
    delta = "-" if row.advised_delta is None else percent(row.advised_delta)
    return (
        row.key,
        row.metric,
        str(row.rounds),
        percent(row.spread_ratio or 0.0),
        f"{words.change(row.ratio)} {row.verdict}",
        seen,
        str(row.advised_rounds),
        delta,
        percent(row.false_alarm_ratio or 0.0),
    )
