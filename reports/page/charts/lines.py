"""Curves over stretches that have a name, such as power and its windows."""

from collections.abc import Iterator, Sequence
from itertools import groupby

from reports.page.charts.frame import QUIET, below, beside, legend, ticks_width
from reports.page.charts.marks import (
    DASHES,
    WIDTH,
    colour,
    drawing,
    empty,
    finite,
    fitted,
    line,
    number,
    tag,
    told,
    width_of,
    words,
)
from reports.page.charts.parts import Axis, Band, Line, Svg
from reports.page.charts.scales import Scale, scale

HEIGHT = 190.0
MOST_LINES = 12
Points = list[tuple[float, float]]


def lines(
    lines: Sequence[Line],
    x: Axis,
    y: Axis,
    title: str,
    alt: str,
    bands: Sequence[Band] = (),
) -> Svg:
    """Curves from left to right; a reading that is missing breaks a curve.

    Where many points share a column of the drawing, their least and their largest are
    drawn: a long trace keeps its peaks and costs no more than a short one.
    """
    curves = [(item, _drawable(item, x, y)) for item in lines[:MOST_LINES]]
    curves = [(item, parts) for item, parts in curves if parts]
    if not curves:
        return empty(title, alt)
    flat = [point for _, parts in curves for part in parts for point in part]
    keys, top = _keys([item for item, _ in curves])
    top += 28 + (16 if bands else 0)
    bottom = top + HEIGHT
    heights = [point[1] for point in flat]
    up = scale(heights if y.log else [*heights, 0.0], bottom, top, log=y.log, most=5)
    left = ticks_width(up)
    over = scale([point[0] for point in flat], left, WIDTH - 12, log=x.log, most=5)
    if not x.log:  # time begins at the edge, not at a round number before it
        places = [point[0] for point in flat]
        over = over.tight(low=min(places), high=max(places))
    body = [keys, *(_band(band, over, top, bottom) for band in bands)]
    body += [
        beside(y, up, left, WIDTH - 12, 26 if bands else 12),
        below(x, over, top, bottom),
    ]
    body += _names(bands, over, top)
    body += [_curve(item, parts, n, over, up) for n, (item, parts) in enumerate(curves)]
    return drawing(title, alt, bottom + 38, "".join(body))


def _drawable(item: Line, x: Axis, y: Axis) -> list[Points]:
    """Stretches of a curve without a gap."""

    def known(point: tuple[float, float]) -> bool:
        here, there = finite(point[0]), finite(point[1])
        return (
            here is not None
            and there is not None
            and (here > 0 or not x.log)
            and (there > 0 or not y.log)
        )

    return [list(part) for good, part in groupby(item.points, known) if good]


def _keys(shown: Sequence[Line]) -> tuple[str, float]:
    """A legend where there is more than one curve."""
    if len(shown) < 2:
        return "", 0.0
    return legend(
        [
            (
                line(-6, 0, 6, 0, stroke=colour(n), stroke_width=2.4, **_dash(item, n)),
                item.name,
            )
            for n, item in enumerate(shown)
        ]
    )


def _dash(item: Line, index: int) -> dict[str, str]:
    """Its own pattern; a curve that must be dashed is never the solid one."""
    dashes = DASHES[1:] if item.dashed else DASHES
    dash = dashes[index % len(dashes)]
    return {"stroke_dasharray": dash} if dash else {}


def _ends(band: Band, over: Scale) -> tuple[float, float] | None:
    """Both edges of a band as far as the axis shows it."""
    start, end = finite(band.start), finite(band.end)
    if start is None or end is None or end < over.low or start > over.high:
        return None
    left, right = over.at(start), over.at(end)
    return left, max(right, left + 1)


def _band(band: Band, over: Scale, top: float, bottom: float) -> str:
    ends = _ends(band, over)
    if ends is None:
        return ""
    return tag(
        "rect",
        told(band.name),
        x=ends[0],
        y=top,
        width=ends[1] - ends[0],
        height=bottom - top,
        fill="var(--soft)" if band.faint else "var(--band)",
    )


def _names(bands: Sequence[Band], over: Scale, top: float) -> Iterator[str]:
    """Names above the bands, those of the longest first, as far as they have room."""
    taken: list[tuple[float, float]] = []
    ends = [(band, found) for band in bands if (found := _ends(band, over))]
    ends.sort(key=lambda each: (each[0].faint, each[1][0] - each[1][1]))
    for band, (start, end) in ends:
        text = fitted(band.name, WIDTH - 20)
        half = width_of(text) / 2
        middle = min(max((start + end) / 2, over.start + half), WIDTH - half)
        room = (middle - half - 3, middle + half + 3)
        if any(room[0] < right and left < room[1] for left, right in taken):
            continue
        taken.append(room)
        yield words(middle, top - 5, text, text_anchor="middle", fill=QUIET)


def _curve(item: Line, parts: Sequence[Points], index: int, x: Scale, y: Scale) -> str:
    """One curve as a path."""
    path = "".join(_path(_thinned(part, x, y), stepped=item.stepped) for part in parts)
    return tag(
        "path",
        told(item.name),
        d=path,
        fill="none",
        stroke=colour(index),
        stroke_width="1.6",
        stroke_linejoin="round",
        stroke_linecap="round",
        **_dash(item, index),
    )


def _thinned(part: Points, x: Scale, y: Scale) -> Points:
    """Places on the drawing; of a column first, least, largest and last."""
    places = [(x.at(here), y.at(there)) for here, there in part]
    if len(places) <= 2 * WIDTH:
        return places
    found: Points = []
    for _, each in groupby(places, key=lambda place: round(place[0])):
        column = list(each)
        heights = sorted(column, key=lambda place: place[1])
        kept = {column[0], heights[0], heights[-1], column[-1]}
        found += [place for place in dict.fromkeys(column) if place in kept]
    return found


def _path(places: Points, *, stepped: bool) -> str:
    """A move and lines; a lone point becomes a dot."""
    (x, y), *others = places
    text = f"M{number(x)} {number(y)}"
    if not others:
        return text + "h0"
    for here, there in others:
        text += (
            f"H{number(here)}V{number(there)}"
            if stepped
            else f"L{number(here)} {number(there)}"
        )
    return text
