"""What the history takes from a run folder."""

import hashlib
import json
import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from harness.errors import NothingMeasured, UsageError
from harness.history.tables import derived, plain
from harness.noun import first_fault
from harness.records import TrialRecord
from harness.store import RUN_ID

Row = dict[str, Any]
ID = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True)
class Fault:
    """A line that was left out, as a sentence."""

    message: str


def find(paths: Iterable[Path]) -> list[Path]:
    """The run folders among these folders and below them.

    Raises:
        UsageError: One of them is missing, or holds no run.
    """
    found: dict[Path, None] = {}
    for path in paths:
        below = [Path(top) for top in _below(path)]
        if not below:
            missing = "" if path.is_dir() else "there is no such folder; "
            raise UsageError(
                f"{path}: {missing}no run folder here or below",
                hint="`bench run SUITE` prints the folder as its last line",
            )
        found |= dict.fromkeys(each.resolve() for each in below)
    return list(found)


def _below(path: Path) -> Iterator[str]:
    """Run folders from a folder on; links are not followed, runs not entered."""
    for top, names, files in os.walk(path):
        names.sort()
        if {"plan.json", "trials.jsonl"} & set(files):
            names.clear()
            yield top


def run_row(path: Path) -> Row:
    """The row of a run, named by an id that stays when its folder moves or grows.

    Raises:
        UsageError: The folder cannot be read, or its id is not of this form.
        NothingMeasured: No trial has finished.
    """
    first = next((row for row in trial_rows(path) if not isinstance(row, Fault)), None)
    if first is None:
        raise NothingMeasured(
            f"{path}: no trial has finished", hint=f"bench resume {path}"
        )
    text = _bytes(path / "plan.json")
    plan = _facts(text)
    planned = plan.get("trials")
    return {
        "run": run_id(path, text, first),
        "folder": plain(str(path)),
        "suite": _word(plan.get("suite")),
        "profile": _word(plan.get("profile")),
        "machine": _word(_facts(_bytes(path / "machine.json")).get("cpu")),
        "started_utc": first["started_utc"],
        "added_utc": datetime.now(UTC).isoformat(timespec="seconds"),
        "planned": len(planned) if isinstance(planned, list) else None,
        "plan_sha256": hashlib.sha256(text).hexdigest(),
    }


def run_id(path: Path, plan: bytes, first: Row) -> str:
    """The id that was written with the folder; of an older one, a hash.

    It is a hash of the plan and of what the first trial has alone: its times.
    """
    text = _bytes(path / RUN_ID)
    if not text:
        window = json.loads(first["record"]).get("window") or {}
        said = [first["trial"], first["started_utc"], window.get("start_s")]
        head = json.dumps(said, separators=(",", ":")).encode()
        return hashlib.sha256(plan + b"\n" + head).hexdigest()[:32]
    found = _facts(text).get("id")
    if not isinstance(found, str) or not ID.fullmatch(found):
        raise UsageError(
            f"{path / RUN_ID}: holds no id of a run",
            hint="without this file the id follows from the plan and the first trial",
        )
    return found


def trial_rows(path: Path) -> Iterator[Row | Fault]:
    """The trials of a folder in the order they were written, without their run.

    A last line that was not finished is not there yet: a later call gives it whole.
    """
    target = path / "trials.jsonl"
    try:
        file = target.open("rb")
    except FileNotFoundError:
        return
    except OSError as error:
        raise UsageError(f"{target}: cannot be read: {error.strerror}") from error
    with file:
        for number, line in enumerate(file, 1):
            if not line.strip():
                continue
            try:
                record = TrialRecord.model_validate_json(line)
                yield {
                    "trial": plain(record.trial),
                    "position": number,
                    "record": line.decode().rstrip("\r\n"),
                    **derived(record),
                }
            except ValueError as error:
                if line.endswith(b"\n"):
                    yield Fault(f"{target}:{number}: left out: {_first(error)}")


def _first(error: ValueError) -> str:
    """The first fault with its place."""
    if not isinstance(error, ValidationError):
        return str(error)
    place, what = first_fault(error)
    return f"{place} {what}"


def _bytes(path: Path) -> bytes:
    """Content of a file; none where it is missing."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return b""
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror}") from error


def _facts(text: bytes) -> dict[str, Any]:
    """An object of JSON; an empty one where there is none."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _word(value: Any) -> str | None:
    """Text of others, or None."""
    return plain(value) if isinstance(value, str) else None
