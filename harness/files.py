"""Files that are replaced whole, or not at all."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A file to write beside it, which takes its place when the block is done.

    Raises:
        OSError: It cannot be written; the old file is still whole.
    """
    part = path.with_name(f".{path.name}.part")
    with ExitStack() as undo:
        undo.callback(_remove, part)
        yield part
        part.replace(path)
        undo.pop_all()


def _remove(part: Path) -> None:
    with suppress(OSError):
        part.unlink()
