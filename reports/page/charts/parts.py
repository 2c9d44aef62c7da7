"""What charts are given."""

from typing import NewType

from harness.noun import Noun

Svg = NewType("Svg", str)
"""Markup of one `<svg>` element, escaped by whoever made it."""


class Axis(Noun):
    """What an axis shows.

    Attributes:
        unit: Written behind the title; empty for a plain number.
        log: Logarithmic; all its values must be positive.
    """

    title: str
    unit: str = ""
    log: bool = False


class Part(Noun):
    """A piece of a stacked bar."""

    name: str
    value: float


class Bar(Noun):
    """A bar of one part or several, with an interval around its end."""

    label: str
    parts: tuple[Part, ...]
    low: float | None = None
    high: float | None = None
    muted: bool = False


class Range(Noun):
    """A span with a mark in it.

    Attributes:
        note: Written at its end, such as the source of the figure.
    """

    label: str
    low: float
    high: float
    value: float | None = None
    note: str = ""


class Point(Noun):
    """A mark with intervals in both directions, each None where it is not known."""

    label: str
    x: float
    y: float
    x_low: float | None = None
    x_high: float | None = None
    y_low: float | None = None
    y_high: float | None = None
    group: str = ""
    muted: bool = False
    on_front: bool = False


class Line(Noun):
    """A curve through points in the order of x."""

    name: str
    points: tuple[tuple[float, float], ...]
    stepped: bool = False
    dashed: bool = False


class Band(Noun):
    """A shaded stretch of the x axis.

    Attributes:
        faint: Hardly shaded: what stands beside the stretch that counts.
    """

    name: str
    start: float
    end: float
    faint: bool = False
