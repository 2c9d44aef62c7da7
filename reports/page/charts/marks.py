"""Elements of SVG, escaped, and how wide their words are.

A drawing is 400 units wide: text of 12.5 units is of 10 pixels on a phone that is
360 pixels wide, and of 16 where there is room.
"""

import unicodedata
from xml.sax.saxutils import escape, quoteattr

from reports.formatting import printable
from reports.page.charts.parts import Svg

WIDTH = 400.0
TEXT = 12.5
LINE = 17.0
COLOURS = 6
LARGEST = 1e150
"""Products and sums of what is drawn must stay finite."""
LONGEST = 60
"""Letters of a label; more are cut, the table has them all."""
SHAPES = (
    "M-4.2,0a4.2,4.2 0 1 0 8.4,0a4.2,4.2 0 1 0 -8.4,0Z",
    "M-3.8,-3.8H3.8V3.8H-3.8Z",
    "M0,-4.8L4.6,3.6H-4.6Z",
    "M0,-5.2L5.2,0L0,5.2L-5.2,0Z",
    "M0,4.8L4.6,-3.6H-4.6Z",
    "M-4.6,-1.6H-1.6V-4.6H1.6V-1.6H4.6V1.6H1.6V4.6H-1.6V1.6H-4.6Z",
)
DASHES = ("", "6 3", "2 3", "9 3 2 3", "1 4", "12 4")


def colour(index: int) -> str:
    """A colour of the page's palette, which has a light and a dark form."""
    return f"var(--c{index % COLOURS + 1})"


def number(value: float) -> str:
    """A coordinate with one decimal at most."""
    text = f"{value:.1f}".removesuffix(".0")
    return "0" if text == "-0" else text


def tag(name: str, content: str = "", /, **attributes: str | float | None) -> str:
    """An element; `stroke_width` is written stroke-width, None leaves one out."""
    words = [name]
    for key, value in attributes.items():
        if value is None:
            continue
        text = number(value) if isinstance(value, (int, float)) else value
        words.append(f"{key.strip('_').replace('_', '-')}={quoteattr(text)}")
    head = " ".join(words)
    return f"<{head}>{content}</{name}>" if content else f"<{head}/>"


def label(text: str, longest: int = LONGEST) -> str:
    """Words of others, on one line and not too many."""
    plain = printable(text)
    return plain if len(plain) <= longest else plain[: longest - 1] + "…"


def words(x: float, y: float, text: str, /, **attributes: str | float | None) -> str:
    """Text with its baseline at y."""
    return tag("text", escape(label(text)), x=x, y=y, **attributes)


def told(text: str) -> str:
    """What is shown when the pointer rests on the element around it."""
    return tag("title", escape(printable(text)))


HALO = {"paint_order": "stroke", "stroke": "var(--paper)", "stroke_width": "3"}
"""Around words that lines may cross."""


def width_of(text: str, size: float = TEXT) -> float:
    """About how wide words are in a sans-serif face, rather more than less."""
    return sum(_em(letter) for letter in text) * size


def fitted(text: str, room: float) -> str:
    """Words that are cut where they would be wider than the room for them."""
    plain = label(text)
    if width_of(plain) <= room:
        return plain
    while plain and width_of(plain + "…") > room:
        plain = plain[:-1]
    return plain.rstrip() + "…"


def _em(letter: str) -> float:
    if unicodedata.east_asian_width(letter) in "WF":
        return 1.0
    if letter in "iljtfrI.,:;'|!()[]/-  ":
        return 0.39
    return 0.92 if letter in "mwMW@%+" else 0.74 if letter.isupper() else 0.62


def line(
    x1: float, y1: float, x2: float, y2: float, /, **attributes: str | float
) -> str:
    """A straight line."""
    return tag("line", x1=x1, y1=y1, x2=x2, y2=y2, **attributes)


def shape(
    index: int, x: float, y: float, inner: str, /, **attributes: str | float
) -> str:
    """A mark of one of six shapes around a point."""
    place = f"translate({number(x)},{number(y)})"
    path = SHAPES[index % len(SHAPES)]
    return tag("path", inner, d=path, transform=place, **attributes)


def drawing(title: str, alt: str, height: float, body: str) -> Svg:
    """The whole `<svg>` element with its name and description."""
    head = tag("title", escape(printable(title))) + tag("desc", escape(printable(alt)))
    return Svg(
        tag(
            "svg",
            head + body,
            xmlns="http://www.w3.org/2000/svg",
            role="img",
            class_="chart",
            viewBox=f"0 0 {number(WIDTH)} {number(height)}",
            font_size=TEXT,
            fill="var(--ink)",
        )
    )


def empty(title: str, alt: str, why: str = "nothing to show") -> Svg:
    """A drawing that says that there is nothing to draw."""
    middle = words(WIDTH / 2, 34, why, text_anchor="middle", fill="var(--quiet)")
    return drawing(title, alt, 60, middle)


def finite(value: float | None) -> float | None:
    """The value, or None where it is missing, not a number, or beyond all measure."""
    return value if value is not None and abs(value) <= LARGEST else None
