"""What every format does with texts of others and with too many of them."""

from reports.formatting import printable
from reports.page.blocks import (
    Block,
    Column,
    Facts,
    Page,
    Points,
    Section,
    Table,
    Text,
)

LONGEST = 1_000
"""Letters of one text."""
MOST_ROWS = 1_000
"""Rows of one table, and items of one list."""


def plain(page: Page) -> Page:
    """The page with all its texts on one line each, none endless.

    Characters that turn the direction of writing or hide are gone: a name cannot make
    a page say what its author did not mean.
    """
    return Page(
        title=short(page.title),
        subtitle=short(page.subtitle),
        lead=tuple(map(_block, page.lead)),
        sections=tuple(
            Section(
                name=_anchor(section.name, number),
                title=short(section.title),
                blocks=tuple(map(_block, section.blocks)),
            )
            for number, section in enumerate(page.sections)
        ),
        colophon=tuple(map(short, page.colophon)),
    )


def short(text: str) -> str:
    """Text on one line, cut where it is endless."""
    one = printable(text)
    return one if len(one) <= LONGEST else one[: LONGEST - 1] + "…"


def capped(items: tuple[str, ...], most: int) -> tuple[str, ...]:
    """Items, or so many of them and how many more there are."""
    more = len(items) - most
    return items if more <= 0 else (*items[:most], f"and {more} more.")


def _anchor(name: str, number: int) -> str:
    """Letters, digits and dashes; a number where there are none, or others too."""
    kept = "".join(c for c in name if (c.isalnum() and c.isascii()) or c == "-")
    return kept if kept == name and kept else f"{kept[:40]}-{number}"


def _block(block: Block) -> Block:
    if isinstance(block, Text):
        return block.model_copy(update={"text": short(block.text)})
    if isinstance(block, Points):
        return Points(items=tuple(map(short, capped(block.items, MOST_ROWS))))
    if isinstance(block, Facts):
        shown = block.pairs[:MOST_ROWS]
        pairs = tuple((short(name), short(value)) for name, value in shown)
        return Facts(pairs=pairs)
    if isinstance(block, Table):
        return _table(block)
    words = {
        "title": short(block.title),
        "alt": short(block.alt),
        "caption": short(block.caption),
        "table": _table(block.table),
    }
    return block.model_copy(update=words)


def _table(table: Table) -> Table:
    columns = tuple(
        Column(title=short(c.title), align=c.align, about=short(c.about))
        for c in table.columns
    )
    return table.model_copy(
        update={
            "caption": short(table.caption),
            "columns": columns,
            "rows": tuple(tuple(map(short, row)) for row in table.rows[:MOST_ROWS]),
            "left_out": table.left_out + max(0, len(table.rows) - MOST_ROWS),
        }
    )
