from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from harness.errors import UsageError
from harness.outcomes import Answers, Outcomes
from harness.records import TrialRecord
from reports.comparing import Compared, Comparison, compare
from reports.comparison_exports import to_csv, to_json, to_markdown
from tests.unit.test_ranking import trial

Records = Sequence[TrialRecord]


class Kept(Outcomes):
    """Outcomes that are the same for every trial."""

    def __init__(self, correct: Sequence[float]) -> None:
        super().__init__()
        self._correct = np.array(correct)

    def read(self, record: TrialRecord) -> Answers:
        return Answers(np.arange(len(self._correct)), self._correct, None)


def rounds(precision: str, joules: Sequence[float], **given: Any) -> list[TrialRecord]:
    given = {"n": 100_000} | given
    return [trial(precision, j, round=n, **given) for n, j in enumerate(joules)]


def compared(first: Records, second: Records, **options: Any) -> Comparison:
    return compare((first, second), (Outcomes(), Outcomes()), **options)


def only(first: Records, second: Records, **options: Any) -> Compared:
    (row,) = compared(first, second, **options).rows
    return row


NEAR = [50.0, 50.5, 49.5, 50.2]


@pytest.mark.parametrize(
    ("factor", "outcome"),
    [(0.8, "better"), (1.25, "worse"), (1.0, "no difference shown")],
)
def test_three_outcomes(factor: float, outcome: str) -> None:
    row = only(rounds("fp32", NEAR), rounds("fp32", [j * factor for j in NEAR]))

    assert row.outcome == outcome
    assert row.energy_ratio.value == pytest.approx(factor)
    assert row.score_ratio.value == pytest.approx(1 / factor)
    assert row.energy_ratio.low is not None
    assert (row.p or 0) <= 1


def test_two_rounds_show_no_difference() -> None:
    row = only(rounds("fp32", [50.0, 50.1]), rounds("fp32", [20.0, 20.1]))

    assert row.outcome == "no difference shown"
    assert row.reason == "fewer than three rounds"
    assert row.score_ratio.low is None


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"perimeter": ("cpu", "dram")}, "perimeters differ: cpu against cpu+dram"),
        ({"tier": "D"}, "tiers differ: B against D"),
        ({"options": {"size": "base"}}, "options differ"),
        ({"accuracy": 0.1}, "in the second run: no better than a constant answer"),
    ],
)
def test_what_was_measured_otherwise_is_refused(
    given: dict[str, Any], why: str
) -> None:
    found = compared(rounds("fp32", NEAR), rounds("fp32", NEAR, **given))

    assert found.comparable == 0
    assert why in (found.rows[0].reason or "")


def test_another_device_is_refused_by_name() -> None:
    found = compared(rounds("fp32", NEAR), rounds("fp32", NEAR, device="cuda"))

    assert found.comparable == 0
    assert [row.reason for row in found.rows] == [
        "only in the first run; the other ran on cuda",
        "only in the second run; the other ran on cpu",
    ]


def test_joules_do_not_make_up_for_lost_accuracy() -> None:
    row = only(
        rounds("fp32", NEAR),
        rounds("fp32", [j / 10 for j in NEAR], accuracy=0.5),
    )

    assert row.outcome == "worse"
    assert "fell from 0.800 to 0.500" in (row.reason or "")


def test_the_same_items_pair() -> None:
    correct = [1.0] * 80 + [0.0] * 20
    one, two = (rounds("fp32", NEAR, n=100) for _ in range(2))

    alone = compare((one, two), (Outcomes(), Outcomes())).rows[0]
    paired = compare((one, two), (Kept(correct), Kept(correct))).rows[0]

    assert paired.paired
    assert paired.accuracy_delta.low == paired.accuracy_delta.high == 0.0
    assert not alone.paired
    assert (alone.accuracy_delta.low or 0.0) < -0.05


def test_a_family_is_judged_more_strictly_than_one() -> None:
    other = [j * 0.97 for j in NEAR]
    names = [f"p{number}" for number in range(12)]

    alone = only(rounds("p0", NEAR), rounds("p0", other), by="energy")
    many = compared(
        [r for name in names for r in rounds(name, NEAR)],
        [r for name in names for r in rounds(name, other)],
        by="energy",
    )

    assert (alone.p or 1) < 0.05 < (many.rows[0].p or 0)


def test_exports_hold_every_row_and_nothing_unescaped() -> None:
    found = compared(
        rounds("fp32", NEAR), [*rounds("fp32", NEAR), trial("=x|<b>", 1.0)]
    )

    assert Comparison.model_validate_json(to_json(found)) == found
    assert len(to_csv(found).splitlines()) == 3
    assert "<b>" not in to_markdown(found)


def test_an_unknown_metric_is_refused() -> None:
    with pytest.raises(UsageError, match="speed"):
        compared([], [], by="speed")
