"""Secrets for web services, from the environment only."""

import os

from harness.errors import UsageError


def secret(service: str, variable: str, source: str) -> str:
    """The value of an environment variable; it is never shown.

    Args:
        service: For people.
        variable: Its name.
        source: Where a person gets such a secret.

    Raises:
        UsageError: It is not set, or cannot be sent.
    """
    value = os.environ.get(variable, "").strip()
    if not value:
        raise UsageError(
            f"{service}: {variable} is not set",
            hint=f"export {variable}=... ({source})",
        )
    if not value.isprintable():
        raise UsageError(
            f"{service}: {variable} holds characters that cannot be sent",
            hint=f"set it again ({source})",
        )
    return value
