"""CodeCarbon: a tracker for each GPU named as an argument, since it adds them up.

python -m tests.bench.peer_workers.with_codecarbon SECONDS 0 1 2

Each window is a task, in which it samples power each second and `measure_power_secs`
plays no part. Where no GPU is named, one tracker takes all of them and is started and
stopped once, with `measure_power_secs` of SECONDS: what it costs at that pace.
"""

import logging
import sys
import time
from collections.abc import Mapping
from typing import Any

from tests.bench.peer_workers.answering import Said, serve

JOULES_PER_KWH = 3.6e6


class CodeCarbon:
    def __init__(self, pace_s: float, gpus: list[int]) -> None:
        from codecarbon import OfflineEmissionsTracker

        logging.getLogger("codecarbon").setLevel(logging.CRITICAL)
        names: list[int | None] = [*gpus] or [None]
        self.trackers: dict[str, Any] = {
            str(gpu): OfflineEmissionsTracker(
                country_iso_code="FRA",
                force_carbon_intensity_g_co2e_kwh=0.0,
                output_methods=[],
                log_level="critical",
                measure_power_secs=pace_s,
                gpu_ids=None if gpu is None else [gpu],
            )
            for gpu in names
        }
        self.begun_ns: dict[str, int] = {}
        self.number = 0
        self.whole = not gpus
        if self.whole:
            self.trackers["None"].get_detected_hardware()
        else:
            self.begin()  # the first task loads tables
            self.end()

    def begin(self) -> None:
        self.number += 1
        for gpu, tracker in self.trackers.items():
            if self.whole:
                tracker.start()
            else:
                tracker.start_task(str(self.number))
            self.begun_ns[gpu] = time.monotonic_ns()

    def end(self) -> Mapping[str, Said]:
        found = {}
        for gpu, tracker in self.trackers.items():
            called_ns = time.monotonic_ns()
            if self.whole:
                tracker.stop()
                data = tracker.final_emissions_data
            else:
                data = tracker.stop_task(str(self.number))
            joules = data.gpu_energy * JOULES_PER_KWH
            found[gpu] = Said(joules, self.begun_ns[gpu], called_ns)
        return found

    def close(self) -> None:
        for tracker in self.trackers.values():
            tracker.stop()


if __name__ == "__main__":
    serve(lambda: CodeCarbon(float(sys.argv[1]), [int(part) for part in sys.argv[2:]]))
