"""What may stand in a site file: its keys, what each takes, and in which words."""

import math
import re
from collections.abc import Callable, Mapping
from typing import Any, get_args

from harness import factors
from harness.errors import UsageError
from harness.ledger_nouns import Matched, Ownership
from harness.yaml_source import Key, number, one_of, shown, whole

SCHEMA = 1
LONGEST_TEXT = 500
MOST_PIECES = 1_000_000
CURRENCY = r"^[A-Z]{3}$"
CURE = (
    "says no source: write {{value: {0}, source: ..., year: ...}}, "
    "or move it under assume: as {1}: {0}"
)
LIMITS: Mapping[str, tuple[float, float]] = {
    "pue": (1.0, 10.0),
    "wue_l_per_kwh": (0.0, 100.0),
    "source_water_l_per_kwh": (0.0, 10_000.0),
    "grid_g_per_kwh": (0.0, 5_000.0),
    "contract_g_per_kwh": (0.0, 5_000.0),
    "price_per_kwh": (0.0, 1e6),
}
"""Numbers of a site, with the least and the greatest value believed."""
PIECE_LIMITS: Mapping[str, tuple[float, float]] = {
    "capex": (0.0, 1e12),
    "lifetime_years": (0.1, 50.0),
    "embodied_kg_co2e": (0.0, 1e9),
}
"""Numbers of one piece of hardware."""


def site_table() -> dict[str, Key]:
    """What may stand in a site file."""
    ownership = list(get_args(Ownership))
    known = list(factors.places())
    stated = {name: _stated(name, *limits) for name, limits in LIMITS.items()}
    more = {"matched": Key(one_of(get_args(Matched)), {"enum": [*get_args(Matched)]})}
    stated["contract_g_per_kwh"] = _stated(
        "contract_g_per_kwh", *LIMITS["contract_g_per_kwh"], more
    )
    return {
        "schema": Key(_schema_number, {"const": SCHEMA}, required=True),
        "name": Key(text, _text_schema(), required=True),
        "place": Key(_place, {"enum": known}),
        "ownership": Key(one_of(ownership), {"enum": ownership}),
        "currency": Key(_currency, {"type": "string", "pattern": CURRENCY}),
        **stated,
        "hardware": Key(table=_piece_table(), at_least=0),
        "assume": Key(table={n: _assumed(*limits) for n, limits in LIMITS.items()}),
    }


def _piece_table() -> dict[str, Key]:
    limits = PIECE_LIMITS
    values = {n: _stated(n, *limits[n]) for n in ("capex", "lifetime_years")}
    made = _stated("embodied_kg_co2e", *limits["embodied_kg_co2e"])
    return {
        "name": Key(text, _text_schema(), required=True),
        "match": Key(text, _text_schema()),
        "count": Key(whole(1, MOST_PIECES), {"type": "integer", "minimum": 1}),
        **values,
        "embodied_kg_co2e": Key(made.parse, made.schema, made.table, at_least=1),
        "assume": Key(table={n: _assumed(*span) for n, span in limits.items()}),
    }


def _stated(
    name: str, low: float, high: float, more: Mapping[str, Key] | None = None
) -> Key:
    """A number with its source; a bare one is refused with the cure."""
    value = _assumed(low, high)
    words = Key(text, _text_schema())
    table = {
        "value": Key(value.parse, value.schema, required=True),
        "low": value,
        "high": value,
        "source": Key(text, _text_schema(), required=True),
        "year": Key(whole(1900, 2200), {"type": "integer"}),
        "licence": words,
        **(more or {}),
    }
    return Key(_bare(name), {"not": {}}, table=table)


def _bare(name: str) -> Callable[[Any], Any]:
    def parse(value: Any) -> Any:
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise ValueError(f"{shown(value)} is not {{value: ..., source: ...}}")
        raise ValueError(CURE.format(shown(value), name))

    return parse


def _assumed(low: float, high: float) -> Key:
    parse = number(low, high)

    def finite(value: Any) -> float:
        try:
            found = parse(value)
        except OverflowError as error:
            raise ValueError(f"{shown(value)} is too large") from error
        if not math.isfinite(found):
            raise ValueError(f"{shown(value)} is not finite")
        return found

    return Key(finite, {"type": "number", "minimum": low, "maximum": high})


def text(value: Any) -> str:
    """A short line that can be printed; a number for a name is text, too.

    Raises:
        ValueError: It is none.
    """
    if isinstance(value, bool) or not isinstance(value, (str, int)):
        raise ValueError(f"{shown(value)} is not text; put it in quotes")
    line = str(value).strip()
    if not line:
        raise ValueError("is empty")
    if len(line) > LONGEST_TEXT:
        raise ValueError(f"is longer than {LONGEST_TEXT} characters")
    if not line.isprintable():
        raise ValueError(f"{shown(value)} holds characters that cannot be printed")
    return line


def _text_schema() -> dict[str, Any]:
    return {"type": "string", "minLength": 1, "maxLength": LONGEST_TEXT}


def _place(value: Any) -> str:
    code = text(value)
    try:
        factors.check_place(code)
    except UsageError as error:
        raise ValueError(f"{error.message}; {error.hint}") from error
    return code


def _currency(value: Any) -> str:
    if not isinstance(value, str) or not re.fullmatch(CURRENCY, value):
        raise ValueError(f"{shown(value)} is no ISO 4217 code such as EUR")
    return value


def _schema_number(value: Any) -> int:
    if isinstance(value, bool) or value != SCHEMA:
        raise ValueError(f"{shown(value)} is not known; this joulebench reads {SCHEMA}")
    return SCHEMA
