"""Runs one cross-check for another process, which asks over a pipe.

`python -P -m harness.crosschecks.serving zeus` reads open, begin and end, one a line,
and answers each with a line of JSON; it ends when its standard input does. It imports
nothing but pydantic besides the tool, so that any environment with the tool can run it.
"""

import json
import os
import sys
from importlib import import_module
from typing import Any

from harness.crosschecks import CrossCheck
from harness.errors import BenchError

CROSSCHECKS = {
    "zeus": "harness.crosschecks.zeus:ZeusCheck",
    "codecarbon": "harness.crosschecks.codecarbon:CodeCarbonCheck",
}


def answer(check: CrossCheck, operation: str) -> dict[str, Any]:
    """Do one operation; its value, or the error with its cure."""
    try:
        if operation == "end":
            return {"value": check.end().model_dump(mode="json")}
        {"open": check.open, "begin": check.begin}[operation]()
    except BenchError as error:
        return {"error": error.message, "hint": error.hint}
    return {"value": None}


def main() -> None:
    """Serve until standard input ends."""
    replies = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what the tool prints must not look like an answer
    module, _, name = CROSSCHECKS[sys.argv[1]].partition(":")
    check: CrossCheck = getattr(import_module(module), name)()
    try:
        for line in sys.stdin:
            replies.write(json.dumps(answer(check, line.strip())) + "\n")
            replies.flush()
    finally:
        check.close()


if __name__ == "__main__":
    main()
