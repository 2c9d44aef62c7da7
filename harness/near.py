"""The name that a misspelt one was meant to be."""

import difflib
from collections.abc import Mapping
from typing import Any


def nearest(name: str, known: Mapping[str, Any] | list[str]) -> str:
    """` (did you mean 'x'?)` for a near name, else an empty string."""
    found = difflib.get_close_matches(name, list(known), n=1)
    return f" (did you mean {found[0]!r}?)" if found else ""
