"""Whole lines from a pipe, with a time limit and without losing half of one."""

import os
import select


class LineReader:
    """Buffers what a file descriptor gives until a line is complete."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor
        self._buffer = b""

    def line(self, timeout_s: float | None = None) -> bytes | None:
        """The next line without its end; None at the end of the stream.

        Raises:
            TimeoutError: No complete line came within the limit in seconds.
        """
        while b"\n" not in self._buffer:
            ready, _, _ = select.select([self.descriptor], [], [], timeout_s)
            if not ready:
                raise TimeoutError
            chunk = os.read(self.descriptor, 65536)
            if not chunk:
                return None
            self._buffer += chunk
        line, _, self._buffer = self._buffer.partition(b"\n")
        return line
