"""The run folder: append-only, synced line by line, readable after any crash."""

import json
import os
import uuid
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from harness.errors import NothingMeasured, StorageError, UsageError
from harness.files import replacing
from harness.garbage import uncollected
from harness.jobs import Raw
from harness.noun import first_fault
from harness.records import SCHEMA, TrialRecord

RUN_ID = "run.json"
"""Names the run for good, wherever its folder goes."""


@dataclass(frozen=True)
class ReadResult:
    """Records of a run folder and what could not be read.

    Attributes:
        records: Finished trials in the order they were written.
        faults: One sentence for each line that was left out.
        folders: The run folder of each record.
    """

    records: tuple[TrialRecord, ...]
    faults: tuple[str, ...]
    folders: tuple[Path, ...] = ()


class RunFolder:
    """One run on disk: suite, plan, machine, trials, traces, outcomes, logs."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @classmethod
    def create(cls, path: Path) -> "RunFolder":
        """Make a new run folder.

        Raises:
            UsageError: The folder holds another run already, or cannot be made.
        """
        if (path / "plan.json").exists():
            raise UsageError(
                f"{path} already holds a run",
                hint=f"bench resume {path}, or another folder with -o",
            )
        try:
            for part in ("traces", "outcomes", "logs"):
                (path / part).mkdir(parents=True, exist_ok=True)
            if not (path / RUN_ID).exists():
                cls(path).write(RUN_ID, json.dumps({"id": uuid.uuid4().hex}))
        except OSError as error:
            raise UsageError(
                f"{path}: cannot be written: {error.strerror}",
                hint="name a folder that can be with -o",
            ) from error
        return cls(path)

    def write(self, name: str, text: str) -> None:
        """Replace a file of the folder at once, or not at all."""
        with (
            self.writing(),
            replacing(self.path / name) as part,
            part.open("w", encoding="utf-8") as file,
        ):
            file.write(text)
            file.flush()
            os.fsync(file.fileno())

    def read(self, name: str) -> str:
        """Text of a file of the folder.

        Raises:
            UsageError: The file is missing or is not text.
        """
        try:
            return (self.path / name).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(
                f"{self.path / name}: cannot be read: {error}",
                hint="a run folder is made by `bench run SUITE`",
            ) from error

    def trace_path(self, trial: str) -> Path:
        """Where the raw readings of a trial are kept."""
        return self.path / "traces" / f"{trial}.parquet"

    def write_raw(self, trial: str, raw: Raw) -> None:
        """Keep what a trial's record is derived from."""
        self.write(f"outcomes/{trial}.json", raw.model_dump_json())

    def read_raw(self, trial: str) -> Raw:
        """What a trial's record is derived from.

        Raises:
            UsageError: It is missing or is not of this form.
        """
        name = f"outcomes/{trial}.json"
        try:
            return Raw.model_validate_json(self.read(name))
        except ValidationError as error:
            raise UsageError(
                f"{self.path / name}: {_first(error)}",
                hint="runs of joulebench 0.1 kept too little to be derived again",
            ) from error

    def append(self, record: TrialRecord) -> None:
        """Add a finished trial; it is on disk when this returns."""
        self.append_line("trials.jsonl", record.to_json())

    def append_line(self, name: str, line: str) -> None:
        """Add a line to a file; it is on disk when this returns, or not at all.

        Raises:
            StorageError: The disk is full, or the folder is not there any more.
        """
        with self.writing(), (self.path / name).open("ab+", buffering=0) as file:
            size = file.seek(0, os.SEEK_END)
            torn = size and not _ends_with_newline(file.fileno())
            data = (b"\n" if torn else b"") + line.encode() + b"\n"
            try:
                while data:
                    data = data[file.write(data) :]
                os.fsync(file.fileno())
            except OSError:
                file.truncate(size)
                raise

    def lines(self, name: str) -> tuple[bytes, ...]:
        """Lines of a file that may not be there."""
        try:
            return tuple((self.path / name).read_bytes().splitlines())
        except OSError:
            return ()

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Say of a failed write what it means for the run.

        Raises:
            StorageError: The block could not write.
        """
        try:
            yield
        except OSError as error:
            raise StorageError(
                f"{self.path}: cannot be written: {error.strerror or error}",
                hint="finished trials are kept; when there is room and the folder can "
                f"be written: bench resume {self.path}",
            ) from error

    def records(self) -> ReadResult:
        """All readable trials; a torn or newer line is a fault, not a crash."""
        target = self.path / "trials.jsonl"
        if not self.path.is_dir():
            raise UsageError(
                f"{self.path}: there is no such run folder",
                hint="`bench run SUITE` prints the folder as its last line",
            )
        try:
            with target.open("rb") as lines:
                return _parse(lines, target, self.path)
        except FileNotFoundError:
            return ReadResult((), (f"{target}: missing; no trial has finished",))
        except OSError as error:
            raise UsageError(f"{target}: cannot be read: {error.strerror}") from error


def _ends_with_newline(descriptor: int) -> bool:
    size = os.lseek(descriptor, 0, os.SEEK_END)
    return os.pread(descriptor, 1, size - 1) == b"\n"


@uncollected()
def _parse(lines: Iterable[bytes], target: Path, folder: Path) -> ReadResult:
    records: list[TrialRecord] = []
    faults: list[str] = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        where = f"{target}:{number}"
        try:
            record = TrialRecord.model_validate_json(line)
        except ValidationError as error:
            faults.append(f"{where}: left out: {_newer(line) or _first(error)}")
            continue
        records.append(record)
        if record.schema_ > SCHEMA:
            faults.append(f"{where}: read as far as known: {_newer(line)}")
    return ReadResult(tuple(records), tuple(faults), (folder,) * len(records))


def _first(error: ValidationError) -> str:
    """The first fault with its place."""
    place, what = first_fault(error)
    return f"{place}: {what}" if place else what


def _newer(line: bytes) -> str | None:
    """Say that a record is of a newer schema, where it says so itself."""
    try:
        schema = json.loads(line).get("schema")
    except (ValueError, AttributeError, RecursionError):
        return None
    if isinstance(schema, int) and schema > SCHEMA:
        return f"schema {schema} is newer than this joulebench reads ({SCHEMA})"
    return None


def read_runs(paths: Sequence[Path]) -> ReadResult:
    """The trials of several runs together.

    Raises:
        NothingMeasured: No run holds a readable trial.
    """
    results = [RunFolder(path).records() for path in paths]
    records = tuple(record for result in results for record in result.records)
    faults = tuple(fault for result in results for fault in result.faults)
    if not records:
        raise NothingMeasured(
            "nothing measured: " + "; ".join(faults or ("no run was given",)),
            hint="bench run SUITE, or bench resume RUN",
        )
    folders = tuple(folder for result in results for folder in result.folders)
    return ReadResult(records, faults, folders)
