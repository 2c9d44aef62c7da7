"""What a web service answered: untrusted until each value has been looked at."""

import math
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from harness.errors import FactorUnavailable

LOWEST_G_PER_KWH = 0.1
"""No grid is without any: 0 is how a broken answer looks, and would win a ranking."""
HIGHEST_G_PER_KWH = 3000.0
"""More than any grid has: peat and lignite in old plants emit about 1,300."""
OLDEST = timedelta(hours=24)
AHEAD = timedelta(hours=1)
LONGEST = 160
CHANGED = "the service may have changed its answers: a newer joulebench may know them"


@dataclass(frozen=True)
class Answer:
    """The JSON of a service; a path of keys and indexes leads to a value.

    Attributes:
        service: For people, such as `Electricity Maps`.
    """

    service: str
    data: Any

    def find(self, *path: str | int) -> Any:
        """A value; None where it is not there."""
        found = self.data
        for key in path:
            try:
                found = found[key]
            except (KeyError, IndexError, TypeError):
                return None
        return found

    def text(self, *path: str | int) -> str:
        """A text, without what cannot be printed, and not too long.

        Raises:
            FactorUnavailable: There is none.
        """
        found = self.find(*path)
        if not isinstance(found, str) or not found.strip():
            raise self.fault(f"it names no {_dotted(path)}")
        return plain(found)

    def number(self, *path: str | int) -> float:
        """A finite number.

        Raises:
            FactorUnavailable: There is none.
        """
        found = self.find(*path)
        if isinstance(found, bool) or not isinstance(found, (int, float)):
            raise self.fault(f"it holds no number {_dotted(path)}")
        try:
            value = float(found)
        except OverflowError:  # an integer of hundreds of digits
            value = math.inf
        if not math.isfinite(value):
            raise self.fault(f"{_dotted(path)} is not a finite number")
        return value

    def intensity_g_per_kwh(
        self, *path: str | int, g_per_kwh_of_unit: float = 1.0
    ) -> float:
        """A carbon intensity that a grid can have.

        Raises:
            FactorUnavailable: There is none, or it is absurd.
        """
        value = self.number(*path) * g_per_kwh_of_unit
        if not LOWEST_G_PER_KWH <= value <= HIGHEST_G_PER_KWH:
            raise self.fault(
                f"{_dotted(path)} is {value:.6g} g/kWh, which no grid has "
                f"({LOWEST_G_PER_KWH:g} to {HIGHEST_G_PER_KWH:.0f})"
            )
        return value

    def time(self, *path: str | int, now: datetime) -> datetime:
        """A time in UTC that is about now.

        Raises:
            FactorUnavailable: There is none, or it is a day old or to come.
        """
        told = self.text(*path)
        try:
            found = datetime.fromisoformat(told)
        except ValueError as error:
            raise self.fault(f"{_dotted(path)} is not a time") from error
        found = found.replace(tzinfo=found.tzinfo or UTC).astimezone(UTC)
        if not now - OLDEST <= found <= now + AHEAD:
            raise self.fault(
                f"its newest value is of {stamp(found)}, and now it is {stamp(now)}",
                hint="is this machine's clock right? else try again later",
            )
        return found

    def expect(self, wanted: str, *path: str | int) -> None:
        """Refuse an answer to another question, or in another unit.

        Raises:
            FactorUnavailable: The text at the path is not the one wanted.
        """
        told = self.text(*path)
        if told != wanted:
            raise self.fault(f"{_dotted(path)} is {told!r} where {wanted!r} was asked")

    def fault(self, message: str, hint: str = CHANGED) -> FactorUnavailable:
        """An answer that cannot be used."""
        return FactorUnavailable(
            f"{self.service}: the answer cannot be used: {message}", hint=hint
        )


def plain(text: str) -> str:
    """A foreign text on one printable line, not too long."""
    line = "".join(c if c.isprintable() else " " for c in text).strip()
    line = re.sub(r"\s+", " ", line)
    return line if len(line) <= LONGEST else f"{line[: LONGEST - 3]}..."


def stamp(moment: datetime) -> str:
    """A time in UTC to the minute, such as `2026-11-25T13:30Z`."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%MZ")


def _dotted(path: tuple[str | int, ...]) -> str:
    return ".".join(str(key) for key in path)
