"""What may stand in a suite file: its keys, what each takes, and in which words."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from harness import registry
from harness.carbon import places
from harness.contracts import Option
from harness.factors import MARGINAL, means
from harness.near import nearest
from harness.protocol_keys import PROFILES, protocol_table
from harness.records import PLAIN_RUNTIME, PLAIN_SCENARIO, SCHEMA, Phase
from harness.scenarios import SCENARIOS
from harness.yaml_source import Key, number, one_of, shown, whole

YEARLY_MEAN = "yearly-mean"
"""The intensity of a site that names no live source."""
ZONE = r"^[A-Za-z0-9][A-Za-z0-9_-]{0,39}$"
TRACKS = ("closed", "open")
NAMED_AXES = ("workload", "phase", "precision", "device", "runtime", "scenario")
AXES = (*NAMED_AXES, "batch_size")
DEFAULT_AXES: Mapping[str, tuple[Any, ...]] = {
    "runtime": (PLAIN_RUNTIME,),
    "scenario": (PLAIN_SCENARIO,),
}
"""What an axis is where a suite does not name it; the others must be named."""
SHARE = r"^\s*(\d{1,3}(?:\.\d+)?)\s*%\s+of\s+reference\s*$"
NAME = r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$"
LONGEST_TEXT = 4096
UNITLESS = "an accuracy to reach in the open track is quality.absolute"


def suite_table() -> dict[str, Key]:
    """What may stand in a suite file."""
    return {
        "schema": Key(_schema_number, {"const": SCHEMA}, required=True),
        "name": Key(_name, {"type": "string", "pattern": NAME}, required=True),
        "seed": Key(whole(0, 2**31 - 1), {"type": "integer", "minimum": 0}),
        "profile": _words(list(PROFILES)),
        "protocol": Key(table=protocol_table(list(registry.cards()))),
        "matrix": Key(table=_matrix_table(), required=True),
        "quality": Key(table=_quality_table()),
        "site": Key(table=_site_table()),
    }


def _name(value: Any) -> str:
    if not isinstance(value, str) or not re.match(NAME, value):
        raise ValueError(
            f"{shown(value)} cannot name a folder: letters, digits, '-', '_' and '.'"
        )
    return value


def _schema_number(value: Any) -> int:
    if isinstance(value, bool) or value != SCHEMA:
        raise ValueError(f"{shown(value)} is not known; this joulebench reads {SCHEMA}")
    return SCHEMA


def _words(known: Sequence[str], **more: Any) -> Key:
    return Key(one_of(known), {"enum": list(known)}, **more)


def _quality_table() -> dict[str, Key]:
    share = {"type": "string", "pattern": SHARE}
    above_0 = {"type": "number", "exclusiveMinimum": 0, "maximum": 1}
    return {"floor": Key(_share, share), "absolute": Key(_positive, above_0)}


def _share(value: Any) -> float:
    """Ratio of `99% of reference`."""
    found = re.match(SHARE, value) if isinstance(value, str) else None
    if found is None or not 0 < float(found[1]) <= 100:
        raise ValueError(
            f"{shown(value)} is not a share such as '99% of reference'; {UNITLESS}"
        )
    return float(found[1]) / 100


def _positive(value: Any) -> float:
    found = number(0, 1)(value)
    if found == 0:
        raise ValueError("a floor of 0 lets everything pass")
    return found


def _site_table() -> dict[str, Key]:
    return {
        "place": _words(places()),
        "intensity": _words([YEARLY_MEAN, *means()]),
        "marginal": _words(list(MARGINAL)),
        "zone": Key(_zone, {"type": "string", "pattern": ZONE}),
        "fallback": _words([YEARLY_MEAN]),
        "pue": Key(number(1, 10), {"type": "number", "minimum": 1, "maximum": 10}),
    }


def _zone(value: Any) -> str:
    if not isinstance(value, str) or not re.fullmatch(ZONE, value):
        raise ValueError(f"{shown(value)} is no zone such as FR or CAISO_NORTH")
    return value


def _matrix_table() -> dict[str, Key]:
    block = {**_axes_table(), "options": Key(table=_options_table())}
    added = {**block, "track": _words(TRACKS)}
    return {
        **{n: block[n] if n in DEFAULT_AXES else _required(block[n]) for n in AXES},
        "options": block["options"],
        "include": Key(table=added, at_least=0),
        "exclude": Key(table=_patterns_table(), at_least=0),
    }


def _required(key: Key) -> Key:
    return Key(key.parse, key.schema, at_least=key.at_least, required=True)


def _axes_table() -> dict[str, Key]:
    known = _members()
    size = Key(whole(1, 1 << 20), {"type": "integer", "minimum": 1}, at_least=1)
    words = {name: _words(known[name], at_least=1) for name in NAMED_AXES}
    return {**words, "batch_size": size}


def _members() -> dict[str, list[str]]:
    """Known names by axis."""
    return {
        "workload": list(registry.cards()),
        "phase": [phase.value for phase in Phase],
        "precision": list(registry.precisions()),
        "device": list({**registry.BACKENDS, **registry.plugins("device")}),
        "runtime": list(registry.runtimes()),
        "scenario": list(SCENARIOS),
    }


def _options_table() -> dict[str, Key]:
    return {
        name: Key(table={n: _described(o) for n, o in (card.options or {}).items()})
        for name, card in registry.cards().items()
    }


def _described(option: Option) -> Key:
    """An option with what its card says of it."""
    key = _option(option)
    return replace(key, schema={**key.schema, "description": option.about})


def _option(option: Option) -> Key:
    """What an option of a workload takes, by the kind of its default."""
    if option.choices:
        return _words([str(choice) for choice in option.choices], at_least=1)
    if isinstance(option.default, str):
        return Key(_text, {"type": "string", "maxLength": LONGEST_TEXT}, at_least=1)
    low = 0 if option.minimum is None else option.minimum
    if isinstance(option.default, int):
        high = 2**31 if option.maximum is None else int(option.maximum)
        schema = {"type": "integer", "minimum": low, "maximum": high}
        return Key(whole(int(low), high), schema, at_least=1)
    limit = 1e9 if option.maximum is None else option.maximum
    schema = {"type": "number", "minimum": low, "maximum": limit}
    return Key(number(low, limit), schema, at_least=1)


def _text(value: Any) -> str:
    """A plain string, such as a path or a name."""
    if not isinstance(value, str):
        raise ValueError(f"{shown(value)} is not a text; put it in quotes")
    if len(value) > LONGEST_TEXT:
        raise ValueError(f"{shown(value)} is longer than {LONGEST_TEXT} characters")
    if not value.isprintable():
        raise ValueError(f"{shown(value)} holds characters that cannot be printed")
    return value


def _patterns_table() -> dict[str, Key]:
    words = {"type": "string"}
    known = _members()
    table = {n: Key(_pattern(known[n]), words, at_least=1) for n in NAMED_AXES}
    return {**table, "batch_size": _axes_table()["batch_size"]}


def _pattern(known: Sequence[str]) -> Any:
    """A parser of patterns such as `int8-*` that some known name matches."""

    def parse(value: Any) -> str:
        if not isinstance(value, str):
            raise ValueError(f"{shown(value)} is not a name or a pattern")
        if not any(registry.matches(name, value) for name in known):
            near = nearest(value, list(known))
            raise ValueError(f"{shown(value)} matches nothing that is known{near}")
        return value

    return parse
