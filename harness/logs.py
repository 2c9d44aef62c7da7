"""The log of a trial: what it prints up to a limit, so that none fills the disk."""

import contextlib
import os
import select
from collections import deque
from pathlib import Path
from types import TracebackType
from typing import Self

FIRST_BYTES = 1 << 20
LAST_BYTES = 1 << 16
CHUNK_BYTES = 1 << 16


class Log:
    """Keeps the beginning and the end of what comes through a pipe.

    A log that cannot be written is given up: the trial goes on without one.

    Args:
        path: The file; it is made when it is entered.
        source: Read end of the pipe, which is closed at the end.
    """

    def __init__(self, path: Path, source: int) -> None:
        self._path = path
        self._source = source
        self._file: int | None = None
        self._room = FIRST_BYTES
        self._tail: deque[bytes] = deque()
        self._left_out = 0
        self._is_open = True

    def __enter__(self) -> Self:
        with contextlib.suppress(OSError):
            flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
            self._file = os.open(self._path, flags, 0o644)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._left_out:
            self._write(f"\n... {self._left_out} bytes are left out ...\n".encode())
        self._write(b"".join(self._tail))
        if self._file is not None:
            os.close(self._file)
        os.close(self._source)

    @property
    def waited(self) -> list[int]:
        """What there is to wait for: nothing when all writers are gone."""
        return [self._source] if self._is_open else []

    def take(self) -> None:
        """Take what is there; it blocks where nothing is."""
        data = os.read(self._source, CHUNK_BYTES)
        self._is_open = bool(data)
        head, rest = data[: self._room], data[self._room :]
        self._room -= len(head)
        self._write(head)
        if not rest:
            return
        self._tail.append(rest)
        while sum(map(len, self._tail)) - len(self._tail[0]) >= LAST_BYTES:
            self._left_out += len(self._tail.popleft())

    def drain(self) -> None:
        """Take the rest, of a writer that has ended."""
        while self._is_open and select.select([self._source], [], [], 0)[0]:
            self.take()

    def _write(self, data: bytes) -> None:
        if self._file is None or not data:
            return
        try:
            os.write(self._file, data)
        except OSError:
            os.close(self._file)
            self._file = None
