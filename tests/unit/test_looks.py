"""Rankings of rounds that end at a target pay for the looks at their intervals."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from harness.jobs import Protocol
from harness.outcomes import Outcomes
from harness.records import TrialRecord
from harness.sequential import ONE_LOOK, Looks, is_narrow, looks_of
from reports.comparing import Comparison, compare
from reports.ranking import Ranking, rank
from reports.rows import Interval, Row
from tests.unit.test_ranking import trial

RUN, OTHER = Path("a-run"), Path("another-run")
LOOKS = Looks(3, 10)
TARGET = 0.03
NEAR = [50.0, 50.9, 49.4, 50.4]


def measured(spreads: Sequence[float], seed: int) -> list[TrialRecord]:
    """Rounds of 0.5 J/item, each configuration's until they are near enough."""
    chance = np.random.default_rng(seed)
    records = []
    for number, spread in enumerate(spreads):
        name = f"p{number}" if number else "fp32"
        joules: list[float] = []
        while len(joules) < LOOKS.last and not is_narrow(joules, TARGET, *LOOKS):
            joules.append(50 * float(np.exp(chance.normal(0.0, spread))))
            new = trial(name, joules[-1], round=len(joules) - 1, n=10**7)
            records.append(new)
    return records


def rounds(precision: str, joules: Sequence[float]) -> list[TrialRecord]:
    return [trial(precision, j, round=n, n=10**7) for n, j in enumerate(joules)]


def ranked(records: list[TrialRecord], looks: Looks = LOOKS) -> Ranking:
    outcomes = Outcomes(records, [RUN] * len(records))
    return rank(records, outcomes=outcomes, looks={str(RUN): looks})


def rows(ranking: Ranking) -> list[Row]:
    (group,) = ranking.groups
    return list(group.rows)


def coverage(found: Sequence[Row], name: str, truth: float) -> float:
    """Share of the rows whose interval holds the truth."""
    intervals: list[Interval] = [getattr(row, name) for row in found]
    held = [(i.low or 0.0) <= truth <= (i.high or 0.0) for i in intervals]
    return sum(held) / len(held)


def check_coverage(spread: float, count: int, slack: float) -> None:
    """Both intervals over rounds keep 95 %, within what chance does to so many."""
    found = rows(ranked(measured([spread] * count, seed=round(spread * 1e4))))
    assert coverage(found, "energy_per_item_j", 0.5) >= 0.95 - slack
    assert coverage(found, "accuracy_per_j", 1.6) >= 0.95 - slack


def test_intervals_hold_the_truth_where_plain_ones_do_not() -> None:
    records = measured([0.03] * 800, seed=300)

    plain, corrected = (rows(ranked(records, looks)) for looks in (ONE_LOOK, LOOKS))

    for name, truth in (("energy_per_item_j", 0.5), ("accuracy_per_j", 1.6)):
        assert coverage(plain, name, truth) < 0.925
        assert coverage(corrected, name, truth) >= 0.94


@pytest.mark.slow
@pytest.mark.parametrize("spread", [0.005, 0.01, 0.015, 0.02, 0.03, 0.06])
def test_intervals_hold_the_truth_at_any_spread(spread: float) -> None:
    check_coverage(spread, count=4000, slack=0.01)


@pytest.mark.slow
@pytest.mark.parametrize(("count", "spread"), [(2, 0.02), (5, 0.03), (8, 0.02)])
def test_of_equal_configurations_few_families_show_a_difference(
    count: int, spread: float
) -> None:
    families = 300
    false = 0
    for seed in range(families):
        found = rows(ranked(measured([spread] * count, seed)))
        false += any((row.rank_low or 1) > 1 for row in found)

    assert false / families <= 0.05


def test_a_fixed_number_of_rounds_is_looked_at_once() -> None:
    assert looks_of(Protocol(rounds=5, rounds_min=5)) == ONE_LOOK
    assert looks_of(Protocol(rounds=10, rounds_min=3, target_ci_ratio=0.03)) == LOOKS
    assert (ONE_LOOK.number, ONE_LOOK.alpha) == (1, 0.05)
    assert LOOKS.number == 8
    assert LOOKS.alpha == pytest.approx(0.0232, abs=2e-4)


def test_one_look_changes_nothing_and_is_not_mentioned() -> None:
    records = [*rounds("fp32", NEAR), *rounds("int8", [j * 0.98 for j in NEAR])]

    assert ranked(records, ONE_LOOK) == rank(
        records, outcomes=Outcomes(records, [RUN] * len(records))
    )
    assert "looks" not in str(ranked(records, ONE_LOOK).groups[0].notes)


def test_the_correction_is_said_once_a_group() -> None:
    (group,) = ranked([*rounds("fp32", NEAR), *rounds("int8", NEAR)]).groups

    said = [note for note in group.notes if "looks" in note]

    assert said == ["rounds end at a target: intervals corrected for 8 looks"]
    assert {row.looks for row in group.rows} == {8}


def test_of_several_runs_each_configuration_pays_for_its_own() -> None:
    first, second = rounds("fp32", NEAR), rounds("int8", NEAR)
    both = [*first, *second, *rounds("fp32", NEAR)]
    homes = [RUN] * 4 + [OTHER] * 8
    looks = {str(RUN): LOOKS, str(OTHER): ONE_LOOK}

    mixed = rank(both, outcomes=Outcomes(both, homes), looks=looks)
    plain = rank(both, outcomes=Outcomes(both, homes))

    ours, theirs = (
        {r.configuration.precision: r for r in rows(x)} for x in (mixed, plain)
    )
    assert {name: row.looks for name, row in ours.items()} == {"fp32": 8, "int8": 1}
    assert ours["int8"].energy_per_item_j == theirs["int8"].energy_per_item_j
    assert (ours["fp32"].energy_per_item_j.half or 0) > 1.1 * (
        theirs["fp32"].energy_per_item_j.half or 1
    )


def test_a_lead_that_one_look_shows_may_be_a_tie_after_many() -> None:
    records = [*rounds("fp32", NEAR), *rounds("int8", [49.0, 49.98, 49.1, 49.98])]

    alone, looked = (rows(ranked(records, looks)) for looks in (ONE_LOOK, LOOKS))

    assert [row.rank for row in alone] == [1, 2]
    assert [row.rank for row in looked] == [1, 1]


def compared(looks: tuple[Looks, Looks]) -> Comparison:
    one, two = rounds("fp32", NEAR), rounds("fp32", [j * 0.95 for j in NEAR])
    return compare((one, two), (Outcomes(), Outcomes()), looks=looks)


def test_a_comparison_pays_for_the_looks_of_either_run() -> None:
    plain, corrected = compared((ONE_LOOK, ONE_LOOK)), compared((ONE_LOOK, LOOKS))

    (before,), (after,) = plain.rows, corrected.rows
    assert plain.notes == ()
    assert corrected.notes == ("intervals corrected for 8 looks",)
    assert (after.energy_ratio.half or 0) > 1.2 * (before.energy_ratio.half or 1)
    assert after.p == pytest.approx((before.p or 0) * 0.05 / LOOKS.alpha)
    assert after.accuracy_delta == before.accuracy_delta
