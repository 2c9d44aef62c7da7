"""`bench recompute`: whether the stored numbers follow from the raw traces."""

import sys
from dataclasses import dataclass, replace
from pathlib import Path

from harness import analyser as analysers
from harness import clock_offset, recomputing
from harness.commands.console import print_json
from harness.errors import BenchError, NothingMeasured
from harness.series import Series
from harness.store import RunFolder
from harness.traces import Recording, read_recording
from harness.units import NS_PER_S


@dataclass(frozen=True)
class AnalyserOptions:
    """A power analyser's file to lay beside the run.

    Attributes:
        offset_s: Added to the analyser's time in seconds.
        align: Look around that offset for the one at which both powers go together.
    """

    path: Path
    time_column: str | None = None
    power_column: str | None = None
    offset_s: float = 0.0
    align: bool = False


def recompute(
    path: Path, analyser: AnalyserOptions | None, *, write: bool, as_json: bool
) -> int:
    """Derive every number of a run again; 1 where a record comes out differently."""
    folder = RunFolder(path)
    beside = _beside(folder, analyser) if analyser else None
    results = list(recomputing.recompute(folder, beside))
    if not results:
        raise NothingMeasured(f"{path}: no trial has finished", hint="bench resume RUN")
    differing = [r for r in results if r.changed or r.reason]
    if as_json:
        print_json(
            {
                "trials": len(results),
                "same": len(results) - len(differing),
                "differing": [
                    {
                        "trial": r.stored.trial,
                        "changed": list(r.changed),
                        "reason": r.reason,
                    }
                    for r in differing
                ],
            }
        )
    else:
        for r in differing:
            what = r.reason or f"differs in {', '.join(r.changed)}"
            sys.stdout.write(f"{r.stored.trial}: {what}\n")
        same = len(results) - len(differing)
        sys.stdout.write(f"{same} of {len(results)} records came out byte for byte\n")
    if write and differing:
        recomputing.replace(folder, results)
        sys.stderr.write(f"written; the lines before are in {recomputing.BACKUP}\n")
    return 1 if differing and not write else 0


def _beside(folder: RunFolder, options: AnalyserOptions) -> recomputing.Beside:
    """What adds the analyser's readings to each trial; they replace earlier ones."""
    found = analysers.read_analyser(
        options.path, options.time_column, options.power_column
    )
    sys.stderr.write(
        f"{options.path}: power from {found.power_column!r}, time from "
        f"{found.time_column!r}, {len(found.watts)} readings, {found.dropped} dropped\n"
    )
    offset_s = options.offset_s
    if options.align:
        offset_s = _aligned_s(folder, found, offset_s)

    def add(recording: Recording) -> Recording:
        channel, series = analysers.beside(found, recording.clocks, offset_s)
        others = tuple(c for c in recording.channels if c.name != channel.name)
        return replace(
            recording,
            channels=(*others, channel),
            trace={**recording.trace, channel.name: series},
        )

    return add


def _aligned_s(folder: RunFolder, found: analysers.Analysed, offset_s: float) -> float:
    """The offset near the stated one at which the analyser follows the whole run."""
    moved_ns = found.utc_ns + round(offset_s * NS_PER_S)
    pairs: list[tuple[Series, Series]] = []
    meters: set[str] = set()
    for stored in folder.records().records:
        try:
            recording = read_recording(folder.trace_path(stored.trial))
            times_ns = analysers.to_monotonic(moved_ns, recording.clocks)
        except BenchError:  # told of this trial when its numbers are derived
            continue
        own = [c for c in recording.channels if c.source != analysers.SOURCE]
        chosen = clock_offset.power_channels(own, recording.trace)
        power = clock_offset.power(chosen, recording.trace)
        pairs.append((power, Series(times_ns, found.watts)))
        meters |= {f"{c.domain} ({c.provenance})" for c in chosen}
    shift_s, correlation = clock_offset.best_offset_s(pairs)
    sys.stderr.write(
        f"{found.path}: {offset_s + shift_s:+.1f} s added to its time: there it goes "
        f"with {', '.join(sorted(meters))}, correlation {correlation:.2f}\n"
    )
    return offset_s + shift_s
