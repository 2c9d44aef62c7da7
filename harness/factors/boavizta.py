"""Embodied carbon of hardware, from the user's own instance of BoaviztAPI.

BoaviztAPI (AGPL-3.0) is spoken to over HTTP and never imported. Version 2.5.0, tried:
`POST /v1/component/{gpu,cpu}` with `{"name": ...}` and `GET /v1/server/?archetype=...`,
both with `verbose=true&criteria=gwp&duration=...`, answer
`impacts.gwp.embedded.{value,min,max,warnings}` in kgCO2eq and `verbose.name` with the
name that was matched. An unknown name is answered like a known one, with the data of
its default (for GPUs an H100 of 575 kg): its `verbose.name.status` is then INPUT, not
COMPLETED. The match is a fuzzy one ("H999" is taken for H100, "Xeon" for a certain
Bronze 3104), so that the words that name the model must stand in the matched name. A
server is one of the listed archetypes. Embodied carbon is shared out over `duration`:
one beyond every lifetime gives all of it.
"""

import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Literal, get_args
from urllib.parse import urlsplit

from harness.errors import UsageError
from harness.factor import Factor
from harness.factors.live.answer import Answer, plain
from harness.factors.live.web import Host, Question, ask
from harness.near import nearest

NAME = "BoaviztAPI"
UNIT = "kg CO2e"
Kind = Literal["gpu", "cpu", "server"]
QUERY = {"verbose": "true", "criteria": "gwp", "duration": "1000000000"}
"""A billion hours: all of the embodied carbon, whatever the instance's default is."""
MATCHED = "COMPLETED"
MOST_KG = 1e6
MOST_WARNINGS = 5
UNTOLD = re.compile(r"^(hbm\w*|gddr\w*|pcie\w*|\d+core)$")
"""Words with a digit that name no model: kinds of memory and of slots, counts."""


def embodied(
    url: str,
    kind: Kind,
    name: str,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> Factor:
    """Embodied carbon of one piece, with the range that the service gives.

    Args:
        url: Of the user's instance, such as `http://localhost:5000`.
        kind: What the piece is.
        name: A GPU or CPU as its maker names it, or a server archetype.
        now: Tells the time.

    Raises:
        UsageError: The address is none, or the service does not know the name.
        FactorUnavailable: It cannot be asked, or tells nothing believable.
    """
    host = _host(url)
    if kind not in get_args(Kind):
        raise UsageError(f"no hardware of the kind {kind!r}", hint="gpu, cpu or server")
    version = ask(host, Question("/v1/utils/version"))
    answer, told = _server(host, name) if kind == "server" else _part(host, kind, name)
    answer.expect("kgCO2eq", "impacts", "gwp", "unit")
    value, low, high = (_kg(answer, key) for key in ("value", "min", "max"))
    if not low <= value <= high:
        raise answer.fault(f"{value:g} is not within its range, {low:g} to {high:g}")
    number = plain(version.data) if isinstance(version.data, str) else "unknown"
    return Factor(
        name=f"embodied carbon of {name}",
        value=value,
        low=low if low < high else None,
        high=high if low < high else None,
        unit=UNIT,
        year=None,
        source=f"{NAME} {number}, {told}",
        licence="AGPL-3.0 (BoaviztAPI); terms of its data: doc.api.boavizta.org",
        retrieved_utc=now().isoformat(timespec="seconds"),
        caveats=_caveats(answer, kind, low == high),
    )


def _host(url: str) -> Host:
    try:
        parts = urlsplit(url)
        is_sound = parts.scheme in ("http", "https") and bool(parts.hostname)
        is_bare = not (parts.username or parts.password or parts.query)
    except ValueError:
        is_sound = is_bare = False
    if not (is_sound and is_bare):
        raise UsageError(
            f"{url!r} is no address of a {NAME} instance",
            hint="http://HOST:PORT, without a password or a query",
        )
    cure = f"is it {NAME} 2 that runs there? doc.api.boavizta.org says how to start it"
    return Host(NAME, url.rstrip("/"), cure, cure)


def _part(host: Host, kind: Kind, name: str) -> tuple[Answer, str]:
    """What is told of a GPU or CPU, and the name that it was matched to."""
    path = f"/v1/component/{kind}"
    answer = ask(host, Question(path, QUERY, body={"name": name}))
    matched = answer.find("verbose", "name", "value")
    is_matched = answer.find("verbose", "name", "status") == MATCHED
    if not (is_matched and isinstance(matched, str)):
        raise _unknown(host, f"/v1/utils/{kind}_name", name, "it would tell a default")
    missing = sorted(_models(name) - _models(matched))
    if missing or not _models(name):
        why = f"it would tell of {plain(matched)!r}"
        raise _unknown(host, f"/v1/utils/{kind}_name", name, why)
    return answer, f"matched to {plain(matched)}"


def _models(name: str) -> set[str]:
    """Words with a digit, which name the model: h100, 9654, 80gb."""
    joined = re.sub(r"(\d+)-core\b", r"\1core", name.casefold())
    words = re.findall(r"[a-z0-9+]+", joined)
    numbered = {w for w in words if any(c.isdigit() for c in w)}
    return {word for word in numbered if not UNTOLD.match(word)}


def _server(host: Host, name: str) -> tuple[Answer, str]:
    """What is told of a server archetype."""
    path = "/v1/server/archetypes"
    if name not in _names(ask(host, Question(path))):
        raise _unknown(host, path, name, "it is no archetype")
    query = {**QUERY, "archetype": name}
    return ask(host, Question("/v1/server/", query)), f"archetype {name}"


def _unknown(host: Host, path: str, name: str, why: str) -> UsageError:
    known = _names(ask(host, Question(path)))
    return UsageError(
        f"{NAME} does not know {name!r} ({why}){nearest(name, known)}",
        hint=f"the names it knows: {host.url}{path}; or state the embodied carbon, "
        "with its source, in the site file",
    )


def _names(answer: Answer) -> list[str]:
    told = answer.data if isinstance(answer.data, list) else []
    return [plain(name) for name in told if isinstance(name, str)]


def _kg(answer: Answer, key: str) -> float:
    value = answer.number("impacts", "gwp", "embedded", key)
    if not 0 < value <= MOST_KG:
        raise answer.fault(f"{value:g} kg is no embodied carbon of one piece")
    return value


def _caveats(answer: Answer, kind: Kind, is_single: bool) -> tuple[str, ...]:  # noqa: FBT001
    warnings = answer.find("impacts", "gwp", "embedded", "warnings")
    told = warnings if isinstance(warnings, list) else []
    found = [plain(w) for w in told[:MOST_WARNINGS] if isinstance(w, str)]
    if kind == "server":
        found.append("an archetype, not the machine itself: look at its range")
    elif is_single:
        found.append(
            "no range is told, yet sources differ (for one H100 by a factor of 3.5)"
        )
    return tuple(found)
