"""How a live source is asked: one short request, and nothing believed unseen."""

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from harness.errors import EvidenceError, UsageError

LONGEST_S = 10.0
MOST_BYTES = 1 << 20
LEAST_G_PER_KWH = 0.1
"""No grid is without any; 0 is how a broken answer looks."""
MOST_G_PER_KWH = 3_000.0
OLDEST = timedelta(hours=24)


@dataclass(frozen=True)
class Request:
    """What is asked of whom.

    Attributes:
        source: Name of the source, for messages.
        url: Fixed in the code of the source, or the user's own by the environment.
        secret: Variables of the environment that hold what the source asks for.
        bearer: A token that goes into the header `Authorization`.
        json: Sent with POST; None for GET.
    """

    source: str
    url: str
    params: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    secret: str = ""
    basic: tuple[str, str] | None = None
    bearer: str | None = None
    json: Any = None
    timeout_s: float = LONGEST_S


def answer(request: Request) -> Any:
    """JSON that a source answers: at most 1 MiB, at most twice the time, no redirects.

    Raises:
        EvidenceError: Anything else came, or nothing; the message says which.
    """
    import requests
    from urllib3.exceptions import HTTPError

    def authorise(prepared: Any) -> Any:
        if request.bearer is not None:
            prepared.headers["Authorization"] = f"Bearer {request.bearer}"
        return prepared

    try:
        with requests.request(
            "GET" if request.json is None else "POST",
            request.url,
            params=dict(request.params),
            headers=dict(request.headers),
            json=request.json,
            auth=request.basic or authorise,
            timeout=request.timeout_s,
            allow_redirects=False,
            stream=True,
        ) as reply:
            _check_status(request, reply.status_code, reply.headers)
            body = _body(request, reply)
    except requests.Timeout as error:
        raise EvidenceError(
            f"{request.source}: no answer within {request.timeout_s:g} s"
        ) from error
    except (requests.RequestException, HTTPError, OSError, ValueError) as error:
        # the error's own text may hold the address with its query
        raise EvidenceError(
            f"{request.source}: cannot be reached ({type(error).__name__})"
        ) from error
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as error:
        raise EvidenceError(f"{request.source}: answers no JSON") from error


def _body(request: Request, reply: Any) -> bytes:
    latest_s = time.monotonic() + 2 * request.timeout_s
    body = b""
    for part in reply.iter_content(1 << 16):
        body += part
        if len(body) > MOST_BYTES:
            raise EvidenceError(f"{request.source}: answers more than 1 MiB")
        if time.monotonic() > latest_s:
            raise EvidenceError(f"{request.source}: answers too slowly")
    return body


def _check_status(request: Request, status: int, headers: Mapping[str, str]) -> None:
    name = request.source
    if status in (401, 403):
        refused = f"{name}: refuses access ({status})"
        cure = f"is {request.secret} right, and does your plan hold this zone?"
        raise EvidenceError(refused, hint=cure if request.secret else "")
    if status == 429:
        wait = str(headers.get("Retry-After", ""))[:40]
        later = f"; it asks to wait {wait} s" if wait.isdigit() else ""
        raise EvidenceError(f"{name}: asked too often (429){later}")
    if status != 200:
        raise EvidenceError(f"{name}: answers {status}")


def dug(source: str, data: Any, *keys: str | int) -> Any:
    """What stands deep in an answer.

    Raises:
        EvidenceError: It is not there.
    """
    for key in keys:
        try:
            data = data[key]
        except (KeyError, IndexError, TypeError) as error:
            path = ".".join(str(key) for key in keys)
            raise EvidenceError(f"{source}: its answer has no {path}") from error
    return data


def words(value: Any, most: int = 60) -> str:
    """The beginning of a text that a source answers; nothing that drives a terminal."""
    return "".join(c for c in str(value)[:most] if c.isprintable())


def believed(
    source: str,
    value: Any,
    *,
    low: float = LEAST_G_PER_KWH,
    high: float = MOST_G_PER_KWH,
) -> float:
    """A number within what is possible.

    Raises:
        EvidenceError: It is none, or out of the range.
    """
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise EvidenceError(f"{source}: {str(value)[:40]!r} is not a number")
    if not low <= value <= high:
        raise EvidenceError(
            f"{source}: {str(value)[:20]} is not between {low:g} and {high:g}"
        )
    return float(value)


def moment(source: str, text: Any) -> datetime:
    """When a value holds; not longer ago than a day.

    Raises:
        EvidenceError: It is no time, or too long ago.
    """
    try:
        found = datetime.fromisoformat(str(text)[:40])
        found = found if found.tzinfo else found.replace(tzinfo=UTC)
    except ValueError as error:
        raise EvidenceError(f"{source}: {str(text)[:40]!r} is not a time") from error
    if abs(datetime.now(UTC) - found) > OLDEST:
        raise EvidenceError(
            f"{source}: its value is of {found:%Y-%m-%d %H:%M} UTC, not of today"
        )
    return found.astimezone(UTC)


def secret(source: str, name: str, environ: Mapping[str, str]) -> str:
    """A token or password; only ever of the environment.

    Raises:
        UsageError: There is none, or it cannot be one.
    """
    found = environ.get(name, "")
    if not found:
        raise UsageError(
            f"{source}: the environment has no {name}",
            hint=f"export {name}=...; tokens never stand in suites or site files",
        )
    if not (found.isascii() and found.isprintable()):
        raise UsageError(f"{source}: {name} holds characters that no token has")
    return found
