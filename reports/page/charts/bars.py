"""Horizontal bars, stacked where they have parts."""

from collections.abc import Sequence

from reports.formatting import significant
from reports.page.charts.frame import QUIET, below, legend, names_beside, square
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
    tag,
    told,
    width_of,
    words,
)
from reports.page.charts.parts import Axis, Bar, Part, Svg
from reports.page.charts.scales import Scale, scale

THICK = 15.0
MOST_BARS = 60
LONGEST_WHISKER = 1.5
"""Of the longest bar; an interval beyond it is cut and ends in an arrow."""


def bars(bars: Sequence[Bar], axis: Axis, title: str, alt: str) -> Svg:
    """Bars from zero, the first on top; parts without a finite value are left out."""
    shown = [bar for bar in bars if _parts(bar)][:MOST_BARS]
    if not shown:
        return empty(title, alt)
    names = list(dict.fromkeys(part.name for bar in shown for part in _parts(bar)))
    keys, top = legend([(square(i), n) for i, n in enumerate(names)])
    if len(names) == 1:
        keys, top = "", 4.0
    left = names_beside(bar.label for bar in shown)
    pitch = THICK + (10 if left else 25)
    bottom = top + pitch * len(shown) + 2
    room = max(width_of(significant(_total(bar))) for bar in shown) + 8
    # a logarithmic bar has no length: the axis is linear whatever was asked for
    ends = _ends(shown)
    x = scale(ends, left + 1, WIDTH - room, log=False, most=4).tight(low=min(ends))
    rows = [
        _row(bar, x, top + pitch * (n + 1) - THICK - 3, names)
        for n, bar in enumerate(shown)
    ]
    zero = line(x.at(0), top, x.at(0), bottom, stroke=QUIET)
    body = [keys, below(axis, x, top, bottom), zero, *rows]
    more = len(bars) - len(shown)
    if more:
        rest = f"{more} more without a figure, or in the table alone"
        body.append(words(0, bottom + 50, rest, fill=QUIET))
    return drawing(title, alt, bottom + (56 if more else 38), "".join(body))


def _parts(bar: Bar) -> list[Part]:
    return [part for part in bar.parts if finite(part.value) is not None]


def _total(bar: Bar) -> float:
    return sum(part.value for part in _parts(bar))


def _ends(shown: Sequence[Bar]) -> list[float]:
    """All values that the axis must hold; endless intervals are not among them."""
    sides = [
        sum(part.value for part in _parts(bar) if sign * part.value > 0)
        for bar in shown
        for sign in (1, -1)
    ]
    reach = LONGEST_WHISKER * max(map(abs, sides))
    tips = [v for bar in shown for v in (bar.low, bar.high) if finite(v) is not None]
    return [0.0, *sides, *(min(max(v or 0.0, -reach), reach) for v in tips)]


def _row(bar: Bar, x: Scale, y: float, names: Sequence[str]) -> str:
    """Name, parts side by side, interval and sum of one bar."""
    middle = y + THICK / 2
    if x.start > 2:
        room = x.start - 8
        name = words(room, middle + 4.5, fitted(bar.label, room), text_anchor="end")
    else:
        name = words(0, y - 5, fitted(bar.label, WIDTH), **HALO)
    ends = {True: 0.0, False: 0.0}
    pieces = []
    for part in _parts(bar):
        side = part.value >= 0
        start, ends[side] = ends[side], ends[side] + part.value
        pieces.append(_piece(part, x, (start, ends[side]), y, names))
    low, high = finite(bar.low), finite(bar.high)
    whisker = ""
    if low is not None and high is not None:
        whisker = _whisker(x, low, high, middle)
    end = max(x.at(ends[True]), x.at(high) if high is not None else 0.0)
    sum_ = words(end + 5, middle + 4.5, significant(_total(bar)), fill=QUIET)
    group = tag("g", "".join(pieces) + whisker, opacity=".45" if bar.muted else None)
    return name + group + sum_


def _piece(
    part: Part, x: Scale, ends: tuple[float, float], y: float, names: Sequence[str]
) -> str:
    """One part, with a thin gap to the next one."""
    left, right = sorted((x.at(ends[0]), x.at(ends[1])))
    return tag(
        "rect",
        told(f"{part.name}: {significant(part.value)}"),
        x=left,
        y=y,
        width=number(max(right - left, 0.4)),
        height=THICK,
        fill=colour(names.index(part.name)),
        stroke="var(--paper)" if right - left > 2 else None,
        stroke_width="1" if right - left > 2 else None,
    )


def _whisker(x: Scale, low: float, high: float, y: float) -> str:
    """An interval; an arrow where it goes on beyond the axis."""
    left, right = x.at(low), x.at(high)
    path = f"M{number(left)} {number(y)}H{number(right)}"
    path += f"M{number(left)} {number(y - 4)}v8" if low >= x.low else ""
    tip = "v8" if high <= x.high else "m-4 0l4 4l-4 4"
    path += f"M{number(right)} {number(y - 4)}{tip}"
    halo = tag("path", d=path, fill="none", stroke="var(--paper)", stroke_width="4")
    return halo + tag(
        "path", d=path, fill="none", stroke="var(--ink)", stroke_width="1.4"
    )
