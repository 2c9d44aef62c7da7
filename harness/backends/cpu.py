"""The processor: always there, nothing to wait for."""

import resource
import sys


class CpuBackend:
    """Runs on the host's cores; torch's CPU calls return when they are done."""

    name = "cpu"
    asynchronous = False

    def unavailable(self) -> str | None:
        """Never unavailable."""
        return None

    def torch_device(self) -> str:
        """What torch calls the device."""
        return "cpu"

    def synchronise(self) -> None:
        """Nothing is queued on a processor."""

    def memory_peak_bytes(self) -> int | None:
        """Peak resident memory of this process in bytes."""
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak if sys.platform == "darwin" else peak * 1024
