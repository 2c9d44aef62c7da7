"""A chart with the table behind it, and its interactive form, in one call."""

from collections.abc import Iterable, Sequence
from typing import Any

from reports.formatting import significant
from reports.page.blocks import Column, Figure, Table
from reports.page.charts.bars import bars as draw_bars
from reports.page.charts.frame import axis_title
from reports.page.charts.lines import lines as draw_lines
from reports.page.charts.parts import Axis, Band, Bar, Line, Point, Range
from reports.page.charts.ranges import ranges as draw_ranges
from reports.page.charts.scatter import scatter as draw_scatter
from reports.page.charts.vega import (
    bars_spec,
    lines_spec,
    ranges_spec,
    scatter_spec,
)

INTERVAL = "95 % interval"


def bar_figure(
    bars: Sequence[Bar],
    axis: Axis,
    title: str,
    alt: str,
    caption: str = "",
    ends: str = INTERVAL,
) -> Figure:
    """Bars; the table has a column a part, and their sum; `ends` names both ends."""
    names = list(dict.fromkeys(part.name for bar in bars for part in bar.parts))
    rows = []
    for bar in bars:
        values = {part.name: part.value for part in bar.parts}
        known = [significant(values.get(name)) for name in names]
        total = [significant(sum(values.values()))] if len(names) > 1 else []
        rows.append((bar.label, *known, *total, _between(bar.low, bar.high)))
    heads = [*names, *(["sum"] if len(names) > 1 else []), ends]
    return Figure(
        title=title,
        alt=alt,
        caption=caption,
        svg=draw_bars(bars, axis, title, alt),
        table=_table(f"{title}: {axis_title(axis)}", ["", *heads], rows),
        spec=bars_spec(bars, axis),
    )


def range_figure(
    ranges: Sequence[Range],
    axis: Axis,
    title: str,
    alt: str,
    reference: float | None = None,
    caption: str = "",
) -> Figure:
    """Spans; the table has both ends, the value and the note."""
    rows = [
        (r.label, *map(significant, (r.low, r.value, r.high)), r.note) for r in ranges
    ]
    heads = ["", "low", "value", "high", "source"]
    return Figure(
        title=title,
        alt=alt,
        caption=caption,
        svg=draw_ranges(ranges, axis, title, alt, reference),
        table=_table(f"{title}: {axis_title(axis)}", heads, rows),
        spec=ranges_spec(ranges, axis),
    )


def scatter_figure(
    points: Sequence[Point], x: Axis, y: Axis, title: str, alt: str, caption: str = ""
) -> Figure:
    """Points; the table has both coordinates with their intervals."""
    rows = [
        (
            p.label,
            significant(p.x),
            _between(p.x_low, p.x_high),
            significant(p.y),
            _between(p.y_low, p.y_high),
            "yes" if p.on_front else "",
        )
        for p in points
    ]
    heads = ["", axis_title(x), INTERVAL, axis_title(y), INTERVAL, "on the front"]
    return Figure(
        title=title,
        alt=alt,
        caption=caption,
        svg=draw_scatter(points, x, y, title, alt),
        table=_table(title, heads, rows),
        spec=scatter_spec(points, x, y),
    )


def line_figure(  # noqa: PLR0913, PLR0917 (those of the chart, and its table)
    lines: Sequence[Line],
    x: Axis,
    y: Axis,
    title: str,
    alt: str,
    table: Table,
    bands: Sequence[Band] = (),
    caption: str = "",
) -> Figure:
    """Curves; the table is the caller's, who knows what they come to."""
    return Figure(
        title=title,
        alt=alt,
        caption=caption,
        svg=draw_lines(lines, x, y, title, alt, bands),
        table=table,
        spec=lines_spec(lines, x, y, bands),
    )


def _table(caption: str, heads: Sequence[str], rows: Iterable[Sequence[Any]]) -> Table:
    """A table whose first column names the rows; columns without a figure are gone."""
    found = [tuple(map(str, row)) for row in rows]
    kept = [
        n
        for n in range(len(heads))
        if n == 0 or any(row[n] not in ("", "-") for row in found)
    ]
    left = (0, *(n for n in kept if heads[n] in ("source", "on the front")))
    return Table(
        caption=caption,
        columns=tuple(
            Column(title=heads[n] or "name", align="left" if n in left else "right")
            for n in kept
        ),
        rows=tuple(tuple(row[n] for n in kept) for row in found),
        folded=True,
    )


def _between(low: float | None, high: float | None) -> str:
    if low is None or high is None:
        return "-"
    return f"{significant(low)} to {significant(high)}"
