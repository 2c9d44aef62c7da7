"""The gate: verdicts of the paired test, its size, and what counts alone can say."""

import numpy as np
import pytest

from harness.stats import Z_ONE_SIDED_95, wilson_interval
from reports.noninferiority import counts_prove, proves_share, score_of


def answers(both: int, gained: int, lost: int, neither: int) -> tuple[object, ...]:
    counts = (both, gained, lost, neither)
    return (
        np.repeat([1.0, 1.0, 0.0, 0.0], counts),
        np.repeat([1.0, 0.0, 1.0, 0.0], counts),
    )


def proven(*counts: int, share: float = 0.99) -> bool:
    ours, theirs = answers(*counts)
    assert isinstance(ours, np.ndarray)
    assert isinstance(theirs, np.ndarray)
    return proves_share((ours, theirs), share, ((), ()))


def test_at_a_share_of_one_it_is_mcnemars_test() -> None:
    ours, theirs = answers(700, 60, 40, 200)
    assert isinstance(ours, np.ndarray)
    assert isinstance(theirs, np.ndarray)

    _, variance = score_of(ours, theirs, 1.0)

    assert variance * 1000**2 == pytest.approx(60 + 40)


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        ((800, 0, 0, 200), True),  # the same answers to a thousand items
        ((80, 0, 0, 20), False),  # and to a hundred, which prove no 99 %
        ((790, 3, 10, 197), False),  # 99.1 %, not proven
        ((7900, 100, 100, 1900), True),  # as good, on ten thousand
        ((7000, 0, 1000, 2000), False),
    ],
)
def test_the_verdict_depends_on_how_many_items_say_it(
    counts: tuple[int, int, int, int],
    expected: bool,  # noqa: FBT001 (a case of the table)
) -> None:
    assert proven(*counts) == expected


def test_exactly_at_the_floor_the_gate_proves_at_most_five_percent() -> None:
    random = np.random.default_rng(1)
    lost, gained = 0.029, 0.021  # 0.8 against 0.792
    cells = (0.8 - lost, gained, lost, 0.2 - gained)

    wrong = sum(proven(*c) for c in random.multinomial(2000, cells, 2000))

    assert wrong / 2000 < 0.05 + 3 * (0.05 * 0.95 / 2000) ** 0.5


def test_seeds_that_disagree_prove_less_than_seeds_that_agree() -> None:
    ours, theirs = answers(7900, 200, 100, 1800)
    assert isinstance(ours, np.ndarray)
    assert isinstance(theirs, np.ndarray)
    steady = ((0.81,) * 3, (0.80,) * 3)
    shaky = ((0.76, 0.81, 0.86), (0.80,) * 3)

    assert proves_share((ours, theirs), 0.99, steady)
    assert not proves_share((ours, theirs), 0.99, shaky)


def test_an_absolute_floor_is_wilsons_lower_bound() -> None:
    low, _ = wilson_interval(0.8, 1000, Z_ONE_SIDED_95) or (0.0, 0.0)

    assert counts_prove(((0.8,), 1000), None, low - 1e-9)
    assert not counts_prove(((0.8,), 1000), None, low + 1e-3)


def test_counts_alone_prove_less_than_pairs() -> None:
    assert not counts_prove(((0.8,), 1000), ((0.8,), 1000), 0.99)
    assert counts_prove(((0.8,), 100_000), ((0.8,), 100_000), 0.99)
