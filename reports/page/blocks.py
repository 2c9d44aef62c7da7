"""What a page is made of; every report says it in these, every format writes them.

All text is plain: whoever writes a format escapes it. Only `Figure.svg` is markup, and
only the functions of `reports.page.charts` make it.
"""

from typing import Any, Literal

from harness.noun import Noun
from reports.page.charts.parts import Svg


class Column(Noun):
    """Head of a column.

    Attributes:
        about: What stands in it, in a sentence; shown on demand.
    """

    title: str
    align: Literal["left", "right"] = "left"
    about: str = ""


class Table(Noun):
    """Rows of texts; a row is as long as there are columns.

    Attributes:
        muted: Numbers of the rows that do not count, such as those under the floor.
        folded: Shown only when asked for, as the table behind a chart is.
        left_out: So many rows more there are, which the page is too small for.
    """

    caption: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[str, ...], ...]
    muted: frozenset[int] = frozenset()
    folded: bool = False
    left_out: int = 0


class Text(Noun):
    """A paragraph.

    Attributes:
        tone: `lead` is the answer in large letters, `caution` what speaks against it.
    """

    text: str
    tone: Literal["plain", "lead", "caution", "small"] = "plain"


class Points(Noun):
    """A list of sentences."""

    items: tuple[str, ...]


class Facts(Noun):
    """Names and what they are, in pairs."""

    pairs: tuple[tuple[str, str], ...]


class Figure(Noun):
    """A chart with its words and the table of what it shows.

    Attributes:
        alt: What the chart shows, for those who do not see it.
        svg: Made by `reports.page.charts`.
        spec: The same as Vega-Lite, for interactive pages; the drawing stays without.
    """

    title: str
    alt: str
    svg: Svg
    table: Table
    caption: str = ""
    spec: dict[str, Any] | None = None


Block = Text | Points | Facts | Table | Figure


class Section(Noun):
    """A part of a page under a heading.

    Attributes:
        name: Anchor of the section, of letters and dashes.
    """

    name: str
    title: str
    blocks: tuple[Block, ...]


class Page(Noun):
    """A whole page.

    Attributes:
        subtitle: What was run where and when.
        lead: The answer, before the first section.
        colophon: Which program of which version made it from what.
    """

    title: str
    subtitle: str
    lead: tuple[Block, ...]
    sections: tuple[Section, ...]
    colophon: tuple[str, ...] = ()
