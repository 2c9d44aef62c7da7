"""Power over time of a few trials, with what they were doing."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from harness.errors import BenchError
from harness.readings import Channel, Provenance, Quantity
from harness.records import TrialRecord
from harness.series import Series
from harness.traces import read_recording
from reports.formatting import significant
from reports.page.blocks import Column, Figure, Table
from reports.page.charts.parts import Axis, Band, Line
from reports.page.figures import line_figure
from reports.ranking import Group
from reports.ranking_page.material import Material
from reports.rows import Row

MOST_GROUPS = 4
MOST_CHANNELS = 6
SPANS = {
    "setup": "load and convert",
    "idle_before": "idle",
    "window": "window",
    "evaluate": "scoring",
    "idle_after": "idle",
}
MOST_NS = 2.0**63
"""A clock of the system holds no more; a window beyond it is a fault of its record."""
LARGEST_BYTES = 64_000_000


class Chosen(NamedTuple):
    """A trial to show, and why this one."""

    why: str
    name: str
    record: TrialRecord
    folder: Path


def trace_figures(
    groups: Sequence[Group], material: Material
) -> tuple[list[Figure], list[str]]:
    """Charts of the best, the reference and the most doubtful trial of each group.

    Returns:
        (figures, what could not be shown).
    """
    figures, faults = [], []
    for group in groups[:MOST_GROUPS]:
        for chosen in _chosen(group, material):
            try:
                figures.append(_figure(group, chosen))
            except BenchError as error:
                faults.append(error.message)
    return figures, faults


def _chosen(group: Group, material: Material) -> Iterator[Chosen]:
    """One trial of each kind, none twice."""
    names = material.names(group)
    seen: set[tuple[str, Path]] = set()
    best = next((row for row in group.rows if row.place == 1), None)
    by_key = {row.key: row for row in group.rows}
    reference = by_key.get(best.reference or "") if best else None
    picks = (
        ("best", _first_trial(group, best, material)),
        ("the reference", _first_trial(group, reference, material)),
        ("most doubts", _doubtful(group, material)),
    )
    for why, pick in picks:
        if pick is None or (pick[0].trial, pick[1]) in seen:
            continue
        record, folder = pick
        seen.add((record.trial, folder))
        yield Chosen(why, names.get(record.key, record.key), record, folder)


def _first_trial(
    group: Group, row: Row | None, material: Material
) -> tuple[TrialRecord, Path] | None:
    trials = material.trials(group, row) if row else []
    return min(trials, key=lambda each: each[0].round, default=None)


def _doubtful(group: Group, material: Material) -> tuple[TrialRecord, Path] | None:
    """The trial with the most doubts; none where no trial has any."""
    every = (each for row in group.rows for each in material.trials(group, row))
    found = max(every, key=lambda each: len(each[0].doubts), default=None)
    return found if found and found[0].doubts else None


def _figure(group: Group, chosen: Chosen) -> Figure:
    """One trial from its trace.

    Raises:
        BenchError: The trace is missing, broken, or holds no power.
    """
    record = chosen.record
    path = _file(chosen.folder, "traces", f"{record.trial}.parquet")
    recording = read_recording(path)
    powers = [
        (channel, series)
        for channel in recording.channels
        if (series := _power(channel, recording.trace[channel.name])) is not None
    ][:MOST_CHANNELS]
    if not powers:
        raise BenchError(f"{path}: no power in this trace")
    start_ns = min(int(series.times_ns[0]) for _, series in powers)
    lines = [_line(channel, series, start_ns) for channel, series in powers]
    bands = _bands(chosen, start_ns)
    shown = ", ".join(line.name for line in lines)
    return line_figure(
        lines,
        Axis(title="Time", unit="s"),
        Axis(title="Power", unit="W"),
        f"{chosen.name}: {chosen.why}",
        f"Power of {shown} during trial {record.trial}; the table has the means.",
        _table(record, powers),
        bands,
        _caption(group, chosen),
    )


def _caption(group: Group, chosen: Chosen) -> str:
    doubts = [doubt.code for doubt in chosen.record.doubts]
    said = f" Doubts: {', '.join(doubts)}." if doubts else ""
    return f"{group.title}, round {chosen.record.round + 1}.{said}"


def _file(folder: Path, part: str, name: str) -> Path:
    """A file of a run folder; a name from a record must not lead out of it.

    Raises:
        BenchError: It does, or the file is missing or too large for a page.
    """
    path = folder / part / name
    if Path(name).name != name:
        raise BenchError(f"{folder}: a trial's name leads out of the folder")
    if path.exists() and path.stat().st_size > LARGEST_BYTES:
        raise BenchError(f"{path}: too large for a page")
    return path


def _power(channel: Channel, series: Series) -> Series | None:
    """Watts of a channel, from its steps where it counts joules; None without any."""
    if channel.quantity is Quantity.POWER_W and len(series):
        return series
    if channel.quantity is not Quantity.ENERGY_J or channel.kind != "counter":
        return None
    ticks = series.where(np.diff(series.values, prepend=np.nan) != 0)
    if len(ticks) < 2:
        return None
    steps_j, lasted_s = np.diff(ticks.values), np.diff(ticks.times_ns) / 1e9
    with np.errstate(divide="ignore", invalid="ignore"):
        watts = np.where(steps_j >= 0, steps_j / lasted_s, np.nan)  # a wrap is a gap
    return Series(ticks.times_ns[1:], watts)


def _line(channel: Channel, series: Series, start_ns: int) -> Line:
    times_s = (series.times_ns - start_ns) / 1e9
    points = tuple(zip(times_s.tolist(), series.values.tolist(), strict=True))
    assumed = channel.provenance is not Provenance.MEASURED
    return Line(name=_name(channel), points=points, dashed=assumed)


def _name(channel: Channel) -> str:
    if channel.device.startswith(channel.domain):
        return channel.device
    return f"{channel.domain} {channel.device}"


def _bands(chosen: Chosen, start_ns: int) -> list[Band]:
    """The window, and what else is known of the trial's time."""
    window = chosen.record.window
    spans = _spans(chosen) or (
        [("window", window.start_s * 1e9, window.end_s * 1e9)] if window else []
    )
    return [
        Band(
            name=SPANS[name],
            start=(start - start_ns) / 1e9,
            end=(end - start_ns) / 1e9,
            faint=name != "window",
        )
        for name, start, end in spans
        if name in SPANS
    ]


def _spans(chosen: Chosen) -> list[tuple[str, float, float]]:
    """Name, start and end in nanoseconds, from what the trial left; none if broken."""
    name = f"{chosen.record.trial}.json"
    try:
        text = _file(chosen.folder, "outcomes", name).read_bytes()
        spans = json.loads(text)["outcome"]["spans"]
        return [(s["name"], float(s["start_ns"]), float(s["end_ns"])) for s in spans]
    except (OSError, ValueError, KeyError, TypeError, BenchError, RecursionError):
        return []


def _table(record: TrialRecord, powers: Sequence[tuple[Channel, Series]]) -> Table:
    """Means and extremes of each channel inside the window."""
    rows = []
    for channel, series in powers:
        inside = _inside(record, series)
        known = inside[np.isfinite(inside)]
        worth = (known.mean(), known.min(), known.max()) if len(known) else (None,) * 3
        watts = [significant(None if v is None else float(v)) for v in worth]
        rows.append((_name(channel), str(channel.provenance), channel.source, *watts))
    heads = ("mean W", "least W", "most W")
    return Table(
        caption=f"Power in the window of {record.trial}",
        columns=(
            Column(title="channel"),
            Column(title="joules"),
            Column(title="source"),
            *(Column(title=head, align="right") for head in heads),
        ),
        rows=tuple(rows),
        folded=True,
    )


def _inside(record: TrialRecord, series: Series) -> np.ndarray:
    """Readings of the window: [n]."""
    if record.window is None:
        return series.values
    start_ns, end_ns = record.window.start_s * 1e9, record.window.end_s * 1e9
    if not (abs(start_ns) < MOST_NS and abs(end_ns) < MOST_NS):
        return series.values[:0]
    return series.cut(int(start_ns), int(end_ns)).values
