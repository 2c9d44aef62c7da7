"""A page as PDF, from the same HTML by weasyprint."""

import re
from typing import Any

from harness.errors import UsageError
from reports.page.blocks import Page
from reports.page.html import MARK, html

VARIABLE = re.compile(r"var\((--[a-z0-9-]+)\)")
HALO = re.compile(
    r'<text([^>]*) paint-order="stroke"'
    r'( stroke="[^"]*" stroke-width="3")>([^<]*)</text>'
)


def pdf(page: Page) -> bytes:
    """The page on A4 paper.

    Raises:
        UsageError: weasyprint, or a library of the system that it needs, is missing.
    """
    try:
        import weasyprint
    except (ImportError, OSError) as error:
        raise UsageError(
            f"weasyprint cannot be loaded: {error}",
            hint="pip install 'joulebench[pdf]' (on Debian: apt-get install "
            "libpango-1.0-0 libpangoft2-1.0-0); or print the HTML page in a browser",
        ) from error
    text = html(page)
    made = weasyprint.HTML(string=_literal(text), url_fetcher=_nothing).write_pdf()
    return bytes(made) + f"\n% {MARK}\n".encode()  # its own mark is compressed


def _literal(text: str) -> str:
    """The page with colours in place of variables, which drawings cannot have here."""
    colours = dict(re.findall(r"(--[a-z0-9-]+):(#[0-9a-f]+)", _printed(text)))
    head, end, body = text.partition("</style>")
    body = HALO.sub(r"<text\1\2>\3</text><text\1>\3</text>", body)  # halo, then text
    drawn = VARIABLE.sub(lambda found: colours[found[1]], body)
    return head + end + drawn


def _printed(text: str) -> str:
    """Of the style sheet what holds on paper."""
    return text.partition("@media print{")[2].partition("</style>")[0]


def _nothing(url: str, *_: Any, **__: Any) -> dict[str, Any]:
    """A page needs nothing; what asks for more is not ours."""
    raise ValueError(f"a page loads nothing, and not {url}")
