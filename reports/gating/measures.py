"""What may be gated: joules where a sensor counted them, else named proxies."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from harness.readings import Provenance
from harness.records import TrialRecord
from reports.rows import unusable

ENERGY = "energy_per_item_j"
STEPS_A_FLOOR = 20
RESOLUTION_J = 0.001
"""Step of NVML's counter, the coarsest of those that count energy."""
ENERGY_ABSENT = "no sensor counted joules"


class Measure(NamedTuple):
    """A figure of a trial that costs: less is better.

    Attributes:
        of: The figure of a trial on a machine of so many cores; None without one.
        exact: The same in every round, so that one round tells it.
    """

    unit: str
    about: str
    of: Callable[[TrialRecord, int | None], float | None]
    exact: bool = False


def ran(trial: TrialRecord) -> bool:
    """Whether a trial worked on items."""
    return trial.status == "ok" and trial.window is not None and trial.window.items > 0


def items(trial: TrialRecord) -> int:
    """Items of its window."""
    return trial.window.items if trial.window else 0


def modelled_share(trial: TrialRecord) -> float:
    """Share of its joules that no sensor counted, in [0, 1]."""
    total = trial.total
    if total is None or total.energy_j is None or total.provenance is None:
        return 1.0
    if total.modelled_ratio is None or not math.isfinite(total.modelled_ratio):
        return 0.0 if total.provenance is Provenance.MEASURED else 1.0
    return min(1.0, max(0.0, total.modelled_ratio))


def _counted_j(trial: TrialRecord, _: int | None) -> float | None:
    """Joules an item that sensors counted; what is modelled is left out."""
    share = 1 - modelled_share(trial)
    if unusable(trial) or share <= 0 or trial.total is None:
        return None
    return (trial.total.energy_j or 0.0) * share / items(trial)


def _own_cpu_s(trial: TrialRecord, cores: int | None) -> float | None:
    """Processor seconds an item, without those of others where they are known."""
    used = trial.utilization
    if used.cpu_ratio is None or not cores or trial.window is None:
        return None
    others = (used.foreign_cpu_ratio or 0.0) + (used.steal_ratio or 0.0)
    busy_s = max(0.0, used.cpu_ratio - others) * cores * trial.window.duration_s
    return busy_s / items(trial)


def _flop(trial: TrialRecord, _: int | None) -> float | None:
    return trial.performance.flop_per_item if trial.performance else None


def _memory_bytes(trial: TrialRecord, _: int | None) -> float | None:
    return trial.utilization.memory_peak_bytes


def _weight_bytes(trial: TrialRecord, _: int | None) -> float | None:
    return trial.model.weight_bytes if trial.model else None


MEASURES: Mapping[str, Measure] = {
    ENERGY: Measure("J", "joules an item, as sensors counted them", _counted_j),
    "cpu_per_item_s": Measure("s", "processor seconds an item", _own_cpu_s),
    "flop_per_item": Measure("FLOP", "operations an item", _flop, exact=True),
    "memory_peak_bytes": Measure("B", "peak memory", _memory_bytes),
    "weight_bytes": Measure("B", "bytes of weights", _weight_bytes, exact=True),
}
PROXIES = tuple(name for name in MEASURES if name != ENERGY)


def values_of(
    measure: str, trials: Sequence[TrialRecord], cores: int | None
) -> dict[int, float]:
    """By round, where the trial has one above 0."""
    found = ((t.round, MEASURES[measure].of(t, cores)) for t in trials)
    return {n: v for n, v in found if v is not None and math.isfinite(v) and v > 0}


def resolved_j(trials: Sequence[TrialRecord]) -> float:
    """Joules an item below which a difference is no more than steps of the sensors."""
    floors = []
    for trial in trials:
        counted = [r for r in trial.energy if r.provenance is Provenance.MEASURED]
        steps = max(1, len(counted)) * STEPS_A_FLOOR
        floors.append(steps * RESOLUTION_J / items(trial))
    return max(floors, default=0.0)
