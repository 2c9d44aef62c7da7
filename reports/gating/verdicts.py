"""One run against another, or against two: verdicts by configuration and measure."""

import math
from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from typing import NamedTuple

from harness.outcomes import Outcomes
from harness.records import Phase, TrialRecord
from harness.sequential import ONE_LOOK, Looks
from harness.stats import geometric_mean, mean
from reports.comparing import (
    Side,
    items_variance,
    measured_as,
    paired_answers,
    sides_of,
)
from reports.gating import measures
from reports.gating.findings import Against, Demands, GateReport, GateRow, report
from reports.gating.policy import Limits, Policy
from reports.gating.rule import (
    Contrast,
    Margin,
    Tested,
    as_family,
    detectable_ratio,
    loses_accuracy,
    of_rounds,
    ratio_of,
    verdict,
)
from reports.gating.surroundings import Surroundings, differing, unknown
from reports.noninferiority import variance_of_mean
from reports.pairs import ALPHA
from reports.rows import Interval

ENERGY_UNCHECKED = "energy NOT checked: {0}; proxies were gated instead"

ACCURACY_UNCHECKED = "accuracy NOT checked: no run scored the answers of both"


class Run(NamedTuple):
    """A run as the gate takes it.

    Attributes:
        fault: Why nothing of it may be compared; such as a machine that drifted.
    """

    records: Sequence[TrialRecord]
    outcomes: Outcomes
    surroundings: Surroundings
    looks: Looks = ONE_LOOK
    fault: str | None = None


class Pair(NamedTuple):
    """A configuration in both runs, its trials that worked, by round.

    Attributes:
        looks: Share of the chance of an error that looks at the rounds leave.
    """

    key: str
    against: Against
    sides: tuple[Side, Side]
    trials: tuple[list[TrialRecord], list[TrialRecord]]
    cores: tuple[int | None, int | None]
    looks: float
    paired: bool


class Draft(NamedTuple):
    """A row before its family is tested: its contrasts, where there are any."""

    row: GateRow
    limits: Limits
    cost: Contrast | None = None
    is_exact: bool = False
    accuracy: Contrast | None = None
    floor: float = 0.0


def gate(
    candidate: Run,
    baseline: Run,
    policy: Policy,
    demands: Demands | None = None,
    anchor: Run | None = None,
    *,
    paired: bool = False,
) -> GateReport:
    """Verdicts on the candidate.

    Args:
        candidate: The changed code.
        baseline: What it is held against.
        policy: What is tolerated.
        demands: What is a failure beyond a regression.
        anchor: An older baseline, which small steps cannot creep away from.
        paired: Rounds of candidate and baseline were measured side by side.
    """
    drafts, notes = _drafts(baseline, candidate, policy, "baseline", paired=paired)
    if anchor is not None:
        more, said = _drafts(anchor, candidate, policy, "anchor", paired=False)
        drafts, notes = drafts + more, notes + [f"anchor: {each}" for each in said]
    rows = tuple(_judged(drafts, policy.alpha))
    if not any(row.accuracy_delta.value is not None for row in rows):
        notes.append(ACCURACY_UNCHECKED)
    notes += _idle_keys(policy, rows, (baseline, candidate))
    found = report(
        rows, tuple(dict.fromkeys(notes)), policy.alpha, demands or Demands()
    )
    if found.energy_checked or found.verdict == "not-comparable":
        return found
    unchecked = ENERGY_UNCHECKED.format(measures.ENERGY_ABSENT)
    return found.model_copy(update={"notes": (unchecked, *found.notes)})


def _idle_keys(
    policy: Policy, rows: Sequence[GateRow], runs: Sequence[Run]
) -> list[str]:
    """What the policy names and nothing here is called."""
    patterns = {each.key for each in policy.overrides}
    keys = {row.key for row in rows}
    idle = [p for p in patterns if not any(fnmatchcase(key, p) for key in keys)]
    facts = {name for run in runs for name in run.surroundings.facts}
    return [
        *(f"policy: overrides: no configuration matches {p!r}" for p in sorted(idle)),
        *(
            f"policy: ignore: no fact is called {n!r}"
            for n in policy.ignore
            if n not in facts
        ),
    ]


def _drafts(
    old: Run, new: Run, policy: Policy, against: Against, *, paired: bool
) -> tuple[list[Draft], list[str]]:
    """Rows of one comparison, not yet tested, and what is to be said of it."""
    facts = differing(old.surroundings, new.surroundings, policy.ignore)
    notes = [f"not alike: {each}" for each in facts]
    notes += [each.fault for each in (old, new) if each.fault]
    apart = next(iter(facts), None) or old.fault or new.fault
    if silent := unknown(old.surroundings, new.surroundings):
        notes.append(f"known of one run only: {', '.join(silent)}")
    sides = [sides_of(run.records, run.outcomes, run.looks) for run in (old, new)]
    cores = old.surroundings.cores, new.surroundings.cores
    looks = min(old.looks.alpha, new.looks.alpha) / ALPHA
    drafts = []
    for key in sorted(sides[0].keys() | sides[1].keys()):
        both = sides[0].get(key), sides[1].get(key)
        trials = _ran(both[0]), _ran(both[1])
        if not any(trials) and all(both):
            continue  # skipped, or failed, in both
        why = apart or _lacking(both, trials)
        if why or both[0] is None or both[1] is None:
            drafts.append(_refused(key, against, policy, why or ""))
            continue
        pair = Pair(key, against, (both[0], both[1]), trials, cores, looks, paired)
        drafts += _of_pair(pair, policy)
    return drafts, notes


def _ran(side: Side | None) -> list[TrialRecord]:
    return [trial for trial in side.trials if measures.ran(trial)] if side else []


def _lacking(
    sides: tuple[Side | None, Side | None],
    trials: tuple[list[TrialRecord], list[TrialRecord]],
) -> str | None:
    """Why a configuration cannot be compared, or None."""
    for side, worked, name in zip(
        sides, trials, ("baseline", "candidate"), strict=True
    ):
        if side is None:
            return f"not in the {name}"
        if not worked:
            return f"in the {name}: {side.row.reason or 'it did not finish'}"
    if sides[0] is None or sides[1] is None:
        return None
    if sides[0].row.accuracy.value is not None and sides[1].row.accuracy.value is None:
        return "in the candidate: no accuracy, which the baseline has"
    ours, theirs = measured_as(sides[0]), measured_as(sides[1])
    for what, mine in ours.items():
        if mine != theirs[what]:
            return f"{what} differ: {mine or 'none'} against {theirs[what] or 'none'}"
    return None


def _refused(
    key: str, against: Against, policy: Policy, why: str, metric: str = measures.ENERGY
) -> Draft:
    row = GateRow(
        key=key,
        metric=metric,
        unit=measures.MEASURES[metric].unit,
        against=against,
        verdict="not-comparable",
        reason=why,
    )
    return Draft(row, policy.of(key, metric))


def _of_pair(pair: Pair, policy: Policy) -> list[Draft]:
    """Joules where both runs counted them, else the proxies that both have."""
    counted = _measured(pair, measures.ENERGY)
    named = (measures.ENERGY,) if counted else measures.PROXIES
    found = [_draft(pair, name, policy) for name in named if _measured(pair, name)]
    if not found:
        why = f"{measures.ENERGY_ABSENT}, and no proxy was recorded"
        return [_refused(pair.key, pair.against, policy, why)]
    accuracy = _accuracy(pair)
    answered = paired_answers(pair.sides) if accuracy else False
    row = found[0].row.model_copy(update={"paired": answered})
    return [found[0]._replace(accuracy=accuracy, row=row), *found[1:]]


def _measured(
    pair: Pair, name: str
) -> tuple[dict[int, float], dict[int, float]] | None:
    """Values of both sides by round, or None where a side has none."""
    old, new = (
        measures.values_of(name, trials, cores)
        for trials, cores in zip(pair.trials, pair.cores, strict=True)
    )
    return (old, new) if old and new else None


def _draft(pair: Pair, name: str, policy: Policy) -> Draft:
    """A measure of a configuration."""
    measure, limits = measures.MEASURES[name], policy.of(pair.key, name)
    by_round = _measured(pair, name) or ({}, {})
    old, new = (list(side.values()) for side in by_round)
    row = GateRow(
        key=pair.key,
        metric=name,
        unit=measure.unit,
        against=pair.against,
        verdict="inconclusive",
        baseline=geometric_mean(old),
        candidate=geometric_mean(new),
        rounds=(len(old), len(new)),
        delta=limits.delta,
    )
    floor = limits.floors.get(name, 0.0)
    if name == measures.ENERGY:
        floor = max(floor, *map(measures.resolved_j, pair.trials))
    if measure.exact:
        cost = of_rounds([max(old)], [max(new)])
        return Draft(row, limits, cost, is_exact=True, floor=floor)
    if min(row.rounds) < limits.min_rounds:
        why = f"{min(row.rounds)} rounds of {limits.min_rounds} (min_rounds)"
        gone = {"verdict": "not-comparable", "reason": why}
        return Draft(row.model_copy(update=gone), limits)
    side_by_side = pair.paired and by_round[0].keys() == by_round[1].keys()
    if side_by_side:
        old, new = ([side[n] for n in sorted(side)] for side in by_round)
    cost = of_rounds(old, new, pair.looks, paired=side_by_side)
    return Draft(row, limits, cost, floor=floor)


def _accuracy(pair: Pair) -> Contrast | None:
    """Difference of the accuracies, or None where a run has none."""
    old, new = (side.evidence for side in pair.sides)
    if old is None or new is None:
        return None
    if any(side.row.accuracy.value is None for side in pair.sides):
        return None  # what was recorded is no accuracy in [0, 1]
    rounds = [
        (variance_of_mean(each.accuracies), max(len(each.accuracies) - 1.0, 1.0))
        for each in (old, new)
    ]
    is_training = pair.sides[0].row.configuration.phase is Phase.TRAIN
    if is_training and min(len(old.rounds), len(new.rounds)) < 2:
        return None
    value = (mean(new.accuracies) or 0.0) - (mean(old.accuracies) or 0.0)
    items = items_variance(old, new, (1.0, 1.0))
    looks = pair.looks if rounds[0][0] or rounds[1][0] else 1.0
    return Contrast(value, (rounds[0], rounds[1]), items, looks)


def _judged(drafts: Sequence[Draft], alpha: float) -> list[GateRow]:
    """Verdicts of one family: every ratio that varies, and every accuracy."""
    costs = [d.cost for d in drafts if d.cost and not d.is_exact]
    accuracies = [d.accuracy for d in drafts if d.accuracy and d.accuracy.deviation]
    family = iter(as_family(costs + accuracies, alpha))
    ratios = [_told(d.cost, family, is_exact=d.is_exact) for d in drafts]
    deltas = [
        _told(d.accuracy, family, is_exact=not (d.accuracy and d.accuracy.deviation))
        for d in drafts
    ]
    return [_row(*each) for each in zip(drafts, ratios, deltas, strict=True)]


def _told(
    contrast: Contrast | None, family: Iterator[Tested], *, is_exact: bool
) -> Tested | None:
    """The next of the family, or what needs no test as it does not vary."""
    if contrast is None or not is_exact:
        return contrast and next(family)
    return Tested(contrast, 1.0, 0.0)


def _row(draft: Draft, ratio: Tested | None, accuracy: Tested | None) -> GateRow:
    """A row with what its tests showed."""
    row = draft.row
    found: dict[str, object] = {}
    if ratio is not None:
        margin, base = Margin(draft.limits.delta, draft.floor), row.baseline or 0.0
        shown = verdict(ratio, base, margin)
        found = {
            "ratio": ratio_of(ratio),
            "p": None if draft.is_exact else ratio.p,
            "verdict": shown,
            "minimal_detectable_ratio": detectable_ratio(ratio, base, margin),
        }
        if shown == "inconclusive":
            found["reason"] = _undecided(ratio, margin)
    if accuracy is not None:
        value = accuracy.contrast.value
        found["accuracy_delta"] = Interval(
            value=value, low=accuracy.low, high=accuracy.high
        )
        found["accuracy_lost"] = loses_accuracy(accuracy, draft.limits.accuracy_drop)
    return row.model_copy(update=found)


def _undecided(ratio: Tested, margin: Margin) -> str:
    """Why a ratio decides nothing."""
    if not (ratio.low > 0 or ratio.high < 0):
        return "the rounds spread too far; more rounds or longer windows would tell"
    if abs(ratio.contrast.value) > math.log1p(margin.delta):
        return "the difference is below the floor"
    return "a change is shown, but not on which side of delta it lies"
