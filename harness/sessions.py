"""What is known of each session of a run: idle temperatures, control, trials left out.

A session is one `bench run` or `bench resume`; `sessions.jsonl` has a line for each
event of it. A control workload at both ends tells whether the machine has drifted.
"""

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from harness.noun import Noun
from harness.records import TrialRecord
from harness.schedule import LeftOut, energy_per_item_j
from harness.store import RunFolder

SESSIONS = "sessions.jsonl"
CONTROLS = "control.jsonl"
REPORTED = 0.01
INVALID = 0.03


def note(folder: RunFolder, event: str, **facts: Any) -> None:
    """Add an event to the run's sessions."""
    folder.append_line(SESSIONS, json.dumps({"event": event, **facts}))


def events(folder: RunFolder) -> list[dict[str, Any]]:
    """All events of a run's sessions; what cannot be read is left out."""
    found = []
    for line in folder.lines(SESSIONS):
        try:
            event = json.loads(line)
        except ValueError:
            continue
        if isinstance(event, dict):
            found.append(event)
    return found


def idle_temperatures_c(
    now_c: Mapping[str, float], past: Iterable[Mapping[str, Any]]
) -> dict[str, float]:
    """The lowest that each sensor showed at the start of any session."""
    found = dict(now_c)
    for event in past:
        before_c = event.get("temperatures_c")
        for sensor, value_c in before_c.items() if isinstance(before_c, dict) else ():
            if sensor in found and isinstance(value_c, (int, float)):
                found[sensor] = min(found[sensor], float(value_c))
    return found


def drift(first: TrialRecord, last: TrialRecord) -> dict[str, Any]:
    """How far J/item of the control moved between the ends of a session."""
    ends_j = [energy_per_item_j(record) for record in (first, last)]
    facts: dict[str, Any] = {"first_j": ends_j[0], "last_j": ends_j[1]}
    if not ends_j[0] or ends_j[1] is None or not math.isfinite(ends_j[1]):
        reasons = [record.reason or "no joules" for record in (first, last)]
        return {**facts, "drift_ratio": None, "reason": "; ".join(reasons)}
    ratio = ends_j[1] / ends_j[0] - 1
    return {**facts, "drift_ratio": ratio, "valid": abs(ratio) <= INVALID}


def ended(folder: RunFolder, left: Sequence[LeftOut], **facts: Any) -> None:
    """Note the end of a session, with the trials that it found needless."""
    gone = [{"trial": t.trial, "key": t.key, "reason": t.reason} for t in left]
    note(folder, "ended", left_out=gone, **facts)


class Drifted(Noun):
    """A session whose control workload did not stay the same.

    Attributes:
        valid: It may still be ranked.
    """

    message: str
    valid: bool


def drifted(folder: RunFolder) -> list[Drifted]:
    """What a reader of the run's ranking must know of its sessions."""
    found = []
    for event in events(folder):
        ratio = event.get("drift_ratio")
        if event.get("event") != "control" or not isinstance(ratio, (int, float)):
            continue
        if abs(ratio) > INVALID:
            message = (
                f"{folder.path}: the ranking of this session is not valid: the control "
                f"workload drifted by {ratio:+.1%} of its J/item (limit {INVALID:.0%})"
            )
            found.append(Drifted(message=message, valid=False))
        elif abs(ratio) > REPORTED:
            message = (
                f"{folder.path}: the control workload drifted by {ratio:+.1%} of its "
                "J/item in a session"
            )
            found.append(Drifted(message=message, valid=True))
    return found
