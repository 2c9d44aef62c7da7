"""The same charts as specifications of Vega-Lite, for interactive pages.

They are plain JSON: values stand in them as data, never as expressions.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from reports.formatting import printable
from reports.page.charts.frame import axis_title
from reports.page.charts.parts import Axis, Band, Bar, Line, Point, Range

Spec = dict[str, Any]
MOST_VALUES = 4000
CONFIG = {
    "font": "system-ui, 'DejaVu Sans', Arial, sans-serif",
    "axis": {"labelFontSize": 12, "titleFontSize": 12, "titleFontWeight": "normal",
             "labelLimit": 220,
             "gridColor": "rgba(128,128,128,0.25)"},
    "legend": {"orient": "top", "labelFontSize": 12, "columns": 3, "labelLimit": 220},
    "view": {"stroke": None},
}  # fmt: skip
PALETTE = {"range": ["#2a7ab9", "#d5641c", "#1a9a74", "#b65a90", "#947a10", "#73808c"]}


def bars_spec(bars: Sequence[Bar], axis: Axis) -> Spec:
    """Stacked bars; the pointer tells each part."""
    rows = [
        {"name": bar.label, "part": part.name, "value": part.value, "order": number}
        for bar in bars
        for number, part in enumerate(bar.parts)
    ]
    encoding = {
        "y": {"field": "name", "type": "nominal", "sort": None, "title": None},
        "x": _on("value", axis) | {"stack": "zero", "scale": {}},
        "color": _colour("part", (part.name for bar in bars for part in bar.parts)),
        "order": {"field": "order", "type": "quantitative"},
        "tooltip": _told("name", "part", "value"),
    }
    return _spec(rows, {"mark": "bar", "encoding": encoding}, 90 + 24 * len(bars))


def ranges_spec(ranges: Sequence[Range], axis: Axis) -> Spec:
    """Spans; the pointer tells both ends."""
    rows = [
        {
            "name": r.label,
            "low": r.low,
            "high": r.high,
            "value": r.value,
            "note": r.note,
        }
        for r in ranges
    ]
    encoding = {
        "y": {"field": "name", "type": "nominal", "sort": None, "title": None},
        "x": _on("low", axis),
        "x2": {"field": "high"},
        "tooltip": _told("name", "low", "value", "high", "note"),
    }
    mark = {"type": "bar", "color": PALETTE["range"][0], "height": 9}
    return _spec(rows, {"mark": mark, "encoding": encoding}, 70 + 26 * len(ranges))


def scatter_spec(points: Sequence[Point], x: Axis, y: Axis) -> Spec:
    """Points that can be moved and enlarged, with their intervals."""
    rows = [point.model_dump() for point in points]
    colour = _colour("group", (point.group for point in points))
    plain = {"x": _on("x", x), "y": _on("y", y), "color": colour}
    marks = {
        "mark": {"type": "point", "filled": True, "size": 70},
        "params": [{"name": "view", "select": "interval", "bind": "scales"}],
        "encoding": plain
        | {
            "shape": {"field": "group", "type": "nominal", "legend": None},
            "opacity": {
                "condition": {"test": "datum.muted", "value": 0.35},
                "value": 1,
            },
            "tooltip": _told("label", "x", "x_low", "x_high", "y", "y_low", "y_high"),
        },
    }
    across = {"x": _on("x_low", x), "x2": {"field": "x_high"}, "y": _on("y", y)}
    along = {"x": _on("x", x), "y": _on("y_low", y), "y2": {"field": "y_high"}}
    layers = [
        {"mark": "rule", "encoding": ends | {"color": colour}}
        for ends in (across, along)
    ]
    return _spec(rows, {"layer": [*layers, marks]}, 320)


def lines_spec(
    lines: Sequence[Line], x: Axis, y: Axis, bands: Sequence[Band] = ()
) -> Spec:
    """Curves; so many points of each that a page stays small."""
    rows: list[Mapping[str, Any]] = []
    for item in lines:
        stride = max(1, math.ceil(len(item.points) * len(lines) / MOST_VALUES))
        rows += [{"name": item.name, "x": a, "y": b} for a, b in item.points[::stride]]
    shades = [{"name": b.name, "start": b.start, "end": b.end} for b in bands]
    shade = {
        "data": {"values": _safe(shades)},
        "mark": {"type": "rect", "opacity": 0.15, "color": PALETTE["range"][0]},
        "encoding": {
            "x": _on("start", x),
            "x2": {"field": "end"},
            "tooltip": _told("name"),
        },
    }
    curve = {
        "mark": {"type": "line", "clip": True},
        "params": [
            {
                "name": "view",
                "select": {"type": "interval", "encodings": ["x"]},
                "bind": "scales",
            }
        ],
        "encoding": {
            "x": _on("x", x),
            "y": _on("y", y),
            "color": _colour("name", (item.name for item in lines)),
            "tooltip": _told("name", "x", "y"),
        },
    }
    return _spec(rows, {"layer": [shade, curve] if shades else [curve]}, 220)


def _spec(rows: Iterable[Mapping[str, Any]], body: Spec, height: float) -> Spec:
    return {
        "data": {"values": _safe(rows)},
        "width": "container",
        "height": height,
        "config": CONFIG,
        **body,
    }


def _safe(rows: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Rows that JSON can hold: no infinities, texts on one line."""
    return [{key: _plain(value) for key, value in row.items()} for row in rows]


def _plain(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return printable(value) if isinstance(value, str) else value


def _on(field: str, axis: Axis) -> dict[str, Any]:
    return {
        "field": field,
        "type": "quantitative",
        "title": axis_title(axis),
        "scale": {"type": "log"} if axis.log else {"zero": False},
    }


def _colour(field: str, names: Iterable[str]) -> dict[str, Any]:
    """A colour for each name, in the order of the drawing."""
    domain = [printable(name) for name in dict.fromkeys(names)]
    scale = PALETTE | {"domain": domain}
    legend: dict[str, Any] | None = {} if len(domain) > 1 else None
    return {
        "field": field,
        "type": "nominal",
        "title": None,
        "scale": scale,
        "legend": legend,
    }


def _told(*fields: str) -> list[dict[str, Any]]:
    return [{"field": field} for field in fields]
