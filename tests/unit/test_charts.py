"""Charts: whole whatever they are given, legible, small, and nothing of others runs."""

import math
import re
from collections.abc import Sequence
from itertools import combinations
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reports.page.charts.bars import bars
from reports.page.charts.labels import Box, placed
from reports.page.charts.lines import lines
from reports.page.charts.marks import width_of
from reports.page.charts.parts import (
    Axis,
    Band,
    Bar,
    Line,
    Part,
    Point,
    Range,
    Svg,
)
from reports.page.charts.ranges import ranges
from reports.page.charts.scales import nice, scale
from reports.page.charts.scatter import scatter
from tests.page_makers import HOSTILE, TURNED

ANY = st.floats(allow_nan=True, allow_infinity=True)
MAYBE = st.none() | ANY
NAME = st.text(max_size=80)
PLAIN = Axis(title="Energy", unit="J")
LOG = Axis(title="Energy", unit="J", log=True)
AXES = st.sampled_from([PLAIN, LOG])
SVG = "{http://www.w3.org/2000/svg}"


def parsed(drawing: Svg) -> ET.Element:
    """The drawing, with no coordinate that is not a number."""
    assert not re.search(r"[\"\s,HVMLvhl](nan|inf|-inf)\b", drawing.split("</desc>")[1])
    return ET.fromstring(drawing)  # noqa: S314 (it is our own)


def texts(drawing: Svg) -> list[str]:
    return [each.text or "" for each in parsed(drawing).iter(f"{SVG}text")]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(NAME, ANY, MAYBE, MAYBE), max_size=6), AXES)
def test_bars_and_ranges_take_any_values(
    rows: Sequence[tuple[str, float, float | None, float | None]], axis: Axis
) -> None:
    drawn = [
        Bar(
            label=n,
            parts=(Part(name=n, value=v), Part(name="b", value=1)),
            low=a,
            high=b,
        )
        for n, v, a, b in rows
    ]
    spans = [
        Range(label=n, low=v, high=v if a is None else a, value=b)
        for n, v, a, b in rows
    ]

    parsed(bars(drawn, axis, "t", "a"))
    parsed(ranges(spans, axis, "t", "a", rows[0][1] if rows else None))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(NAME, ANY, ANY, MAYBE, MAYBE), max_size=6), AXES)
def test_scatter_and_lines_take_any_values(
    rows: Sequence[tuple[str, float, float, float | None, float | None]], axis: Axis
) -> None:
    points = [
        Point(label=n, x=x, y=y, x_low=a, x_high=b, y_low=a, y_high=b, on_front=True)
        for n, x, y, a, b in rows
    ]
    curve = Line(name="c", points=tuple((x, y) for _, x, y, _, _ in rows))
    bands = [Band(name=n, start=x, end=y) for n, x, y, _, _ in rows]

    parsed(scatter(points, axis, PLAIN, "t", "a"))
    parsed(lines([curve], PLAIN, axis, "t", "a", bands))


@pytest.mark.parametrize("values", [(), (math.nan,), (math.inf,)])
def test_nothing_to_show_is_said(values: tuple[float, ...]) -> None:
    empty = bars(
        [Bar(label="x", parts=(Part(name="p", value=v),)) for v in values],
        PLAIN,
        "t",
        "a",
    )

    assert texts(empty) == ["nothing to show"]


@given(st.floats(1e-12, 1e12))
def test_steps_are_one_two_or_five_and_no_smaller(rough: float) -> None:
    step = nice(rough)

    digits = step / 10 ** math.floor(math.log10(step) + 1e-9)
    assert round(digits, 6) in (1, 2, 5)
    assert rough * (1 - 1e-6) <= step <= rough * 2.51


@settings(deadline=None)
@given(st.lists(st.floats(1e-6, 1e6), min_size=1, max_size=9), AXES)
def test_a_scale_holds_its_values_and_names_some(
    values: list[float], axis: Axis
) -> None:
    made = scale(values, 0, 100, log=axis.log)

    places = [made.at(value) for value in values]
    assert all(-1e-6 <= place <= 100 + 1e-6 for place in places)
    assert len(made.ticks) >= 2
    assert len({made.written(tick) for tick in made.ticks}) == len(made.ticks)


def test_a_long_trace_is_small_and_keeps_its_peak() -> None:
    flat = [(n / 1000, 20.0) for n in range(200_000)]
    flat[77_777] = (77.777, 500.0)

    drawing = lines([Line(name="gpu", points=tuple(flat))], PLAIN, PLAIN, "t", "a")

    assert len(drawing) < 30_000
    path = next(
        e for e in parsed(drawing).iter(f"{SVG}path") if e.get("stroke-width") == "1.6"
    )
    heights = [float(y) for y in re.findall(r"L[\d.]+ ([\d.]+)", path.get("d") or "")]
    assert min(heights) < 0.2 * max(heights)


def test_a_missing_reading_breaks_the_curve() -> None:
    points = ((0.0, 1.0), (1.0, 1.0), (2.0, math.nan), (3.0, 1.0), (4.0, 1.0))

    drawing = lines([Line(name="x", points=points)], PLAIN, PLAIN, "t", "a")

    path = next(
        e for e in parsed(drawing).iter(f"{SVG}path") if e.get("stroke-width") == "1.6"
    )
    assert (path.get("d") or "").count("M") == 2


def test_names_of_points_never_lie_over_another() -> None:
    names = [
        (f"configuration {n}", 30.0 + 11 * (n % 30), 40.0 + 13 * (n % 7))
        for n in range(60)
    ]

    found = placed(names, [], Box(0, 0, 400, 250))

    boxes = [Box(at.x, at.y - 9, at.x + width_of(at.text), at.y + 3) for at in found]
    assert len(found) > 10
    assert not any(one.meets(other) for one, other in combinations(boxes, 2))
    assert all(box.left >= 0 and box.right <= 400 for box in boxes)


def test_the_front_is_a_line_and_is_named_first() -> None:
    crowd = [Point(label=f"p{n}", x=1 + n / 1000, y=0.5) for n in range(50)]
    front = Point(label="on the front", x=1.0, y=0.5, on_front=True)

    drawn = texts(scatter([*crowd, front], PLAIN, Axis(title="Accuracy"), "t", "a"))

    assert "on the front" in drawn


@pytest.mark.parametrize("name", [HOSTILE, '"><img src=x onerror=y>', "&amp;", "]]>"])
def test_names_of_others_stay_text(name: str) -> None:
    drawing = bars(
        [Bar(label=name, parts=(Part(name=name, value=1.0),))], PLAIN, name, name
    )

    tags = {each.tag.removeprefix(SVG) for each in parsed(drawing).iter()}
    assert name in texts(drawing)
    assert tags <= {"svg", "title", "desc", "g", "line", "path", "rect", "text"}


def test_a_mark_that_turns_writing_round_is_gone() -> None:
    drawing = bars(
        [Bar(label=TURNED, parts=(Part(name="p", value=1.0),))], PLAIN, "t", "a"
    )

    assert "\u202e" not in drawing


def test_an_endless_interval_is_cut_not_the_bars() -> None:
    wide = Bar(label="a", parts=(Part(name="p", value=2.0),), low=0.1, high=4000.0)

    drawn = texts(bars([wide], PLAIN, "t", "a"))

    assert max(float(t) for t in drawn if re.fullmatch(r"[\d.]+", t)) < 10
