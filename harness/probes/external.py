"""The user's own meters (see harness.meters_file), each asked by a thread of its own.

A plug or a rack answers in milliseconds, in seconds or not at all; the sampler takes
what has come and never waits.
"""

import csv
import threading
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path

from harness.errors import ProbeUnavailable, UsageError
from harness.meters_file import (
    EXAMPLE,
    VARIABLE,
    MeterEntry,
    meters_path,
    read_meters,
)
from harness.probes.external_kinds import MeterFault, Poll, Values, poll_of
from harness.readings import Channel, Provenance, Quantity

FIRST_ANSWER_S = 6.0
STRANGE = (
    ArithmeticError,
    AttributeError,
    LookupError,
    OSError,
    RecursionError,
    TypeError,
    ValueError,
    csv.Error,
)
"""What an answer that nobody thought of makes of the code that reads it."""
NAMES = {Quantity.POWER_W: "power_w", Quantity.ENERGY_J: "energy_j"}


class ExternalProbe:
    """Every meter of the user's meters file.

    Args:
        path: The file; where the user keeps it when not given.
        poll: Makes of a meter's entry what asks it once.
        first_answer_s: How long all meters together are waited for at the start.
    """

    name = "external"

    def __init__(
        self,
        path: Path | None = None,
        poll: Callable[[MeterEntry], Poll] = poll_of,
        first_answer_s: float = FIRST_ANSWER_S,
    ) -> None:
        self._path = path
        self._poll = poll
        self._first_answer_s = first_answer_s
        self._pollers: list[_Poller] = []

    def open(self) -> Sequence[Channel]:
        """Ask every meter once; one that does not answer is a channel that says so.

        Raises:
            ProbeUnavailable: No file, a faulty file, or no meter that answers.
        """
        self.close()
        path = self._path or meters_path()
        if not path.exists():
            raise ProbeUnavailable(
                f"no meters file ({path})",
                hint=f"for a plug, a rack or an analyser write one there, or where "
                f"{VARIABLE} says:\n{EXAMPLE}",
            )
        try:
            entries = read_meters(path)
        except UsageError as error:
            raise ProbeUnavailable(
                error.message, hint="mend the meters file"
            ) from error
        self._pollers = [_Poller(entry, self._poll(entry)) for entry in entries]
        for poller in self._pollers:
            poller.start()
        until_s = time.monotonic() + self._first_answer_s
        faults = {p.entry.name: p.wait(until_s) for p in self._pollers}
        if all(faults.values()):
            self.close()
            told = "; ".join(f"{name}: {fault}" for name, fault in faults.items())
            raise ProbeUnavailable(
                f"no meter of {path} answers: {told}", hint="are they on the network?"
            )
        return [channel for poller in self._pollers for channel in poller.channels()]

    def read(self, names: Collection[str] | None = None) -> Mapping[str, float | None]:
        """What has come since the last reading; None once where a meter failed."""
        found: dict[str, float | None] = {}
        for poller in self._pollers:
            found |= poller.take()
        return {n: v for n, v in found.items() if names is None or n in names}

    def close(self) -> None:
        """End the threads."""
        for poller in self._pollers:
            poller.end()
        self._pollers.clear()


class _Poller:
    """Asks one meter again and again, and keeps the newest answer."""

    def __init__(self, entry: MeterEntry, poll: Poll) -> None:
        self.entry = entry
        self._poll = poll
        self._known: list[Quantity] = []
        self._news: Values | None = {}
        self._fault = "it has not answered yet"
        self._lock = threading.Lock()
        self._answered = threading.Event()
        self._ended = threading.Event()
        name = f"external/{entry.name}"
        self._thread = threading.Thread(target=self._loop, name=name, daemon=True)

    def start(self) -> None:
        """Begin to ask."""
        self._thread.start()

    def end(self) -> None:
        """Ask no more; a question under way is not waited for."""
        self._ended.set()

    def wait(self, until_s: float) -> str:
        """Wait for the first answer; why there is none, else nothing."""
        self._answered.wait(max(0.0, until_s - time.monotonic()))
        with self._lock:
            return self._fault

    def channels(self) -> list[Channel]:
        """What it tells; what its entry promises where it has not answered."""
        promised = Quantity(str(self.entry.options.get("quantity", Quantity.POWER_W)))
        with self._lock:
            self._known = self._known or [promised]
            return [self._channel(quantity) for quantity in self._known]

    def take(self) -> dict[str, float | None]:
        """The newest values by channel, once; None for each where the meter failed."""
        with self._lock:
            news, self._news = self._news, {}
            if news is None:
                return {self._name(quantity): None for quantity in self._known}
            return {self._name(q): v for q, v in news.items() if q in self._known}

    def _loop(self) -> None:
        while not self._ended.is_set():
            next_s = time.monotonic() + self.entry.every_s
            try:
                values: Values | None = self._poll()
                fault = ""
            except MeterFault as error:
                values, fault = None, str(error)
            except STRANGE as error:  # it may answer better next time
                kind = type(error).__name__
                values, fault = None, f"its answer cannot be read ({kind})"
            with self._lock:
                self._fault = fault
                if values is None or values:
                    self._news = values
                if values and not self._known:
                    self._known = list(values)
            self._answered.set()
            self._ended.wait(max(0.0, next_s - time.monotonic()))

    def _name(self, quantity: Quantity) -> str:
        return f"external/{self.entry.name}/{NAMES[quantity]}"

    def _channel(self, quantity: Quantity) -> Channel:
        entry = self.entry
        fault = f"{entry.kind} {entry.name}: {self._fault}" if self._fault else None
        unverified = entry.options.get("verify") is False
        return Channel(
            name=self._name(quantity),
            domain=entry.domain,
            device=entry.device,
            quantity=quantity,
            kind="counter" if quantity is Quantity.ENERGY_J else "gauge",
            provenance=Provenance.MEASURED,
            source=f"external.{entry.kind}",
            tier="A",
            update_period_s=entry.every_s,
            relative_error=entry.relative_error,
            note=fault or ("its certificate is not verified" if unverified else None),
        )
