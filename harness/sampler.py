"""Reads every probe at a steady pace and whenever an edge is asked for."""

import threading
from array import array
from collections.abc import Sequence

from harness.clock import Clock, SystemClock
from harness.contracts import Probe
from harness.errors import ProbeUnavailable
from harness.records import Channel, Quantity, Sample, Trace
from harness.units import seconds

PERIOD_S = 0.1
MOST_SAMPLES = 2_000_000
"""A bound on memory: 32 MB a channel, over two days at 10 Hz."""
RECENT = 11
"""Samples that the power of the moment is taken over when a counter gives it."""


class Sampler:
    """Owns the open probes; a thread reads them every `period_s` seconds.

    Attributes:
        channels: What the probes that answer report.
        unavailable: (probe, reason, cure) of those that do not.
    """

    def __init__(
        self,
        probes: Sequence[Probe],
        clock: Clock | None = None,
        period_s: float = PERIOD_S,
    ) -> None:
        self._probes = list(probes)
        self._clock = clock or SystemClock()
        self._period_s = period_s
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None
        self._open: list[Probe] = []
        self._times: dict[str, array[int]] = {}
        self._values: dict[str, array[float]] = {}
        self.channels: tuple[Channel, ...] = ()
        self.unavailable: list[tuple[str, str, str]] = []

    def open(self) -> None:
        """Open every probe; those that cannot be read are kept with their cure."""
        found: list[Channel] = []
        for probe in self._probes:
            try:
                found += probe.open()
            except ProbeUnavailable as error:
                self.unavailable.append((probe.name, error.message, error.hint))
            else:
                self._open.append(probe)
        self.channels = tuple(found)
        self.clear()

    def close(self) -> None:
        """Stop the thread and close the probes."""
        self._ended.set()
        if self._thread:
            self._thread.join()
        for probe in self._open:
            probe.close()
        self._open.clear()

    def start(self) -> None:
        """Begin to sample in a thread of its own."""
        self._thread = threading.Thread(target=self._loop, daemon=True)
        self._thread.start()

    def clear(self) -> None:
        """Forget all samples."""
        with self._lock:
            self._times = {channel.name: array("q") for channel in self.channels}
            self._values = {channel.name: array("d") for channel in self.channels}

    def edge(self) -> int:
        """Read every probe now; the instant of the reading in nanoseconds."""
        with self._lock:
            time_ns = self._clock.now_ns()
            for probe in self._open:
                for name, value in probe.read().items():
                    if value is not None and len(self._times[name]) < MOST_SAMPLES:
                        self._times[name].append(time_ns)
                        self._values[name].append(value)
            return time_ns

    def trace(self) -> Trace:
        """All samples since the last `clear`."""
        with self._lock:
            return {
                name: [
                    Sample(time_ns=time_ns, value=value)
                    for time_ns, value in zip(times, self._values[name], strict=True)
                ]
                for name, times in self._times.items()
            }

    def watts(self) -> float | None:
        """Power of the moment over all energy channels; None when unknown."""
        with self._lock:
            powers = dict(self._power(c) for c in self.channels if _has_energy(c))
        known = [power for power in powers.values() if power is not None]
        return sum(known) if known else None

    def _power(self, channel: Channel) -> tuple[tuple[str, str], float | None]:
        """Latest power of a device; a gauge's last value or a counter's slope."""
        identity = (channel.domain, channel.device)
        times, values = self._times[channel.name], self._values[channel.name]
        if channel.quantity is Quantity.POWER_W:
            return identity, values[-1] if values else None
        if len(times) < 2:
            return identity, None
        first = max(0, len(times) - RECENT)
        span_s = seconds(times[-1] - times[first])
        grown_j = values[-1] - values[first]
        return identity, grown_j / span_s if span_s > 0 and grown_j >= 0 else None

    def _loop(self) -> None:
        while not self._ended.wait(self._period_s):
            self.edge()


def _has_energy(channel: Channel) -> bool:
    return (
        channel.quantity in (Quantity.ENERGY_J, Quantity.POWER_W)
        and channel.inside is None
    )
