"""A power analyser's CSV, taken on another machine, laid beside a trial by its time.

The analyser's clock is UTC; a trace keeps what UTC and the monotonic clock were at its
start and its end, and the instants between lie on the line through both.
"""

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.errors import UsageError
from harness.records import Channel, Provenance, Quantity
from harness.series import Series, Times, Values
from harness.units import NS_PER_S

if TYPE_CHECKING:
    import pandas as pd

TIMES = ("time", "timestamp", "datetime", "date", "utc", "t", "store time")
POWERS = ("power_w", "power", "watts", "watt", "w", "p", "p1", "active power")
EPOCHS = ((1e17, 1), (1e14, 1_000), (1e11, 1_000_000), (0.0, NS_PER_S))
"""From this number on an epoch counts in such units of nanoseconds."""


@dataclass(frozen=True)
class Analysed:
    """Readings of an analyser.

    Attributes:
        utc_ns: Instants: [n], increasing.
        watts: Power: [n].
        time_column: What the instants were read from.
        power_column: What the power was read from.
        dropped: Lines without a number, or of an instant that was there already.
    """

    path: Path
    utc_ns: Times
    watts: Values
    time_column: str
    power_column: str
    dropped: int


def read_analyser(
    path: Path, time_column: str | None = None, power_column: str | None = None
) -> Analysed:
    """Read a CSV with a header; the columns are guessed where they are not named.

    Times are ISO 8601 with a zone, or seconds of the epoch (or milli-, micro-, nano-).

    Raises:
        UsageError: The file cannot be read or understood; the message says where.
    """
    import pandas as pd

    try:
        table = pd.read_csv(path, sep=None, engine="python", encoding="utf-8-sig")
    except (OSError, ValueError, csv.Error) as error:
        raise UsageError(f"{path}: cannot be read: {error}") from error
    names = [str(name) for name in table.columns]
    time_name = _column(path, names, time_column, TIMES, "--time-column")
    power_name = _column(path, names, power_column, POWERS, "--power-column")
    utc_ns = _instants(path, table[time_name])
    watts = pd.to_numeric(table[power_name], errors="coerce").to_numpy(np.float64)
    kept = np.isfinite(watts)
    kept[1:] &= np.diff(utc_ns) != 0
    falls = np.flatnonzero(np.diff(utc_ns[kept]) < 0)
    if len(falls):
        line = int(np.flatnonzero(kept)[falls[0] + 1]) + 2
        raise UsageError(
            f"{path}:{line}: goes back in time", hint="one recording a file, in order"
        )
    if kept.sum() < 2:
        raise UsageError(f"{path}: fewer than two readings in column {power_name!r}")
    dropped = int((~kept).sum())
    return Analysed(path, utc_ns[kept], watts[kept], time_name, power_name, dropped)


def _column(
    path: Path,
    names: Sequence[str],
    stated: str | None,
    usual: Sequence[str],
    option: str,
) -> str:
    if stated is not None:
        if stated in names:
            return stated
        raise UsageError(f"{path}: no column {stated!r}; it has {', '.join(names)}")
    by_word = {name.strip().casefold(): name for name in reversed(names)}
    for word in usual:
        if word in by_word:
            return by_word[word]
    raise UsageError(
        f"{path}: none of its columns is known: {', '.join(names)}",
        hint=f"name it: {option} COLUMN",
    )


def _instants(path: Path, column: "pd.Series[Any]") -> Times:
    """UTC in nanoseconds."""
    import pandas as pd

    if pd.api.types.is_numeric_dtype(column):
        return _epochs(path, column.to_numpy(np.float64))
    try:
        stamps = [pd.Timestamp(text) for text in column]
    except (ValueError, TypeError) as error:
        raise UsageError(f"{path}: not a time: {error}") from error
    for line, stamp in enumerate(stamps, 2):
        if stamp.tzinfo is None:  # so it is for no time at all
            raise UsageError(
                f"{path}:{line}: {column.iloc[line - 2]!r} has no time zone",
                hint="write times as 2026-11-24T10:00:00.0+01:00, or as epoch seconds",
            )
    return np.array([stamp.as_unit("ns").value for stamp in stamps], np.int64)


def _epochs(path: Path, values: Values) -> Times:
    if not np.isfinite(values).all() or values[0] < 1e8:
        raise UsageError(
            f"{path}: the times are no seconds of the epoch ({values[0]:g} ...)",
            hint="an analyser's relative time cannot be laid beside a run",
        )
    unit_ns = next(unit for least, unit in EPOCHS if values[0] >= least)
    whole = np.floor(values)
    parts_ns = np.round((values - whole) * unit_ns)
    return (whole.astype(np.int64) * unit_ns) + parts_ns.astype(np.int64)


def beside(
    analysed: Analysed, clocks: Sequence[tuple[int, int]], offset_s: float = 0.0
) -> tuple[Channel, Series]:
    """The analyser's readings of a trial, as a channel of its trace.

    Args:
        analysed: Readings of the analyser.
        clocks: Pairs of (UTC, monotonic clock) in nanoseconds, of the trace.
        offset_s: Added to the analyser's time, where its clock is known to be off.

    Raises:
        UsageError: The trace keeps no clocks, or the analyser did not run then.
    """
    if len(clocks) < 2 or clocks[0][0] >= clocks[-1][0]:
        raise UsageError("the trace does not keep what time it was")
    (utc_a, mono_a), (utc_b, mono_b) = clocks[0], clocks[-1]
    since_ns = analysed.utc_ns + round(offset_s * NS_PER_S) - utc_a
    rate = (mono_b - mono_a) / (utc_b - utc_a)
    times_ns = mono_a + np.round(since_ns * rate).astype(np.int64)
    pace_ns = int(np.median(np.diff(times_ns)))
    series = Series(times_ns, analysed.watts)
    series = series.cut(mono_a - 2 * pace_ns, mono_b + 2 * pace_ns)
    if len(series) < 2:
        raise UsageError(
            f"{analysed.path}: has no readings of the time of this trial",
            hint="are both clocks right? --offset SECONDS shifts the analyser's",
        )
    channel = Channel(
        name=f"analyser/{analysed.path.stem}/power_w",
        domain="wall",
        device=analysed.path.stem,
        quantity=Quantity.POWER_W,
        kind="gauge",
        provenance=Provenance.MEASURED,
        source="analyser.csv",
        tier="A",
        update_period_s=pace_ns / NS_PER_S,
        note=f"column {analysed.power_column} of {analysed.path.name}",
    )
    return channel, series
