"""Untrusted YAML to plain data, with the place of every value and every fault."""

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import yaml

from harness.errors import UsageError
from harness.near import nearest

MAX_BYTES = 1 << 20
MAX_DEPTH = 20
TAG = "tag:yaml.org,2002:"
PLAIN_TAGS = {TAG + n for n in ("null", "bool", "int", "float", "str")}
SECONDS = {"ms": 0.001, "s": 1.0, "min": 60.0, "h": 3600.0}
BROKEN = object()
Where = tuple[str | int, ...]


@dataclass
class Source:
    """A file's data, and where each value stands.

    Attributes:
        places: `FILE:LINE` or `--set key=value` of each value by its path.
        faults: Lines of the message to come, in the order they were found.
    """

    name: str
    text: str = ""
    data: Any = None
    places: dict[Where, str] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)

    def fault(self, where: Where, message: str) -> None:
        """Note a fault of the value at a path."""
        place = self.name
        for length in range(len(where), -1, -1):
            if where[:length] in self.places:
                place = self.places[where[:length]]
                break
        dotted = dotted_path(where)
        line = f"{place}: {dotted}: {message}" if dotted else f"{place}: {message}"
        if line not in self.faults:
            self.faults.append(line)

    def raise_faults(self) -> None:
        """Report everything that was found, at once.

        Raises:
            UsageError: There was a fault.
        """
        if self.faults:
            raise UsageError("\n".join(self.faults))


def dotted_path(where: Where) -> str:
    """A path as people write it, such as `matrix.precision[2]`."""
    parts = (f"[{p}]" if isinstance(p, int) else f".{p}" for p in where)
    return "".join(parts).removeprefix(".")


def read_source(path: Path) -> Source:
    """Read a YAML file into plain data.

    Raises:
        UsageError: The file cannot be read, or is not YAML.
    """
    source = Source(str(path), _read_text(path))
    source.data = _parse(source, source.text, (), lambda n: f"{path}:{n}")
    return source


def override(source: Source, setting: str) -> None:
    """Set one value by its dotted key, from `key=value`; faults are noted."""
    key, equals, text = setting.partition("=")
    parts = tuple(key.strip().split("."))
    place = f"--set {setting}"
    if not equals or not all(parts):
        source.faults.append(f"{place}: write it as key=value, such as --set seed=1")
        return
    parent = source.data
    for part in parts[:-1]:
        parent = parent.setdefault(part, {}) if isinstance(parent, dict) else None
    if not isinstance(parent, dict):
        source.faults.append(f"{place}: {key.strip()}: its parent is not a mapping")
        return
    for where in [w for w in source.places if w[: len(parts)] == parts]:
        del source.places[where]
    source.places[parts] = place
    try:
        parent[parts[-1]] = _parse(source, text, parts, lambda _: place)
    except UsageError as error:
        source.faults.append(error.message)


def _read_text(path: Path) -> str:
    try:
        if path.exists() and not path.is_file():
            raise UsageError(f"{path}: not a regular file")
        with path.open("rb") as file:
            raw = file.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UsageError(f"{path}: cannot be read: {reason}") from error
    if len(raw) > MAX_BYTES:
        raise UsageError(f"{path}: larger than 1 MiB; a suite is a page of text")
    if raw[:2] in (b"\xff\xfe", b"\xfe\xff") or b"\0" in raw:
        at = raw[: max(raw.find(b"\0"), 0)].count(b"\n") + 1
        raise UsageError(f"{path}:{at}: UTF-16 or binary; save the file as UTF-8")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        at = raw[: error.start].count(b"\n") + 1
        raise UsageError(f"{path}:{at}: not UTF-8 text; is it a suite?") from error


def _parse(source: Source, text: str, where: Where, place: Callable[[int], str]) -> Any:
    """Plain data of one document; its faults are noted, a broken syntax raised."""
    try:
        _refuse(text, place)
        loader = yaml.SafeLoader(text)
        node = loader.get_single_node()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        at = place(mark.line + 1 if mark else 1)
        raise UsageError(f"{at}: not YAML: {error.problem}") from error
    except yaml.reader.ReaderError as error:
        at = place(text.count("\n", 0, error.position) + 1)
        raise UsageError(f"{at}: not YAML: {error.reason}") from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise UsageError(f"{place(1)}: not YAML: {error}") from error
    if node is None:
        raise UsageError(f"{place(1)}: empty; nothing is asked for")
    return _Walk(source, loader, place).value(node, where)


def _refuse(text: str, place: Callable[[int], str]) -> None:
    """Stop at what could blow up or smuggle: aliases, depth, more documents."""
    depth = documents = 0
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        mark = event.start_mark
        at = place(mark.line + 1 if mark else 1)
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            raise UsageError(f"{at}: anchors and aliases are refused; write it out")
        documents += isinstance(event, yaml.DocumentStartEvent)
        if documents > 1:
            raise UsageError(f"{at}: several documents; a suite is one")
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
        if depth > MAX_DEPTH:
            raise UsageError(f"{at}: nested deeper than {MAX_DEPTH} levels")


@dataclass(frozen=True)
class _Walk:
    """Turns nodes into plain data and keeps their marks."""

    source: Source
    loader: yaml.SafeLoader
    place: Callable[[int], str]

    def value(self, node: yaml.Node, where: Where) -> Any:
        """The plain value of a node, or BROKEN with a fault noted."""
        self.source.places[where] = self.place(node.start_mark.line + 1)
        if isinstance(node, yaml.MappingNode) and node.tag == TAG + "map":
            return self._mapping(node, where)
        if isinstance(node, yaml.SequenceNode) and node.tag == TAG + "seq":
            return [self.value(n, (*where, i)) for i, n in enumerate(node.value)]
        if isinstance(node, yaml.ScalarNode) and node.tag in PLAIN_TAGS:
            return self._scalar(node, where)
        tag = node.tag.replace(TAG, "!!")
        self.source.fault(where, f"tag {tag} is refused; plain values only")
        return BROKEN

    def _scalar(self, node: yaml.ScalarNode, where: Where) -> Any:
        try:
            return self.loader.construct_object(node)
        except (yaml.YAMLError, ValueError, TypeError, KeyError, IndexError):
            self.source.fault(where, f"cannot be read: {node.value[:40]!r}")
            return BROKEN

    def _mapping(self, node: yaml.MappingNode, where: Where) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key_node, value_node in node.value:
            line = key_node.start_mark.line + 1
            if key_node.tag != TAG + "str":
                at = (*where, "?")
                self.source.places[at] = self.place(line)
                self.source.fault(at, "a key must be a plain word")
                continue
            key = str(key_node.value)
            value = self.value(value_node, (*where, key))
            self.source.places[*where, key] = self.place(line)
            if key in found:
                self.source.fault((*where, key), "given twice")
            found[key] = value
        return found


@dataclass(frozen=True)
class Key:
    """What may stand at a key: a value, a mapping, or either.

    Attributes:
        parse: Turns plain data into the value; a ValueError is the message.
        at_least: Takes a value or a list of so many values or more; None: one value.
    """

    parse: Callable[[Any], Any] | None = None
    schema: Mapping[str, Any] = field(default_factory=dict)
    table: Mapping[str, "Key"] | None = None
    required: bool = False
    at_least: int | None = None


def read_table(
    source: Source, where: Where, data: Any, table: Mapping[str, Key]
) -> dict[str, Any]:
    """Values of a mapping by a table of keys; every fault is noted."""
    if not isinstance(data, dict):
        if data is not BROKEN:
            source.fault(where, f"must be a mapping, not {shown(data)}")
        return {}
    for name in data.keys() - table.keys():
        near = nearest(name, list(table)) or f"; known: {', '.join(table)}"
        source.fault((*where, name), f"unknown key{near}")
    for name in [n for n, k in table.items() if k.required and n not in data]:
        source.fault(where, f"key {name!r} is missing")
    found = {
        n: _read(source, (*where, n), data[n], table[n])
        for n in table.keys() & data.keys()
    }
    return {name: value for name, value in found.items() if value is not BROKEN}


def _read(source: Source, where: Where, data: Any, key: Key) -> Any:
    if data is BROKEN:
        return BROKEN
    if key.at_least is not None:
        return _read_list(source, where, data, key)
    if key.table is not None and (key.parse is None or isinstance(data, dict)):
        return read_table(source, where, data, key.table)
    try:
        return key.parse(data) if key.parse else data
    except ValueError as error:
        source.fault(where, str(error))
        return BROKEN


def _read_list(source: Source, where: Where, data: Any, key: Key) -> Any:
    """A tuple of the values that could be read; a lone value is a list of one."""
    one = replace(key, at_least=None)
    if not isinstance(data, list):
        value = _read(source, where, data, one)
        return BROKEN if value is BROKEN else (value,)
    if len(data) < (key.at_least or 0):
        source.fault(where, "empty; nothing would run")
        return BROKEN
    found: list[Any] = []
    for index, each in enumerate(data):
        value = _read(source, (*where, index), each, one)
        if value is not BROKEN and value in found:
            source.fault((*where, index), f"{shown(each)} is given twice")
        found.append(value)
    return tuple(value for value in found if value is not BROKEN)


def table_schema(table: Mapping[str, Key]) -> dict[str, Any]:
    """JSON Schema of a table of keys."""
    return {
        "type": "object",
        "properties": {name: _key_schema(key) for name, key in table.items()},
        "required": [name for name, key in table.items() if key.required],
        "additionalProperties": False,
    }


def _key_schema(key: Key) -> dict[str, Any]:
    if key.at_least is not None:
        one = _key_schema(replace(key, at_least=None))
        many = {"type": "array", "items": one, "minItems": key.at_least}
        return {"anyOf": [one, many]}
    if key.table is None:
        return dict(key.schema)
    nested = table_schema(key.table)
    return {"anyOf": [dict(key.schema), nested]} if key.parse else nested


def shown(value: Any) -> str:
    """A value as a message quotes it."""
    text = "nothing" if value is None else repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def duration_s(value: Any) -> float:
    """Seconds of `5 s`, `2 min`, `500 ms`; a number without a unit is refused."""
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        raise ValueError(f"{value} has no unit; write '{value} s', or ms, min, h")
    return quantity(value, SECONDS, "a duration such as '5 s', '500 ms' or '2 min'")


def quantity(value: Any, units: Mapping[str, float], wanted: str) -> float:
    """A number with one of some units, in the base unit."""
    text = value if isinstance(value, str) and len(value) < 40 else ""
    found = re.fullmatch(r"\s*([0-9]+(?:\.[0-9]+)?)\s*([A-Za-z%]+)\s*", text, re.ASCII)
    if not found:
        raise ValueError(f"{shown(value)} is not {wanted}")
    if found[2] not in units:
        raise ValueError(f"unknown unit {found[2]!r}; use {', '.join(units)}")
    return float(found[1]) * units[found[2]]


def whole(minimum: int, maximum: int = 2**31) -> Callable[[Any], int]:
    """A parser of whole numbers in a range."""

    def parse(value: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, int):
            raise ValueError(f"{shown(value)} is not a whole number")
        if not minimum <= value <= maximum:
            raise ValueError(f"{shown(value)} must be between {minimum} and {maximum}")
        return value

    return parse


def number(minimum: float, maximum: float) -> Callable[[Any], float]:
    """A parser of finite numbers in a range."""

    def parse(value: Any) -> float:
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise ValueError(f"{shown(value)} is not a number")
        if math.isnan(value) or not minimum <= value <= maximum:
            raise ValueError(f"{value} must be between {minimum} and {maximum}")
        return float(value)

    return parse


SWITCHES = {True: ("on", "yes", "true"), False: ("off", "no", "false")}
"""Words that YAML takes for a truth value where they are not in quotes."""


def one_of(known: Sequence[str]) -> Callable[[Any], str]:
    """A parser of known words, which suggests a near one."""

    def parse(value: Any) -> str:
        if isinstance(value, bool):
            meant = (word for word in SWITCHES[value] if word in known)
            value = next(meant, value)
        if not isinstance(value, str):
            raise ValueError(f"{shown(value)} is not a word; known: {', '.join(known)}")
        if value not in known:
            near = nearest(value, list(known)) or f"; known: {', '.join(known[:12])}"
            raise ValueError(f"unknown {shown(value)}{near}")
        return value

    return parse
