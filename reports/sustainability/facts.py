"""What is known of a run beside its trials: machine, plan, suite and clocks.

Everything here is read from run folders, which are untrusted: a field of another kind
than expected is not known.
"""

import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any

from pydantic import Field

from harness.noun import Noun
from harness.plan import Plan
from harness.records import TrialRecord
from harness.units import NS_PER_S

MOST_LAG_S = 7_200.0
"""A trial's window begins at most so long after the trial; more is another boot."""
MOST_WHOLE = 2**60
"""No machine has so many cores or bytes; more is a fault of the file."""
SERVERS = frozenset(
    [
        "EPYC",
        "Xeon",
        "Neoverse",
        "Altra",
        "Grace",
        "P100",
        "V100",
        "T4",
        "A10",
        "A10G",
        "A30",
        "A40",
        "A100",
        "L4",
        "L40",
        "L40S",
        "H100",
        "H200",
        "B200",
        "GB200",
        "MI210",
        "MI250",
        "MI300X",
        "MI325X",
        "tpu",
    ]
)
"""Words in the names of processors and cards that are made for data centres."""


class Unavailable(Noun):
    """A meter that did not answer, with why."""

    probe: str
    reason: str


class RunFacts(Noun):
    """A run as its reader may want to repeat it.

    Attributes:
        name: Of its folder.
        utc: When it began.
        suite_sha256: Of the suite file as it was given.
        idle_s: Planned length of each idle stretch; None where there is no plan.
        accelerators: Devices that were read beside the processor.
        unavailable: Meters that did not answer.
        place: Of the grid, as the suite says.
        pue: As the suite says; 1 where it says nothing.
    """

    name: str
    utc: str | None = None
    suite: str | None = None
    suite_sha256: str | None = None
    profile: str | None = None
    settings: tuple[str, ...] = ()
    joulebench: str | None = None
    system: str | None = None
    python: str | None = None
    cpu: str | None = None
    cores_logical: int | None = None
    memory_bytes: int | None = None
    accelerators: tuple[str, ...] = ()
    packages: dict[str, str] = Field(default_factory=dict)
    unavailable: tuple[Unavailable, ...] = ()
    idle_s: float | None = None
    place: str | None = None
    pue: float = 1.0

    @property
    def server(self) -> str | None:
        """What tells that it is a server; None where nothing does."""
        parts = (self.cpu or "", *self.accelerators)
        return next((part for part in parts if SERVERS & set(_words(part))), None)


def facts_of(folder: Path, plan: Plan | None) -> RunFacts:
    """Facts of a run folder; what cannot be read is None."""
    machine = machine_of(folder)
    suite = None
    with suppress(OSError):
        suite = (folder / "suite.yaml").read_bytes()
    packages = machine.get("packages")
    return RunFacts(
        name=folder.name,
        utc=_text(machine, "utc"),
        suite=plan.suite if plan else None,
        suite_sha256=hashlib.sha256(suite).hexdigest() if suite else None,
        profile=plan.profile if plan else None,
        settings=plan.settings if plan else (),
        joulebench=_text(machine, "joulebench"),
        system=_text(machine, "system"),
        python=_text(machine, "python"),
        cpu=_text(machine, "cpu"),
        cores_logical=_whole(machine, "cores_logical"),
        memory_bytes=_whole(machine, "memory_bytes"),
        accelerators=tuple(dict.fromkeys(_accelerators(machine))),
        unavailable=tuple(_unavailable(machine)),
        packages=_texts(packages),
        idle_s=plan.protocol.idle_s if plan else None,
        place=plan.site.place if plan else None,
        pue=plan.site.pue if plan else 1.0,
    )


def offsets_s(folder: Path, records: Sequence[TrialRecord]) -> list[float | None]:
    """For each trial of one run, UTC epoch less the monotonic clock in seconds.

    All trials of one boot share the clock, so that one trace serves those whose window
    then lies shortly after their start; None where no trace can be read.
    """
    found: list[float | None] = []
    known: list[float] = []
    unreadable = 0
    for record in records:
        offset = next((each for each in known if _fits(record, each)), None)
        if offset is None and record.window is not None and unreadable < 3:
            offset = _clock(folder, record.trial)
            unreadable += offset is None
            if offset is not None:
                known.append(offset)
        found.append(offset)
    return found


def _fits(record: TrialRecord, offset_s: float) -> bool:
    """Whether a trial's window lies after its start by such a clock."""
    if record.window is None:
        return False
    try:
        started_s = datetime.fromisoformat(record.started_utc).timestamp()
    except ValueError:
        return True
    lag_s = offset_s + record.window.start_s - started_s
    return -2.0 <= lag_s <= MOST_LAG_S


def _clock(folder: Path, trial: str) -> float | None:
    """Offset at the start of a trace, from its Parquet footer alone."""
    if not trial or Path(trial).name != trial:
        return None
    import pyarrow as pa
    from pyarrow import parquet

    try:
        schema = parquet.read_schema(folder / "traces" / f"{trial}.parquet")
        about = json.loads((schema.metadata or {})[b"joulebench"])
        utc_ns, monotonic_ns = about["clocks"][0]
        return (int(utc_ns) - int(monotonic_ns)) / NS_PER_S
    except (OSError, pa.ArrowException, ValueError, KeyError, IndexError, TypeError):
        return None


def machine_of(folder: Path) -> dict[str, Any]:
    """What machine.json says; nothing where it cannot be read."""
    try:
        found = json.loads((folder / "machine.json").read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    if not isinstance(found, dict):
        return {}
    lists = ("channels", "gpus", "meters_unavailable")
    wrong = [name for name in lists if not isinstance(found.get(name, []), list)]
    return {name: value for name, value in found.items() if name not in wrong}


def _words(name: str) -> list[str]:
    """Words of a name, such as `A100` in `NVIDIA A100-SXM4-80GB`."""
    return re.split(r"[^A-Za-z0-9]+", name)


def _text(found: Mapping[str, Any], name: str) -> str | None:
    value = found.get(name)
    return value if isinstance(value, str) else None


def _whole(found: Mapping[str, Any], name: str) -> int | None:
    value = found.get(name)
    if not isinstance(value, int) or isinstance(value, bool):
        return None
    return value if 0 < value < MOST_WHOLE else None


def _texts(found: object) -> dict[str, str]:
    if not isinstance(found, dict):
        return {}
    return {str(name): str(value) for name, value in found.items()}


def _accelerators(machine: Mapping[str, Any]) -> Iterator[str]:
    """Names of the GPUs with their drivers; of older runs what channels call a card."""
    for gpu in machine.get("gpus", ()):
        if isinstance(gpu, dict) and isinstance(gpu.get("name"), str):
            driver = gpu.get("driver")
            yield gpu["name"] + (f" (driver {driver})" if driver else "")
    if machine.get("gpus"):
        return
    for each in machine.get("channels", ()):
        if isinstance(each, dict) and each.get("domain") in {"gpu", "tpu"}:
            yield f"{each['domain']} {each.get('device')}"


def _unavailable(machine: Mapping[str, Any]) -> Iterator[Unavailable]:
    """Meters that did not answer."""
    for each in machine.get("meters_unavailable", ()):
        if isinstance(each, dict):
            yield Unavailable(
                probe=str(each.get("probe")), reason=str(each.get("reason"))
            )
