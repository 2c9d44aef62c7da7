"""The user's own meters: what no program can find by itself.

`meters.yaml` lies where JOULEBENCH_METERS says, else in the user's configuration
folder. It is never a part of a suite: a suite may come from anywhere, and may name no
address.
"""

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from pydantic import Field

from harness.noun import Noun
from harness.yaml_source import (
    Key,
    Source,
    duration_s,
    number,
    one_of,
    quantity,
    read_source,
    read_table,
    shown,
    whole,
)

VARIABLE = "JOULEBENCH_METERS"
EXAMPLE = "schema: 1\nmeters:\n  - {name: plug, kind: shelly, url: 'http://192.0.2.10'}"
DOMAINS = ("wall", "module", "psys", "soc", "cpu", "dram", "gpu", "tpu", "other")
SHORTEST_S = 0.1
REQUIRED = {
    "shelly": ("url",),
    "tasmota": ("url",),
    "redfish": ("url",),
    "ipmi": (),
    "prometheus": ("url", "query", "quantity"),
    "csv": ("path",),
}
"""Kinds, and the keys that each must have."""
OPTIONAL = {
    "shelly": ("channel",),
    "tasmota": (),
    "redfish": ("username", "password_env", "verify", "insecure", "chassis"),
    "ipmi": ("host", "username", "password_env"),
    "prometheus": ("scale", "username", "password_env", "verify", "insecure"),
    "csv": ("time", "power_w"),
}


class MeterEntry(Noun):
    """One meter of the user's.

    Attributes:
        device: What it meters; the meter's name where the file does not say.
        every_s: How often it is asked, in seconds.
        relative_error: Its calibration as a ratio.
        options: What only its kind knows.
    """

    name: str
    kind: str
    domain: str = "wall"
    device: str = ""
    every_s: float = 1.0
    relative_error: float | None = None
    options: dict[str, str | int | float | bool] = Field(default_factory=dict)


def meters_path() -> Path:
    """Where the user's meters file is, or would be."""
    stated = os.environ.get(VARIABLE)
    if stated:
        return Path(stated)
    stated = os.environ.get("XDG_CONFIG_HOME")
    try:
        home = Path(stated) if stated else Path.home() / ".config"
    except RuntimeError:  # neither HOME nor an entry in the password file
        home = Path("/.config")
    return home / "joulebench" / "meters.yaml"


def read_meters(path: Path) -> tuple[MeterEntry, ...]:
    """Every meter of a file.

    Raises:
        UsageError: It cannot be read; all faults are told at once, with their lines.
    """
    source = read_source(path)
    keys = {
        "schema": Key(_schema, required=True),
        "meters": Key(_listed, required=True),
    }
    found = read_table(source, (), source.data, keys)
    table = _table()
    entries = [
        read_table(source, ("meters", index), each, table)
        for index, each in enumerate(found.get("meters", ()))
    ]
    for index, entry in enumerate(entries):
        _check(source, index, entry)
    _check_names(source, entries)
    source.raise_faults()
    return tuple(_entry(entry) for entry in entries)


def _schema(value: Any) -> int:
    if isinstance(value, bool) or value != 1:
        raise ValueError(f"{shown(value)} is not known; this joulebench reads 1")
    return 1


def _listed(value: Any) -> list[Any]:
    """The meters as they stand: a message about one must not quote what it holds."""
    meters = [value] if isinstance(value, dict) else value
    if not isinstance(meters, list) or not meters:
        raise ValueError("must be a list of meters")
    if not all(isinstance(meter, dict) for meter in meters):
        raise ValueError("each must be a mapping such as {name: plug, kind: shelly}")
    return meters


def _table() -> dict[str, Key]:
    return {
        "name": Key(_word, required=True),
        "kind": Key(one_of(list(REQUIRED)), required=True),
        "domain": Key(one_of(DOMAINS)),
        "device": Key(_word),
        "every": Key(_pause_s),
        "relative_error": Key(_share),
        "url": Key(_url),
        "path": Key(_path),
        "host": Key(_host),
        "channel": Key(whole(0, 63)),
        "username": Key(_word),
        "password_env": Key(_variable),
        "password": Key(_no_secret),
        "verify": Key(_truth),
        "insecure": Key(_truth),
        "chassis": Key(_word),
        "query": Key(_word),
        "quantity": Key(one_of(("energy_j", "power_w"))),
        "scale": Key(number(1e-12, 1e12)),
        "time": Key(_word),
        "power_w": Key(_word),
    }


COMMON = ("name", "kind", "domain", "device", "every", "relative_error")


def _check(source: Source, index: int, entry: Mapping[str, Any]) -> None:
    """Keys that this kind must have, and those that it does not know."""
    kind = entry.get("kind")
    if kind is None:
        return
    where = ("meters", index)
    for key in REQUIRED[kind]:
        if key not in entry:
            source.fault(where, f"a meter of kind {kind} needs the key {key!r}")
    for key in entry.keys() - {*COMMON, *REQUIRED[kind], *OPTIONAL[kind]}:
        source.fault((*where, key), f"means nothing to a meter of kind {kind}")
    for key, other in (("username", "password_env"), ("password_env", "username")):
        if key in entry and other not in entry and other in OPTIONAL[kind]:
            source.fault((*where, key), f"goes with the key {other!r}")
    url = str(entry.get("url", ""))
    secret = "password_env" in entry and url.startswith("http://")
    if secret and not entry.get("insecure"):
        text = "a password over plain http; use https, or say insecure: true"
        source.fault((*where, "url"), text)


def _check_names(source: Source, entries: Sequence[Mapping[str, Any]]) -> None:
    names = [entry.get("name") for entry in entries]
    for index, name in enumerate(names):
        if name is not None and name in names[:index]:
            source.fault(("meters", index, "name"), f"{shown(name)} is there already")


def _entry(given: Mapping[str, Any]) -> MeterEntry:
    options = {key: value for key, value in given.items() if key not in COMMON}
    return MeterEntry(
        name=given["name"],
        kind=given["kind"],
        domain=given.get("domain", "wall"),
        device=given.get("device", given["name"]),
        every_s=given.get("every", 1.0),
        relative_error=given.get("relative_error"),
        options=options,
    )


def _word(value: Any) -> str:
    if not isinstance(value, (str, int)) or isinstance(value, bool) or value == "":
        raise ValueError(f"{shown(value)} is not a word")
    return str(value)


def _host(value: Any) -> str:
    """A name or an address; nothing that a program would take for an option."""
    text = _word(value)
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9.:_-]*", text):
        raise ValueError(f"{shown(value)} is no name of a host")
    return text


def _path(value: Any) -> str:
    try:
        return str(Path(_word(value)).expanduser())
    except RuntimeError as error:
        raise ValueError(f"{shown(value)}: {error}") from error


def _url(value: Any) -> str:
    """An address; what is wrong with it is told without it, lest it hold a secret."""
    text = str(value)
    if "@" in text:
        raise ValueError("no names and passwords in an address: use password_env")
    if not text.startswith(("http://", "https://")):
        raise ValueError("does not begin with http:// or https://")
    try:
        parts = urlsplit(text)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        raise ValueError("its host or port cannot be read") from error
    if not host:
        raise ValueError("names no host")
    if "?" in text or "#" in text:
        raise ValueError("ends before any '?' or '#': the kind knows what to ask")
    return text.rstrip("/")


def _pause_s(value: Any) -> float:
    found = duration_s(value)
    if found < SHORTEST_S:
        raise ValueError(f"{shown(value)} is shorter than 100 ms")
    return found


def _share(value: Any) -> float:
    return quantity(value, {"%": 0.01}, "a share such as '1%'")


def _truth(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError(f"{shown(value)} is neither true nor false")
    return value


def _variable(value: Any) -> str:
    name = str(value)
    if not re.fullmatch(r"[A-Z_][A-Z0-9_]*", name):  # it may be the password itself
        raise ValueError("names a variable in capitals, such as BMC_PASSWORD")
    if name not in os.environ:
        raise ValueError(f"the environment has no variable {name}")
    return name


def _no_secret(value: Any) -> Literal[""]:
    del value
    raise ValueError("no passwords in files: password_env names a variable that has it")
