"""One question to one host: bounded in time and size, no redirects, no secrets told."""

import json
import re
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from harness.errors import FactorUnavailable
from harness.factors.live.answer import Answer

MOST_BYTES = 1 << 18
LATER = "try again later"
REDIRECTS = range(300, 400)
TROUBLE = range(500, 600)


@dataclass(frozen=True)
class Host:
    """A web service at one address.

    Attributes:
        name: For people, such as `Electricity Maps`.
        url: Scheme and host, with a port or a path where need be.
        access: What to do where it refuses the access.
        coverage: What to do where it does not know what was asked for.
        timeout_s: For the whole question, look-up of the name included.
    """

    name: str
    url: str
    access: str
    coverage: str
    timeout_s: float = 15.0


@dataclass(frozen=True)
class Question:
    """What is asked of a host.

    Attributes:
        headers: May hold a secret.
        login: User and password, sent by basic authentication.
        body: Posted as JSON where given.
    """

    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    login: tuple[str, str] | None = None
    body: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class _Reply:
    status: int
    headers: Mapping[str, str]
    body: bytes


def ask(host: Host, question: Question) -> Answer:
    """The JSON that a host answers.

    Raises:
        FactorUnavailable: It refuses, is silent, or answers something else; the
            message names the service and the cure and repeats no secret.
    """
    reply = _within(host, lambda: _fetch(host, question))
    if reply.status != 200:
        raise _refusal(host, reply)
    if len(reply.body) > MOST_BYTES:
        raise FactorUnavailable(
            f"{host.name}: the answer is longer than {MOST_BYTES // 1024} KiB",
            hint="is that really the service? a proxy may answer in its place",
        )
    try:
        return Answer(host.name, json.loads(reply.body))
    except (ValueError, RecursionError) as error:
        raise FactorUnavailable(
            f"{host.name}: the answer is not JSON",
            hint="is that really the service? a proxy may answer in its place",
        ) from error


def _within(host: Host, fetch: Callable[[], _Reply]) -> _Reply:
    """What a function returns, in time: a name server or a drip may take for ever."""
    replies: list[_Reply] = []
    failures: list[Exception] = []

    def work() -> None:
        try:
            replies.append(fetch())
        except Exception as error:  # noqa: BLE001 (raised again by who waits)
            failures.append(error)

    thread = threading.Thread(target=work, daemon=True, name=f"ask {host.name}")
    thread.start()
    thread.join(host.timeout_s)
    if failures:
        raise _failure(host, failures[0]) from None  # its message may hold a secret
    if not replies:
        raise _silent(host)
    return replies[0]


def _fetch(host: Host, question: Question) -> _Reply:
    import requests

    def authenticate(request: Any) -> Any:
        """Takes the place of what ~/.netrc has for the host."""
        sent = {name: text.encode() for name, text in question.headers.items()}
        request.headers.update(sent)
        if question.login:
            user, password = (part.encode() for part in question.login)
            request = requests.auth.HTTPBasicAuth(user, password)(request)
        return request

    with requests.request(
        "GET" if question.body is None else "POST",
        f"{host.url}{question.path}",
        params=dict(question.query),
        json=question.body,
        auth=authenticate,
        timeout=host.timeout_s,
        allow_redirects=False,
        stream=True,
    ) as answer:
        body = answer.raw.read(MOST_BYTES + 1, decode_content=True)
        return _Reply(answer.status_code, answer.headers, body)


def _silent(host: Host) -> FactorUnavailable:
    return FactorUnavailable(
        f"{host.name}: no answer within {host.timeout_s:g} s", hint=LATER
    )


def _failure(host: Host, error: Exception) -> Exception:
    """What a failed question means; what nobody thought of stays as it is."""
    import requests
    import urllib3

    if isinstance(error, (requests.Timeout, urllib3.exceptions.TimeoutError)):
        return _silent(host)
    if isinstance(error, requests.exceptions.SSLError):
        return FactorUnavailable(
            f"{host.name}: its certificate is not trusted",
            hint="is a proxy in between? REQUESTS_CA_BUNDLE names its certificate",
        )
    network = (requests.RequestException, urllib3.exceptions.HTTPError, OSError)
    if isinstance(error, network):
        return FactorUnavailable(
            f"{host.name}: cannot be reached ({type(error).__name__})",
            hint=f"is there a network, or a proxy to name in HTTPS_PROXY? {LATER}",
        )
    return error


def _refusal(host: Host, reply: _Reply) -> FactorUnavailable:
    """What a status other than 200 means."""
    status = reply.status
    if status in (401, 403):
        message, hint = f"refuses the access ({status})", host.access
    elif status == 429:
        message, hint = "was asked too often (429)", _retry(reply)
    elif status in (400, 404, 422):
        message, hint = f"does not know what was asked for ({status})", host.coverage
    elif status in REDIRECTS:
        message = f"redirects ({status}), which is not followed"
        hint = "its address has changed: a newer joulebench may know it"
    elif status in TROUBLE:
        message, hint = f"is in trouble ({status})", LATER
    else:
        message, hint = f"answers with the status {status}", LATER
    return FactorUnavailable(f"{host.name} {message}", hint=hint)


def _retry(reply: _Reply) -> str:
    """When to ask again: RFC 9110 allows seconds or a date."""
    after = reply.headers.get("Retry-After", "")
    if re.fullmatch(r"\d{1,6}", after):
        return f"try again in {after} s"
    if re.fullmatch(r"[A-Za-z0-9:, ]{1,40}", after):
        return f"try again after {after}"
    return "try again in some minutes"
