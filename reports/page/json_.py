"""A page as JSON: its texts and tables, without drawings."""

import json as library
from typing import Any

from reports.page.blocks import Page
from reports.page.html import MARK
from reports.page.shown import plain


def json(page: Page) -> str:
    """The page for other programs; every block says its kind."""
    shown = plain(page)
    made = {
        "generator": MARK,
        "title": shown.title,
        "subtitle": shown.subtitle,
        "lead": [_block(block) for block in shown.lead],
        "sections": [
            {
                "name": section.name,
                "title": section.title,
                "blocks": [_block(block) for block in section.blocks],
            }
            for section in shown.sections
        ],
        "colophon": shown.colophon,
    }
    return library.dumps(made, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def _block(block: Any) -> dict[str, Any]:
    fields = block.model_dump(mode="json", exclude={"svg", "spec", "folded"})
    return {"kind": type(block).__name__.lower(), **fields}
