"""A figure with its unit, its range and how it came to be; missing is None, never 0."""

import math
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Literal, get_args

from harness.factor import Factor
from harness.noun import Noun

Method = Literal["measured", "modelled", "sourced", "assumed"]
METHODS: tuple[Method, ...] = get_args(Method)
RANGE = "ranges of the factors"
BEYOND = "beyond what a number can hold"


class Figure(Noun):
    """A quantity with how far it can be believed.

    Attributes:
        value: None where it could not be had.
        low: Lower end of what is held possible; None where no range is known.
        high: Upper end.
        interval: What the two ends are.
        methods: How what it is made of came to be, the most trusted first.
        formula: What was multiplied and added.
        reason: Why there is no value, or what the value lacks.
    """

    unit: str
    value: float | None = None
    low: float | None = None
    high: float | None = None
    interval: str = ""
    methods: tuple[Method, ...] = ()
    formula: str = ""
    reason: str | None = None

    @property
    def bounds(self) -> tuple[float, float] | None:
        """Lowest and highest value; the value itself without a range."""
        if self.value is None:
            return None
        low = self.value if self.low is None else self.low
        high = self.value if self.high is None else self.high
        return low, high


def missing(unit: str, *reasons: str | None) -> Figure:
    """A figure that could not be had, with why."""
    said = _joined(tuple(reason or "" for reason in reasons), "; ")
    return Figure(unit=unit, reason=said or "not known")


def measured(
    unit: str,
    value: float | None,
    bound: float | None = None,
    *,
    modelled_ratio: float | None = 0.0,
    reason: str | None = None,
    lacks: str | None = None,
) -> Figure:
    """What meters or their models counted, give or take their error bound.

    Args:
        unit: Of the value.
        value: None where it could not be had.
        bound: Error bound; None where none is known.
        modelled_ratio: Share that no instrument saw; None where that is not known.
        reason: Why there is no value.
        lacks: What the value lacks.
    """
    if value is None or not math.isfinite(value):
        return missing(unit, lacks or reason or BEYOND)
    return Figure(
        unit=unit,
        value=value,
        low=None if bound is None else least(value, bound),
        high=None if bound is None else value + bound,
        interval="" if bound is None else "error bound of the meters",
        methods=joules_methods(modelled_ratio),
        reason=lacks,
    )


def least(value: float, bound: float) -> float:
    """The lower end by an error bound: what is used is never less than nothing."""
    return max(value - bound, min(value, 0.0))


def joules_methods(modelled_ratio: float | None) -> tuple[Method, ...]:
    """How joules came to be, of which such a share no instrument saw."""
    if modelled_ratio is None:
        return ("modelled",)
    if modelled_ratio >= 1:
        return ("modelled",)
    return ("measured", "modelled") if modelled_ratio > 0 else ("measured",)


def of_factor(factor: Factor | None, unit: str, reason: str | None) -> Figure:
    """A factor as a figure; None where the ledger has none."""
    if factor is None:
        return missing(unit, reason)
    return Figure(
        unit=unit,
        value=factor.value,
        low=factor.low,
        high=factor.high,
        interval="" if factor.low is None and factor.high is None else RANGE,
        methods=methods_of((factor,)),
    )


def methods_of(factors: Iterable[Factor]) -> tuple[Method, ...]:
    """Sourced, assumed, or both."""
    found = {"assumed" if factor.assumed else "sourced" for factor in factors}
    return tuple(method for method in METHODS if method in found)


def product(unit: str, formula: str, *parts: Figure, by: float = 1.0) -> Figure:
    """What figures of 0 or more give multiplied, and by a constant of conversion.

    The ends are those of the worst case: all parts low, or all high.
    """
    value, low, high = by, by, by
    for part in parts:
        ends = part.bounds
        if part.value is None or ends is None:
            return _lacking(unit, parts)
        value *= part.value
        low, high = low * ends[0], high * ends[1]
    return _combined(unit, formula, parts, (value, low, high))


def total(unit: str, formula: str, *parts: Figure) -> Figure:
    """Sum of figures; None as soon as one is."""
    value = low = high = 0.0
    for part in parts:
        ends = part.bounds
        if part.value is None or ends is None:
            return _lacking(unit, parts)
        value += part.value
        low, high = low + ends[0], high + ends[1]
    return _combined(unit, formula, parts, (value, low, high))


def scaled(unit: str, formula: str, part: Figure, by: float) -> Figure:
    """A figure in another unit."""
    return product(unit, formula, part, by=by)


def methods_in(parts: Iterable[Figure]) -> tuple[Method, ...]:
    """All methods of some figures, each once."""
    return _methods(tuple(part.methods for part in parts))


def _lacking(unit: str, parts: Sequence[Figure]) -> Figure:
    return missing(unit, *(part.reason for part in parts if part.value is None))


def _combined(
    unit: str,
    formula: str,
    parts: Sequence[Figure],
    values: tuple[float, float, float],
) -> Figure:
    if not all(map(math.isfinite, values)):
        return missing(unit, BEYOND)
    ranged = any(part.low is not None or part.high is not None for part in parts)
    return Figure(
        unit=unit,
        value=values[0],
        low=values[1] if ranged else None,
        high=values[2] if ranged else None,
        interval=_joined(tuple(part.interval for part in parts), " and "),
        methods=methods_in(parts),
        formula=formula,
        reason=_joined(tuple(part.reason or "" for part in parts), "; ") or None,
    )


@lru_cache(maxsize=4096)
def _methods(each: tuple[tuple[Method, ...], ...]) -> tuple[Method, ...]:
    found = {method for methods in each for method in methods}
    return tuple(method for method in METHODS if method in found)


@lru_cache(maxsize=4096)
def _joined(texts: tuple[str, ...], by: str) -> str:
    """Texts that say something, each once; what is joined already is taken apart."""
    parts = (part for text in texts if text for part in text.split(by))
    return by.join(dict.fromkeys(parts))
