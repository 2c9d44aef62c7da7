"""The whole assessment of some trials at one site: what `--format json` prints.

A pure function of records, ranking, ledger and machine facts: the same run at another
site differs in nothing but what the site's factors make.
"""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import Literal, NamedTuple

from pydantic import Field

from harness.factor import Factor
from harness.garbage import uncollected
from harness.ledger_nouns import Ledger, Matched, Ownership
from harness.noun import Noun
from reports.ranking import DoubtCount, Ranking
from reports.ranking import Group as RankedGroup
from reports.rows import Row, unusable
from reports.sustainability.accounts import Entry, merged
from reports.sustainability.answer import Answer, answer
from reports.sustainability.boundary import Boundary, boundary
from reports.sustainability.carbon import Carbon, Check, Share, carbon, check, shares
from reports.sustainability.facts import RunFacts
from reports.sustainability.figures import Method, measured
from reports.sustainability.label import Label, Pin, label
from reports.sustainability.phases import Energy, energy
from reports.sustainability.rated import NOTHING, Rated, Trials, rate, trials_of
from reports.sustainability.rates import Rates, rates
from reports.sustainability.scopes import Scope, scopes
from reports.sustainability.sensitivity import Cost, Sensitivity, sensitivity
from reports.sustainability.sensitivity import Group as Compared
from reports.sustainability.water import WaterSheet, water_sheet
from reports.words import short_names

METHODOLOGY = (
    "SCI: ISO/IEC 21031:2024, (E x I + M) / R, with the grid of the location",
    "Roles and functional units: SCI for AI, Green Software Foundation",
    "Water: E x (WUE + PUE x W), the form of EcoLogits, consumption alone",
    "Scopes: GHG Protocol Corporate Standard and Scope 2 Guidance",
    "Quality of energy: high, medium, low as in BoAmps (10, 25, 50 %)",
)


class Subject(NamedTuple):
    """What is assessed.

    Attributes:
        entries: Trials of one run or several.
        runs: Facts of each run.
        pins: References of the label; None where no label was asked for.
        assumed: What the command line added to the site.
    """

    entries: Sequence[Entry]
    ranking: Ranking
    ledger: Ledger
    runs: Sequence[RunFacts]
    pins: Sequence[Pin] | None = None
    assumed: tuple[str, ...] = ()
    command: str = ""


class Site(Noun):
    """The site in one line; its factors are the coefficients.

    Attributes:
        matched: Whether the contract covers the use by the hour or by the year.
        missing: Why factors are not known, with the cure.
    """

    name: str
    place: str | None
    ownership: Ownership | None
    matched: Matched | None
    missing: dict[str, str] = Field(default_factory=dict)


class AssessedGroup(Noun):
    """Configurations that may be compared, in the order of the ranking.

    Attributes:
        sentence: The ranking's own words.
    """

    title: str
    workload: str
    phase: str
    device: str
    perimeter: tuple[str, ...]
    tier: str | None
    track: str
    sentence: str
    notes: tuple[str, ...]
    answer: Answer
    rows: tuple[Rated, ...]


class Reproducibility(Noun):
    """What it takes to come to the same figures."""

    command: str
    joulebench: str
    runs: tuple[RunFacts, ...]


class Assessment(Noun):
    """Everything that the report says; the JSON is a public format.

    Attributes:
        coefficients: Every factor of the site, and how it was used.
        assumed: Factors that nobody vouches for.
        methodology: Which method each part follows.
        tags: How each term came to be: measured, modelled, sourced, assumed.
    """

    schema_: Literal[1] = Field(default=1, alias="schema")
    kind: Literal["joulebench report: sustainability"] = (
        "joulebench report: sustainability"
    )
    site: Site
    trials: int
    statuses: dict[str, int]
    boundary: Boundary
    energy: Energy
    carbon: Carbon
    embodied_sources: tuple[Share, ...]
    check: Check | None
    scopes: tuple[Scope, ...]
    water: WaterSheet
    groups: tuple[AssessedGroup, ...]
    sensitivity: Sensitivity
    coefficients: tuple[Factor, ...]
    assumed: tuple[str, ...]
    methodology: tuple[str, ...]
    tags: dict[str, tuple[Method, ...]]
    doubts: tuple[DoubtCount, ...]
    warnings: tuple[str, ...]
    reproducibility: Reproducibility

    def to_json(self) -> str:
        """The public format."""
        return self.model_dump_json(by_alias=True, indent=1)


@uncollected()
def assess(subject: Subject, version: str = "") -> Assessment:
    """Everything that is known of the energy, carbon and water of some trials."""
    ledger = subject.ledger
    trials = _trials(subject.entries)
    spent = merged([each.spent for each in trials.values()])
    tiers = sorted(
        {r.total.tier for r, *_ in subject.entries if r.total and r.total.tier}
    )
    by = rates(ledger)
    used = energy(spent, tuple(tiers), by)
    reserved_s = measured("s", spent.get("time"), lacks=spent.lacks("time"))
    emitted = carbon(used.machine_kwh, reserved_s, by)
    groups = [_group(group, trials, subject, by) for group in subject.ranking.groups]
    factors = ledger.factors()
    return Assessment(
        site=Site(
            name=ledger.site,
            place=ledger.place,
            ownership=ledger.ownership,
            matched=ledger.matched,
            missing=ledger.missing,
        ),
        trials=spent.trials,
        statuses=dict(spent.statuses),
        boundary=boundary([e.record for e in subject.entries], ledger, subject.runs),
        energy=used,
        carbon=emitted,
        embodied_sources=shares(reserved_s, ledger),
        check=check(emitted, ledger),
        scopes=scopes(emitted, ledger),
        water=water_sheet(used.machine_kwh, by),
        groups=tuple(groups),
        sensitivity=sensitivity(
            [_compared(group) for group in groups],
            (used.machine_kwh.value, spent.get("time")),
            ledger,
        ),
        coefficients=factors,
        assumed=(*subject.assumed, *(_said(f) for f in factors if f.assumed)),
        methodology=METHODOLOGY,
        tags={
            "E, energy": used.machine_kwh.methods,
            "PUE, overhead of the facility": by.pue.methods,
            "I, intensity of the grid": by.grid.methods,
            "M, making of the hardware": by.made.methods,
            "W, water of the grid": by.source_water.methods,
            "WUE, water at the site": by.wue.methods,
        },
        doubts=subject.ranking.doubts,
        warnings=subject.ranking.warnings,
        reproducibility=Reproducibility(
            command=subject.command, joulebench=version, runs=tuple(subject.runs)
        ),
    )


def _said(factor: Factor) -> str:
    return f"{factor.name}: {factor.value:g} {factor.unit} ({factor.source})"


class Home(NamedTuple):
    """What trials of one row of a ranking share."""

    key: str
    perimeter: tuple[str, ...]
    tier: str | None
    complete: bool


def _trials(entries: Sequence[Entry]) -> dict[Home, Trials]:
    """Sums by configuration and meters."""
    buckets: dict[Home, list[Entry]] = defaultdict(list)
    for entry in entries:
        buckets[_home(entry)].append(entry)
    return {home: trials_of(buckets[home]) for home in sorted(buckets, key=str)}


def _home(entry: Entry) -> Home:
    record = entry.record
    total = record.total
    if total is None or unusable(record):
        return Home(record.key, (), None, complete=True)
    perimeter = tuple(sorted(total.perimeter))
    return Home(record.key, perimeter, total.tier or "unknown", total.complete)


def _of_group(group: RankedGroup, trials: Mapping[Home, Trials]) -> dict[str, Trials]:
    """Sums of a group's configurations by key; what is not usable goes with them."""
    found = {}
    for row in group.rows:
        home = Home(row.key, group.perimeter, group.tier, group.complete)
        left_out = Home(row.key, (), None, complete=True)
        used, unused = trials.get(home), trials.get(left_out)
        if used and unused and home != left_out:
            spent = merged([used.spent, unused.spent])
            found[row.key] = used._replace(spent=spent)
        elif used or unused:
            found[row.key] = used or unused or NOTHING
    return found


def _group(
    group: RankedGroup, trials: Mapping[Home, Trials], subject: Subject, by: Rates
) -> AssessedGroup:
    names = short_names(group.rows)
    mine = _of_group(group, trials)
    rated_by = _labels(subject)
    rows = tuple(rate(row, names[row.key], mine, by, rated_by) for row in group.rows)
    return AssessedGroup(
        title=group.title,
        workload=group.workload,
        phase=str(group.phase),
        device=group.device,
        perimeter=group.perimeter,
        tier=group.tier,
        track=group.track,
        sentence=group.sentence,
        notes=group.notes,
        answer=answer(group, rows),
        rows=rows,
    )


def _labels(subject: Subject) -> Callable[[Row], Label] | None:
    """What gives a row its letter, where letters were asked for."""
    pins = subject.pins
    if pins is None:
        return None
    machines = {run.cpu for run in subject.runs}
    machine = machines.pop() if len(machines) == 1 else None
    return lambda row: label(row, pins, machine)


def _compared(group: AssessedGroup) -> Compared:
    """Configurations behind the gate with kWh and seconds an item."""
    costs = [
        Cost(row.key, kwh, seconds)
        for row in group.rows
        if row.eligible
        for kwh, seconds in [(row.carbon.energy_kwh.value, row.carbon.reserved_s.value)]
        if kwh is not None and seconds is not None
    ]
    return Compared(group.title, costs)
