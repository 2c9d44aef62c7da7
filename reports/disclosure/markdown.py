"""Tables for the formats that people read; all text of others stays text."""

from collections.abc import Iterable, Sequence

from reports.exports import cell


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; everything in it is escaped."""
    lines = [line(head), "|" + "---|" * len(head)]
    return "\n".join([*lines, *(line(row) for row in rows)]) + "\n"


def line(cells: Iterable[str]) -> str:
    """A row of a table."""
    return "| " + " | ".join(cell(text) for text in cells) + " |"


def facts(pairs: Iterable[tuple[str, str]]) -> str:
    """Names and what they are, a point each."""
    return "".join(f"- **{cell(name)}:** {cell(value)}\n" for name, value in pairs)
