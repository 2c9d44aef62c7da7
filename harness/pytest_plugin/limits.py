"""What a test may cost: the marker `energy` and `--energy-compare-fail`."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from harness.errors import UsageError
from harness.near import nearest

METRIC = "joules"
EXAMPLE = '@pytest.mark.energy(max_regression="10%", min_accuracy=0.9)'


@dataclass(frozen=True)
class Limits:
    """What was asked of one test.

    Attributes:
        max_regression_ratio: 0.1 is 10 % more joules than the baseline's.
        min_accuracy: Least `energy.accuracy`, in [0, 1].
        items: Items that one call works on.
    """

    max_regression_ratio: float | None = None
    min_accuracy: float | None = None
    items: int | None = None


def of_marker(
    arguments: Sequence[Any], stated: Mapping[str, Any], where: str
) -> Limits:
    """The limits of a marker's arguments.

    Args:
        arguments: Positional ones; there are none.
        stated: Those with a name.
        where: The test.

    Raises:
        UsageError: An unknown name, or a value that cannot be one.
    """
    known = ["max_regression", "min_accuracy", "items"]
    for name in [*map(repr, arguments), *(n for n in stated if n not in known)]:
        raise UsageError(
            f"{where}: @pytest.mark.energy does not take {name}{nearest(name, known)}",
            hint=EXAMPLE,
        )
    ratio, accuracy = stated.get("max_regression"), stated.get("min_accuracy")
    items = stated.get("items")
    if accuracy is not None and not (_is_number(accuracy) and 0 <= accuracy <= 1):
        raise UsageError(
            f"{where}: min_accuracy={accuracy!r} is not a number from 0 to 1", EXAMPLE
        )
    if items is not None and (type(items) is not int or items < 1):
        raise UsageError(f"{where}: items={items!r} is not a number of items", EXAMPLE)
    return Limits(
        None if ratio is None else ratio_of(ratio, f"{where}: max_regression"),
        accuracy,
        items,
    )


def of_option(text: str) -> float:
    """The ratio of `joules:10%`.

    Raises:
        UsageError: It is not such.
    """
    metric, colon, value = text.partition(":")
    if not colon or metric != METRIC:
        raise UsageError(
            f"--energy-compare-fail {text}: not METRIC:PERCENT",
            hint="--energy-compare-fail joules:10%",
        )
    return ratio_of(value, "--energy-compare-fail joules")


def ratio_of(value: Any, where: str) -> float:
    """0.1 of "10%" or 0.1.

    Raises:
        UsageError: It is neither, or negative.
    """
    found = math.nan
    if isinstance(value, str) and value.endswith("%"):
        try:
            found = float(value[:-1]) / 100.0
        except ValueError:
            found = math.nan
    elif _is_number(value):
        found = float(value)
    if not 0.0 <= found < math.inf:
        raise UsageError(f"{where}: {value!r} is not a share", hint='such as "10%"')
    return found


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
