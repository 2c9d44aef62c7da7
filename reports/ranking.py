"""Accuracy per joule behind a quality gate: who may be ranked, and in which order.

A ratio is only shown for what passed the gate, and only against what was measured
with the same perimeter. Missing or zero joules are never turned into a score.
"""

import math
from bisect import bisect_left, bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Literal

from harness.errors import UsageError
from harness.records import Configuration, Noun, Phase, Provenance, TrialRecord
from harness.stats import (
    geometric_mean,
    log_t_interval,
    lower_hull,
    mean,
    pareto_front,
    wilson_interval,
)
from reports.formatting import energy, percent, significant, times

Verdict = Literal["pass", "fail", "ungated", "failed", "invalid", "skipped"]
METRICS = ("accuracy_per_j", "energy", "skill_per_j", "edp")
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


class Row(Noun):
    """One configuration over its usable rounds.

    Attributes:
        rank: 1 is best, equal numbers tie; None where it may not be ranked.
        rank_low: Best rank that the intervals allow; None below three rounds.
        eligible: It passed the gate and has joules.
        trials: Rounds that the numbers come from.
        score_vs_best: Its metric over the best one's: 1 is best, 0.5 half as good.
        energy_vs_reference: J/item over that of the fp32 reference.
        edp_j_s: Joules an item times seconds an item.
        j_per_extra_correct: Joules each further right answer costs, from the
            previous point of the frontier to this one.
        on_hull: No mix of two other configurations beats it.
    """

    key: str
    configuration: Configuration
    rank: int | None = None
    rank_low: int | None = None
    rank_high: int | None = None
    eligible: bool = False
    verdict: Verdict = "ungated"
    reason: str | None = None
    trials: int = 0
    accuracy: Interval = Interval()
    energy_per_item_j: Interval = Interval()
    accuracy_per_j: Interval = Interval()
    skill_per_j: Interval = Interval()
    edp_j_s: float | None = None
    co2e_per_item_g: Interval = Interval()
    skill: float | None = None
    constant_baseline: float | None = None
    score_vs_best: float | None = None
    reference: str | None = None
    energy_vs_reference: float | None = None
    on_frontier: bool = False
    on_hull: bool = False
    j_per_extra_correct: float | None = None
    provenance: Provenance | None = None
    modelled_ratio: float | None = None
    notes: tuple[str, ...] = ()


class Group(Noun):
    """Configurations that may be compared, best first."""

    workload: str
    phase: Phase
    device: str
    perimeter: tuple[str, ...]
    tier: str | None
    track: str
    complete: bool = True
    rows: tuple[Row, ...] = ()
    sentence: str = ""
    notes: tuple[str, ...] = ()


class DoubtCount(Noun):
    """How many trials raised a doubt, with one message and its cure."""

    code: str
    count: int
    message: str
    remedy: str


class Ranking(Noun):
    """All groups, with the rules they were ranked by."""

    by: str
    floor: float
    absolute: float | None = None
    groups: tuple[Group, ...] = ()
    doubts: tuple[DoubtCount, ...] = ()


class Rules(Noun):
    """What a caller asked for."""

    floor: float
    absolute: float | None
    by: str
    allow_mixed: bool


GroupKey = tuple[str, Phase, str, tuple[str, ...], str, str, bool]


def rank(
    records: Sequence[TrialRecord],
    floor: float = 0.99,
    absolute: float | None = None,
    by: str = "accuracy_per_j",
    allow_mixed: bool = False,  # noqa: FBT001, FBT002 (the name of the flag)
    skips: Sequence[tuple[Configuration, str]] = (),
) -> Ranking:
    """Rank what was measured, inside groups that may be compared.

    Args:
        records: Trials in any order, of one run or several.
        floor: Share of the fp32 reference's accuracy to reach.
        absolute: Accuracy to reach instead, in the open track.
        by: accuracy_per_j, energy, skill_per_j or edp.
        allow_mixed: One group a workload and phase, whatever the meters.
        skips: Configurations that the plan left out, with the reason.

    Raises:
        UsageError: The metric is unknown.
    """
    if by not in METRICS:
        raise UsageError(f"no metric is called {by!r}", f"one of {', '.join(METRICS)}")
    rules = Rules(floor=floor, absolute=absolute, by=by, allow_mixed=allow_mixed)
    every = [*records, *(_skipped(item, reason) for item, reason in skips)]
    every.sort(key=lambda record: (record.key, record.round, record.trial))
    buckets = _buckets(every, allow_mixed=allow_mixed)
    groups = (_group(buckets[key], key, rules) for key in sorted(buckets))
    return Ranking(
        by=by,
        floor=floor,
        absolute=absolute,
        groups=tuple(groups),
        doubts=_doubts(every),
    )


def _skipped(configuration: Configuration, reason: str) -> TrialRecord:
    """A record of a configuration that was never tried."""
    return TrialRecord.model_validate(
        {
            "trial": "",
            "key": configuration.key,
            "round": -1,
            "status": "skipped",
            "reason": reason,
            "configuration": configuration,
        }
    )


def _doubts(records: Iterable[TrialRecord]) -> tuple[DoubtCount, ...]:
    """Doubts by code, the most frequent first."""
    found = [
        doubt
        for record in records
        for doubt in {doubt.code: doubt for doubt in record.doubts}.values()
    ]
    counts = Counter(doubt.code for doubt in found)
    first = {doubt.code: doubt for doubt in reversed(found)}
    return tuple(
        DoubtCount(
            code=code,
            count=count,
            message=first[code].message,
            remedy=first[code].remedy,
        )
        for code, count in sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    )


# Groups ---------------------------------------------------------------------


def _base(record: TrialRecord) -> tuple[str, Phase, str, str]:
    """What a trial shares with its group even without joules."""
    asked = record.configuration
    return asked.workload, asked.phase, asked.device, asked.track


def _group_key(record: TrialRecord, *, allow_mixed: bool) -> GroupKey:
    """What must agree before two trials are compared."""
    workload, phase, device, track = _base(record)
    if allow_mixed:
        return workload, phase, "", (), "", "", True
    total = record.total
    perimeter = tuple(sorted(total.perimeter)) if total else ()
    tier = (total.tier if total else None) or ""
    complete = total.complete if total else True
    return workload, phase, device, perimeter, tier, track, complete


def _buckets(
    records: Sequence[TrialRecord], *, allow_mixed: bool
) -> dict[GroupKey, list[TrialRecord]]:
    """Trials by group; one without joules goes where its siblings went."""
    buckets: dict[GroupKey, list[TrialRecord]] = defaultdict(list)
    by_key: dict[str, GroupKey] = {}
    by_base: dict[tuple[str, Phase, str, str], GroupKey] = {}
    orphans: list[TrialRecord] = []
    for record in records:
        if not allow_mixed and _unusable(record):
            orphans.append(record)
            continue
        home = _group_key(record, allow_mixed=allow_mixed)
        buckets[home].append(record)
        by_key.setdefault(record.key, home)
        base = _base(record)
        by_base[base] = min(by_base.get(base, home), home)
    for record in orphans:
        alone = (*_base(record)[:3], (), "", record.configuration.track, True)
        home = by_key.get(record.key) or by_base.get(_base(record), alone)
        buckets[home].append(record)
    return buckets


def _only(values: Iterable[str]) -> str:
    """The one value that all share, or all of them joined."""
    return " + ".join(sorted(set(values)))


def _group(records: Sequence[TrialRecord], key: GroupKey, rules: Rules) -> Group:
    """One table: rows gated, scored, ordered and put into words."""
    by_key: dict[str, list[TrialRecord]] = defaultdict(list)
    for record in records:
        by_key[record.key].append(record)
    rows = _gate([_row(trials) for trials in by_key.values()], rules)
    rows = _front(_order(rows, rules.by))
    totals = [r.total for r in records if r.total and not _unusable(r)]
    workload, phase = key[:2]
    return Group(
        workload=workload,
        phase=phase,
        device=_only(r.configuration.device for r in records),
        perimeter=tuple(sorted({part for total in totals for part in total.perimeter})),
        tier=_only(total.tier or "unknown" for total in totals) or None,
        track=_only(r.configuration.track for r in records),
        complete=all(total.complete for total in totals),
        rows=tuple(rows),
        sentence=_sentence(rows, rules.by),
        notes=_notes(rows, key, totals_complete=all(t.complete for t in totals)),
    )


def _notes(
    rows: Sequence[Row], key: GroupKey, *, totals_complete: bool
) -> tuple[str, ...]:
    """What a reader of the table must know."""
    notes = []
    ranked = [row for row in rows if row.rank is not None]
    if any(row.trials < ENOUGH_ROUNDS for row in ranked):
        notes.append("fewer than three rounds: estimates, no rank intervals")
    if not key[2]:
        notes.append("devices, perimeters, tiers and tracks may be mixed here")
    if not totals_complete:
        notes.append("a part of the perimeter has no meter: joules are a lower bound")
    return tuple(notes)


# Rows -----------------------------------------------------------------------


def _unusable(record: TrialRecord) -> str | None:
    """Why a trial has no joules per item, or None when it has."""
    if record.status != "ok":
        return record.reason or record.status
    if record.window is None or record.window.items <= 0:
        return "no item was finished inside the window"
    total = record.total
    if total is None or total.energy_j is None or not math.isfinite(total.energy_j):
        return (
            total.reason if total else None
        ) or "no energy source covered the window"
    if total.energy_j <= 0:
        return "the meter counted no joules in the window"
    return None


def _row(trials: Sequence[TrialRecord]) -> Row:
    """Numbers of one configuration, before the gate."""
    reasons = [reason for trial in trials if (reason := _unusable(trial))]
    usable = [trial for trial in trials if not _unusable(trial)]
    head = trials[0]
    if not usable:
        status = trials[-1].status
        verdict: Verdict = "ungated" if status == "ok" else status
        row = Row(key=head.key, configuration=head.configuration, verdict=verdict)
        return row.model_copy(update={"reason": _only(reasons)})
    notes = (
        (f"{len(reasons)} of {len(trials)} trials left out: {_only(reasons)}",)
        if reasons
        else ()
    )
    return Row(
        key=head.key,
        configuration=head.configuration,
        trials=len(usable),
        notes=notes,
    ).model_copy(update={**_energies(usable), **_qualities(usable)})


def _known(values: Iterable[float | None]) -> list[float]:
    """The values, or nothing at all when one of them is missing."""
    listed = list(values)
    known = [v for v in listed if v is not None and math.isfinite(v)]
    return known if len(known) == len(listed) else []


def _interval(values: Sequence[float]) -> Interval:
    """Geometric mean over rounds (plain mean where one is 0) with its interval."""
    value = geometric_mean(values)
    if value is None:
        return Interval(value=mean(values))
    low, high = log_t_interval(values) or (None, None)
    return Interval(value=value, low=low, high=high)


def _energies(trials: Sequence[TrialRecord]) -> dict[str, object]:
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
        c.co2e_g / w.items if c and c.co2e_g is not None else None for _, w, c in pairs
    )
    modelled = _known(total.modelled_ratio for total, _, _ in pairs)
    origins = [total.provenance for total, _, _ in pairs]
    return {
        "energy_per_item_j": _interval(
            [j / n for j, n in zip(joules, items, strict=True)]
        ),
        "edp_j_s": geometric_mean(edp) if len(edp) == len(pairs) else None,
        "co2e_per_item_g": _interval(co2e),
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


def _qualities(trials: Sequence[TrialRecord]) -> dict[str, object]:
    """Accuracy, skill and their ratios to joules."""
    answers = [t.quality for t in trials if t.quality]
    scored = [q for q in answers if q.n > 0]
    if len(scored) != len(trials):
        return {"reason": "no answer of the window was scored"}
    accuracies = _known(q.accuracy for q in scored)
    if not accuracies or not all(0 <= a <= 1 for a in accuracies):
        return {"reason": scored[0].reason or "no accuracy in [0, 1] was recorded"}
    accuracy = mean(accuracies)
    skill = mean(_known(q.skill for q in scored))
    baseline = mean(_known(q.constant_baseline for q in scored))
    if skill is None and accuracy is not None and baseline is not None:
        skill = (accuracy - baseline) / (1 - baseline) if baseline < 1 else 0.0
    low, high = wilson_interval(accuracy or 0.0, min(q.n for q in scored)) or (0.0, 1.0)
    costs = _interval([_cost_j(trial) for trial in trials])
    return {
        "accuracy": Interval(value=accuracy, low=low, high=high),
        "skill": skill,
        "constant_baseline": baseline,
        "accuracy_per_j": _over(accuracy, costs),
        "skill_per_j": _over(skill, costs),
    }


def _cost_j(trial: TrialRecord) -> float:
    """Joules of one answer (infer) or of the whole training (train)."""
    if trial.total is None or trial.total.energy_j is None or trial.window is None:
        return math.nan
    is_training = trial.configuration.phase is Phase.TRAIN
    return trial.total.energy_j / (1 if is_training else trial.window.items)


def _over(gain: float | None, cost: Interval) -> Interval:
    """Gain per joule; the interval is that of the joules."""
    if gain is None or not cost.value:
        return Interval()
    if not cost.low or not cost.high:
        return Interval(value=gain / cost.value)
    low, high = sorted((gain / cost.high, gain / cost.low))
    return Interval(value=gain / cost.value, low=low, high=high)


# Gate -----------------------------------------------------------------------


def _gate(rows: Sequence[Row], rules: Rules) -> list[Row]:
    """Rows with their verdict; only a pass may be ranked."""
    references = [
        row
        for row in rows
        if row.configuration.precision == "fp32" and not _constant(row)
    ]
    references = [row for row in references if row.trials and not row.reason]
    exact: dict[int, Row] = {}
    for row in sorted(references, key=_plainness, reverse=True):
        exact[row.configuration.batch_size] = row
    fallback = min(references, key=_plainness, default=None)
    return [
        _judge(row, exact.get(row.configuration.batch_size, fallback), rules)
        for row in rows
    ]


def _plainness(row: Row) -> tuple[bool, float, str]:
    """Order of preference as a reference: plain first, then the strictest."""
    return bool(row.configuration.suffix), -(row.accuracy.value or 0.0), row.key


def _constant(row: Row) -> str | None:
    """Why answers may owe nothing to the input, or None when they do."""
    accuracy, baseline = row.accuracy.value, row.constant_baseline
    if row.skill is None:
        return "no constant baseline was recorded to tell it from a guess"
    if row.skill <= 0 or (
        accuracy is not None and baseline is not None and accuracy <= baseline
    ):
        return "no better than a constant answer"
    return None


def _judge(row: Row, reference: Row | None, rules: Rules) -> Row:
    """One row with its verdict against the floor."""
    accuracy = row.accuracy.value
    if not row.trials or row.reason or accuracy is None:
        return row
    change: dict[str, object] = {}
    if reference and reference.energy_per_item_j.value and row.energy_per_item_j.value:
        ratio = row.energy_per_item_j.value / reference.energy_per_item_j.value
        change = {"reference": reference.key, "energy_vs_reference": ratio}
    is_absolute = rules.absolute is not None and row.configuration.track == "open"
    verdict, reason = _verdict(row, reference, rules, is_absolute=is_absolute)
    if verdict == "pass" and _score(row, rules.by) is None:
        return row.model_copy(
            update={**change, "verdict": verdict, "reason": f"no {rules.by} to rank by"}
        )
    change |= {"verdict": verdict, "reason": reason, "eligible": verdict == "pass"}
    return row.model_copy(update=change)


def _verdict(
    row: Row, reference: Row | None, rules: Rules, *, is_absolute: bool
) -> tuple[Verdict, str | None]:
    """The verdict and why it is not a pass."""
    accuracy = row.accuracy.value or 0.0
    if reason := _constant(row):
        return ("ungated" if row.skill is None else "fail"), reason
    if is_absolute:
        needed, rule = rules.absolute or 0.0, "the absolute floor"
    elif reference is None or reference.accuracy.value is None:
        return "ungated", "no reference: no fp32 result to hold the accuracy against"
    else:
        needed = rules.floor * reference.accuracy.value
        rule = f"{percent(rules.floor)} of fp32's {reference.accuracy.value:.3f}"
    if accuracy < needed * (1 - 1e-12):
        return "fail", f"accuracy {accuracy:.3f} is below {rule}"
    return "pass", None


# Order ----------------------------------------------------------------------


def _score(row: Row, by: str) -> Interval | None:
    """The metric as a figure of which more is better, with bounds where known."""
    if by == "accuracy_per_j":
        return row.accuracy_per_j if row.accuracy_per_j.value else None
    if by == "skill_per_j":
        return row.skill_per_j if row.skill_per_j.value else None
    if by == "edp":
        return Interval(value=1 / row.edp_j_s) if row.edp_j_s else None
    score = _over(1.0, row.energy_per_item_j)
    return score if score.value else None


def _order(rows: Sequence[Row], by: str) -> list[Row]:
    """Rows best first with ranks; the unranked follow by name."""
    scored = [(s, row) for row in rows if row.eligible and (s := _score(row, by))]
    scored.sort(key=lambda pair: (-(pair[0].value or 0.0), pair[1].key))
    rest = sorted((row for row in rows if not row.eligible), key=lambda row: row.key)
    if not scored:
        return rest
    values = [-(score.value or 0.0) for score, _ in scored]
    bounds = [_bounds(score, row) for score, row in scored]
    lows = sorted(low for low, _ in bounds)
    highs = sorted(high for _, high in bounds)
    ranked = []
    for (score, row), value, (low, high) in zip(scored, values, bounds, strict=True):
        enough = row.trials >= ENOUGH_ROUNDS and math.isfinite(low)
        change = {
            "rank": bisect_left(values, value) + 1,
            "rank_low": len(lows) - bisect_right(lows, high) + 1 if enough else None,
            "rank_high": len(highs) - bisect_left(highs, low) if enough else None,
            "score_vs_best": (score.value or 0.0) / -values[0],
        }
        ranked.append(row.model_copy(update=change))
    return ranked + rest


def _bounds(score: Interval, row: Row) -> tuple[float, float]:
    """Bounds that say nothing where there are too few rounds to say it."""
    if row.trials < ENOUGH_ROUNDS or score.low is None or score.high is None:
        return -math.inf, math.inf
    return score.low, score.high


def _front(rows: Sequence[Row]) -> list[Row]:
    """Rows with their place on the front of (J/item, accuracy)."""
    points = {row.key: _point(row) for row in rows if row.eligible}
    front = pareto_front(list(points.values()))
    hull = lower_hull(list(points.values()))
    along = sorted(front)
    extra = {
        after: (after[0] - before[0]) / (after[1] - before[1])
        for before, after in pairwise(along)
    }
    return [
        row.model_copy(
            update={
                "on_frontier": point in front,
                "on_hull": point in hull,
                "j_per_extra_correct": extra.get(point),
            }
        )
        if (point := points.get(row.key))
        else row
        for row in rows
    ]


def _point(row: Row) -> tuple[float, float]:
    """Cost and gain of an eligible row."""
    return row.energy_per_item_j.value or math.inf, row.accuracy.value or 0.0


# Words ----------------------------------------------------------------------


def short_names(rows: Sequence[Row]) -> dict[str, str]:
    """What tells the rows of one group apart, by key."""
    sizes = {row.configuration.batch_size for row in rows}
    names = {
        row.key: _name(row.configuration, with_batch=len(sizes) > 1) for row in rows
    }
    if len(set(names.values())) < len(names):
        return {row.key: row.key for row in rows}
    return names


def _name(asked: Configuration, *, with_batch: bool) -> str:
    """Precision and suffix, with the batch size where it differs."""
    batch = f" b{asked.batch_size}" if with_batch else ""
    return f"{asked.precision}{batch}{asked.suffix}"


def _sentence(rows: Sequence[Row], by: str) -> str:
    """Who wins, by how much, how much was modelled, and what cost energy."""
    names = short_names(rows)
    by_key = {row.key: row for row in rows}
    best = [row for row in rows if row.rank == 1]
    if not best:
        return "Nothing can be ranked here."
    who = " and ".join(names[row.key] for row in best)
    label = {"accuracy_per_j": "accuracy per joule", "skill_per_j": "skill per joule"}
    verb = "is" if len(best) == 1 else "are tied"
    text = f"{who} {verb} best by {label.get(by, by)}"
    text += f" at {energy(best[0].energy_per_item_j.value)} per item"
    text += _versus(best[0], names) + ". " + _modelled(best[0])
    return " ".join([text, *_costly(rows, by_key, names)])


def _versus(row: Row, names: dict[str, str]) -> str:
    """How the winner compares with its reference."""
    if row.reference is None or not row.energy_vs_reference:
        return ""
    if row.reference == row.key:
        return ", the reference itself"
    ratio = row.energy_vs_reference
    return f", {significant(ratio, 3)} of the energy of {names[row.reference]}"


def _modelled(row: Row) -> str:
    """How much of the joules no instrument saw."""
    if row.modelled_ratio:
        return f"{percent(row.modelled_ratio)} of its energy was modelled."
    if row.provenance is Provenance.MEASURED:
        return "All of its energy was measured."
    if row.modelled_ratio is None:
        return "How much of its energy was modelled is not known."
    return f"Its energy was {row.provenance or 'of unknown origin'}."


def _costly(
    rows: Sequence[Row], by_key: dict[str, Row], names: dict[str, str]
) -> Iterable[str]:
    """Each compression that used clearly more energy than fp32."""
    for row in rows:
        ratio, reference = row.energy_vs_reference, by_key.get(row.reference or "")
        if not ratio or not reference or row.configuration.precision == "fp32":
            continue
        mine, theirs = row.energy_per_item_j, reference.energy_per_item_j
        known = mine.low is not None and theirs.high is not None
        apart = known and (mine.low or 0.0) > (theirs.high or math.inf)
        if ratio < 1.05 and not (apart and ratio > 1):
            continue
        doubt = " (the intervals overlap)" if known and not apart else ""
        yield (
            f"{names[row.key]} used {times(ratio)} the energy of"
            f" {names[reference.key]} {_same(row, reference)}{doubt}."
        )


def _same(row: Row, reference: Row) -> str:
    """Accuracy beside the reference's, in words."""
    mine, theirs = row.accuracy.value or 0.0, reference.accuracy.value or 0.0
    if abs(mine - theirs) < 0.0005:
        return "at the same accuracy"
    return f"at accuracy {mine:.3f} against {theirs:.3f}"
