"""A page as Markdown: tables in place of charts."""

import re
from collections.abc import Iterator, Sequence

from reports.page.blocks import Block, Facts, Figure, Page, Points, Table, Text
from reports.page.html import MARK
from reports.page.shown import plain

SPECIAL = re.compile(r"([\\`*_\[\]|~])")
OPENING = re.compile(r"^(\d+(?=[.)](?:\s|$))|(?=[-+](?:\s|$)|[#>=]))")
"""What begins a list, a heading or a quotation: a backslash goes before its sign."""


def markdown(page: Page) -> str:
    """The page in the dialect of GitHub; nothing in its texts is markup."""
    shown = plain(page)
    parts = [f"<!-- {MARK} -->", f"# {escaped(shown.title)}"]
    if shown.subtitle:
        parts.append(escaped(shown.subtitle))
    parts += _blocks(shown.lead)
    for section in shown.sections:
        parts.append(f"## {escaped(section.title)}")
        parts += _blocks(section.blocks)
    if shown.colophon:
        parts += ["---", *map(escaped, shown.colophon)]
    return "\n\n".join(parts) + "\n"


def escaped(text: str) -> str:
    """Text that stays text, also where it begins a line."""
    return OPENING.sub(r"\1\\", in_line(text), count=1)


def in_line(text: str) -> str:
    """Text that stays text inside a line, such as in a cell."""
    return SPECIAL.sub(r"\\\1", text).replace("&", "&amp;").replace("<", "&lt;")


def _blocks(blocks: Sequence[Block]) -> Iterator[str]:
    for block in blocks:
        yield from _block(block)


def _block(block: Block) -> Iterator[str]:
    if isinstance(block, Text):
        text = escaped(block.text)
        yield {"lead": f"**{text}**", "caution": f"> {text}"}.get(block.tone, text)
    elif isinstance(block, Points):
        yield "\n".join(f"- {escaped(item)}" for item in block.items)
    elif isinstance(block, Facts):
        yield "\n".join(f"- {escaped(name)}: {escaped(v)}" for name, v in block.pairs)
    elif isinstance(block, Table):
        yield from _table(block)
    elif isinstance(block, Figure):
        yield f"### {escaped(block.title)}"
        yield escaped(block.alt)
        if block.caption:
            yield escaped(block.caption)
        yield from _table(block.table)


def _table(table: Table) -> Iterator[str]:
    rule = {"left": "---", "right": "--:"}
    rows = [
        tuple(column.title for column in table.columns),
        *table.rows,
    ]
    lines = [f"| {' | '.join(map(in_line, row))} |" for row in rows]
    lines.insert(1, f"|{'|'.join(rule[column.align] for column in table.columns)}|")
    yield escaped(table.caption)
    yield "\n".join(lines)
    if table.left_out:
        yield f"{table.left_out} more are left out."
