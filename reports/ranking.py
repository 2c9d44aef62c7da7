"""Accuracy per joule behind a quality gate, in groups that may be compared."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from harness.errors import UsageError
from harness.garbage import uncollected
from harness.noun import Noun
from harness.outcomes import Outcomes
from harness.readings import EnergyTotal
from harness.records import PLAIN_SCENARIO, Configuration, Phase, TrialRecord
from harness.sequential import Looks
from reports.across import Across, across
from reports.evidence import evidence_of, looks_at
from reports.formatting import significant
from reports.gate import Rules, best_first, front, gate, places
from reports.remarks import notes_on
from reports.replicates import score_intervals
from reports.rows import Row, Step, only, row_of, tried, unusable
from reports.words import sentence, shared_suffix

METRICS = ("accuracy_per_j", "energy", "skill_per_j", "edp")


class Group(Noun):
    """Configurations that may be compared, best first.

    Attributes:
        variant: What all keys end in, such as `/size=small`.
        scenario: How items came, with the target or levels that they were held to.
        required: The fewest joules an item by the accuracy that is required.
    """

    @property
    def title(self) -> str:
        """What was compared, in words."""
        variant = self.variant.replace("/", ", ")
        scenario = "" if self.scenario == PLAIN_SCENARIO else f", {self.scenario}"
        head = f"{self.workload} {self.phase} on {self.device}"
        return f"{head}{scenario}{variant}"

    workload: str
    phase: Phase
    device: str
    perimeter: tuple[str, ...]
    tier: str | None
    track: str
    variant: str = ""
    scenario: str = PLAIN_SCENARIO
    complete: bool = True
    rows: tuple[Row, ...] = ()
    required: tuple[Step, ...] = ()
    sentence: str = ""
    notes: tuple[str, ...] = ()


class DoubtCount(Noun):
    """How many trials raised a doubt, with one message and its cure."""

    code: str
    count: int
    message: str
    remedy: str


class Ranking(Noun):
    """All groups, with the rules they were ranked by.

    Attributes:
        warnings: What the sessions of the runs say against it.
    """

    by: str
    floor: float
    absolute: float | None = None
    groups: tuple[Group, ...] = ()
    across: tuple[Across, ...] = ()
    doubts: tuple[DoubtCount, ...] = ()
    warnings: tuple[str, ...] = ()


class Home(NamedTuple):
    """What must agree before two trials are compared.

    Attributes:
        variant: Options that shape the weights, in the closed track; an open track
            compares whatever reaches its floor.
        terms: What the queries of its scenario were held to.
    """

    workload: str
    phase: Phase
    device: str = ""
    track: str = ""
    variant: str = ""
    scenario: str = ""
    terms: str = ""
    perimeter: tuple[str, ...] = ()
    tier: str = ""
    complete: bool = True


@uncollected()
def rank(  # noqa: PLR0913, PLR0917 (each is an option of the command)
    records: Sequence[TrialRecord],
    floor: float = 0.99,
    absolute: float | None = None,
    by: str = "accuracy_per_j",
    allow_mixed: bool = False,  # noqa: FBT001, FBT002 (the name of the flag)
    skips: Sequence[tuple[Configuration, str]] = (),
    outcomes: Outcomes | None = None,
    looks: Mapping[str, Looks] | None = None,
) -> Ranking:
    """Rank what was measured, inside groups that may be compared.

    Args:
        records: Trials in any order, of one run or several.
        floor: Share of the fp32 reference's accuracy to reach.
        absolute: Accuracy to reach instead, in the open track.
        by: accuracy_per_j, energy, skill_per_j or edp.
        allow_mixed: One group a workload and phase, whatever the meters.
        skips: Configurations that the plan left out, with the reason.
        outcomes: Answers of the trials, item by item; without them the gate compares
            counts.
        looks: When each run looked whether a configuration has rounds enough, by its
            folder as `outcomes` names it; once, where it is left out.

    Raises:
        UsageError: The metric is unknown.
    """
    if by not in METRICS:
        raise UsageError(f"no metric is called {by!r}", f"one of {', '.join(METRICS)}")
    rules = Rules(floor=floor, absolute=absolute, by=by, allow_mixed=allow_mixed)
    every = [*records, *(_skipped(item, reason) for item, reason in skips)]
    kept = outcomes or Outcomes()
    every.sort(key=lambda record: _order_of_records(record, kept))
    buckets = _buckets(every, allow_mixed=allow_mixed)
    known = looks or {}
    groups = tuple(
        _group(buckets[key], key, rules, kept, known) for key in sorted(buckets)
    )
    return Ranking(
        by=by,
        floor=floor,
        absolute=absolute,
        groups=groups,
        across=across(_sets(groups)),
        doubts=_doubts(every),
    )


def unranked(ranking: Ranking, why: str) -> Ranking:
    """The same figures without ranks: places of estimates are all that is left."""
    gone = {"rank": None, "rank_low": None, "rank_high": None}
    groups = []
    for group in ranking.groups:
        rows = [row.model_copy(update=gone) for row in group.rows]
        told = {"rows": tuple(rows), "sentence": f"Nothing is ranked: {why}."}
        groups.append(group.model_copy(update=told))
    return ranking.model_copy(update={"groups": tuple(groups)})


def _sets(groups: Iterable[Group]) -> dict[str, list[tuple[Row, ...]]]:
    """Rows of the closed groups that have an fp32 reference, by what they share."""
    sets: dict[str, list[tuple[Row, ...]]] = defaultdict(list)
    for group in groups:
        if group.track == "closed" and any(row.reference for row in group.rows):
            place = "+".join(group.perimeter)
            how = "" if group.scenario == PLAIN_SCENARIO else f", {group.scenario}"
            where = f"{group.phase} on {group.device}{how}"
            shared = f"{where} ({place}, tier {group.tier})"
            sets[shared].append(group.rows)
    return sets


def _order_of_records(
    record: TrialRecord, outcomes: Outcomes
) -> tuple[str, int, str, str, str]:
    """One order whatever the order of lines and runs."""
    folder = outcomes.folder_of(record)
    return record.key, record.round, record.trial, record.started_utc, folder


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


def _home(
    asked: Configuration, terms: str = "", total: EnergyTotal | None = None
) -> Home:
    """The group of a trial; without joules, as much of it as is known."""
    options = ""
    if asked.track != "open":
        options = str(sorted(asked.options.items())) if asked.options else "[]"
    return Home(
        asked.workload,
        asked.phase,
        asked.device,
        asked.track,
        options,
        asked.scenario,
        terms,
        tuple(sorted(total.perimeter)) if total else (),
        (total.tier if total else None) or "",
        total.complete if total else True,
    )


def _mixed_home(asked: Configuration, terms: str) -> Home:
    """The group of a trial, whatever it was measured with."""
    return Home(asked.workload, asked.phase, scenario=asked.scenario, terms=terms)


def terms(record: TrialRecord) -> str:
    """A target such as `p99 within 100 ms`, a given rate, or the levels of a curve."""
    load = record.load
    if load is None:
        return ""
    if load.target is None:
        shares = (f"{100 * (level.load_ratio or 0.0):g}" for level in load.levels)
        return f"{', '.join(shares)} %"
    target = load.target
    limit_ms = significant(1000 * target.latency_s)
    wanted = f"p{100 * target.percentile_ratio:g} within {limit_ms} ms"
    if load.tries or not load.levels:
        return wanted
    return f"{wanted}, {significant(load.levels[0].offered_per_s)} a second"


def _buckets(
    records: Sequence[TrialRecord], *, allow_mixed: bool
) -> dict[Home, list[TrialRecord]]:
    """Trials by group; one without joules goes where its siblings went."""
    buckets: dict[Home, list[TrialRecord]] = defaultdict(list)
    by_key: dict[str, Home] = {}
    orphans: list[TrialRecord] = []
    for record in records:
        asked = record.configuration
        if allow_mixed:
            home = _mixed_home(asked, terms(record))
        elif unusable(record):
            orphans.append(record)
            continue
        else:
            home = _home(asked, terms(record), record.total)
        buckets[home].append(record)
        by_key.setdefault(record.key, home)
    by_base = {
        home._replace(terms="", perimeter=(), tier="", complete=True): home
        for home in sorted(buckets, reverse=True)
    }
    for record in orphans:
        base = _home(record.configuration)
        buckets[by_key.get(record.key) or by_base.get(base, base)].append(record)
    return buckets


def _group(
    records: Sequence[TrialRecord],
    home: Home,
    rules: Rules,
    outcomes: Outcomes,
    looks: Mapping[str, Looks],
) -> Group:
    """One table: rows gated, scored, ordered and put into words."""
    by_key: dict[str, list[TrialRecord]] = defaultdict(list)
    for record in records:
        by_key[record.key].append(record)
    found, evidence, totals = [], {}, []
    for key, trials in by_key.items():
        looked = looks_at(trials, outcomes, looks)
        rounds = tried(trials)
        found.append(row_of(rounds, looked))
        totals += [trial.total for trial in rounds.usable if trial.total]
        if (known := evidence_of(rounds, outcomes, looked)) is not None:
            evidence[key] = known
    verdicts = gate(found, rules, evidence)
    eligible = [row for row in found if verdicts[row.key].get("eligible")]
    best = best_first(eligible, rules.by)
    changes = (
        verdicts,
        score_intervals(found, evidence),
        places(best, rules.by, evidence),
        front(best, evidence),
    )
    others = [row for row in found if not verdicts[row.key].get("eligible")]
    others.sort(key=lambda row: row.key)
    rows = [_changed(row, changes) for row in (*best, *others)]
    complete = all(total.complete for total in totals)
    return Group(
        workload=home.workload,
        phase=home.phase,
        device=only({r.configuration.device for r in records}),
        perimeter=tuple(sorted({part for total in totals for part in total.perimeter})),
        tier=only({total.tier or "unknown" for total in totals}) or None,
        track=only({r.configuration.track for r in records}),
        variant=shared_suffix(rows),
        scenario=home.scenario + (f" ({home.terms})" if home.terms else ""),
        complete=complete,
        rows=tuple(rows),
        required=required(rows),
        sentence=sentence(rows, rules.by),
        notes=notes_on(rows, evidence, mixed=not home.device, complete=complete),
    )


def _changed(row: Row, changes: Sequence[Mapping[str, Mapping[str, object]]]) -> Row:
    """A row with all that was found of it, copied once."""
    update: dict[str, object] = {}
    for found in changes:
        update |= found.get(row.key, {})
    return row.model_copy(update=update) if update else row


def required(rows: Sequence[Row]) -> tuple[Step, ...]:
    """The fewest joules an item as a function of the accuracy that is required."""
    front = [row for row in rows if row.on_frontier]
    front.sort(key=lambda row: (row.accuracy.value or 0.0, row.key))
    return tuple(
        Step(
            accuracy=row.accuracy.value or 0.0,
            key=row.key,
            energy_per_item_j=row.energy_per_item_j,
            j_per_extra_correct=row.j_per_extra_correct,
            frontier_ratio=row.frontier_ratio,
        )
        for row in front
    )
