"""Zeus with its defaults: one ZeusMonitor over the GPUs named as arguments.

python -m tests.bench.peer_workers.with_zeus 0 1 2
"""

import sys
import warnings
from collections.abc import Mapping
from typing import Any

from tests.bench.peer_workers.answering import Said, serve


class Zeus:
    def __init__(self, gpus: list[int]) -> None:
        from zeus.exception import ZeusBaseError
        from zeus.monitor import ZeusMonitor

        warnings.simplefilter("ignore")
        self.faults: tuple[type[Exception], ...] = (ZeusBaseError, KeyError, ValueError)
        self.gpus = gpus
        self.monitor: Any = ZeusMonitor(gpu_indices=gpus, cpu_indices=[])
        self.fault: str | None = None

    def begin(self) -> None:
        self.fault = None
        try:
            self.monitor.begin_window("window", sync_execution=False)
        except self.faults as error:
            self.fault = repr(error)

    def end(self) -> Mapping[str, Said]:
        joules: dict[int, float] = {}
        if self.fault is None:
            try:
                measured = self.monitor.end_window("window", sync_execution=False)
                joules = measured.gpu_energy
            except self.faults as error:
                self.fault = repr(error)
        return {str(i): Said(joules.get(i), fault=self.fault) for i in self.gpus}

    def close(self) -> None:
        if self.monitor.power_monitor is not None:
            self.monitor.power_monitor.stop()


if __name__ == "__main__":
    serve(lambda: Zeus([int(part) for part in sys.argv[1:]]))
