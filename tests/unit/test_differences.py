import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from reports.differences import half_widths, holm, p_values
from reports.pairs import placed


@pytest.mark.parametrize("freedom", [1.0, 2.0, 4.0, 9.0, 99.0])
def test_without_items_it_is_students_t(freedom: float) -> None:
    difference = np.array([0.5, 2.0, 6.0])

    p = p_values(difference, [(np.ones(3), np.full(3, freedom))], np.zeros(3))

    assert p == pytest.approx(2 * stats.t.sf(difference, freedom), abs=1e-4)


def test_without_rounds_it_is_normal() -> None:
    p = p_values(np.array([1.96]), [(np.zeros(1), np.ones(1))], np.ones(1))

    assert p[0] == pytest.approx(2 * stats.norm.sf(1.96))


def test_a_half_width_is_where_p_reaches_five_percent() -> None:
    parts = [(np.ones(1), np.array([2.0])), (np.ones(1), np.array([4.0]))]
    items = np.array([0.5])

    half = half_widths(parts, items)

    assert p_values(half, parts, items)[0] == pytest.approx(0.05, abs=1e-6)


def test_equal_means_never_differ() -> None:
    p = p_values(np.zeros(1), [(np.zeros(1), np.ones(1))], np.zeros(1))

    assert p[0] == 1.0


def test_holm_of_a_known_family() -> None:
    adjusted = holm(np.array([0.01, 0.04, 0.03, 0.005]))

    assert adjusted == pytest.approx([0.03, 0.06, 0.06, 0.02])


@given(st.lists(st.floats(0, 1), min_size=1, max_size=30))
def test_holm_lies_between_p_and_bonferroni(values: list[float]) -> None:
    p = np.array(values)

    adjusted = holm(p)

    assert (adjusted >= p).all()
    assert (adjusted <= np.minimum(p * len(p), 1) + 1e-15).all()


def test_ties_are_written_as_in_sport() -> None:
    ranks = placed([0, 1, 1, 3], [3, 1, 1, 0])

    assert [rank for rank, _, _ in ranks] == [1, 2, 2, 4]


@settings(deadline=None)
@given(
    st.integers(1, 8).flatmap(
        lambda k: st.lists(st.booleans(), min_size=k * k, max_size=k * k)
    )
)
def test_a_rank_lies_inside_its_interval_whatever_is_shown(shown: list[bool]) -> None:
    size = round(len(shown) ** 0.5)
    above = np.triu(np.array(shown).reshape(size, size), 1)

    ranks = placed(above.sum(axis=0).tolist(), above.sum(axis=1).tolist())

    assert all(low <= rank <= high for rank, low, high in ranks)
    assert [rank for rank, _, _ in ranks] == sorted(rank for rank, _, _ in ranks)
