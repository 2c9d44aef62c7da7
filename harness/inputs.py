"""Files of the user's that a run reads: the same ones whenever it goes on."""

from collections.abc import Iterable, Mapping
from pathlib import Path

from pydantic import ValidationError

from harness import registry
from harness.errors import BenchError, UsageError
from harness.noun import Noun, first_fault
from harness.records import Configuration
from harness.store import RunFolder

OWN_INPUTS = "workloads.weights:own_inputs"
FILE = "inputs.json"


class Inputs(Noun):
    """What a run read when it began.

    Attributes:
        started_in: The folder that relative paths begin in.
        sha256: Digest of the content by the path as the suite has it.
    """

    started_in: str
    sha256: Mapping[str, str]


def keep_or_check(folder: RunFolder, wanted: Iterable[Configuration]) -> None:
    """Note the inputs of a run that begins, hold those of one that goes on to it.

    Raises:
        UsageError: A path leads to other content now, or to none.
    """
    found = _digests(wanted)
    if not (folder.path / FILE).exists():
        begun = Inputs(started_in=str(Path.cwd()), sha256=found)
        folder.write(FILE, begun.model_dump_json(indent=1))
        return
    begun = _read(folder)
    for path, digest in found.items():
        before = begun.sha256.get(path)
        if before and digest != before:
            what = "has changed since" if digest else "cannot be read any more as when"
            raise UsageError(
                f"{path}: {what} this run began (in {begun.started_in})",
                hint="resume it where it began and with its data, or start a new run; "
                "what is finished is kept",
            )
    known = {path: digest for path, digest in found.items() if digest}
    if not known.keys() <= {path for path, digest in begun.sha256.items() if digest}:
        merged = begun.model_copy(update={"sha256": {**begun.sha256, **known}})
        folder.write(FILE, merged.model_dump_json(indent=1))


def _digests(wanted: Iterable[Configuration]) -> dict[str, str]:
    """By path; empty where there is nothing that can be read."""
    own_inputs = registry.load(OWN_INPUTS)
    found: dict[str, str] = {}
    for configuration in wanted:
        for path, digest in own_inputs(configuration.options):
            if path not in found:
                try:
                    found[path] = digest()
                except BenchError:
                    found[path] = ""
    return found


def _read(folder: RunFolder) -> Inputs:
    try:
        return Inputs.model_validate_json(folder.read(FILE))
    except ValidationError as error:
        raise UsageError(
            f"{folder.path / FILE}: not what a run writes: {first_fault(error)[1]}",
            hint="take it away to resume without comparing the data",
        ) from error
