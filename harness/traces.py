"""Raw readings on disk: Parquet, with the channels that they are of.

While a trial runs its readings are spooled to an Arrow stream beside the file, a batch
a second, so that a kill leaves a readable trace; at the end the stream becomes the
Parquet file, at once or not at all.
"""

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from pyarrow import ipc, parquet
from pydantic import ValidationError

from harness.errors import BenchError
from harness.files import replacing
from harness.readings import Channel
from harness.series import Series, Times, Trace, Values

KEY = b"joulebench"
SPOOL_SUFFIX = ".spool"


@dataclass(frozen=True)
class Recording:
    """A trace with what is needed to read it without its machine.

    Attributes:
        channels: What the readings are of.
        trace: Readings by the channel's name.
        clocks: Pairs of (UTC, monotonic clock) in nanoseconds, at its start and end.
        facts: Where it was taken: machine, date, period of sampling.
    """

    channels: tuple[Channel, ...]
    trace: Trace
    clocks: tuple[tuple[int, int], ...] = ()
    facts: dict[str, Any] | None = None


class Spool:
    """A trace file in the making: takes batches of samples, then becomes Parquet."""

    def __init__(
        self, path: Path, channels: tuple[Channel, ...], facts: dict[str, Any]
    ) -> None:
        self.path = path
        self._channels = channels
        self._facts = facts
        self._names = pa.array([c.name for c in channels], pa.string())
        self._spool = path.with_name(path.name + SPOOL_SUFFIX)
        self._file = self._spool.open("wb", buffering=0)
        self._stream = ipc.new_stream(self._file, self._schema(()))

    def append(self, times_ns: Times, indexes: Times, values: Values) -> None:
        """Write a batch: instants, indexes of channels and readings: [n] each."""
        self._stream.write_batch(
            pa.record_batch(
                [
                    pa.array(times_ns, pa.int64()),
                    pa.DictionaryArray.from_arrays(
                        pa.array(indexes, pa.int32()), self._names
                    ),
                    pa.array(values, pa.float64()),
                ],
                schema=self._schema(()),
            )
        )

    def finish(self, clocks: tuple[tuple[int, int], ...]) -> None:
        """Turn the stream into the Parquet file and remove it."""
        self._stream.close()
        self._file.close()
        _convert(self._spool, self.path, self._schema(clocks))

    def _schema(self, clocks: tuple[tuple[int, int], ...]) -> Any:
        return _schema(Recording(self._channels, {}, clocks, self._facts))


def write_recording(path: Path, recording: Recording) -> None:
    """Write a whole recording at once; a broken write leaves the old file."""
    spool = Spool(path, recording.channels, recording.facts or {})
    names = [channel.name for channel in recording.channels]
    parts = [(index, recording.trace.get(name)) for index, name in enumerate(names)]
    known = [(index, series) for index, series in parts if series is not None]
    if known:
        times_ns = np.concatenate([series.times_ns for _, series in known])
        indexes = np.concatenate([np.full(len(s), i, np.int64) for i, s in known])
        values = np.concatenate([series.values for _, series in known])
        order = np.argsort(times_ns, kind="stable")
        spool.append(times_ns[order], indexes[order], values[order])
    spool.finish(recording.clocks)


def read_recording(path: Path) -> Recording:
    """A recording from its Parquet file, or from what a killed run had spooled.

    Raises:
        BenchError: The file is missing or broken.
    """
    spool = path.with_name(path.name + SPOOL_SUFFIX)
    try:
        table = parquet.read_table(path) if path.exists() or not spool.exists() else (
            _read_spool(spool)
        )  # fmt: skip
        return _recording(table)
    except (OSError, pa.ArrowException, ValidationError, ValueError, KeyError) as error:
        first = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise BenchError(
            f"{path}: the trace cannot be read: {first}",
            hint="the trial's record is intact; only recomputing it needs the trace",
        ) from error


def _schema(recording: Recording) -> Any:
    about = {
        "schema": 1,
        "channels": [channel.model_dump(mode="json") for channel in recording.channels],
        "clocks": [list(pair) for pair in recording.clocks],
        "facts": recording.facts or {},
    }
    return pa.schema(
        [
            ("t_ns", pa.int64()),
            ("channel", pa.dictionary(pa.int32(), pa.string())),
            ("value", pa.float64()),
        ],
        metadata={KEY: json.dumps(about)},
    )


def _convert(spool: Path, path: Path, schema: Any) -> None:
    """Copy a stream into a Parquet file, batch by batch."""
    with replacing(path) as part:
        with (
            pa.memory_map(str(spool)) as source,
            parquet.ParquetWriter(part, schema, compression="zstd") as target,
        ):
            target.write_table(pa.Table.from_batches(_batches(source), schema))
        with part.open("rb") as file:
            os.fsync(file.fileno())
    spool.unlink()


def _batches(source: Any) -> list[Any]:
    """The whole batches of a stream; a torn last one is left out."""
    found = []
    stream = ipc.open_stream(source)
    while True:
        try:
            found.append(stream.read_next_batch())
        except (StopIteration, pa.ArrowInvalid, OSError):
            return found


def _read_spool(spool: Path) -> Any:
    data = pa.py_buffer(spool.read_bytes())
    schema = ipc.open_stream(pa.BufferReader(data)).schema
    return pa.Table.from_batches(_batches(pa.BufferReader(data)), schema)


def _recording(table: Any) -> Recording:
    about = json.loads((table.schema.metadata or {})[KEY])
    channels = tuple(Channel.model_validate(c) for c in about["channels"])
    times_ns = table["t_ns"].to_numpy()
    values = table["value"].to_numpy()
    coded = table["channel"].combine_chunks().dictionary_encode()
    if isinstance(coded, pa.ChunkedArray):
        coded = coded.chunk(0) if coded.num_chunks else pa.array([]).dictionary_encode()
    codes = coded.indices.to_numpy()
    trace = {
        str(name): Series(times_ns[codes == code], values[codes == code])
        for code, name in enumerate(coded.dictionary.to_pylist())
    }
    full = {channel.name: Series.of([], []) for channel in channels} | trace
    clocks = tuple((int(utc), int(mono)) for utc, mono in about["clocks"])
    return Recording(channels, full, clocks, about["facts"])
