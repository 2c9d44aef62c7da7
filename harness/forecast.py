"""What a plan will take, by earlier runs; and whether its data can decide a floor."""

import json
import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.plan import Plan
from harness.records import Phase, TrialRecord
from harness.stats import median
from harness.store import RunFolder

POWER_FACTOR = 6.2
"""(1.645 + 0.842)^2: one-sided 5 %, 80 % power, paired answers (Connor 1987)."""
DISAGREEMENT = 0.02
"""Share of items that a converted model answers otherwise, where nothing is known."""
LATEST = 20
"""So many trials of a configuration say what it takes; older ones are not read."""
KEY = re.compile(rb'"key":\s*("(?:[^"\\]|\\.)*")')
TRIALS = "trials.jsonl"


@dataclass(frozen=True)
class Forecast:
    """What the trials of a plan will take.

    Attributes:
        duration_s: Of all trials, those of unknown ones guessed by the others.
        energy_j: Of the windows and setups, likewise; None where none is known.
        known: Configurations that earlier runs have measured.
        configurations: All of the plan.
    """

    duration_s: float
    energy_j: float | None
    known: int
    configurations: int


def earlier(plan: Plan, history: Path) -> list[TrialRecord]:
    """The latest trials of a plan's configurations, of the run folders in a folder.

    What cannot be read is passed over.
    """
    wanted = {json.dumps(t.key, ensure_ascii=False).encode() for t in plan.trials}
    found: list[TrialRecord] = []
    counts: Counter[bytes] = Counter()
    for path in sorted(history.glob(f"*/{TRIALS}"), key=_changed_s, reverse=True):
        for line in reversed(RunFolder(path.parent).lines(TRIALS)):
            named = KEY.search(line)
            if named is None or named[1] not in wanted or counts[named[1]] >= LATEST:
                continue
            try:
                found.append(TrialRecord.model_validate_json(line))
            except ValueError:
                continue
            counts[named[1]] += 1
    return found


def _changed_s(path: Path) -> tuple[float, str]:
    """When a file was changed, and its name: none of them may vanish meanwhile."""
    try:
        return path.stat().st_mtime, str(path)
    except OSError:
        return 0.0, str(path)


def forecast(plan: Plan, records: Iterable[TrialRecord]) -> Forecast | None:
    """Time and energy by the medians of earlier trials of the same configurations.

    Windows are taken to last as long as the plan asks where it asks for more or less
    than then; None where no configuration is known.

    Args:
        plan: What is to run; of adaptive rounds all are counted.
        records: Earlier trials, of any run on this machine.
    """
    keys = [trial.key for trial in plan.trials]
    wanted = frozenset(keys)
    taken: dict[str, list[tuple[float, float | None]]] = {}
    for record in records:
        if record.key in wanted and (one := _expected(record, plan)) is not None:
            taken.setdefault(record.key, []).append(one)
    times_s = {key: median([t for t, _ in each]) for key, each in taken.items()}
    joules = {
        key: median([e for _, e in each if e is not None])
        for key, each in taken.items()
    }
    duration_s = _sum(keys, times_s)
    if duration_s is None:
        return None
    return Forecast(duration_s, _sum(keys, joules), len(taken), len(set(keys)))


def _expected(record: TrialRecord, plan: Plan) -> tuple[float, float | None] | None:
    """Seconds and joules of a trial like an earlier one under the plan's protocol."""
    window = record.window
    if record.status != "ok" or window is None or not record.meter.duration_s:
        return None
    factor = 1.0
    if record.configuration.phase == Phase.INFER and window.duration_s > 0:
        factor = plan.protocol.window_min_s / window.duration_s
    other_s = record.meter.duration_s - window.duration_s
    energy_j = record.total.energy_j if record.total else None
    setup_j = (record.setup.energy_j if record.setup else None) or 0.0
    joules = None if energy_j is None else energy_j * factor + setup_j
    return other_s + window.duration_s * factor, joules


def _sum(keys: Sequence[str], known: Mapping[str, float | None]) -> float | None:
    """Sum over trials; an unknown configuration counts as the mean of the known."""
    values = [value for key in keys if (value := known.get(key)) is not None]
    return math.fsum(values) / len(values) * len(keys) if values else None


def items_needed(disagreement: float, drop: float) -> int:
    """Test items with which a drop in accuracy is seen in four of five cases.

    n = 6.2 d / m^2 for paired answers that differ on a share d of the items.

    Args:
        disagreement: Share of items on which both models differ, in (0, 1].
        drop: Allowed drop of the accuracy, above 0.
    """
    return math.ceil(POWER_FACTOR * disagreement / drop**2)


def undecided(
    plan: Plan, test_items: Mapping[str, int], floors: Mapping[str, float]
) -> list[str]:
    """One sentence for each workload whose test set cannot decide the quality floor.

    Args:
        plan: Its floor and configurations.
        test_items: Size of the held-out set by workload, where it is known.
        floors: Accuracy that the reference reaches at least, by workload.
    """
    found = []
    compared = {
        t.configuration.workload
        for t in plan.trials
        if t.configuration.phase == Phase.INFER
        and t.configuration.precision != "fp32"
        and not t.configuration.options.get("data")
    }
    for workload in sorted(compared & test_items.keys()):
        drop = (1 - plan.quality.relative) * floors[workload]
        if drop <= 0:
            continue
        needed = items_needed(DISAGREEMENT, drop)
        if test_items[workload] < needed:
            found.append(
                f"{workload}: {test_items[workload]} test items cannot decide a floor "
                f"of {plan.quality.relative:.3g} of the reference: about {needed} are "
                f"needed where {DISAGREEMENT:.0%} of the answers differ"
            )
    return found
