"""The three standard streams, also where they are closed, full or of another alphabet.

A result that cannot be written is an error in one sentence, wherever it is printed.
"""

import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from harness.errors import OutputError

WAYS = (os.O_RDONLY, os.O_RDONLY, os.O_WRONLY)
"""How a closed stream is opened on nothing, so that no file of ours gets its number: an
output cannot be written then, as before."""


class Results(io.TextIOWrapper):
    """Standard output that says what became of it."""

    def write(self, text: str, /) -> int:
        """Write text, or say why it cannot be written."""
        with _told():
            return super().write(text)

    def flush(self) -> None:
        """Hand on what is buffered, or say why it cannot be."""
        with _told():
            super().flush()


def guard() -> None:
    """Make sure of the standard streams before anything else is opened."""
    for number, way in enumerate(WAYS):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, way)  # takes the lowest number that is free
    if isinstance(sys.stdout, io.TextIOWrapper):
        encoding, by_line = sys.stdout.encoding, sys.stdout.line_buffering
        sys.stdout = Results(
            sys.stdout.detach(), encoding, "backslashreplace", line_buffering=by_line
        )
    elif sys.stdout is None:
        sys.stdout = Results(io.FileIO(1, "w", closefd=False), "utf-8")
    if sys.stderr is None:
        sys.stderr = io.TextIOWrapper(io.FileIO(2, "w", closefd=False))


def give_up() -> None:
    """Let what is left in the buffer of standard output go nowhere."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.close(nowhere)


@contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except BrokenPipeError as error:
        raise OutputError("", exit_code=0) from error
    except OSError as error:
        raise OutputError(
            f"standard output cannot be written: {error.strerror}"
        ) from error
