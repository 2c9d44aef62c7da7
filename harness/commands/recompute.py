"""`bench recompute`: whether the stored numbers follow from the raw traces."""

import sys
from dataclasses import dataclass, replace
from pathlib import Path

from harness import analyser as analysers
from harness import recomputing
from harness.commands.console import print_json
from harness.errors import NothingMeasured
from harness.store import RunFolder
from harness.traces import Recording


@dataclass(frozen=True)
class AnalyserOptions:
    """A power analyser's file to lay beside the run.

    Attributes:
        offset_s: Added to the analyser's time in seconds.
    """

    path: Path
    time_column: str | None = None
    power_column: str | None = None
    offset_s: float = 0.0


def recompute(
    path: Path, analyser: AnalyserOptions | None, *, write: bool, as_json: bool
) -> int:
    """Derive every number of a run again; 1 where a record comes out differently."""
    folder = RunFolder(path)
    beside = _beside(analyser) if analyser else None
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


def _beside(options: AnalyserOptions) -> recomputing.Beside:
    """What adds the analyser's readings to each trial; they replace earlier ones."""
    found = analysers.read_analyser(
        options.path, options.time_column, options.power_column
    )
    sys.stderr.write(
        f"{options.path}: power from {found.power_column!r}, time from "
        f"{found.time_column!r}, {len(found.watts)} readings, {found.dropped} dropped\n"
    )

    def add(recording: Recording) -> Recording:
        channel, series = analysers.beside(found, recording.clocks, options.offset_s)
        others = tuple(c for c in recording.channels if c.name != channel.name)
        return replace(
            recording,
            channels=(*others, channel),
            trace={**recording.trace, channel.name: series},
        )

    return add
