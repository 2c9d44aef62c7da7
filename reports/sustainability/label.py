"""A letter from A to G for joules an item, anchored to a reference that never moves.

The reference is a key and its joules in a file that a suite's owner keeps (`--label
FILE`); nothing that runs beside a configuration changes its letter. The steps are half
powers of two: D ends at the reference itself.
"""

import math
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from harness.noun import Noun
from harness.readings import Provenance
from harness.records import PLAIN_SCENARIO
from harness.yaml_source import Key, number, read_source, read_table, shown
from reports.rows import Row

NOT_OFFICIAL = "not an official label"
SCALE = "ABCDEFG"
STRADDLES = "\N{EN DASH}"
EDGES = tuple(2 ** (half / 2) for half in range(-3, 3))
"""Upper ends of A to F: 0.35, 0.5, 0.71, 1, 1.41, 2; G is above."""


class Pin(Noun):
    """A reference that a label is held against.

    Attributes:
        key: Of the configuration that was measured.
        energy_per_item_j: What it needed an item.
        machine: Processor as machine.json names it; None for any.
        source: Run, date and who vouches for it.
    """

    key: str
    energy_per_item_j: float
    machine: str | None = None
    source: str = ""


class Label(Noun):
    """A letter, or two where the interval straddles a step; None with its reason.

    Attributes:
        letters: Such as `B`, or both ends where it straddles a step.
        index_ratio: Joules an item over those of the reference.
    """

    letters: str | None
    index_ratio: float | None = None
    low: float | None = None
    high: float | None = None
    reference: str | None = None
    reason: str | None = None
    note: str = NOT_OFFICIAL


def label(row: Row, pins: Sequence[Pin], machine: str | None) -> Label:
    """Letter of a configuration; none below the floor or for modelled joules."""
    if not row.eligible:
        return Label(letters=None, reason=row.reason or "it did not pass the gate")
    given = row.energy_per_item_j
    if given.value is None:
        return Label(letters=None, reason="no joules an item")
    if row.provenance is not Provenance.MEASURED or row.modelled_ratio != 0:
        return Label(letters=None, reason="its joules are not measured throughout")
    pin = next((pin for pin in pins if _is_alike(row, pin, machine)), None)
    if pin is None:
        return Label(letters=None, reason="no reference is pinned for what it does")
    value, low, high = (
        None if joules is None else joules / pin.energy_per_item_j
        for joules in (given.value, given.low, given.high)
    )
    if low is None or high is None:
        reason = "fewer than three rounds: no interval to place it by"
        return Label(letters=None, index_ratio=value, reference=pin.key, reason=reason)
    ends = [letter(low), letter(high)]
    return Label(
        letters=STRADDLES.join(dict.fromkeys(ends)),
        index_ratio=value,
        low=low,
        high=high,
        reference=pin.key,
    )


def letter(index_ratio: float) -> str:
    """The letter of an index; a step itself belongs to the better one."""
    worse = sum(index_ratio > edge * (1 + 1e-12) for edge in EDGES)
    return SCALE[worse]


def _is_alike(row: Row, pin: Pin, machine: str | None) -> bool:
    """Whether a pin is of the same task, device, scenario and machine."""
    asked = row.configuration
    head = f"{asked.workload}/{asked.phase}/"
    parts = pin.key.split("/")
    same_task = pin.key.startswith(head) and len(parts) > 4
    if not same_task or parts[3] != asked.device:
        return False
    if asked.scenario != PLAIN_SCENARIO and asked.scenario not in parts:
        return False
    if pin.machine is not None and pin.machine != machine:
        return False
    return {part for part in parts[5:] if "=" in part} == {
        part for part in asked.suffix.split("/") if "=" in part
    }


def read_pins(path: Path) -> tuple[Pin, ...]:
    """References from a file.

    Raises:
        UsageError: The file is at fault; every fault is named with its line.
    """
    source = read_source(path)
    found = read_table(source, (), source.data, _table())
    source.raise_faults()
    return tuple(Pin(**pin) for pin in found["pins"])


def _table() -> dict[str, Key]:
    pin = {
        "key": Key(_text, required=True),
        "energy_per_item_j": Key(_positive, required=True),
        "machine": Key(_text),
        "source": Key(_text, required=True),
    }
    return {
        "schema": Key(_schema, required=True),
        "pins": Key(table=pin, at_least=1, required=True),
    }


def _schema(value: Any) -> int:
    if value != 1 or isinstance(value, bool):
        raise ValueError(f"{shown(value)} is not known; this joulebench reads 1")
    return 1


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value.isprintable() or len(value) > 300:
        raise ValueError(f"{shown(value)} is not a line of text")
    return value


def _positive(value: Any) -> float:
    found = number(0, math.inf)(value)
    if not 0 < found < math.inf:
        raise ValueError(f"{shown(value)} is not a number above 0")
    return found


def steps() -> tuple[tuple[str, str], ...]:
    """The scale in words: letter and range of the index."""
    inner = [(f"{low:.2f}", f"{high:.2f}") for low, high in pairwise(EDGES)]
    texts = [f"up to {EDGES[0]:.2f}", *(f"{a} to {b}" for a, b in inner)]
    return tuple(zip(SCALE, (*texts, f"above {EDGES[-1]:.2f}"), strict=True))
