"""Spans with a mark in them: a tornado, or one figure by several sources."""

from collections.abc import Iterator, Sequence

from reports.formatting import significant
from reports.page.charts.frame import QUIET, below, names_beside
from reports.page.charts.marks import (
    HALO,
    WIDTH,
    colour,
    drawing,
    empty,
    finite,
    fitted,
    line,
    number,
    shape,
    tag,
    told,
    width_of,
    words,
)
from reports.page.charts.parts import Axis, Range, Svg
from reports.page.charts.scales import Scale, scale

THICK = 9.0
MOST_RANGES = 60


def ranges(
    ranges: Sequence[Range],
    axis: Axis,
    title: str,
    alt: str,
    reference: float | None = None,
) -> Svg:
    """Spans under their names, the first on top.

    Args:
        ranges: Those with an infinite or missing end are left out.
        axis: Of their values.
        title: What the chart is.
        alt: What it shows.
        reference: A line through all of them, such as the value that was assumed.
    """
    level = finite(reference)
    positive = 0.0 if axis.log else -float("inf")
    shown = [item for item in ranges if _whole(item, positive)][:MOST_RANGES]
    if not shown:
        return empty(title, alt)
    values = [*_values(shown), *([level] if level is not None else ())]
    values = [value for value in values if value > positive]
    left = names_beside((item.label for item in shown), 130)
    notes = any(item.note for item in shown)
    pitch = 26.0 if left and not notes else 44.0
    if notes:
        left = 0.0
    top, bottom = 6.0, 8.0 + pitch * len(shown)
    x = scale(values, left + 8, WIDTH - 8, log=axis.log, most=4)
    body = [below(axis, x, top, bottom)]
    if level is not None and level > positive:
        body.append(
            line(
                x.at(level),
                top,
                x.at(level),
                bottom,
                stroke="var(--ink)",
                stroke_dasharray="4 3",
            )
        )
    body += [_row(item, x, top + pitch * n, pitch) for n, item in enumerate(shown)]
    return drawing(title, alt, bottom + 38, "".join(body))


def _whole(item: Range, positive: float) -> bool:
    ends = (finite(item.low), finite(item.high))
    return all(end is not None and end > positive for end in ends)


def _values(shown: Sequence[Range]) -> Iterator[float]:
    for item in shown:
        yield from (
            v for v in (item.low, item.high, finite(item.value)) if v is not None
        )


def _row(item: Range, x: Scale, y: float, pitch: float) -> str:
    """Name and note, the span, its mark."""
    middle = y + pitch - 9
    if x.start > 10:
        room = x.start - 16
        name = words(room, middle + 4.5, fitted(item.label, room), text_anchor="end")
    else:
        note = fitted(item.note, WIDTH * 0.55)
        room = WIDTH - (width_of(note) + 14 if note else 0)
        name = words(0, middle - 12, fitted(item.label, room), **HALO)
        if note:
            name += words(
                WIDTH, middle - 12, note, text_anchor="end", fill=QUIET, **HALO
            )
    left, right = sorted((x.at(item.low), x.at(item.high)))
    text = f"{item.label}: {significant(item.low)} to {significant(item.high)}"
    span = tag(
        "rect",
        told(text),
        x=left,
        y=middle - THICK / 2,
        width=number(max(right - left, 1.5)),
        height=THICK,
        rx="2",
        fill=colour(0),
        fill_opacity=".55",
    )
    value = finite(item.value)
    if value is None:
        return name + span
    mark = shape(
        3,
        x.at(value),
        middle,
        told(f"{item.label}: {significant(value)}"),
        fill="var(--ink)",
        stroke="var(--paper)",
    )
    return name + span + mark
