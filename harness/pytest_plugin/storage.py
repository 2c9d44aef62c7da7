"""Results in files, one folder a machine: `.energy/MACHINE/0001_NAME.json`."""

import os
import platform
import re
import subprocess
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

from pydantic import ValidationError

import harness
from harness.environment import cpu_model, governor, gpus
from harness.errors import UsageError
from harness.near import nearest
from harness.noun import first_fault
from harness.pytest_plugin.results import SCHEMA, Machine, Record, Result
from harness.readings import Channel, Provenance

NUMBERED = re.compile(r"(\d{4,})_(.+)\.json")
LATEST = "latest"


def machine(channels: Sequence[Channel]) -> Machine:
    """This machine as far as joules depend on it.

    Args:
        channels: That are metered.
    """
    meters = [c for c in channels if c.tier and c.provenance is Provenance.MEASURED]
    hardware = {
        "system": f"{platform.system()} {platform.machine()}",
        "processor": cpu_model(),
        "cores": str(os.cpu_count()),
        "metered devices": ", ".join(sorted({f"{c.domain} {c.device}" for c in meters}))
        or "none",
    }
    digest = sha256("\n".join(hardware.values()).encode()).hexdigest()[:10]
    name = f"{platform.system()}-{platform.machine()}-{digest}".lower()
    sources = ", ".join(sorted({c.source for c in meters})) or "none"
    boards = [
        ", ".join(fact for name, fact in gpu.items() if name != "uuid")
        for gpu in gpus(channels)
    ]
    facts = hardware | {
        "meters": sources,
        "GPUs": "; ".join(sorted(boards)) or "none",
        "governor": governor() or "unknown",
    }
    return Machine(name=name, facts=facts)


def record(
    found: Machine | None, tests: Sequence[Result], commit: str | None
) -> Record:
    """A file's content, as of now."""
    return Record(
        schema=SCHEMA,
        joulebench=harness.__version__,
        utc=datetime.now(UTC).isoformat(timespec="seconds"),
        commit=commit,
        machine=found,
        tests=tuple(tests),
    )


def write(path: Path, content: Record) -> None:
    """Write a file whole, or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}")
    text = content.model_dump_json(indent=1, by_alias=True)
    part.write_text(f"{text}\n", encoding="utf-8")
    part.replace(path)


def save(folder: Path, content: Record, name: str) -> Path:
    """Keep results under the next number.

    Args:
        folder: Of all machines.
        content: With its machine.
        name: What they are called.
    """
    assert content.machine is not None  # noqa: S101 (the caller groups by machine)
    own = folder / content.machine.name
    number = max((n for n, _ in _numbered(own)), default=0) + 1
    path = own / f"{number:04d}_{name}.json"
    write(path, content)
    return path


def commit(folder: Path) -> str | None:
    """The commit that is checked out, short; None where none is."""
    command = ["git", "-C", str(folder), "rev-parse", "--short=10", "HEAD"]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, timeout=10
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip() or None if done.returncode == 0 else None


def find(folder: Path, name: str, here: Machine) -> Path | str:
    """The kept file of a name on this machine, or why there is none.

    Args:
        folder: Of all machines.
        name: A number, a name, `latest`, or a path of a file.
        here: This machine.

    Raises:
        UsageError: No machine has it, though this one has others.
    """
    if name.endswith(".json"):
        if Path(name).is_file():
            return Path(name)
        raise UsageError(f"--energy-compare {name}: there is no such file")
    kept = list(_numbered(folder / here.name))
    chosen = [path for number, path in kept if _is_called(path, number, name)]
    if chosen:
        return chosen[-1]
    elsewhere = [
        other.name
        for other in sorted(folder.glob("*/"))
        if any(_is_called(path, number, name) for number, path in _numbered(other))
    ]
    if elsewhere:
        what = "what is kept" if name == LATEST else name
        return f"{what} is of another machine ({elsewhere[0]}), this is {here.name}"
    if kept and name != LATEST:
        names = [path.stem for _, path in kept]
        called = [name.partition("_")[2] for name in names]
        raise UsageError(
            f"--energy-compare {name}: there is no such name in {folder / here.name}"
            f"{nearest(name, called)}",
            hint=f"there are {', '.join(names[-5:])}",
        )
    return "nothing is kept of this machine (--energy-save NAME)"


def _is_called(path: Path, number: int, name: str) -> bool:
    if name in (LATEST, path.stem):
        return True
    called = path.stem.partition("_")[2]
    return name == called or (name.isdecimal() and int(name) == number)


def _numbered(folder: Path) -> Iterator[tuple[int, Path]]:
    """Kept files by number."""
    found = ((NUMBERED.fullmatch(path.name), path) for path in folder.glob("*.json"))
    yield from sorted((int(match[1]), path) for match, path in found if match)


def read(path: Path) -> Record:
    """A file of results.

    Raises:
        UsageError: It cannot be read, is not such, or is of a newer version.
    """
    try:
        found = Record.model_validate_json(path.read_bytes())
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror}") from error
    except ValidationError as error:
        place, what = first_fault(error)
        raise UsageError(
            f"{path}: not a file of energy results: {place}: {what}",
            hint="remove it, or compare with another",
        ) from error
    if found.schema_ > SCHEMA:
        raise UsageError(f"{path}: schema {found.schema_} is newer than {SCHEMA}")
    return found
