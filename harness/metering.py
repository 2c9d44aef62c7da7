"""One meter process a run: it owns the probes, trials ask it for edge readings.

`python -P -m harness.metering --socket PATH PROBE...` answers JSON lines on a Unix
socket and ends when its standard input does, so that it never outlives its run. The
meters' own cost is then one number: the processor time of this process.
"""

import argparse
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from harness import registry
from harness.errors import BenchError
from harness.lines import LineReader
from harness.records import Channel
from harness.sampler import PERIOD_S, Sampler
from harness.traces import write_trace

START_TIMEOUT_S = 60.0


class MeterService:
    """Answers requests about one sampler."""

    def __init__(self, sampler: Sampler) -> None:
        self._sampler = sampler

    def answer(self, request: dict[str, Any]) -> Any:
        """Value for one request: begin, edge, watts, end, cpu or describe."""
        operation = request["op"]
        if operation == "edge":
            return self._sampler.edge()
        if operation == "watts":
            return self._sampler.watts()
        if operation == "cpu":
            return time.process_time()
        if operation == "begin":
            self._sampler.clear()
            return self._sampler.edge()
        if operation == "end":
            self._sampler.edge()
            write_trace(Path(request["path"]), self._sampler.trace())
            self._sampler.clear()
            return None
        channels = [c.model_dump(mode="json") for c in self._sampler.channels]
        return {"channels": channels, "unavailable": self._sampler.unavailable}

    def serve(self, connection: socket.socket) -> None:
        """Answer one client until it hangs up."""
        with connection:
            requests = LineReader(connection.fileno())
            while (line := requests.line()) is not None:
                try:
                    reply = {"value": self.answer(json.loads(line))}
                except (OSError, BenchError) as error:
                    reply = {"error": f"{type(error).__name__}: {error}"}
                connection.sendall(json.dumps(reply).encode() + b"\n")


class MeterClient:
    """The other end: what the supervisor and the trials hold."""

    def __init__(self, path: str | Path) -> None:
        self.path = str(path)
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.connect(self.path)
        self._replies = LineReader(self._socket.fileno())

    def begin(self, trial: str) -> None:
        """Forget earlier samples: a trial begins."""
        self._ask(op="begin", trial=trial)

    def edge(self) -> int:
        """Read all channels now; nanoseconds of the monotonic clock."""
        return int(self._ask(op="edge"))

    def watts(self) -> float | None:
        """Power of the moment in watts."""
        value: float | None = self._ask(op="watts")
        return value

    def end(self, path: Path) -> None:
        """Write the samples since `begin` as a trace file."""
        self._ask(op="end", path=str(path.absolute()))

    def cpu_s(self) -> float:
        """Processor seconds that the meter has used."""
        return float(self._ask(op="cpu"))

    def describe(self) -> tuple[tuple[Channel, ...], list[tuple[str, str, str]]]:
        """Channels, and (probe, reason, cure) of the meters that do not answer."""
        facts = self._ask(op="describe")
        channels = tuple(Channel.model_validate(c) for c in facts["channels"])
        return channels, [(row[0], row[1], row[2]) for row in facts["unavailable"]]

    def close(self) -> None:
        """Hang up."""
        self._socket.close()

    def _ask(self, **request: Any) -> Any:
        try:
            self._socket.sendall(json.dumps(request).encode() + b"\n")
            line = self._replies.line()
        except OSError as error:
            raise BenchError("the meter process has gone") from error
        if line is None:
            raise BenchError("the meter process has gone")
        reply = json.loads(line)
        if "error" in reply:
            raise BenchError(f"the meter process failed: {reply['error']}")
        return reply["value"]


@contextmanager
def start_meter(
    probes: Sequence[str], period_s: float = PERIOD_S
) -> Iterator[MeterClient]:
    """A meter process for as long as the block runs."""
    folder = Path(tempfile.mkdtemp(prefix="joulebench-"))  # private: mode 0700
    path = folder / "meter"
    command = [sys.executable, "-P", "-m", "harness.metering", "--socket", str(path)]
    process = subprocess.Popen(
        [*command, "--period", str(period_s), *probes],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,  # Ctrl-C is the supervisor's to handle
    )
    assert process.stdout is not None  # noqa: S101 (a PIPE was asked for)
    try:
        if LineReader(process.stdout.fileno()).line(START_TIMEOUT_S) != b"ready":
            raise BenchError("the meter process did not start")
        client = MeterClient(path)
        try:
            yield client
        finally:
            client.close()
    finally:
        process.communicate()  # closes its input and waits
        shutil.rmtree(folder, ignore_errors=True)


def main() -> None:
    """Serve until standard input ends."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--socket", required=True)
    parser.add_argument("--period", type=float, default=PERIOD_S)
    parser.add_argument("probes", nargs="*")
    options = parser.parse_args()
    events = os.dup(1)
    os.dup2(2, 1)  # what vendor libraries print must not look like an answer
    probes = [registry.create("probe", registry.PROBES, n) for n in options.probes]
    sampler = Sampler(probes, period_s=options.period)
    sampler.open()
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(options.socket)
    listener.listen()
    sampler.start()
    service = MeterService(sampler)
    threading.Thread(target=_accept, args=(listener, service), daemon=True).start()
    os.write(events, b"ready\n")
    sys.stdin.buffer.read()
    sampler.close()


def _accept(listener: socket.socket, service: MeterService) -> None:
    while True:
        connection, _ = listener.accept()
        threading.Thread(target=service.serve, args=(connection,), daemon=True).start()


if __name__ == "__main__":
    main()
