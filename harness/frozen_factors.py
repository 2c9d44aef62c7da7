"""factors.json of a run folder: the intensity as it was known when the run began.

A live source is asked once; whoever resumes the run or derives its numbers again reads
the file, and needs neither network nor the same packages.
"""

from pydantic import ValidationError

from harness import factors
from harness.carbon import intensity
from harness.errors import BenchError, EvidenceError, UsageError
from harness.factor import Factor
from harness.noun import Noun
from harness.store import RunFolder
from harness.suite import Location
from harness.suite_keys import YEARLY_MEAN

NAME = "factors.json"
SCHEMA = 1


class Frozen(Noun):
    """What a run's grams are computed with.

    Attributes:
        intensity: A mean; None where the suite names no place.
        marginal: Of the plants that answer to more load; for information alone.
        fallback_reason: Why the mean is not the live one that the suite asks for.
    """

    schema_version: int = SCHEMA
    intensity: Factor | None = None
    marginal: Factor | None = None
    fallback_reason: str | None = None


def freeze(folder: RunFolder, location: Location) -> Frozen:
    """The factors of a run: as its folder holds them, else asked and kept there.

    Raises:
        UsageError: The file is not what was written, or a token is missing.
        EvidenceError: A live source fails, and the suite names no fallback.
    """
    if (folder.path / NAME).exists():
        return frozen(folder)
    found = _asked(location)
    folder.write(NAME, found.model_dump_json(indent=1))
    return found


def frozen(folder: RunFolder) -> Frozen:
    """The factors that a run folder holds; nothing of one that holds no such file.

    Raises:
        UsageError: The file is not what was written.
    """
    path = folder.path / NAME
    if not path.exists():
        return Frozen()
    try:
        found = Frozen.model_validate_json(folder.read(NAME))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        raise UsageError(
            f"{path}: {place} {first['msg']}",
            hint="the file is written when a run begins; trials keep their own copy",
        ) from error
    if found.schema_version > SCHEMA:
        raise UsageError(f"{path}: written by a newer joulebench")
    return found


def _asked(location: Location) -> Frozen:
    place = location.place
    if place is None:
        return Frozen()
    marginal = _live(location.marginal, location) if location.marginal else None
    if location.intensity == YEARLY_MEAN:
        return Frozen(intensity=intensity(place), marginal=marginal)
    try:
        live = _live(location.intensity, location)
    except BenchError as error:
        if location.fallback is None:
            raise
        return Frozen(
            intensity=intensity(place),
            marginal=marginal,
            fallback_reason=f"{error.message}; the suite names {location.fallback}",
        )
    return Frozen(intensity=live, marginal=marginal)


def _live(source: str, location: Location) -> Factor:
    """One answer of a live source; its failure tells how the run could go without."""
    try:
        return factors.ask_live(source, str(location.place), location.zone)
    except EvidenceError as error:
        cure = f"try again, or name it in the suite: site.fallback: {YEARLY_MEAN}"
        if source in factors.MARGINAL:
            cure = "try again, or take site.marginal out of the suite"
        hint = f"{error.hint}; {cure}" if error.hint else cure
        raise EvidenceError(error.message, hint=hint) from error
