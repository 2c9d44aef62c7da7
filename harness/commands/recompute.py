"""`bench recompute`: whether the stored numbers follow from the raw traces."""

import sys
from pathlib import Path

from harness import recomputing
from harness.commands.console import print_json
from harness.errors import NothingMeasured
from harness.store import RunFolder


def recompute(path: Path, *, write: bool, as_json: bool) -> int:
    """Derive every number of a run again; 1 where a record comes out differently."""
    folder = RunFolder(path)
    results = list(recomputing.recompute(folder))
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
