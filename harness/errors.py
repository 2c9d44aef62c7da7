"""The one tree of failures, each with the cure.

BenchError
    UsageError          the user's file or command is at fault (exit 2)
    EvidenceError       a required meter or record is missing (exit 3)
        FactorUnavailable   a web service does not tell a factor
    ProbeUnavailable    a meter cannot be read here
    StorageError        a run folder takes nothing more; what is in it is kept
    OutputError         a result cannot be written where it should go
"""

from collections.abc import Sequence
from typing import Any


class BenchError(Exception):
    """A failure a person can act on.

    Attributes:
        message: What went wrong, with the place.
        hint: What to do about it; empty when the message says it.
        exit_code: What the command returns (contract: 1 to 5).
    """

    exit_code = 1

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def told(self) -> str:
        """Message and cure in one line; what cannot be printed is escaped."""
        text = "; ".join(filter(None, (self.message, self.hint)))
        return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


class UsageError(BenchError):
    """The command line or an input file is at fault."""

    exit_code = 2


class StorageError(BenchError):
    """A run folder cannot be written any more; finished trials are in it."""


class EvidenceError(BenchError):
    """There is not enough evidence for an answer."""

    exit_code = 3


class FactorUnavailable(EvidenceError):  # noqa: N818 (an expected state of a service)
    """A number that nobody measures here cannot be had from its web service."""


class NothingMeasured(BenchError):  # noqa: N818 (it is a finding, not a fault)
    """There is no record to work on."""

    exit_code = 4


class ProbeUnavailable(BenchError):  # noqa: N818 (an expected state of a machine)
    """A meter cannot be read on this machine; the hint says how it could be.

    Attributes:
        missing: Channels of what is there, all the same: a total without them is not
            complete. None where there is no such hardware.
    """

    def __init__(
        self, message: str, hint: str = "", missing: Sequence[Any] = ()
    ) -> None:
        super().__init__(message, hint)
        self.missing = tuple(missing)


class OutputError(BenchError):
    """Standard output takes nothing; no message where its reader has simply gone."""

    def __init__(self, message: str, hint: str = "", *, exit_code: int = 1) -> None:
        super().__init__(message, hint)
        self.exit_code = exit_code
