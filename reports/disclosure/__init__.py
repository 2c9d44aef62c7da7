"""Disclosures of energy and carbon in the formats that others ask for.

A format is a module with one function from a subject to names and texts of files, and
one line here.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from harness.errors import NothingMeasured, OutputError, UsageError
from harness.files import replacing
from harness.near import nearest
from reports.disclosure import (
    boamps,
    codecarbon,
    cyclonedx,
    eu,
    huggingface,
    imp,
    sci,
    spdx,
    statement,
    words,
)
from reports.disclosure.assembling import subject_of
from reports.disclosure.subject import Subject

__all__ = ["ALL", "EXPORTS", "Files", "Subject", "export", "subject_of"]

Files = Callable[[Subject], Iterable[tuple[str, str]]]
"""Path below the folder, with `/`, and text of each file."""
EXPORTS: Mapping[str, Files] = {
    "boamps": boamps.files,
    "cyclonedx": cyclonedx.files,
    "spdx": spdx.files,
    "huggingface": huggingface.files,
    "sci": sci.files,
    "eu": eu.files,
    "codecarbon": codecarbon.files,
    "imp": imp.files,
    "statement": statement.files,
}
ALL = "all"
MAKER = b"joulebench"
HEAD_BYTES = 1 << 20


def export(
    subject: Subject, names: Sequence[str], folder: Path, *, force: bool = False
) -> tuple[Path, ...]:
    """Write a subject in some formats; our own files that are there are replaced.

    Args:
        subject: What is disclosed.
        names: Of EXPORTS, or `all`.
        folder: Made where it is not there.
        force: Files of others are replaced, too.

    Returns:
        What was written, in order.

    Raises:
        UsageError: No such format, or a file of others is there; nothing is written.
        NothingMeasured: No configuration has energy to disclose, or none has the carbon
            that the format is about.
        OutputError: The folder takes nothing.
    """
    chosen = list(EXPORTS) if ALL in names else list(dict.fromkeys(names))
    for name in chosen:
        if name not in EXPORTS:
            raise UsageError(
                f"--export: unknown format {name!r}{nearest(name, EXPORTS)}",
                hint=f"known: {', '.join(EXPORTS)}, or {ALL}",
            )
    if not subject.activities:
        reasons = "; ".join(f"{k}: {why}" for k, why in subject.left_out.items())
        raise NothingMeasured(
            f"nothing to disclose: {reasons or 'no trial was given'}",
            hint="`bench doctor` shows which meters this machine has",
        )
    files = [file for name in chosen for file in EXPORTS[name](subject)]
    if not files:
        raise NothingMeasured(
            f"--export {','.join(chosen)}: carbon is unknown: "
            + subject.reasons.get("location_kg", words.UNKNOWN),
            hint="name the place and the PUE in the site file",
        )
    if not force:
        for name, _ in files:
            _check_ours(folder / name)
    return tuple(_write(folder / name, text) for name, text in files)


def _check_ours(path: Path) -> None:
    """Refuse to replace what does not name its maker, such as CodeCarbon's own file.

    Raises:
        UsageError: It is there, and joulebench did not write it.
    """
    try:
        with path.open("rb") as file:
            head = file.read(HEAD_BYTES)
    except (FileNotFoundError, NotADirectoryError):
        return
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror}") from error
    if head and MAKER not in head:
        raise UsageError(
            f"{path} is there already, and joulebench did not write it",
            hint="another folder with -o, or --force",
        )


def _write(path: Path, text: str) -> Path:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as part:
            part.write_text(text, encoding="utf-8", newline="")
    except OSError as error:
        raise OutputError(
            f"{path}: cannot be written: {error.strerror or error}",
            hint="another folder with -o",
        ) from error
    return path
