"""factors.json of a run folder: the intensity as it was known when the run began.

A live source is asked once; whoever resumes the run or derives its numbers again reads
the file, and needs neither network nor the same packages.
"""

from pathlib import Path

from pydantic import ValidationError

from harness import factors
from harness.carbon import intensity
from harness.errors import BenchError, FactorUnavailable, UsageError
from harness.factor import Factor
from harness.noun import Noun, first_fault
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


def ask(location: Location) -> Frozen:
    """The factors of a run that begins.

    Raises:
        UsageError: A source does not know the place, or a token is missing.
        FactorUnavailable: A live source fails, and the suite names no fallback.
    """
    place = location.place
    if place is None:
        return Frozen()
    marginal = _live(location.marginal, location) if location.marginal else None
    if location.intensity == YEARLY_MEAN:
        return Frozen(intensity=intensity(place), marginal=marginal)
    try:
        found = _live(location.intensity, location)
    except BenchError as error:
        if location.fallback is None:
            raise
        reason = f"{error.message}; the suite names {location.fallback}"
        mean = intensity(place)
        caveats = (*mean.caveats, f"in place of {location.intensity}: {reason}")
        return Frozen(
            intensity=mean.model_copy(update={"caveats": caveats}),
            marginal=marginal,
            fallback_reason=reason,
        )
    return Frozen(intensity=found, marginal=marginal)


def keep(folder: RunFolder, found: Frozen) -> None:
    """Write them into the folder of a run that has not begun."""
    folder.write(NAME, found.model_dump_json(indent=1))


def freeze(folder: RunFolder, location: Location) -> Frozen:
    """The factors that a run began with; a run without a live source gets them now.

    Raises:
        UsageError: The file is not what was written, or it is missing and a live
            source would tell another number than it did.
    """
    path = folder.path / NAME
    if path.exists():
        return _checked(frozen(folder), location, path)
    if location.marginal or location.intensity != YEARLY_MEAN:
        raise UsageError(
            f"{path}: missing: what a live source told when the run began",
            hint="it is not asked again, since it would tell another number: "
            "start a new run",
        )
    found = ask(location)
    keep(folder, found)
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
        place, what = first_fault(error)
        raise UsageError(
            f"{path}: {place} {what}",
            hint="the file is written when a run begins; trials keep their own copy",
        ) from error
    if found.schema_version > SCHEMA:
        raise UsageError(f"{path}: written by a newer joulebench")
    return found


def _checked(found: Frozen, location: Location, path: Path) -> Frozen:
    """Factors of this place; the file may come from anywhere."""
    if location.place is None:
        return Frozen()
    factor = found.intensity
    if factor is None or factor.marginal or factor.place not in (None, location.place):
        raise UsageError(
            f"{path}: intensity is no mean of {location.place}",
            hint="put back the file as `bench run` wrote it",
        )
    return found


def _live(source: str, location: Location) -> Factor:
    """One answer of a live source; its failure tells how the run could go without."""
    try:
        return factors.live(source).intensity(str(location.place), location.zone)
    except FactorUnavailable as error:
        cure = f"or let the suite go without: site.fallback: {YEARLY_MEAN}"
        if source in factors.MARGINAL:
            cure = "or take site.marginal out of the suite"
        hint = f"{error.hint}; {cure}" if error.hint else cure
        raise FactorUnavailable(error.message, hint=hint) from error
