"""factors.lock: the numbers of today, so that a report of next year says the same.

JSON, sorted, an entry a factor, each with the digest of its content, and one of all.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from harness.errors import UsageError
from harness.factors import Entry
from harness.noun import Noun, first_fault

SCHEMA = 1
MOST_BYTES = 16 << 20
UNITS = {"intensity": "g CO2e/kWh", "source_water": "L/kWh", "embodied": "kg CO2e"}
"""By kind: a report multiplies by the value and does not read the unit."""
AGAIN = "bench factors lock PLACE... [--site F] -o factors.lock"


class Lock(Noun):
    """Factors as they were locked.

    Attributes:
        path: Of the file, for messages.
    """

    entries: tuple[Entry, ...]
    path: str = "factors.lock"

    def entries_of(self, place: str) -> tuple[Entry, ...]:
        """Factors of a place.

        Raises:
            UsageError: There is none in the file.
        """
        found = tuple(
            e for e in self.entries if e.subject == place and e.kind != "embodied"
        )
        if not found:
            known = sorted({e.subject for e in self.entries if e.kind != "embodied"})
            raise UsageError(
                f"{self.path}: holds nothing of the place {place!r}; "
                f"it holds {', '.join(known) or 'no place'}",
                hint=AGAIN,
            )
        return found

    def embodied_of(self, name: str) -> tuple[Entry, ...]:
        """Embodied carbon of a piece of hardware; nothing where none was locked."""
        return tuple(
            e for e in self.entries if e.kind == "embodied" and e.subject == name
        )


def lock_text(entries: Sequence[Entry]) -> str:
    """The file of some entries; the same entries give the same bytes."""
    rows = {entry.key: entry.model_dump(mode="json") for entry in entries}
    listed = [{**rows[key], "sha256": _digest(rows[key])} for key in sorted(rows)]
    whole = {"schema": SCHEMA, "sha256": _digest(listed), "entries": listed}
    return json.dumps(whole, indent=1, ensure_ascii=False) + "\n"


def read_lock(path: Path) -> Lock:
    """The factors of a lock file.

    Raises:
        UsageError: It cannot be read, or an entry is not as it was written: named.
    """
    data = _json(path)
    if not isinstance(data, dict) or not isinstance(data.get("entries"), list):
        raise UsageError(f"{path}: not a lock of factors", hint=AGAIN)
    if data.get("schema") != SCHEMA:
        raise UsageError(
            f"{path}: schema {data.get('schema')!r} is not known; "
            f"this joulebench reads {SCHEMA}",
            hint=AGAIN,
        )
    entries = tuple(
        _entry(path, index, row) for index, row in enumerate(data["entries"])
    )
    for key, times in Counter(entry.key for entry in entries).items():
        if times > 1:
            raise UsageError(f"{path}: {key!r} stands there twice", hint=AGAIN)
    if data.get("sha256") != _digest(data["entries"]):
        raise UsageError(
            f"{path}: entries were added, taken out or put in another order",
            hint=AGAIN,
        )
    return Lock(entries=entries, path=str(path))


def changed(lock: Lock, now: Sequence[Entry]) -> dict[str, str]:
    """How installed packages differ from a lock, by the entry's key."""
    before = {entry.key: entry.factor for entry in lock.entries}
    found = {}
    for entry in now:
        old, new = before.get(entry.key), entry.factor
        if old is not None and old.value != new.value:
            found[entry.key] = (
                f"locked {old.value:g} {old.unit} ({old.package_version}), "
                f"installed {new.value:g} ({new.package_version})"
            )
    return found


def _entry(path: Path, index: int, row: Any) -> Entry:
    where = f"{path}: entries[{index}]"
    if not isinstance(row, dict):
        raise UsageError(f"{where}: not an entry", hint=AGAIN)
    bare = {key: value for key, value in row.items() if key != "sha256"}
    try:
        entry = Entry.model_validate(bare)
    except ValidationError as error:
        place, what = first_fault(error)
        raise UsageError(f"{where}: {place}: {what}", hint=AGAIN) from error
    if not _is_printable(entry):
        raise UsageError(f"{where}: holds characters that no terminal shows")
    if row.get("sha256") != _digest(bare):
        raise UsageError(
            f"{where}: {entry.key} was changed after it was locked", hint=AGAIN
        )
    if fault := _fault(entry):
        raise UsageError(f"{where}: {fault}", hint=AGAIN)
    return entry


def _is_printable(entry: Entry) -> bool:
    """Whether no text of it could drive a terminal."""
    factor = entry.factor.model_dump(exclude={"caveats"}).values()
    texts = (entry.by, entry.subject, *factor, *entry.factor.caveats)
    return all(text.isprintable() for text in texts if isinstance(text, str))


def _fault(entry: Entry) -> str | None:
    """Why an entry cannot be believed, although its digest is right."""
    factor = entry.factor
    low, high = factor.bounds
    if not low <= factor.value <= high:
        return f"{entry.key}: {low:g} <= {factor.value:g} <= {high:g} must hold"
    if factor.unit != UNITS[entry.kind]:
        return f"{entry.key}: in {factor.unit!r}, not in {UNITS[entry.kind]}"
    if factor.marginal:
        return f"{entry.key}: a marginal intensity is no mean"
    return None


def _digest(value: Any) -> str:
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _json(path: Path) -> Any:
    try:
        with path.open("rb") as file:
            raw = file.read(MOST_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UsageError(f"{path}: cannot be read: {reason}", hint=AGAIN) from error
    if len(raw) > MOST_BYTES:
        raise UsageError(f"{path}: larger than 16 MiB; is it a lock of factors?")
    try:
        return json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{path}: not JSON: {error}", hint=AGAIN) from error
