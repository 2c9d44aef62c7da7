"""One configuration over its rounds: what a trial is worth, before any judgement.

Missing or zero joules are never turned into a figure.
"""

import math
from collections.abc import Iterable, Sequence
from typing import Any, Literal, NamedTuple, cast

from harness.noun import Noun
from harness.readings import Provenance
from harness.records import Configuration, Phase, TrialRecord
from harness.sequential import ONE_LOOK, Looks
from harness.stats import (
    geometric_mean,
    log_t_estimate,
    mean,
    t_quantile,
    wilson_interval,
)

Verdict = Literal["pass", "pass~", "fail", "ungated", "failed", "invalid", "skipped"]
ENOUGH_ROUNDS = 3
TRUST = (Provenance.MEASURED, Provenance.MODELLED, Provenance.ASSUMED)


class Interval(Noun):
    """A value with its 95 % interval; the bounds are None with too few rounds."""

    value: float | None = None
    low: float | None = None
    high: float | None = None

    @property
    def half(self) -> float | None:
        """Half the width of the interval."""
        if self.low is None or self.high is None:
            return None
        return (self.high - self.low) / 2


NOTHING = Interval()


class Row(Noun):
    """One configuration over its usable rounds.

    Attributes:
        target: Accuracy that a training ran to; None for fixed work.
        place: Place in the order of the point estimates; None where it may not be
            ranked.
        rank: 1 is best, equal numbers tie: their order is not shown by the data. None
            where it may not be ranked, and below three rounds.
        rank_low: 1 and those shown to be better; None where there is no rank.
        rank_high: The number of ranked less those shown to be worse.
        verdict: `pass~` reaches the floor, but the items cannot prove it.
        eligible: It passed the gate and has joules.
        trials: Rounds that the numbers come from.
        looks: So often its interval may have been looked at before the rounds ended;
            the intervals that rest on rounds are corrected for it. 1: no correction.
        score_vs_best: Its metric over the best one's: 1 is best, 0.5 half as good.
        energy_vs_reference: J/item over that of the fp32 reference.
        spread_ratio: Largest over smallest J/item of its rounds, less 1.
        edp_j_s: Joules an item times seconds an item.
        j_per_extra_correct: Joules each further right answer costs, from the
            previous point of the frontier to this one.
        frontier_ratio: Probability that it is on the frontier, given how far rounds
            and items differ; None below three rounds.
        on_hull: No mix of two other configurations beats it.
        f1: Mean over the classes, as recall is; the mean over rounds.
        items_per_s: Of the work in the window, the mean over rounds.
        p50_s: Percentiles of latency, the mean over rounds; of steps where offline.
        proportionality_ratio: Of a load curve, the mean over rounds.
        convert_j: Joules of quantising, calibrating and compiling, up to the first
            batch; the mean over rounds.
        break_even_items: So many items pay for its conversion, against the reference;
            None where it saves nothing an item.
        converted_ratio: Share of the parameters that its precision converted.
    """

    key: str
    configuration: Configuration
    place: int | None = None
    rank: int | None = None
    rank_low: int | None = None
    rank_high: int | None = None
    eligible: bool = False
    verdict: Verdict = "ungated"
    reason: str | None = None
    trials: int = 0
    looks: int = 1
    accuracy: Interval = NOTHING
    energy_per_item_j: Interval = NOTHING
    accuracy_per_j: Interval = NOTHING
    skill_per_j: Interval = NOTHING
    spread_ratio: float | None = None
    edp_j_s: float | None = None
    co2e_per_item_g: Interval = NOTHING
    skill: float | None = None
    constant_baseline: float | None = None
    target: float | None = None
    score_vs_best: float | None = None
    reference: str | None = None
    energy_vs_reference: float | None = None
    on_frontier: bool = False
    frontier_ratio: float | None = None
    on_hull: bool = False
    j_per_extra_correct: float | None = None
    provenance: Provenance | None = None
    modelled_ratio: float | None = None
    f1: float | None = None
    recall: float | None = None
    items_per_s: float | None = None
    p50_s: float | None = None
    p90_s: float | None = None
    p99_s: float | None = None
    proportionality_ratio: float | None = None
    peak_flops_ratio: float | None = None
    memory_peak_bytes: float | None = None
    weight_bytes: float | None = None
    converted_ratio: float | None = None
    scheme: str | None = None
    convert_j: float | None = None
    break_even_items: float | None = None
    notes: tuple[str, ...] = ()


class Step(Noun):
    """The cheapest way to an accuracy.

    Attributes:
        accuracy: Up to this one the configuration needs the fewest joules an item.
        j_per_extra_correct: Joules of each further right answer, from the step before.
        frontier_ratio: Probability that nothing beats it; None below three rounds.
    """

    accuracy: float
    key: str
    energy_per_item_j: Interval
    j_per_extra_correct: float | None = None
    frontier_ratio: float | None = None


def only(values: Iterable[str]) -> str:
    """The one value that all share, or all of them joined."""
    return " + ".join(sorted(set(values)))


def unusable(record: TrialRecord) -> str | None:
    """Why a trial has no joules per item, or None when it has."""
    if record.status != "ok":
        return record.reason or record.status
    window, load, total = record.window, record.load, record.total
    if window is None or window.items <= 0:
        return "no item was finished inside the window"
    if load and load.met is False:
        return "its window missed the latency target"
    energy_j = total.energy_j if total else None
    if energy_j is None or not math.isfinite(energy_j):
        return (
            total.reason if total else None
        ) or "no energy source covered the window"
    if energy_j <= 0:
        return "the meter counted no joules in the window"
    return None


class Tried(NamedTuple):
    """All trials of a configuration, those with joules, and why others have none."""

    trials: Sequence[TrialRecord]
    usable: Sequence[TrialRecord]
    reasons: Sequence[str]


def tried(trials: Sequence[TrialRecord]) -> Tried:
    """Trials of one configuration, sorted by use."""
    faults = [unusable(trial) for trial in trials]
    if not any(faults):
        return Tried(trials, trials, ())
    usable = [t for t, fault in zip(trials, faults, strict=True) if not fault]
    return Tried(trials, usable, [fault for fault in faults if fault])


def row_of(rounds: Tried, looks: Looks = ONE_LOOK) -> Row:
    """Numbers of one configuration, before the gate.

    Args:
        rounds: Its rounds, of one run or several.
        looks: When it was looked at whether it has rounds enough.
    """
    trials, usable, reasons = rounds
    head = trials[0]
    if not usable:
        status = trials[-1].status
        verdict: Verdict = "ungated" if status == "ok" else status
        row = Row(key=head.key, configuration=head.configuration, verdict=verdict)
        return row.model_copy(update={"reason": only(reasons)})
    notes = (
        (f"{len(reasons)} of {len(trials)} trials left out: {only(reasons)}",)
        if reasons
        else ()
    )
    confidence = looks.confidence
    found = _energies(usable, confidence)
    found |= _qualities(usable, found["energy_per_item_j"], confidence)
    found |= _efforts(usable)
    return Row(
        key=head.key,
        configuration=head.configuration,
        trials=len(usable),
        looks=looks.number,
        notes=notes,
        **found,
    )


def _known(values: Sequence[float | None]) -> Sequence[float]:
    """The values, or nothing at all when one of them is missing."""
    if None in values:
        return ()
    known = cast("Sequence[float]", values)
    return known if all(map(math.isfinite, known)) else ()


def _interval(values: Sequence[float], confidence: float) -> Interval:
    """Geometric mean over rounds (plain mean where one is 0) with its interval."""
    if not values:
        return NOTHING
    if len(values) < ENOUGH_ROUNDS:
        return Interval(value=geometric_mean(values) or mean(values))
    found = log_t_estimate(values, confidence)
    if found is None:
        return Interval(value=mean(values))
    value, bounds = found
    low, high = bounds or (None, None)
    return Interval(value=value, low=low, high=high)


def _energies(trials: Sequence[TrialRecord], confidence: float) -> dict[str, Any]:
    """Joules, delay and carbon an item, and where the joules come from."""
    pairs = [(t.total, t.window, t.carbon) for t in trials if t.total and t.window]
    joules = [total.energy_j or 0.0 for total, _, _ in pairs]
    items = [window.items for _, window, _ in pairs]
    durations_s = [window.duration_s for _, window, _ in pairs]
    edp = [
        j / n * (s / n)
        for j, n, s in zip(joules, items, durations_s, strict=True)
        if s > 0
    ]
    co2e = _known(
        [
            c.co2e_g / w.items if c and c.co2e_g is not None else None
            for _, w, c in pairs
        ]
    )
    modelled = _known([total.modelled_ratio for total, _, _ in pairs])
    origins = [total.provenance for total, _, _ in pairs]
    costs = [j / n for j, n in zip(joules, items, strict=True)]
    return {
        "energy_per_item_j": _interval(costs, confidence),
        "spread_ratio": max(costs) / min(costs) - 1 if len(costs) > 1 else None,
        "edp_j_s": geometric_mean(edp) if len(edp) == len(pairs) else None,
        "co2e_per_item_g": _interval(co2e, confidence),
        "provenance": _worst(origins),
        "modelled_ratio": math.fsum(
            m * j for m, j in zip(modelled, joules, strict=True)
        )
        / math.fsum(joules)
        if modelled
        else None,
    }


def _worst(origins: Sequence[Provenance | None]) -> Provenance | None:
    """The least trusted origin; None as soon as one is unknown."""
    known = [origin for origin in origins if origin is not None]
    return max(known, key=TRUST.index) if len(known) == len(origins) else None


def _qualities(
    trials: Sequence[TrialRecord], per_item_j: Interval, confidence: float
) -> dict[str, Any]:
    """Accuracy, skill and their ratios to joules."""
    answers = [t.quality for t in trials if t.quality]
    scored = [q for q in answers if q.n > 0]
    if len(scored) != len(trials):
        return {"reason": "no answer of the window was scored"}
    accuracies = _known([q.accuracy for q in scored])
    if not accuracies or not all(0 <= a <= 1 for a in accuracies):
        return {"reason": scored[0].reason or "no accuracy in [0, 1] was recorded"}
    accuracy = mean(accuracies)
    skill = mean(_known([q.skill for q in scored]))
    baseline = mean(_known([q.constant_baseline for q in scored]))
    if skill is None and accuracy is not None and baseline is not None:
        skill = (accuracy - baseline) / (1 - baseline) if baseline < 1 else 0.0
    bounds = _accuracy_bounds(accuracies, min(q.n for q in scored), confidence)
    is_training = any(t.configuration.phase is Phase.TRAIN for t in trials)
    costs = per_item_j
    if is_training:
        costs = _interval([cost_j(t) for t in trials], confidence)
    return {
        "accuracy": Interval(value=accuracy, low=bounds[0], high=bounds[1]),
        "skill": skill,
        "constant_baseline": baseline,
        "target": max((q.target for q in scored if q.target), default=None),
        "accuracy_per_j": over(accuracy, costs),
        "skill_per_j": over(skill, costs),
    }


def _accuracy_bounds(
    accuracies: Sequence[float], n: int, confidence: float
) -> tuple[float, float]:
    """Wilson's interval, widened by the spread between rounds where there is any."""
    value = mean(accuracies) or 0.0
    low, high = wilson_interval(value, n) or (0.0, 1.0)
    count = len(accuracies)
    if count < 2 or min(accuracies) == max(accuracies):
        return low, high
    variance = math.fsum((a - value) ** 2 for a in accuracies) / (count - 1) / count
    between = t_quantile(count - 1, confidence) * math.sqrt(variance)
    return (
        max(0.0, value - math.hypot(value - low, between)),
        min(1.0, value + math.hypot(high - value, between)),
    )


def _efforts(trials: Sequence[TrialRecord]) -> dict[str, object]:
    """What ran, how fast, and what it took to make it run: means over the rounds."""
    speeds = [t.performance for t in trials if t.performance]
    models = [t.model for t in trials if t.model]
    answers = [t.quality for t in trials if t.quality]
    loads = [t.load for t in trials if t.load]
    setups = [t.setup for t in trials if t.setup]
    whole = len(trials)
    used = [t.utilization.memory_peak_bytes for t in trials]
    found: dict[str, object] = {
        "memory_peak_bytes": mean(_known(used)),
        "scheme": models[-1].scheme if models else None,
    }
    if speeds:
        latencies = [s.latency_s for s in speeds]
        found |= {
            "items_per_s": mean(_known([s.items_per_s for s in speeds])),
            "p50_s": mean(_known([each.p50 for each in latencies])),
            "p90_s": mean(_known([each.p90 for each in latencies])),
            "p99_s": mean(_known([each.p99 for each in latencies])),
            "peak_flops_ratio": mean(_known([s.peak_flops_ratio for s in speeds])),
        }
    if models:
        found |= {
            "weight_bytes": mean([m.weight_bytes for m in models]),
            "converted_ratio": mean(_known([m.quantised_ratio for m in models])),
        }
    if len(answers) == whole:
        found |= {
            "f1": mean(_known([q.f1 for q in answers])),
            "recall": mean(_known([q.recall for q in answers])),
        }
    if len(loads) == whole:
        shares = [load.proportionality_ratio for load in loads]
        found["proportionality_ratio"] = mean(_known(shares))
    if len(setups) == whole:
        spent = [setup.convert_energy_j for setup in setups]
        found["convert_j"] = mean(_known(spent))
    return found


def cost_j(trial: TrialRecord) -> float:
    """Joules of one answer (infer) or of the whole training (train)."""
    if trial.total is None or trial.total.energy_j is None or trial.window is None:
        return math.nan
    is_training = trial.configuration.phase is Phase.TRAIN
    return trial.total.energy_j / (1 if is_training else trial.window.items)


def over(gain: float | None, cost: Interval) -> Interval:
    """Gain per joule; the interval is that of the joules."""
    if gain is None or not cost.value:
        return NOTHING
    if not cost.low or not cost.high:
        return Interval(value=gain / cost.value)
    low, high = sorted((gain / cost.high, gain / cost.low))
    return Interval(value=gain / cost.value, low=low, high=high)
