"""A page as one HTML file: nothing is loaded from elsewhere, nothing runs.

Small enough to mail: where its tables would make it larger, rows are left out, and the
page says how many.
"""

from collections.abc import Iterator, Sequence
from functools import cache
from importlib.resources import files
from itertools import groupby
from typing import Any, NamedTuple

from harness import __version__
from reports.page.blocks import Block, Figure, Page, Table
from reports.page.interactive import Script, policy_of, scripts_of
from reports.page.shown import capped, plain

MARK = f"joulebench report {__version__}"
MOST_BYTES = 290_000


class Limit(NamedTuple):
    """How much of a page is shown.

    Attributes:
        rows: Of a table, and items of a list.
        folded: Rows of a table that is not seen at first.
        drawn: Letters of all drawings.
    """

    rows: int
    folded: int
    drawn: int


LIMITS = (
    Limit(250, 250, 200_000),
    Limit(250, 25, 170_000),
    Limit(100, 12, 150_000),
    Limit(50, 12, 150_000),
    Limit(25, 12, 130_000),
    Limit(12, 6, 100_000),
    Limit(3, 3, 50_000),
    Limit(1, 1, 0),
)
"""Less and less, as long as a page is too large."""
POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; "
    "base-uri 'none'; form-action 'none'"
)


def html(page: Page, interactive: bool = False) -> str:  # noqa: FBT001, FBT002
    """The page as a file of its own.

    Args:
        page: Any texts; they are escaped.
        interactive: With charts that answer to the pointer: about 1 MB of scripts is
            in the file, and nothing is loaded either.

    Raises:
        UsageError: The library of interactive charts is missing.
    """
    shown = plain(page)
    for limit in LIMITS:
        kept = _within(shown, limit.drawn)
        text = _rendered(kept, (), limit)
        if len(text.encode()) < MOST_BYTES:
            break
    return _rendered(kept, scripts_of(kept), limit) if interactive else text


def _within(page: Page, letters: int) -> Page:
    """The page with as many of its charts as there is room for, the first first."""
    left = letters

    def kept(block: Block) -> Block:
        nonlocal left
        if not isinstance(block, Figure):
            return block
        left -= len(block.svg)
        return (
            block if left >= 0 else block.model_copy(update={"svg": "", "spec": None})
        )

    sections = (
        section.model_copy(update={"blocks": tuple(map(kept, section.blocks))})
        for section in page.sections
    )
    return page.model_copy(update={"sections": tuple(sections)})


def _rendered(page: Page, scripts: Sequence[Script], limit: Limit) -> str:
    return str(
        _template().render(
            page=page,
            limit=limit,
            scripts=scripts,
            css=_file("page.css"),
            policy=policy_of(POLICY, scripts),
            mark=MARK,
        )
    )


@cache
def _template() -> Any:
    """The template; all that it is given is escaped but our own markup."""
    from jinja2 import Environment, StrictUndefined

    made = Environment(autoescape=True, undefined=StrictUndefined)
    made.globals |= {
        "kind": lambda block: type(block).__name__,
        "runs": _runs,
        "head_of": _head_of,
        "capped": capped,
    }
    made.filters["told"] = _told
    return made.from_string(_file("page.html.j2"))


def _told(text: str) -> Any:
    """A text, escaped; what stands between two backticks is code."""
    from markupsafe import Markup, escape

    pieces = text.split("`")
    if len(pieces) % 2 == 0:
        return escape(text)
    tag = Markup("<code>{}</code>")
    shown = (tag.format(p) if n % 2 else escape(p) for n, p in enumerate(pieces))
    return Markup().join(shown)


def _file(name: str) -> str:
    return files("reports.page").joinpath(name).read_text(encoding="utf-8")


def _runs(blocks: Sequence[Block]) -> Iterator[tuple[bool, list[Block]]]:
    """Figures that follow one another stand side by side."""
    for are_figures, group in groupby(blocks, lambda each: isinstance(each, Figure)):
        yield are_figures, list(group)


def _head_of(table: Table) -> int:
    """The column that names a row: the first that is no number."""
    left = [n for n, c in enumerate(table.columns) if c.align == "left"]
    return left[0] if left else 0
