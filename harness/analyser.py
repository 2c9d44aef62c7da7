"""A power analyser's CSV, taken on another machine, laid beside a trial by its time.

The analyser's clock is UTC; a trace keeps what UTC and the monotonic clock were at its
start and its end, and the instants between lie on the line through both.
"""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from harness.errors import UsageError
from harness.readings import Channel, Provenance, Quantity
from harness.series import Series, Times, Values
from harness.units import NS_PER_S

if TYPE_CHECKING:
    import pandas as pd

Known = NDArray[np.bool_]
TIMES = ("time", "timestamp", "datetime", "date", "utc", "t", "store time")
POWERS = ("power_w", "power", "watts", "watt", "w", "p", "p1", "active power")
EPOCHS = ((1e17, 1), (1e14, 1_000), (1e11, 1_000_000), (0.0, NS_PER_S))
"""From this number on an epoch counts in such units of nanoseconds."""
LEAST_EPOCH_S = 1e8
MOST_NS = 9e18
ZONE = r"[Tt ]\d\d.*(?:[Zz]|[+-]\d\d(?::?\d\d)?)$"
COMMA = r"[+-]?[\d.]*\d,\d[\d.,]*"
THOUSANDS = r"[+-]?\d+(?:[.,]\d+){2,}"
FIRST_LINE = 2
SOURCE = "analyser.csv"
CURE = "write times as 2026-11-24T10:00:00.0+01:00, or as epoch seconds"
STEP_NS = NS_PER_S // 10
SLEW = 1e-3
"""Twice what the kernel slews a clock by (500 ppm, adjtimex); more is a step."""


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
    A line without a time or a power, such as one of units or of a sum, is dropped.

    Raises:
        UsageError: The file cannot be read or understood; the message says where.
    """
    table, separator = _table(path)
    names = [str(name) for name in table.columns]
    time_name = _column(path, names, time_column, TIMES, "--time-column")
    power_name = _column(path, names, power_column, POWERS, "--power-column")
    decimal = "." if separator == "," else ","
    _refuse_thousands(path, table[power_name], separator)
    watts = _numbers(table[power_name], decimal)
    utc_ns, known = _instants(path, table[time_name], decimal)
    kept = np.flatnonzero(np.isfinite(watts) & known)
    kept = kept[np.diff(utc_ns[kept], prepend=-1) != 0]
    falls = np.flatnonzero(np.diff(utc_ns[kept]) < 0)
    if len(falls):
        line = int(kept[falls[0] + 1]) + FIRST_LINE
        raise UsageError(
            f"{path}:{line}: goes back in time", hint="one recording a file, in order"
        )
    if len(kept) < 2:
        raise UsageError(
            f"{path}: fewer than two readings in column {power_name!r}",
            hint="is it the power in watts? --power-column COLUMN names another",
        )
    dropped = len(table) - len(kept)
    return Analysed(path, utc_ns[kept], watts[kept], time_name, power_name, dropped)


def _table(path: Path) -> tuple["pd.DataFrame", str]:
    """The cells as text, a row a line, and what stands between columns."""
    import pandas as pd

    try:
        raw = path.read_bytes()
        if b"\0" in raw:
            raise UsageError(
                f"{path}: UTF-16 or binary", hint="export it as CSV in UTF-8"
            )
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError:  # a degree or micro sign of an older program
        text = raw.decode("latin-1")
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error}") from error
    separator = max(",;\t", key=text.partition("\n")[0].count)
    try:
        table = pd.read_csv(
            io.StringIO(text.replace("\r\n", "\n")),
            sep=separator,
            dtype=str,
            skipinitialspace=True,
            skip_blank_lines=False,
            index_col=False,
        )
    except ValueError as error:
        raise UsageError(f"{path}: cannot be read: {error}") from error
    return table, separator


def _refuse_thousands(path: Path, column: "pd.Series[Any]", separator: str) -> None:
    """A comma between columns is none in a number, and no number has two of them.

    Raises:
        UsageError: Thousands are set apart, so that 1,234 may be either.
    """
    pattern = COMMA if separator == "," else THOUSANDS
    text = column.str.strip()
    odd = np.flatnonzero(text.str.fullmatch(pattern).fillna(value=False))
    if len(odd):
        at = int(odd[0])
        raise UsageError(
            f"{path}:{at + FIRST_LINE}: {text.iloc[at]!r} may be thousands or a "
            "fraction",
            hint="export the numbers as 1234.5, without marks between thousands",
        )


def _numbers(column: "pd.Series[Any]", decimal: str) -> Values:
    """Numbers of cells, with a point or a decimal comma; NaN where there is none."""
    import pandas as pd

    text = column.str.strip().str.replace(decimal, ".", regex=False)
    return pd.to_numeric(text, errors="coerce").to_numpy(np.float64)


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


def _instants(
    path: Path, column: "pd.Series[Any]", decimal: str
) -> tuple[Times, Known]:
    """UTC in nanoseconds, and which lines have it."""
    import pandas as pd

    numbers = _numbers(column, decimal)
    known = np.isfinite(numbers)
    if known.any() and 2 * known.sum() >= column.notna().sum():
        return _epochs(path, numbers, known), known
    text = column.str.strip().mask(known)  # 3600 is a sum, not a year
    stamps = pd.to_datetime(text, utc=True, format="ISO8601", errors="coerce")
    known = stamps.notna().to_numpy(np.bool_)
    if not known.any():
        first = f": {column.iloc[0]!r}" if len(column) else ""
        raise UsageError(
            f"{path}:{FIRST_LINE}: no time in column {column.name!r}{first}", hint=CURE
        )
    zoned = text.str.contains(ZONE, regex=True, na=False).to_numpy(np.bool_)
    naive = np.flatnonzero(known & ~zoned)
    if len(naive):  # so it is of no instant at all
        at = int(naive[0])
        raise UsageError(
            f"{path}:{at + FIRST_LINE}: {column.iloc[at]!r} has no time zone", hint=CURE
        )
    try:
        utc = stamps.dt.as_unit("ns")
    except ValueError as error:
        raise UsageError(f"{path}: {error}", hint=CURE) from error
    return utc.dt.tz_localize(None).to_numpy("datetime64[ns]").astype(np.int64), known


def _epochs(path: Path, values: Values, known: Known) -> Times:
    """Nanoseconds of epoch numbers, whose unit is told by their size."""
    first = float(values[known][0])
    if first < LEAST_EPOCH_S:
        raise UsageError(
            f"{path}: the times are no seconds of the epoch ({first:g} ...)",
            hint="an analyser's relative time cannot be laid beside a run",
        )
    unit_ns = next(unit for least, unit in EPOCHS if first >= least)
    values = np.where(known & (np.abs(values) < MOST_NS / unit_ns), values, 0.0)
    whole = np.floor(values)
    parts_ns = np.round((values - whole) * unit_ns)
    return (whole.astype(np.int64) * unit_ns) + parts_ns.astype(np.int64)


def to_monotonic(utc_ns: Times, clocks: Sequence[tuple[int, int]]) -> Times:
    """Instants of a trial's monotonic clock, on the line through its two clocks.

    Args:
        utc_ns: UTC in nanoseconds: [n].
        clocks: Pairs of (UTC, monotonic clock) in nanoseconds, of the trace.

    Raises:
        UsageError: The trace keeps no clocks, or UTC was set while the trial ran.
    """
    unknown = UsageError("the trace does not keep what time it was")
    if len(clocks) < 2:
        raise unknown
    (utc_a, mono_a), (utc_b, mono_b) = clocks[0], clocks[-1]
    apart_ns = abs((utc_b - utc_a) - (mono_b - mono_a))
    if apart_ns > max(STEP_NS, SLEW * (utc_b - utc_a)):
        raise UsageError(
            f"the machine's time was set while the trial ran, by "
            f"{apart_ns / NS_PER_S:.2g} s",
            hint="nobody can tell when; run it again under NTP or PTP",
        )
    if utc_b <= utc_a or mono_b <= mono_a:
        raise unknown
    rate = (mono_b - mono_a) / (utc_b - utc_a)
    return mono_a + np.round((utc_ns - utc_a) * rate).astype(np.int64)


def beside(
    analysed: Analysed, clocks: Sequence[tuple[int, int]], offset_s: float = 0.0
) -> tuple[Channel, Series]:
    """The analyser's readings of a trial, as a channel of its trace.

    Args:
        analysed: Readings of the analyser.
        clocks: Pairs of (UTC, monotonic clock) in nanoseconds, of the trace.
        offset_s: Added to the analyser's time, where its clock is known to be off.

    Raises:
        UsageError: The trace's clocks are of no use, or the analyser did not run then.
    """
    shifted_ns = analysed.utc_ns + round(offset_s * NS_PER_S)
    times_ns = to_monotonic(shifted_ns, clocks)
    (_, mono_a), (_, mono_b) = clocks[0], clocks[-1]
    pace_ns = int(np.median(np.diff(times_ns)))
    series = Series(times_ns, analysed.watts)
    series = series.cut(mono_a - 2 * pace_ns, mono_b + 2 * pace_ns)
    if len(series) < 2:
        raise UsageError(
            f"{analysed.path}: has no readings of the time of this trial",
            hint="are both clocks right? --offset SECONDS shifts the analyser's, "
            "--align finds by how much",
        )
    moved = f", {offset_s:+.10g} s" if offset_s else ""
    channel = Channel(
        name=f"analyser/{analysed.path.stem}/power_w",
        domain="wall",
        device=analysed.path.stem,
        quantity=Quantity.POWER_W,
        kind="gauge",
        provenance=Provenance.MEASURED,
        source=SOURCE,
        tier="A",
        update_period_s=pace_ns / NS_PER_S,
        note=f"column {analysed.power_column} of {analysed.path.name}{moved}",
    )
    return channel, series
