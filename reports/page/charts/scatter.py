"""Points with their intervals, the front among them, and names where there is room."""

from collections.abc import Sequence

from reports.formatting import significant
from reports.page.charts.frame import (
    QUIET,
    below,
    beside,
    legend,
    symbol,
    ticks_width,
)
from reports.page.charts.labels import Box, Label, around, placed
from reports.page.charts.marks import (
    HALO,
    WIDTH,
    colour,
    drawing,
    empty,
    finite,
    number,
    shape,
    tag,
    told,
    words,
)
from reports.page.charts.parts import Axis, Point, Svg
from reports.page.charts.scales import Scale, scale

HEIGHT = 250.0
MOST_POINTS = 100
MOST_LABELS = 40
MOST_INTERVALS = 40
"""So many points may have theirs drawn."""
REACH = 0.8
"""Intervals may lengthen an axis by so much of the stretch of its points; they are cut
where they go further."""


def scatter(points: Sequence[Point], x: Axis, y: Axis, title: str, alt: str) -> Svg:
    """Marks by group; a line joins those on the front, those muted are pale.

    Points without a place on an axis are left out.
    """
    shown = [point for point in points if _has_place(point, x, y)]
    shown.sort(key=lambda point: (not point.on_front, point.muted))
    more, shown = len(points) - len(shown[:MOST_POINTS]), shown[:MOST_POINTS]
    if not shown:
        return empty(title, alt)
    drawn = {point.group for point in shown}
    groups = [g for g in dict.fromkeys(p.group for p in points) if g in drawn]
    named = [(symbol(i), name) for i, name in enumerate(groups) if name]
    keys, top = legend(named) if len(groups) > 1 else ("", 0.0)
    top += 28
    bottom = top + HEIGHT
    up = scale(_values(shown, y, "y"), bottom, top, log=y.log, most=5)
    left = ticks_width(up)
    over = scale(_values(shown, x, "x"), left, WIDTH - 12, log=x.log, most=5)
    body = [keys, beside(y, up, left, WIDTH - 12), below(x, over, top, bottom)]
    body.append(_front([point for point in shown if point.on_front], over, up))
    bare = len(shown) > MOST_INTERVALS
    drawn_last_first = [_bare(p) if bare else p for p in reversed(shown)]
    body += [_mark(p, groups.index(p.group), over, up) for p in drawn_last_first]
    inside = Box(left - 5, top - 8, WIDTH, bottom + 2)
    body += [_named(each) for each in _labels(shown, over, up, inside)]
    if more:
        text = f"{more} more without a figure, or in the table alone"
        body.append(words(0, bottom + 50, text, fill=QUIET))
    return drawing(title, alt, bottom + (56 if more else 38), "".join(body))


def _bare(point: Point) -> Point:
    """The point without its intervals."""
    ends = ("x_low", "x_high", "y_low", "y_high")
    return point.model_copy(update=dict.fromkeys(ends))


def _has_place(point: Point, x: Axis, y: Axis) -> bool:
    both = ((finite(point.x), x), (finite(point.y), y))
    return all(v is not None and (v > 0 or not axis.log) for v, axis in both)


def _interval(point: Point, which: str, axis: Axis) -> tuple[float, float] | None:
    """Both ends of an interval, where there are two that the axis can show."""
    low = finite(getattr(point, f"{which}_low"))
    high = finite(getattr(point, f"{which}_high"))
    if low is None or high is None or (axis.log and low <= 0):
        return None
    return low, high


def _values(shown: Sequence[Point], axis: Axis, which: str) -> list[float]:
    """What an axis must hold: points, and intervals as far as they leave these room."""
    places = [getattr(point, which) for point in shown]
    low, high = min(places), max(places)
    ends = [v for point in shown for v in _interval(point, which, axis) or ()]
    if axis.log:
        room = max(high / low, 2.0) ** REACH
        least, most = low / room, high * room
    else:
        room = REACH * (high - low) or max((abs(v - low) for v in ends), default=0.0)
        least, most = low - room, high + room
    return [*places, *(min(max(end, least), most) for end in ends)]


def _front(front: Sequence[Point], x: Scale, y: Scale) -> str:
    """Steps: what is to be had for no more than so much."""
    if len(front) < 2:
        return ""
    first, *others = sorted(front, key=lambda point: (point.x, point.y))
    path = f"M{number(x.at(first.x))} {number(y.at(first.y))}"
    path += "".join(f"H{number(x.at(p.x))}V{number(y.at(p.y))}" for p in others)
    return tag("path", d=path, fill="none", stroke="var(--ink)", stroke_dasharray="5 3")


def _mark(point: Point, index: int, x: Scale, y: Scale) -> str:
    """One point with its intervals."""
    here, there = x.at(point.x), y.at(point.y)
    path = ""
    across = _interval(point, "x", Axis(title="", log=x.log))
    if across:
        path += f"M{number(x.at(across[0]))} {number(there)}H{number(x.at(across[1]))}"
    along = _interval(point, "y", Axis(title="", log=y.log))
    if along:
        path += f"M{number(here)} {number(y.at(along[0]))}V{number(y.at(along[1]))}"
    bars = (
        tag("path", d=path, stroke=colour(index), stroke_opacity=".4") if path else ""
    )
    text = f"{point.label}: {significant(point.x)}, {significant(point.y)}"
    mark = shape(
        index,
        here,
        there,
        told(text),
        fill="var(--paper)" if point.muted else colour(index),
        stroke=colour(index) if point.muted else "var(--paper)",
    )
    return tag("g", bars + mark, opacity=".55" if point.muted else None)


def _labels(shown: Sequence[Point], x: Scale, y: Scale, inside: Box) -> list[Label]:
    """Names of the front first, of what does not count last."""
    places = [(point.label, x.at(point.x), y.at(point.y)) for point in shown]
    taken = [around(here, there) for _, here, there in places]
    return placed(places[:MOST_LABELS], taken, inside)


def _named(where: Label) -> str:
    """A name with a halo, so that lines behind it do not strike it through."""
    return words(where.x, where.y, where.text, **HALO)
