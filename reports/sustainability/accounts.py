"""Sums over trials: joules by phase, domain and UTC hour, time and work.

Everything is added with `math.fsum` once; what a trial does not tell is counted, so
that a sum can say what it lacks.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import NamedTuple, TypeVar

from harness.perimeter import outermost
from harness.readings import EnergyReading, EnergyTotal
from harness.records import TrialRecord
from harness.stats import geometric_mean, mean
from reports.rows import unusable

Name = TypeVar("Name", str, tuple[str, str])

HOUR_S = 3600.0
LONGEST_S = 366 * 86_400.0
"""A window of more than a year is a fault of its record."""
MOST = 1e30
"""Joules, seconds or operations of one trial beyond it are a fault of its record."""
LONGEST = 10**9
"""Tokens of an item; a sequence beyond it is a fault of its record."""
PHASES = ("setup", "idle", "window", "evaluation")
"""Stretches of a trial whose joules are known and do not overlap."""
CLOCKS = "clock pairs of the traces"
STARTS = "start of the trial and its setup; the warm-up is not known"


class Entry(NamedTuple):
    """A trial with what its record does not hold.

    Attributes:
        run: Which run it is of; rounds of one run were side by side.
        idle_s: Planned length of each of the two idle stretches around a window; None
            where no plan is known.
        offset_s: UTC epoch less the monotonic clock; None where no trace tells it.
    """

    record: TrialRecord
    run: int = 0
    idle_s: float | None = None
    offset_s: float | None = None


@dataclass(frozen=True)
class Account:
    """What some trials used, in joules, seconds and items.

    Attributes:
        trials: Records, whatever became of them.
        metered: Those with joules of a window.
        known: Summands by the name of what they are of.
        unknown: How many trials do not tell it.
        domains: Joules of the windows by domain and provenance.
        hours: Joules of the windows by UTC hour, such as `2026-11-25T10`.
        placed_by: How windows were laid on hours, by how many trials.
        statuses: How many trials ended how.
    """

    trials: int
    metered: int
    known: Mapping[str, float]
    unknown: Mapping[str, int]
    domains: Mapping[tuple[str, str], float]
    hours: Mapping[str, float]
    placed_by: Mapping[str, int]
    statuses: Mapping[str, int]

    def get(self, name: str) -> float | None:
        """A sum; None where no trial tells it."""
        return self.known.get(name)

    def whole(self, name: str) -> float | None:
        """A sum over all metered trials; None as soon as one does not tell it."""
        return None if self.unknown.get(name) else self.known.get(name)

    def tells(self, name: str) -> bool:
        """Whether any trial has it at all, known or not."""
        return name in self.known or name in self.unknown

    @property
    def error_ratio(self) -> float | None:
        """Error bound over joules, of the windows; None unless all have a bound."""
        bound, joules = self.whole("bound"), self.known.get("window")
        return bound / joules if bound is not None and joules and joules > 0 else None

    @property
    def modelled_ratio(self) -> float | None:
        """Share of the windows' joules that no instrument saw; None if not known."""
        modelled, joules = self.whole("modelled"), self.known.get("window")
        return None if modelled is None or not joules else modelled / joules

    def lacks(self, name: str) -> str | None:
        """That some trials do not tell it."""
        count = self.unknown.get(name, 0)
        return f"{count} of {self.trials} trials tell no {name}" if count else None


class Work(NamedTuple):
    """Means over the usable rounds of one configuration, per item.

    Attributes:
        rounds_j: Joules an item by run and round.
        rounds_s: Seconds of the window, an item, by run and round.
        seconds: Their geometric mean.
        net_j: Joules above idle, an item; None where a round has none.
        bound_ratio: Error bound over joules; None where a round has no bound.
        tokens: An item; None where the workload has no sequences.
        busy_ratio: Share of the window in which the device computed: of a card where
            one was read, else of the processor.
    """

    rounds_j: Mapping[tuple[int, int], float]
    rounds_s: Mapping[tuple[int, int], float]
    seconds: float | None
    net_j: float | None
    bound_ratio: float | None
    tokens: int | None
    busy_ratio: float | None = None


@dataclass
class _Sums:
    terms: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    unknown: Counter[str] = field(default_factory=Counter)

    def add(self, name: str, value: float | None) -> None:
        if value is None or not _is_believed(value):
            self.unknown[name] += 1
        else:
            self.terms[name].append(value)


def account(entries: Iterable[Entry]) -> Account:
    """Sums over some trials."""
    sums = _Sums()
    domains: dict[tuple[str, str], list[float]] = defaultdict(list)
    hours: dict[str, list[float]] = defaultdict(list)
    placed: Counter[str] = Counter()
    statuses: Counter[str] = Counter()
    trials = metered = 0
    for entry in entries:
        record = entry.record
        trials += 1
        statuses[record.status] += 1
        sums.add("time", record.meter.duration_s)
        if not _is_metered(record):
            if record.status != "skipped":
                sums.unknown["window"] += 1
            continue
        metered += 1
        _add_energy(sums, entry)
        for reading in _outer(record.energy):
            name = (reading.domain, reading.provenance.value)
            if _is_believed(joules := reading.energy_j or 0.0):
                domains[name].append(joules)
        for hour, joules in hour_shares(entry):
            hours[hour].append(joules)
        placed[STARTS if entry.offset_s is None else CLOCKS] += 1
    return Account(
        trials=trials,
        metered=metered,
        known={name: math.fsum(terms) for name, terms in sums.terms.items()},
        unknown=dict(sums.unknown),
        domains={name: math.fsum(terms) for name, terms in sorted(domains.items())},
        hours={name: math.fsum(terms) for name, terms in sorted(hours.items())},
        placed_by=dict(placed),
        statuses=dict(statuses),
    )


def merged(accounts: Sequence[Account]) -> Account:
    """The sums of all of them together."""
    return Account(
        trials=sum(each.trials for each in accounts),
        metered=sum(each.metered for each in accounts),
        known=_added(each.known for each in accounts),
        unknown=_counted(each.unknown for each in accounts),
        domains=_added(each.domains for each in accounts),
        hours=_added(each.hours for each in accounts),
        placed_by=_counted(each.placed_by for each in accounts),
        statuses=_counted(each.statuses for each in accounts),
    )


def _added(parts: Iterable[Mapping[Name, float]]) -> dict[Name, float]:
    found: dict[Name, list[float]] = defaultdict(list)
    for part in parts:
        for name, value in part.items():
            found[name].append(value)
    return {name: math.fsum(found[name]) for name in sorted(found)}


def _counted(parts: Iterable[Mapping[str, int]]) -> dict[str, int]:
    found: Counter[str] = Counter()
    for part in parts:
        found.update(part)
    return dict(sorted(found.items()))


def _outer(readings: Sequence[EnergyReading]) -> Sequence[EnergyReading]:
    """Readings that a total adds up."""
    if len({reading.domain for reading in readings}) == len(readings) and not any(
        reading.inside or reading.domain in {"wall", "module", "psys", "soc", "socket"}
        for reading in readings
    ):
        return [reading for reading in readings if reading.energy_j is not None]
    return [each for each in outermost(readings) if each.energy_j is not None]


def _is_metered(record: TrialRecord) -> bool:
    """Whether a window has joules that can be added."""
    total, window = record.total, record.window
    if total is None or window is None or total.energy_j is None:
        return False
    return _is_believed(total.energy_j) and 0 < window.duration_s < LONGEST_S


def _add_energy(sums: _Sums, entry: Entry) -> None:
    record = entry.record
    total, window = record.total, record.window
    if total is None or window is None or total.energy_j is None:
        return
    sums.add("window", total.energy_j)
    sums.add("bound", _bound_j(total))
    ratio = total.modelled_ratio
    sums.add("modelled", None if ratio is None else ratio * total.energy_j)
    sums.add("net", record.idle.net_energy_j)
    sums.add("window time", window.duration_s)
    sums.add("items", window.items)
    sums.add("setup", record.setup.energy_j if record.setup else None)
    if record.setup and record.setup.convert_duration_s is not None:
        sums.add("convert", record.setup.convert_energy_j)
    if record.evaluation:
        sums.add("evaluation", record.evaluation.energy_j)
    sums.add("idle", _idle_j(entry))
    speed = record.performance
    flop = speed.flop_per_item if speed else None
    sums.add("flop", None if flop is None else flop * window.items)
    tokens = tokens_per_item(record)
    sums.add("tokens", None if tokens is None else float(tokens * window.items))


def _is_believed(value: float) -> bool:
    """Whether a number of a record can be one: NaN cannot, nor can what overflows."""
    return abs(value) <= MOST


def _bound_j(total: EnergyTotal) -> float | None:
    """Error bound of a window; None where it is not one."""
    bound_j = total.error_bound_j
    return bound_j if bound_j is not None and 0 <= bound_j <= MOST else None


def _idle_j(entry: Entry) -> float | None:
    """Idle power times the planned length of the stretches around the window."""
    idle = entry.record.idle
    if entry.idle_s is None:
        return None
    if entry.idle_s == 0:
        return 0.0
    powers_w = [power for power in (idle.before_w, idle.after_w) if power is not None]
    return sum(powers_w) * entry.idle_s if len(powers_w) == 2 else None


def tokens_per_item(record: TrialRecord) -> int | None:
    """Length of the padded sequence that an item is; None where it is none."""
    length = record.configuration.options.get("sequence_length")
    if not isinstance(length, (int, float)) or not 0 < length <= LONGEST:
        return None
    return int(length)


def hour_shares(entry: Entry) -> Iterator[tuple[str, float]]:
    """Joules of a window by UTC hour, spread evenly over the time that it overlaps."""
    record = entry.record
    total, window = record.total, record.window
    if total is None or total.energy_j is None or window is None:
        return
    start = _window_start(entry)
    left_s = window.duration_s
    if start is None or left_s <= 0:
        return
    hour = start.replace(minute=0, second=0, microsecond=0)
    part_s = min(left_s, HOUR_S - (start - hour).total_seconds())
    while left_s > 0:
        yield hour.strftime("%Y-%m-%dT%H"), total.energy_j * part_s / window.duration_s
        left_s -= part_s
        hour += timedelta(hours=1)
        part_s = min(left_s, HOUR_S)


def _window_start(entry: Entry) -> datetime | None:
    """UTC at which a window began."""
    record = entry.record
    window = record.window
    if entry.offset_s is not None and window is not None:
        try:
            return datetime.fromtimestamp(entry.offset_s + window.start_s, UTC)
        except (ValueError, OverflowError, OSError):
            return None
    setup_s = record.setup.duration_s if record.setup else 0.0
    try:
        started = datetime.fromisoformat(record.started_utc).astimezone(UTC)
        return started + timedelta(seconds=setup_s)
    except (ValueError, OverflowError):
        return None


def work(entries: Sequence[Entry]) -> Work | None:
    """Means of one configuration over its usable trials; None where none is usable."""
    usable = [
        (entry, total, window)
        for entry in entries
        if not unusable(entry.record)
        if (total := entry.record.total) and (window := entry.record.window)
    ]
    if not usable:
        return None
    joules = [total.energy_j or 0.0 for _, total, _ in usable]
    bounds = _all(_bound_j(total) for _, total, _ in usable)
    nets = _all(
        None if (net_j := e.record.idle.net_energy_j) is None else net_j / w.items
        for e, _, w in usable
    )
    busy = _all(_busy(entry.record) for entry, _, _ in usable)
    return Work(
        rounds_j={
            (entry.run, entry.record.round): spent_j / window.items
            for (entry, _, window), spent_j in zip(usable, joules, strict=True)
        },
        rounds_s={
            (entry.run, entry.record.round): window.duration_s / window.items
            for entry, _, window in usable
        },
        seconds=geometric_mean([w.duration_s / w.items for _, _, w in usable]),
        net_j=mean(nets),
        bound_ratio=math.fsum(bounds) / math.fsum(joules) if bounds else None,
        tokens=tokens_per_item(usable[0][0].record),
        busy_ratio=mean(busy),
    )


def _all(values: Iterable[float | None]) -> list[float]:
    """The values, or nothing at all when one of them is missing."""
    given = list(values)
    known = [value for value in given if value is not None]
    return known if len(known) == len(given) else []


def _busy(record: TrialRecord) -> float | None:
    used = record.utilization
    ratio = used.cpu_ratio if used.gpu_ratio is None else used.gpu_ratio
    return ratio if ratio is not None and _is_believed(ratio) else None
