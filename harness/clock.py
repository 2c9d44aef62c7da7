"""One clock for everything: the system's monotonic clock, injectable in tests."""

import os
import time
from typing import Protocol


class Clock(Protocol):
    """Source of time and of waiting."""

    def now_ns(self) -> int:
        """Monotonic time in nanoseconds."""
        ...

    def sleep(self, duration_s: float) -> None:
        """Wait for a number of seconds."""
        ...


class SystemClock:
    """The real clock; its zero is shared by all processes of one boot."""

    def now_ns(self) -> int:
        """Monotonic time in nanoseconds."""
        return time.monotonic_ns()

    def sleep(self, duration_s: float) -> None:
        """Wait for a number of seconds."""
        time.sleep(max(0.0, duration_s))


def process_cpu_s() -> float:
    """Processor seconds of this process, its threads and its ended children."""
    return sum(os.times()[:4])
