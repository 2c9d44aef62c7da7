import numpy as np
import pytest

from harness.records import TrialRecord
from reports.exports import to_json
from reports.moderation import FEWEST, moderated, prior_of
from reports.ranking import rank
from tests.bench.spread_truth import alone
from tests.bench.spread_truth import moderated as shown
from tests.unit.test_ranking import trial

ROUNDS = 4


def variances_of(spreads: np.ndarray, rounds: int = ROUNDS) -> np.ndarray:
    """[k, k] sample variances of the paired differences."""
    random = np.random.default_rng(3)
    scores = random.normal(0.0, 1.0, (len(spreads), rounds)) * spreads[:, None]
    apart = scores[:, None] - scores[None, :]
    return np.asarray(apart.var(axis=2, ddof=1))


def test_one_spread_is_known_better_the_more_share_it() -> None:
    found = [
        prior_of(variances_of(np.full(k, 0.02)), ROUNDS - 1) for k in (20, 100, 800)
    ]

    freedoms = [prior.freedom for prior in found if prior]
    assert freedoms == sorted(freedoms)
    assert freedoms[-1] > 20
    assert found[-1]
    assert found[-1].variance == pytest.approx(2 * 0.02**2, rel=0.1)


def test_sample_variances_that_agree_leave_no_doubt_of_one_spread() -> None:
    prior = prior_of(np.full((8, 8), 0.3) - 0.3 * np.eye(8), 2)

    assert prior
    assert prior.freedom == 10_000


def test_spreads_that_differ_tenfold_say_little_of_each_other() -> None:
    prior = prior_of(variances_of(np.tile([0.005, 0.05], 100)), ROUNDS - 1)

    assert prior
    assert prior.freedom < 2


def test_a_small_spread_grows_and_a_large_one_shrinks() -> None:
    given = variances_of(np.full(12, 0.02))
    prior = prior_of(given, ROUNDS - 1)
    assert prior

    found, freedom = moderated(given, ROUNDS - 1)

    apart = ~np.eye(12, dtype=bool)
    below = (given < prior.variance) & apart
    assert freedom == ROUNDS - 1 + prior.freedom
    assert (found[below] > given[below]).all()
    assert (found[~below & apart] <= given[~below & apart]).all()
    assert not np.diag(found).any()


def test_the_unit_of_a_variance_changes_nothing() -> None:
    given = variances_of(np.linspace(0.01, 0.05, 9))

    assert moderated(9 * given, 3)[0] == pytest.approx(9 * moderated(given, 3)[0])


@pytest.mark.parametrize(
    "given", [variances_of(np.full(FEWEST - 1, 0.02)), np.zeros((9, 9))]
)
def test_few_configurations_or_no_spread_leave_all_as_it_was(given: np.ndarray) -> None:
    found, freedom = moderated(given, 2)

    assert (found == given).all()
    assert freedom == 2


def test_a_factor_of_4_5_among_23_is_told_apart_in_three_rounds() -> None:
    random = np.random.default_rng(4)
    scores = random.normal(0.0, 0.05, (23, 3)) + random.normal(0.0, 0.05, 3)
    scores[0] += np.log(4.5)

    assert shown(scores)[1] == 22
    assert alone(scores)[1] < 22


def seven() -> list[TrialRecord]:
    joules = 50 * np.exp(np.random.default_rng(6).normal(0.0, 0.02, (7, 3)))
    return [
        trial(f"p{place}" if place else "fp32", float(each) + place, round=number)
        for place, own in enumerate(joules)
        for number, each in enumerate(own)
    ]


def test_the_order_of_trials_changes_no_byte() -> None:
    assert to_json(rank(seven()[::-1])) == to_json(rank(seven()))


def test_one_more_configuration_changes_no_order_and_no_interval() -> None:
    wild = [
        trial("wild", joules, round=n) for n, joules in enumerate((9.0, 90.0, 30.0))
    ]

    (before,) = rank(seven()).groups
    (after,) = rank([*seven(), *wild]).groups

    kept = [row for row in after.rows if row.configuration.precision != "wild"]
    assert [row.key for row in kept] == [row.key for row in before.rows]
    for name in ("energy_per_item_j", "accuracy", "accuracy_per_j"):
        found = [getattr(row, name) for row in kept]
        assert found == [getattr(row, name) for row in before.rows]
