"""One configuration of the ranking, with its carbon, water and scores."""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from harness.noun import Noun
from harness.records import Configuration, Phase
from reports.rows import Interval, Row, Verdict
from reports.sustainability.accounts import Account, Entry, Work, account, work
from reports.sustainability.carbon import Carbon, carbon, kwh
from reports.sustainability.figures import (
    Figure,
    joules_methods,
    least,
    measured,
    missing,
    scaled,
)
from reports.sustainability.label import Label
from reports.sustainability.phases import grade
from reports.sustainability.rates import Rates
from reports.sustainability.saving import ROUNDS, Saving, saving_of
from reports.sustainability.sci import Score, consumer, provider
from reports.sustainability.water import Water, water

PER_ITEM = "J/item"
WH_PER_1000_ITEMS_PER_J = 1000 / 3600
"""Wh for 1000 items of one joule each: AI Energy Score's unit."""


class Rated(Noun):
    """A configuration with its figures an item.

    Attributes:
        gross_per_item_j: As the ranking has it: the geometric mean of its rounds.
        net_per_item_j: Above idle power.
        wh_per_1000_items: Gross, in AI Energy Score's unit.
        error_ratio: Error bound of the meters over joules.
        grade: Quality of the joules in BoAmps' words.
        carbon: Of one item, of the window alone.
        worse_than_reference: It is reduced, and needs more joules than fp32.
    """

    key: str
    name: str
    configuration: Configuration
    place: int | None
    rank: int | None
    rank_low: int | None
    rank_high: int | None
    eligible: bool
    verdict: Verdict
    reason: str | None
    trials: int
    accuracy: Interval
    accuracy_per_j: Interval
    on_frontier: bool
    p50_s: float | None
    p99_s: float | None
    busy_ratio: float | None
    modelled_ratio: float | None
    error_ratio: float | None
    grade: str | None
    gross_per_item_j: Figure
    net_per_item_j: Figure
    wh_per_1000_items: Figure
    carbon: Carbon
    water: Water
    scores: tuple[Score, ...] = ()
    saving: Saving | None = None
    worse_than_reference: bool = False
    label: Label | None = None

    @property
    def total_per_item_g(self) -> Figure:
        """Grams an item: E x I + M, or E x I alone where M is not known."""
        return self.carbon.total_or_location


class Trials(NamedTuple):
    """Trials of one configuration, summed."""

    spent: Account
    work: Work | None
    parameters: int | None


def trials_of(entries: Sequence[Entry]) -> Trials:
    """Sums and means of one configuration."""
    models = [entry.record.model for entry in entries if entry.record.model]
    parameters = models[-1].parameters if models else None
    return Trials(account(entries), work(entries), parameters)


def rate(
    row: Row,
    name: str,
    trials: Mapping[str, Trials],
    by: Rates,
    rated_by: Callable[[Row], Label] | None = None,
) -> Rated:
    """A row of the ranking with everything that the ledger adds.

    Args:
        row: Of the ranking.
        name: What tells it apart in its group.
        trials: By key; of the row's reference, too.
        by: Factors of the site.
        rated_by: Gives the label; None where none was asked for.
    """
    found = trials.get(row.key, NOTHING)
    gross_j, net_j = _joules(row, found.work)
    emitted, drunk = _by_item(gross_j, found.work, by)
    made = Rated(
        **{field: getattr(row, field) for field in KEPT},
        name=name,
        busy_ratio=found.work.busy_ratio if found.work else None,
        error_ratio=found.work.bound_ratio if found.work else None,
        grade=grade(found.work.bound_ratio) if found.work else None,
        gross_per_item_j=gross_j,
        net_per_item_j=net_j,
        wh_per_1000_items=scaled(
            "Wh/1000 items", "J/item / 3.6", gross_j, WH_PER_1000_ITEMS_PER_J
        ),
        carbon=emitted,
        water=drunk,
        scores=_scores(found, emitted, net_j, by, row.configuration.phase),
        label=rated_by(row) if rated_by else None,
    )
    reference = trials.get(row.reference or "")
    if row.reference is None or row.reference == row.key or reference is None:
        return made
    methods = gross_j.methods
    saving = saving_of(row.reference, (found.work, reference.work), methods, by)
    worse = saving is not None and (saving.energy_ratio.value or 0.0) > 1
    reduced = row.configuration.precision != "fp32"
    return made.model_copy(
        update={"saving": saving, "worse_than_reference": worse and reduced}
    )


NOTHING = trials_of(())
KEPT = (
    "key", "configuration", "place", "rank", "rank_low", "rank_high", "eligible",
    "verdict", "reason", "trials", "accuracy", "accuracy_per_j", "on_frontier",
    "p50_s", "p99_s", "modelled_ratio",
)  # fmt: skip


def _joules(row: Row, done: Work | None) -> tuple[Figure, Figure]:
    """Gross joules an item with the wider of both intervals, and net ones."""
    given = row.energy_per_item_j
    if given.value is None or done is None:
        reason = row.reason or "no trial has joules an item"
        return missing(PER_ITEM, reason), missing(PER_ITEM, reason)
    methods = joules_methods(row.modelled_ratio)
    bound = None if done.bound_ratio is None else given.value * done.bound_ratio
    lows = [given.low, None if bound is None else least(given.value, bound)]
    highs = [given.high, None if bound is None else given.value + bound]
    named = [ROUNDS] * (given.low is not None) + ["error bound of the meters"] * (
        bound is not None
    )
    gross_j = Figure(
        unit=PER_ITEM,
        value=given.value,
        low=min((low for low in lows if low is not None), default=None),
        high=max((high for high in highs if high is not None), default=None),
        interval=" or ".join(named) + (" (the wider)" if len(named) > 1 else ""),
        methods=methods,
    )
    net_j = measured(
        PER_ITEM,
        done.net_j,
        modelled_ratio=row.modelled_ratio,
        reason="not all rounds tell idle power",
    )
    return gross_j, net_j


def _by_item(gross_j: Figure, done: Work | None, by: Rates) -> tuple[Carbon, Water]:
    """Carbon and water of an item."""
    seconds = done.seconds if done else None
    reserved_s = measured("s", seconds, reason=gross_j.reason)
    energy_kwh = kwh(gross_j)
    return carbon(energy_kwh, reserved_s, by), water(energy_kwh, by)


def _scores(
    found: Trials, emitted: Carbon, net_j: Figure, by: Rates, phase: Phase
) -> tuple[Score, ...]:
    if phase is Phase.TRAIN:
        return provider(found.spent, found.parameters, by)
    items = found.spent.get("items")
    if found.work is None or items is None:
        return ()
    return consumer(emitted, net_j, found.work, items, by)
