"""What must hold for every set of trials, not only for the ones we thought of."""

import math
from random import Random

from hypothesis import example, given, settings
from hypothesis import strategies as st

from harness.readings import EnergyTotal, Provenance
from harness.records import Configuration, Phase, Quality, TrialRecord, WindowRecord
from reports.exports import to_csv, to_json, to_markdown
from reports.ranking import METRICS, Ranking, rank

Facts = tuple[float | None, float, int]


def trial(precision: str, number: int, facts: Facts) -> TrialRecord:
    energy_j, accuracy, items = facts
    asked = Configuration(
        workload="cnn",
        phase=Phase.INFER,
        precision=precision,
        device="cpu",
        batch_size=8,
    )
    return TrialRecord(
        schema=1,
        trial=f"{asked.key}#{number}",
        key=asked.key,
        round=number,
        status="ok",
        configuration=asked,
        window=WindowRecord(
            start_s=0.0, end_s=2.0, duration_s=2.0, items=items, steps=1, steady=True
        ),
        total=EnergyTotal(
            energy_j=energy_j,
            perimeter=("cpu",),
            provenance=Provenance.MEASURED,
            tier="B",
            complete=True,
            error_bound_j=None,
            modelled_ratio=0.0,
        ),
        quality=Quality(
            metric="accuracy", accuracy=accuracy, n=50, constant_baseline=0.1
        ),
    )


JOULES = st.one_of(
    st.none(),
    st.just(0.0),
    st.just(math.inf),
    st.floats(min_value=1e-6, max_value=1e6),
)
FACTS = st.tuples(JOULES, st.floats(0, 1), st.integers(0, 1000))
TRIALS = st.lists(
    st.builds(
        trial,
        st.sampled_from(["fp32", "bf16", "int8", "int4"]),
        st.integers(0, 4),
        FACTS,
    ),
    max_size=16,
    unique_by=lambda record: record.trial,
)


def order(ranking: Ranking, without: str = "") -> list[str]:
    rows = [row for group in ranking.groups for row in group.rows if row.place]
    return [row.key for row in rows if row.configuration.precision != without]


@settings(deadline=None)
@given(TRIALS, st.randoms(use_true_random=False), st.sampled_from(METRICS))
def test_shuffled_input_gives_the_same_table(
    records: list[TrialRecord], random: Random, by: str
) -> None:
    shuffled = list(records)
    random.shuffle(shuffled)

    assert rank(shuffled, by=by) == rank(records, by=by)


@settings(deadline=None)
@given(TRIALS, FACTS)
def test_an_irrelevant_entry_changes_no_order(
    records: list[TrialRecord], facts: Facts
) -> None:
    before = order(rank(records))

    after = order(rank([*records, trial("other", 0, facts)]), without="other")

    assert after == before


@settings(deadline=None)
@given(st.lists(FACTS, min_size=1, max_size=4))
@example([(1.0, 1e-150, 1)] * 3)
def test_two_copies_tie(rounds: list[Facts]) -> None:
    records = [
        trial(name, number, facts)
        for name in ("fp32", "copy")
        for number, facts in enumerate(rounds)
    ]

    (group,) = rank(records).groups

    one, two = group.rows
    alike = ("place", "rank", "rank_low", "rank_high", "on_frontier", "frontier_ratio")
    assert [getattr(one, name) for name in alike] == [
        getattr(two, name) for name in alike
    ]


@settings(deadline=None)
@given(TRIALS)
def test_no_score_is_infinite_and_every_unranked_row_has_a_reason(
    records: list[TrialRecord],
) -> None:
    ranking = rank(records)

    for row in (row for group in ranking.groups for row in group.rows):
        for interval in (row.energy_per_item_j, row.accuracy_per_j, row.skill_per_j):
            bounds = (interval.value, interval.low, interval.high)
            assert all(math.isfinite(b) for b in bounds if b is not None)
        assert (row.rank is None) == (row.reason is not None)
        assert row.place is None or (row.skill or 0) > 0
        assert (row.rank is not None) <= (row.place is not None)
        if row.rank and row.rank_low and row.rank_high:
            assert row.rank_low <= row.rank <= row.rank_high


@settings(deadline=None)
@given(TRIALS)
def test_every_export_takes_every_ranking(records: list[TrialRecord]) -> None:
    ranking = rank(records)

    assert Ranking.model_validate_json(to_json(ranking)).by == ranking.by
    assert to_csv(ranking)
    assert to_markdown(ranking)
