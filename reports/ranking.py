"""Accuracy per joule behind a quality gate, in groups that may be compared."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

from harness.errors import UsageError
from harness.records import Configuration, Noun, Phase, TrialRecord
from reports.gate import ENOUGH_ROUNDS, Rules, front, gate, order
from reports.rows import Row, only, row_of, unusable
from reports.words import sentence

METRICS = ("accuracy_per_j", "energy", "skill_per_j", "edp")


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
        if not allow_mixed and unusable(record):
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


def _group(records: Sequence[TrialRecord], key: GroupKey, rules: Rules) -> Group:
    """One table: rows gated, scored, ordered and put into words."""
    by_key: dict[str, list[TrialRecord]] = defaultdict(list)
    for record in records:
        by_key[record.key].append(record)
    rows = gate([row_of(trials) for trials in by_key.values()], rules)
    rows = front(order(rows, rules.by))
    totals = [r.total for r in records if r.total and not unusable(r)]
    workload, phase = key[:2]
    return Group(
        workload=workload,
        phase=phase,
        device=only(r.configuration.device for r in records),
        perimeter=tuple(sorted({part for total in totals for part in total.perimeter})),
        tier=only(total.tier or "unknown" for total in totals) or None,
        track=only(r.configuration.track for r in records),
        complete=all(total.complete for total in totals),
        rows=tuple(rows),
        sentence=sentence(rows, rules.by),
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
