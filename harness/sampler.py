"""Reads every probe at a steady pace, and whenever an edge is asked for.

An edge may wait for the tick of the counters, which are then polled each millisecond.
Memory is bounded: samples go to the recorders once a second, and only what an open
window or the last minute needs is kept here.
"""

import math
import random
import threading
from array import array
from collections.abc import Collection, Iterable, Sequence
from typing import Protocol

import numpy as np

from harness.clock import Clock, SystemClock
from harness.columns import Column, Reading
from harness.contracts import Probe
from harness.counters import QUICK_S, SLOW_S
from harness.errors import ProbeUnavailable
from harness.paces import OpenProbe
from harness.readings import Channel, Provenance, Quantity
from harness.series import Series, Times, Trace, Values
from harness.units import NS_PER_S, seconds

JITTER = 0.2
"""Readings are spread by this share of the period: a load of the same period would
otherwise be read at the same phase each time."""
FAULTS = (
    OSError,
    ValueError,
    LookupError,
    ArithmeticError,
    TypeError,
    AttributeError,
    RuntimeError,
)
"""What a probe may raise where a source answers as nobody thought it would."""
FAULT_CURE = "the other meters are read on; tell us about this one"
FLUSH_S = 1.0
KEEP_S = 60.0
"""What is kept of the past when no window is open."""
MOST_SAMPLES = 400_000
"""A bound on memory: 6.4 MB a channel, eleven hours at 10 Hz; older readings are then
thinned, but for those beside the start of an open window."""
BESIDE_S = 30.0
"""What a start needs of the readings from `keep_from` on."""
POLL_S = 0.001
SLOWEST_TICK_S = SLOW_S
QUICKEST_TICK_S = QUICK_S
"""Counters between these periods are waited for; quicker ones need no wait, and slower
ones would idle the machine."""
MOST_PERIODS = 2.5
LEARN_S = 2.5
ENOUGH_CHANGES = 4
"""So long, and so often, are counters watched: five ticks of the slowest that is
waited for."""


class Recorder(Protocol):
    """Keeps samples outside this process."""

    def append(self, times_ns: Times, indexes: Times, values: Values) -> None:
        """Take a batch: instants, indexes of channels and readings: [n] each."""
        ...


class Sampler:
    """Owns the open probes; a thread reads them every `period_s` seconds.

    Attributes:
        channels: What the probes that answer report, with learnt update periods.
        unavailable: (probe, reason, cure) of those that do not.
    """

    def __init__(
        self,
        probes: Sequence[Probe],
        clock: Clock | None = None,
        period_s: float = 0.1,
        most_samples: int = MOST_SAMPLES,
    ) -> None:
        self._probes = list(probes)
        self._most_samples = most_samples
        self._clock = clock or SystemClock()
        self.period_s = period_s
        self._lock = threading.Lock()
        self._flushing = threading.Lock()
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None
        self._open: list[OpenProbe] = []
        self._columns: dict[str, Column] = {}
        self._indexes: dict[str, int] = {}
        self._pending: tuple[array[int], array[int], array[float]]
        self._recorders: list[Recorder] = []
        self._faults: dict[int, OSError] = {}
        self._needed_from: list[int] = []
        self.channels: tuple[Channel, ...] = ()
        self.unavailable: list[tuple[str, str, str]] = []

    def open(self, learn_s: float = 0.0) -> None:
        """Open every probe; those that cannot be read are kept with their cure.

        Args:
            learn_s: For so long, at most, watch how often the counters really change.
        """
        found: list[Channel] = []
        for probe in self._probes:
            try:
                described = probe.open()
            except ProbeUnavailable as error:
                self.unavailable.append((probe.name, error.message, error.hint))
                found += error.missing
            except FAULTS as error:
                self._give_up(probe, error)
            else:
                found += described
                self._open.append(OpenProbe.of(probe, described, self.period_s))
        self.channels = tuple(found)
        self._indexes = {c.name: index for index, c in enumerate(found)}
        self._columns = {c.name: Column() for c in found}
        self._pending = (array("q"), array("q"), array("d"))
        if learn_s:
            self._learn(learn_s)

    def close(self) -> None:
        """Stop the thread and close the probes."""
        self._ended.set()
        if self._thread:
            self._thread.join()
        for each in self._open:
            each.probe.close()
        self._open.clear()

    def start(self) -> None:
        """Begin to sample in a thread of its own."""
        self._thread = threading.Thread(target=self._loop, daemon=True)
        self._thread.start()

    def edge(self, *, aligned: bool = False) -> int:
        """Read every probe now; the instant of the reading in nanoseconds.

        Args:
            aligned: First wait until each energy counter has ticked, at most 2.5 of its
                update periods, so that the edge lies on a tick (one device) or as near
                to it as the others' phases allow.
        """
        if aligned:
            self._await_ticks()
        return self._read(is_edge=True)

    def record(self, recorder: Recorder) -> None:
        """Hand all further samples to a recorder, too."""
        self.flush()
        with self._flushing:
            self._recorders.append(recorder)

    def release(self, recorder: Recorder) -> None:
        """Hand over what is left and let the recorder go.

        Raises:
            OSError: It could not take everything, as when the disk is full.
        """
        self.flush()
        with self._flushing:
            self._recorders.remove(recorder)
            fault = self._faults.pop(id(recorder), None)
        if fault is not None:
            raise fault

    def keep_from(self, time_ns: int) -> None:
        """Keep the samples since this instant until `forget`."""
        with self._lock:
            self._needed_from.append(time_ns)

    def forget(self, time_ns: int) -> None:
        """No longer keep the samples since this instant."""
        with self._lock:
            self._needed_from.remove(time_ns)

    def trace(self, since_ns: int = 0) -> Trace:
        """The samples that are kept: the last minute, and those of open windows.

        Args:
            since_ns: Only those from this instant on.
        """
        with self._lock:
            return {name: c.series(since_ns) for name, c in self._columns.items()}

    def flush(self) -> None:
        """Hand the new samples to the recorders and drop old ones."""
        with self._flushing:
            with self._lock:
                batch = self._pending
                self._pending = (array("q"), array("q"), array("d"))
                newest_ns = batch[0][-1] if batch[0] else 0
                oldest_ns = newest_ns - round(KEEP_S * NS_PER_S)
                beside_ns = round(BESIDE_S * NS_PER_S)
                whole = [(start, start + beside_ns) for start in self._needed_from]
                for column in self._columns.values() if newest_ns else ():
                    column.forget(min([oldest_ns, *self._needed_from]))
                    column.thin(self._most_samples, [*whole, (oldest_ns, newest_ns)])
            if batch[0]:
                times_ns, indexes = (np.asarray(part, np.int64) for part in batch[:2])
                values = np.asarray(batch[2], np.float64)
                for recorder in self._recorders:
                    self._hand_over(recorder, times_ns, indexes, values)

    def _hand_over(
        self, recorder: Recorder, times_ns: Times, indexes: Times, values: Values
    ) -> None:
        """A recorder that fails once is told nothing more; sampling goes on."""
        if id(recorder) in self._faults:
            return
        try:
            recorder.append(times_ns, indexes, values)
        except OSError as error:
            self._faults[id(recorder)] = error

    def _read(
        self, names: Collection[str] | None = None, *, is_edge: bool = False
    ) -> int:
        """Take one sample of the named channels, or of all that are due."""
        with self._lock:
            time_ns = self._clock.now_ns()
            for each in self._open:
                if names is None:
                    asked = each.due(time_ns, is_edge=is_edge)
                else:
                    asked = each.among(names)
                if not asked:
                    continue
                try:
                    values = each.probe.read(asked)
                except FAULTS as error:
                    self._give_up(each.probe, error)
                    continue
                for name, value in values.items():
                    if value is not None and math.isfinite(value):
                        self._keep(time_ns, name, value)
            return time_ns

    def _give_up(self, probe: Probe, error: Exception) -> None:
        """Say once why a probe failed; what it was asked for stays without a value."""
        if probe.name not in {name for name, _, _ in self.unavailable}:
            reason = f"it failed: {type(error).__name__}: {error}"
            self.unavailable.append((probe.name, reason, FAULT_CURE))

    def _keep(self, time_ns: int, name: str, value: float) -> None:
        self._columns[name].append(time_ns, value)
        times, indexes, values = self._pending
        times.append(time_ns)
        indexes.append(self._indexes[name])
        values.append(value)

    def _await_ticks(self) -> None:
        """Poll the counters that tick slowly until each has changed once.

        All are polled to the end, so that the last tick of each is known sharply; one
        that does not answer, or does not tick in time, is not waited for.
        """
        periods_s = {c.name: c.update_period_s or 0.0 for c in ticking(self.channels)}
        if not periods_s:
            return
        started_ns = time_ns = self._read(periods_s)
        before = {name: self._last(name) for name in periods_s}
        waiting = {name for name, last in before.items() if last.time_ns == time_ns}
        while waiting:
            self._clock.sleep(POLL_S)
            time_ns = self._read(periods_s)
            waited_s = seconds(time_ns - started_ns)
            waiting = {
                name
                for name in waiting
                if self._last(name) == Reading(time_ns, before[name].value)
                and waited_s < periods_s[name] * MOST_PERIODS
            }

    def _last(self, name: str) -> Reading:
        with self._lock:
            return self._columns[name].last()

    def watch(
        self, names: Collection[str], longest_s: float, changes: int | None = None
    ) -> Trace:
        """Poll channels each millisecond for some seconds; what was read meanwhile.

        Args:
            names: Channels.
            longest_s: How long in seconds.
            changes: Enough is seen when each has changed so often.
        """
        start_ns = now_ns = self._clock.now_ns()
        seen = {name: (self._last(name).value, 0) for name in names}
        while now_ns < start_ns + longest_s * NS_PER_S and names:
            self._read(names)
            for name, (value, times) in seen.items():
                if (new := self._last(name).value) != value:
                    seen[name] = new, times + 1
            if changes and all(times > changes for _, times in seen.values()):
                break
            self._clock.sleep(POLL_S)
            now_ns = self._clock.now_ns()
        trace = self.trace()
        return {name: trace[name].cut(start_ns, now_ns) for name in names}

    def _learn(self, longest_s: float) -> None:
        """Replace nominal update periods of counters by those seen while polling.

        Those that are slow by their own account are not waited for anyway.
        """
        names = [
            channel.name
            for channel in _counters(self.channels)
            if (channel.update_period_s or 0.0) <= SLOWEST_TICK_S
        ]
        seen = self.watch(names, longest_s, ENOUGH_CHANGES)
        self.channels = tuple(
            _learnt(c, seen[c.name]) if c.name in seen else c for c in self.channels
        )

    def _loop(self) -> None:
        chance = random.Random()  # noqa: S311 (spreads readings, keeps no secret)
        flushed_ns = self._clock.now_ns()
        while not self._ended.wait(
            self.period_s * chance.uniform(1.0 - JITTER, 1.0 + JITTER)
        ):
            now_ns = self._read()
            if now_ns - flushed_ns >= FLUSH_S * NS_PER_S:
                self.flush()
                flushed_ns = now_ns


def _counters(channels: Iterable[Channel]) -> list[Channel]:
    """Energy counters of instruments."""
    return [
        channel
        for channel in channels
        if channel.kind == "counter"
        and channel.quantity is Quantity.ENERGY_J
        and channel.provenance is Provenance.MEASURED
    ]


def ticking(channels: Iterable[Channel]) -> list[Channel]:
    """Energy counters whose ticks an edge waits for."""
    return [
        channel
        for channel in _counters(channels)
        if QUICKEST_TICK_S <= (channel.update_period_s or 0.0) <= SLOWEST_TICK_S
    ]


def _learnt(channel: Channel, series: Series) -> Channel:
    """The channel with the period that was seen, where at least three ticks were.

    One that ticked less often is as slow as the longest time without a tick, at least.
    """
    seen_s = series.change_period_s() if len(series.changes) > 2 else None
    if 0 < len(series.changes) <= 2:
        seen_s = max(series.longest_still_s(), channel.update_period_s or 0.0)
    return channel.model_copy(update={"update_period_s": seen_s}) if seen_s else channel
