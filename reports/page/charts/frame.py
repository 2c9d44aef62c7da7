"""What surrounds the marks of a chart: legend, grid, axes."""

from collections.abc import Iterable, Sequence

from reports.page.charts.marks import (
    LINE,
    TEXT,
    WIDTH,
    colour,
    fitted,
    label,
    line,
    number,
    shape,
    tag,
    width_of,
    words,
)
from reports.page.charts.parts import Axis
from reports.page.charts.scales import Scale

QUIET = "var(--quiet)"
GRID = "var(--grid)"
SWATCH = 16.0
GAP = 14.0
HIGHEST_LEGEND = 5
"""Lines of a legend; names beyond it are counted."""


def axis_title(axis: Axis) -> str:
    """Title with its unit."""
    return label(f"{axis.title} ({axis.unit})" if axis.unit else axis.title)


def legend(keys: Sequence[tuple[str, str]], top: float = 0.0) -> tuple[str, float]:
    """Marks with their names, in lines.

    Args:
        keys: Markup of a mark around (0, 0), and its name.
        top: Where the legend begins.

    Returns:
        (markup, height).
    """
    x, row, parts = 0.0, 0, []
    for index, (mark, name) in enumerate(keys):
        text = fitted(name, WIDTH - SWATCH - GAP)
        width = SWATCH + width_of(text) + GAP
        if x and x + width > WIDTH:
            x, row = 0.0, row + 1
        if row == HIGHEST_LEGEND:
            more = f"and {len(keys) - index} more"
            parts.append(words(x, top + row * LINE + TEXT, more, fill=QUIET))
            break
        y = top + row * LINE + TEXT
        place = f"translate({number(x + 6)},{number(y - 4)})"
        parts.append(tag("g", mark, transform=place))
        parts.append(words(x + SWATCH, y, text))
        x += width
    return "".join(parts), ((row + 1) * LINE + 6 if keys else 0.0)


def square(index: int) -> str:
    """A legend's mark of a filled area."""
    return tag("rect", x=-5, y=-5, width=10, height=10, rx=2, fill=colour(index))


def symbol(index: int) -> str:
    """A legend's mark of a point."""
    return shape(index, 0, 0, "", fill=colour(index))


def below(axis: Axis, scale: Scale, top: float, bottom: float) -> str:
    """Grid from top to bottom, ticks and title of a horizontal axis."""
    grid, texts, edge = [], [], -1e9
    for tick in scale.ticks:
        x = scale.at(tick)
        grid.append(line(x, top, x, bottom))
        text = scale.written(tick)
        half = width_of(text) / 2
        middle = min(max(x, half), WIDTH - half)
        if middle - half > edge + 6:
            texts.append(words(middle, bottom + 15, text))
            edge = middle + half
    middle = (scale.start + scale.end) / 2
    title = fitted(axis_title(axis), WIDTH)
    half = width_of(title) / 2
    texts.append(words(min(max(middle, half), WIDTH - half), bottom + 32, title))
    return tag("g", "".join(grid), stroke=GRID) + tag(
        "g", "".join(texts), fill=QUIET, text_anchor="middle"
    )


def beside(
    axis: Axis, scale: Scale, left: float, right: float, above: float = 12.0
) -> str:
    """Grid from left to right, ticks and title of a vertical axis.

    The title stands above the axis, where it can be read without turning the head.
    """
    grid, texts = [], []
    for tick in scale.ticks:
        y = scale.at(tick)
        grid.append(line(left, y, right, y))
        texts.append(words(left - 6, y + 4, scale.written(tick), text_anchor="end"))
    title = fitted(axis_title(axis), WIDTH)
    texts.append(words(0, min(scale.start, scale.end) - above, title))
    return tag("g", "".join(grid), stroke=GRID) + tag("g", "".join(texts), fill=QUIET)


def ticks_width(scale: Scale) -> float:
    """Room that the ticks of a vertical axis need."""
    return max((width_of(scale.written(tick)) for tick in scale.ticks), default=0) + 8


def names_beside(names: Iterable[str], most: float = 150.0) -> float:
    """Width of names that stand left of their marks; 0 where they are too wide."""
    width = max((width_of(label(name)) for name in names), default=0.0)
    return width + 10 if width <= most else 0.0
