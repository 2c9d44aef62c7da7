"""Raw readings on disk: one Parquet file a trial, written at once or not at all."""

from pathlib import Path

from harness.errors import BenchError
from harness.records import Sample, Trace


def write_trace(path: Path, trace: Trace) -> None:
    """Write columns t_ns, channel, value; a broken write leaves the old file."""
    import pyarrow as pa
    from pyarrow import parquet

    names = list(trace)
    rows = [(sample, index) for index, n in enumerate(names) for sample in trace[n]]
    rows.sort(key=lambda row: row[0].time_ns)
    channel = pa.DictionaryArray.from_arrays(
        pa.array([index for _, index in rows], pa.int32()), pa.array(names, pa.string())
    )
    table = pa.table(
        {
            "t_ns": pa.array([sample.time_ns for sample, _ in rows], pa.int64()),
            "channel": channel,
            "value": pa.array([sample.value for sample, _ in rows], pa.float64()),
        }
    )
    part = path.with_name(f".{path.name}.part")
    parquet.write_table(table, part, compression="zstd")
    part.replace(path)


def read_trace(path: Path) -> Trace:
    """Samples by channel, in order of time.

    Raises:
        BenchError: The file is missing or broken.
    """
    import pyarrow as pa
    from pyarrow import parquet

    try:
        table = parquet.read_table(path, columns=["t_ns", "channel", "value"])
    except (OSError, pa.ArrowException) as error:
        raise BenchError(
            f"{path}: the trace cannot be read: {error}",
            hint="the trial's record is intact; only recomputing it needs the trace",
        ) from error
    trace: Trace = {}
    columns = (table.column(name).to_pylist() for name in table.column_names)
    for time_ns, channel, value in zip(*columns, strict=True):
        trace.setdefault(channel, []).append(Sample(time_ns=time_ns, value=value))
    return trace
