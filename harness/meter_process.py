"""The meter process of a node: it owns the probes, others ask it for edges and windows.

`python -P -m harness.meter_process PROBE...` says where it is and answers JSON lines on
a Unix socket there. It ends when its standard input does and nobody is connected any
more, so that it never outlives its users. The meters' own cost is then one number: the
processor time of this process.
"""

import argparse
import contextlib
import json
import os
import socket
import sys
import threading
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from harness import checks, energy, node, perimeter, registry, states
from harness.contracts import Probe
from harness.errors import BenchError
from harness.lines import LineReader
from harness.metering import BUSY, PERIOD_S, READY, view_of
from harness.readings import Channel, Span
from harness.sampler import LEARN_S, Sampler
from harness.traces import Spool
from harness.units import NS_PER_S

Operation = Callable[..., Any]
TRAILING_S = 10.0
"""Stretch over which a machine is judged to have settled."""
MOMENT_S = 1.0
QUIET_S = 1.5
"""Stretch over which the load of others is looked at."""


class NamedProbe:
    """A probe under the name that it was asked for by; it knows its channels."""

    def __init__(self, name: str, probe: Probe) -> None:
        self.name = name
        self._probe = probe
        self.channels: frozenset[str] = frozenset()

    def open(self) -> Sequence[Channel]:
        """Open the probe."""
        found = self._probe.open()
        self.channels = frozenset(channel.name for channel in found)
        return found

    def read(self, names: Collection[str] | None = None) -> Mapping[str, float | None]:
        """Read the probe."""
        return self._probe.read(names)

    def close(self) -> None:
        """Close the probe."""
        self._probe.close()


class MeterService:
    """One client's requests about the node's sampler.

    Args:
        sampler: Reads the probes.
        probes: Those of the sampler, of which the client may choose some.
    """

    def __init__(self, sampler: Sampler, probes: Sequence[NamedProbe] = ()) -> None:
        self._sampler = sampler
        self._probes = probes
        self._chosen: frozenset[str] | None = None
        self._spool: Spool | None = None
        self._begun: tuple[int, int] = (0, 0)
        self._windows: dict[int, int] = {}

    def answer(self, request: dict[str, Any]) -> Any:
        """Value for one request; its `op` names the method."""
        operations: dict[str, Operation] = {
            "choose": self.choose,
            "begin": self.begin,
            "end": self.end,
            "edge": self._sampler.edge,
            "open_window": self.open_window,
            "close_window": self.close_window,
            "watts": self.watts,
            "unsteady": self.unsteady,
            "updates": self.updates,
            "moment": self.moment,
            "cpu": time.process_time,
            "periods": self.periods,
            "describe": self.describe,
        }
        return operations[request.pop("op")](**request)

    def choose(self, probes: list[str]) -> None:
        """Tell the client of these probes only, as if no other were read."""
        self._chosen = frozenset(probes)

    @property
    def _channels(self) -> tuple[Channel, ...]:
        """Those that the client chose."""
        chosen = self._chosen
        if chosen is None:
            return self._sampler.channels
        others = [p.channels for p in self._probes if p.name not in chosen]
        hidden = frozenset[str]().union(*others)
        return tuple(c for c in self._sampler.channels if c.name not in hidden)

    def begin(self, path: str, facts: dict[str, Any]) -> int:
        """Record a trace from here on."""
        facts = {"period_s": self._sampler.period_s, **facts}
        self._spool = Spool(Path(path), self._sampler.channels, facts)
        self._begun = _clocks()
        self._sampler.record(self._spool)
        return self._sampler.edge()

    def end(self) -> None:
        """End the recording and make it a file."""
        self._sampler.edge()
        spool, self._spool = self._spool, None
        if spool is not None:
            self._sampler.release(spool)
            spool.finish((self._begun, _clocks()))

    def open_window(self, *, aligned: bool) -> int:
        """Begin a window at an edge; its start in nanoseconds."""
        start_ns = self._sampler.edge(aligned=aligned)
        identity = start_ns - round(TRAILING_S * NS_PER_S)
        self._sampler.keep_from(identity)
        self._windows[start_ns] = identity
        return start_ns

    def close_window(
        self, start_ns: int, *, aligned: bool, own_cpu_s: float | None = None
    ) -> dict[str, Any]:
        """End a window at an edge, and its joules."""
        end_ns = self._sampler.edge(aligned=aligned)
        span = Span(name="window", start_ns=start_ns, end_ns=end_ns)
        channels, trace = self._channels, self._sampler.trace()
        self._sampler.forget(self._windows.pop(start_ns))
        readings = energy.account(channels, trace, span)
        return {
            "end_ns": end_ns,
            "energy": [reading.model_dump(mode="json") for reading in readings],
            "total": perimeter.total(readings).model_dump(mode="json"),
            "invalid": states.slept(channels, trace, span),
            "seen": states.utilization(channels, trace, span, own_cpu_s).model_dump(),
        }

    def watts(self) -> float | None:
        """Power of the moment over the whole perimeter in watts."""
        now_ns = self._sampler.edge()
        span = _trailing(now_ns, MOMENT_S)
        trace = self._sampler.trace(span.start_ns - NS_PER_S)
        return energy.mean_power_w(self._channels, trace, span)

    def unsteady(self, since_ns: int) -> list[str]:
        """Why the machine has not settled in the last ten seconds, or since then."""
        span = _trailing(self._sampler.edge(), TRAILING_S)
        start_ns = max(since_ns, span.start_ns)
        span = span.model_copy(update={"start_ns": start_ns})
        return states.unsteady(self._channels, self._sampler.trace(), span)

    def updates(self, since_ns: int) -> int | None:
        """Updates of the slowest measured source since then; None without one."""
        now_ns = self._sampler.edge()
        span = Span(name="so far", start_ns=since_ns, end_ns=now_ns)
        readings = energy.account(self._channels, self._sampler.trace(), span)
        counts = [r.updates for r in readings if checks.has_joules(r)]
        return min(counts, default=None)

    def moment(self) -> dict[str, Any]:
        """Temperatures, and what uses the machine while we do not."""
        span = _trailing(self._sampler.edge(), QUIET_S)
        trace = self._sampler.trace(span.start_ns - NS_PER_S)
        seen = states.utilization(self._channels, trace, span, own_cpu_s=0.0)
        heat = states.named(self._channels, trace, "temperature")
        return {
            "temperatures_c": {
                f"{channel.domain} {channel.device} {channel.name}": series.values[-1]
                for channel, series in heat
            },
            "cpu_ratio": seen.foreign_cpu_ratio,
            "gpu_ratio": seen.gpu_ratio,
        }

    def periods(self, duration_s: float) -> dict[str, float | None]:
        """Seconds between changes of each source of joules, polled for a while."""
        names = [c.name for c in self._channels if c.tier is not None]
        seen = self._sampler.watch(names, duration_s)
        return {name: seen[name].change_period_s() for name in names}

    def describe(self) -> dict[str, Any]:
        """Channels, and what does not answer."""
        channels = [c.model_dump(mode="json") for c in self._channels]
        unavailable = [
            row
            for row in self._sampler.unavailable
            if self._chosen is None or row[0] in self._chosen
        ]
        return {"channels": channels, "unavailable": unavailable}

    def leave(self) -> None:
        """The client has gone: keep its trace and forget its windows."""
        with contextlib.suppress(OSError):  # nobody is left to tell; the spool stays
            self.end()
        for identity in self._windows.values():
            self._sampler.forget(identity)
        self._windows.clear()

    def serve(self, connection: socket.socket) -> None:
        """Answer the client until it hangs up."""
        with connection:
            requests = LineReader(connection.fileno())
            try:
                while (line := requests.line()) is not None:
                    connection.sendall(json.dumps(self._reply(line)).encode() + b"\n")
            except ConnectionError:
                return
            finally:
                self.leave()

    def _reply(self, line: bytes) -> dict[str, Any]:
        try:
            return {"value": self.answer(json.loads(line))}
        except (OSError, BenchError) as error:
            return {"error": f"{type(error).__name__}: {error}"}


class _Connections:
    """How many clients there are; the process ends with the last."""

    def __init__(self) -> None:
        self._count = 0
        self._changed = threading.Condition()

    def serve(self, connection: socket.socket, service: MeterService) -> None:
        with self._changed:
            self._count += 1
        try:
            service.serve(connection)
        finally:
            with self._changed:
                self._count -= 1
                self._changed.notify_all()

    def wait_for_none(self) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._count == 0)


def main() -> None:
    """Serve until standard input ends and the last client has gone."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--period", type=float, default=PERIOD_S)
    parser.add_argument("probes", nargs="*")
    options = parser.parse_args()
    events = os.dup(1)
    os.dup2(2, 1)  # what vendor libraries print must not look like an answer
    names = tuple(options.probes)
    address, view = node.new_address(), view_of(names)
    holder = node.Holder(os.getpid(), node.boot(), address, names, view)
    with node.hold(holder) as held:
        if held:
            _serve(holder, options.period, events)
        else:
            _say(events, BUSY)


def _serve(holder: node.Holder, period_s: float, events: int) -> None:
    probes = [
        NamedProbe(name, registry.create("probe", registry.PROBES, name))
        for name in holder.probes
    ]
    sampler = Sampler(probes, period_s=period_s)
    sampler.open(learn_s=LEARN_S)
    connections = _Connections()

    def accept() -> None:
        while True:
            connection, _ = listener.accept()
            if not node.is_own(connection):
                connection.close()
                continue
            service = MeterService(sampler, probes)
            threading.Thread(
                target=connections.serve, args=(connection, service), daemon=True
            ).start()

    with node.listening(holder.address) as listener:
        sampler.start()
        threading.Thread(target=accept, daemon=True).start()
        _say(events, f"{READY}{holder.address}")
        sys.stdin.buffer.read()
        connections.wait_for_none()
        sampler.close()


def _say(events: int, word: str) -> None:
    """Tell the one who started us; that it has gone is seen on the input."""
    with contextlib.suppress(BrokenPipeError):
        os.write(events, f"{word}\n".encode())


def _clocks() -> tuple[int, int]:
    """UTC and the monotonic clock at one moment, in nanoseconds."""
    return time.time_ns(), time.monotonic_ns()


def _trailing(now_ns: int, duration_s: float) -> Span:
    return Span(
        name="trailing", start_ns=now_ns - round(duration_s * NS_PER_S), end_ns=now_ns
    )


if __name__ == "__main__":
    main()
