"""A worker's line protocol: begin and end, answered with instants and joules.

Only the standard library is used here: a worker runs in the environment of its tool.
"""

import json
import os
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Protocol


@dataclass(frozen=True)
class Said:
    """Joules of one GPU, and the interval that they are said to belong to.

    Without an interval it is that of the work: from the return of begin to the call of
    end.
    """

    joules: float | None
    start_ns: int | None = None
    end_ns: int | None = None
    fault: str | None = None


class Tool(Protocol):
    """What a worker drives; joules are by the index of the GPU or by its UUID."""

    def begin(self) -> None: ...

    def end(self) -> Mapping[str, Said]: ...

    def close(self) -> None: ...


def serve(make: Callable[[], Tool]) -> None:
    """Answer until standard input ends; what a tool prints goes to standard error."""
    replies = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    started_ns = time.monotonic_ns()
    tool = make()
    opened = {"open_s": (time.monotonic_ns() - started_ns) / 1e9}
    answer(replies, opened)
    try:
        for line in sys.stdin:
            answer(replies, operate(tool, line.strip()))
    finally:
        tool.close()


def operate(tool: Tool, operation: str) -> dict[str, Any]:
    called_ns = time.monotonic_ns()
    if operation == "begin":
        tool.begin()
        return {"called_ns": called_ns, "returned_ns": time.monotonic_ns()}
    said = tool.end()
    returned_ns = time.monotonic_ns()
    return {
        "called_ns": called_ns,
        "returned_ns": returned_ns,
        "said": {gpu: asdict(value) for gpu, value in said.items()},
    }


def answer(replies: Any, reply: dict[str, Any]) -> None:
    replies.write(json.dumps(reply) + "\n")
    replies.flush()
