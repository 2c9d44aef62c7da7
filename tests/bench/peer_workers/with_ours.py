"""joulebench: windows of its meter process, aligned to ticks unless told otherwise.

python -m tests.bench.peer_workers.with_ours [unaligned]
"""

import sys
from collections.abc import Mapping
from contextlib import ExitStack

from harness.metering import start_meter
from tests.bench.peer_workers.answering import Said, serve


class Ours:
    def __init__(self, *, aligned: bool) -> None:
        self.aligned = aligned
        self.stack = ExitStack()
        self.client = self.stack.enter_context(start_meter(["nvml"]))
        self.start_ns = 0

    def begin(self) -> None:
        self.start_ns = self.client.open_window(aligned=self.aligned)

    def end(self) -> Mapping[str, Said]:
        measured = self.client.close_window(self.start_ns, aligned=self.aligned)
        span = measured.span
        return {
            reading.device: Said(
                reading.energy_j, span.start_ns, span.end_ns, reading.reason
            )
            for reading in measured.energy
            if reading.domain == "gpu"
        }

    def close(self) -> None:
        self.stack.close()


if __name__ == "__main__":
    serve(lambda: Ours(aligned="unaligned" not in sys.argv[1:]))
