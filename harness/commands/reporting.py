"""Where reports go: names, formats, and whose files are replaced."""

import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from harness.commands.console import print_text
from harness.errors import StorageError, UsageError
from harness.files import replacing
from harness.near import nearest
from reports.page.blocks import Page
from reports.page.html import html
from reports.page.markdown import markdown
from reports.page.pdf import pdf

SUFFIXES = {".html": "html", ".htm": "html", ".md": "md", ".markdown": "md"}
SUFFIXES |= {".json": "json", ".csv": "csv", ".pdf": "pdf"}
MARKS = (b"joulebench report", b"workload,phase,device,perimeter,")
HEAD_BYTES = 4096
Writer = Callable[[], str | bytes]


@dataclass(frozen=True)
class Target:
    """What a user asked of a report.

    Attributes:
        output: A file, a folder, `-` for standard output, or None for the run folder.
        formats: Names with commas; None where the suffix tells.
        interactive: Charts answer to the pointer.
        force: Files of others are replaced.
    """

    output: Path | None
    formats: str | None
    interactive: bool = False
    force: bool = False

    @property
    def is_stream(self) -> bool:
        """Whether it goes to standard output."""
        return self.output == Path("-")

    def files(self, stem: str, home: Path, known: Sequence[str]) -> dict[str, Path]:
        """The file of each format.

        Args:
            stem: Name of the report, without a suffix.
            home: Folder of files that no one gave a place.
            known: Formats that this report has.

        Raises:
            UsageError: An unknown format, several for one file, or a file of others.
        """
        chosen = self._chosen(known)
        if self.is_stream or (chosen and self._is_file(chosen)):
            if len(chosen) != 1:
                raise UsageError(
                    f"{self.output} takes one format, not {', '.join(chosen)}",
                    hint="a folder takes several: -o FOLDER",
                )
            made = {chosen[0]: self.output or Path("-")}
        else:
            folder = self.output or home
            made = {name: folder / f"{stem}.{name}" for name in chosen}
        if not self.is_stream and not self.force:
            for path in made.values():
                _check_ours(path)
        return made

    def _is_file(self, chosen: Sequence[str]) -> bool:
        """Whether -o names a file: it has a suffix, and is no folder."""
        path = self.output
        if path is None or path.is_dir():
            return False
        return path.suffix.lower() in SUFFIXES or (
            bool(path.suffix) and len(chosen) == 1
        )

    def _chosen(self, known: Sequence[str]) -> list[str]:
        """Formats by name, else by suffix, else HTML (Markdown on a terminal)."""
        if self.formats is None:
            suffix = self.output.suffix.lower() if self.output else ""
            by_suffix = SUFFIXES.get(suffix, "md" if self.is_stream else "html")
            return [by_suffix]
        names = [name.strip().lower() for name in self.formats.split(",")]
        for name in names:
            if name not in known:
                raise UsageError(
                    f"no format is called {name!r}{nearest(name, list(known))}",
                    hint=f"one or several of {','.join(known)}",
                )
        return list(dict.fromkeys(names))


def home_of(paths: Sequence[Path], target: Target) -> Path:
    """The run folder that a report lies in where no one gave it a place.

    Raises:
        UsageError: There are several.
    """
    if len(paths) > 1 and target.output is None:
        raise UsageError(
            "a report of several runs belongs to none of their folders",
            hint="-o FILE, or -o FOLDER",
        )
    return paths[0]


def page_writers(make: Callable[[], Page], *, interactive: bool) -> dict[str, Writer]:
    """What makes the formats of a page, which is made once, and only if wanted."""
    page = cache(make)
    return {
        "html": lambda: html(page(), interactive=interactive),
        "md": lambda: markdown(page()),
        "pdf": lambda: pdf(page()),
    }


def _check_ours(path: Path) -> None:
    """Refuse to replace what somebody else wrote: a report names its maker.

    Raises:
        UsageError: A file is there that bears no mark of ours.
    """
    try:
        with path.open("rb") as file:
            head = file.read(HEAD_BYTES)
            with suppress(OSError):
                file.seek(-HEAD_BYTES, 2)
            tail = file.read(HEAD_BYTES)
    except FileNotFoundError:
        return
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror}") from error
    if head and not any(mark in head or mark in tail for mark in MARKS):
        raise UsageError(
            f"{path} is there already, and joulebench did not write it",
            hint="another name with -o, or --force",
        )


def write(files: Mapping[str, Path], writers: Mapping[str, Writer]) -> None:
    """Write each format and print the paths, the last one last.

    Raises:
        StorageError: A file cannot be written; the old one is still whole.
    """
    for name, path in files.items():
        made = writers[name]()
        if path == Path("-"):
            _print(made)
            continue
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with replacing(path) as part:
                part.write_bytes(made if isinstance(made, bytes) else made.encode())
        except OSError as error:
            raise StorageError(
                f"{path}: cannot be written: {error.strerror or error}",
                hint="another place: -o PATH",
            ) from error
        print_text(str(path))


def _print(made: str | bytes) -> None:
    """A report on standard output."""
    if isinstance(made, bytes):
        sys.stdout.buffer.write(made)
    else:
        print_text(made)
