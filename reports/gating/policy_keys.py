"""What may stand in a policy of the gate: its keys, and what each takes."""

import math
import re
from collections.abc import Callable, Mapping
from typing import Any

from harness.yaml_source import Key, number, quantity, shown, whole
from reports.gating.measures import MEASURES

SCHEMA = 1
PERCENT = r"^\s*\d+(?:\.\d+)?\s*%\s*$"
POINTS = r"^\s*\d+(?:\.\d+)?\s*points?\s*$"
MOST_TEXT = 500
UNITS: Mapping[str, Mapping[str, float]] = {
    "J": {"nJ": 1e-9, "uJ": 1e-6, "mJ": 1e-3, "J": 1.0, "kJ": 1e3},
    "s": {"ns": 1e-9, "us": 1e-6, "ms": 1e-3, "s": 1.0},
    "FLOP": {"FLOP": 1.0, "MFLOP": 1e6, "GFLOP": 1e9},
    "B": {"B": 1.0, "kB": 1e3, "MB": 1e6, "GB": 1e9},
}
"""Units of floors by that of the measure."""


def policy_table() -> dict[str, Key]:
    """What may stand in a policy file."""
    return {
        "schema": Key(_schema_number, {"const": SCHEMA}, required=True),
        **_limits(),
        "alpha": Key(_alpha, {"type": "number", "exclusiveMinimum": 0, "maximum": 0.2}),
        "ignore": Key(_text, _text_schema(), at_least=0),
        "overrides": Key(table=_override_table(), at_least=0),
    }


def _limits() -> dict[str, Key]:
    """What an override may change, too."""
    floors = {
        name: Key(_floor(m.unit), _floor_schema()) for name, m in MEASURES.items()
    }
    return {
        "delta": Key(_percent, {"type": "string", "pattern": PERCENT}),
        "accuracy_drop": Key(_points, {"type": "string", "pattern": POINTS}),
        "min_rounds": Key(
            whole(2, 1000), {"type": "integer", "minimum": 2, "maximum": 1000}
        ),
        "floors": Key(table=floors),
    }


def _override_table() -> dict[str, Key]:
    glob = Key(_text, _text_schema())
    return {
        "key": Key(glob.parse, glob.schema, required=True),
        "metric": glob,
        **_limits(),
    }


def _schema_number(value: Any) -> int:
    if isinstance(value, bool) or value != SCHEMA:
        raise ValueError(f"{shown(value)} is not known; this joulebench reads {SCHEMA}")
    return SCHEMA


def _percent(value: Any) -> float:
    found = _matched(PERCENT, value, "a change such as '10 %'")
    if not 0 < found <= 1000:
        raise ValueError(f"{shown(value)} must be above 0 % and at most 1000 %")
    return found / 100


def _points(value: Any) -> float:
    found = _matched(POINTS, value, "a loss of accuracy such as '0.5 points' of 100")
    if found > 100:
        raise ValueError(f"{shown(value)} is more than all 100 points")
    return found / 100


def _matched(pattern: str, value: Any, wanted: str) -> float:
    if not isinstance(value, str) or len(value) > 40 or not re.match(pattern, value):
        raise ValueError(f"{shown(value)} is not {wanted}")
    return float(re.split(r"[%p]", value)[0])


def _alpha(value: Any) -> float:
    found = number(0, 0.2)(value)
    if found == 0:
        raise ValueError("at 0 nothing would ever be shown")
    return found


def _floor(unit: str) -> Callable[[Any], float]:
    units = UNITS[unit]

    def parse(value: Any) -> float:
        found = quantity(value, units, f"an amount such as '5 {next(iter(units))}'")
        if not math.isfinite(found):
            raise ValueError(f"{shown(value)} is too large")
        return found

    return parse


def _floor_schema() -> dict[str, Any]:
    return {"type": "string", "pattern": r"^\s*\d+(?:\.\d+)?\s*[A-Za-z]+\s*$"}


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value.strip() or len(value) > MOST_TEXT:
        raise ValueError(f"{shown(value)} is no word or pattern")
    return value


def _text_schema() -> dict[str, Any]:
    return {"type": "string", "minLength": 1, "maxLength": MOST_TEXT}
