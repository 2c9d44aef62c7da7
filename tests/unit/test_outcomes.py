import zipfile
from pathlib import Path
from typing import Any
from zipfile import ZIP_DEFLATED as DEFLATED

import numpy as np
import pytest

from harness.outcomes import MOST_BYTES, Outcomes, common
from harness.records import TrialRecord
from reports.ranking import rank
from tests.unit.test_ranking import trial

Arrays = dict[str, Any]


def stored(folder: Path, **arrays: Any) -> tuple[TrialRecord, Outcomes]:
    """A trial of four items, three right, with its answers."""
    record = trial("fp32", 50.0, accuracy=0.75, n=4)
    record = record.model_copy(update={"trial": "r0"})
    (folder / "outcomes").mkdir(exist_ok=True)
    correct = np.array([True, True, False, True])
    np.savez(folder / "outcomes" / "r0.npz", **({"correct": correct} | arrays))
    return record, Outcomes([record], [folder])


def test_answers_come_in_the_order_of_the_items(tmp_path: Path) -> None:
    record, outcomes = stored(tmp_path, item=np.array([3, 2, 1, 0]))

    answers = outcomes.read(record)

    assert answers is not None
    assert answers.item.tolist() == [0, 1, 2, 3]
    assert answers.correct.tolist() == [1, 0, 1, 1]


@pytest.mark.parametrize(
    ("arrays", "why"),
    [
        ({"correct": np.array([1.0, 1, 0, 1])}, "true and false"),
        ({"correct": np.array([True, True, True, True])}, "another accuracy"),
        ({"correct": np.array([True])}, "another number of items"),
        ({"correct": np.array([{}], dtype=object)}, "allow_pickle"),
        ({"item": np.array([0, 0, 1, 2])}, "each item once"),
        ({"item": np.array([0, 1])}, "another length"),
        ({"truth": np.array([0, 1])}, "another length"),
    ],
)
def test_what_does_not_fit_is_not_used_and_named(
    tmp_path: Path, arrays: Arrays, why: str
) -> None:
    record, outcomes = stored(tmp_path, **arrays)

    assert outcomes.read(record) is None
    assert why in outcomes.faults[0]


def test_a_file_that_unpacks_to_too_much_is_not_unpacked(tmp_path: Path) -> None:
    record, outcomes = stored(tmp_path)
    path = tmp_path / "outcomes" / "r0.npz"
    with (
        zipfile.ZipFile(path, "w", DEFLATED) as archive,
        archive.open("correct.npy", "w") as member,
    ):
        for _ in range(MOST_BYTES // 2**20 + 1):
            member.write(bytes(2**20))

    assert outcomes.read(record) is None
    assert "256 MiB" in outcomes.faults[0]


def test_a_broken_file_leaves_the_ranking(tmp_path: Path) -> None:
    record, outcomes = stored(tmp_path)
    (tmp_path / "outcomes" / "r0.npz").write_bytes(b"PK\x03\x04 torn")

    (group,) = rank([record], outcomes=outcomes).groups

    assert group.rows[0].place == 1
    assert len(outcomes.faults) == 1


def test_a_name_that_leads_out_of_the_folder_is_not_followed(tmp_path: Path) -> None:
    record, _ = stored(tmp_path)
    record = record.model_copy(update={"trial": "../outcomes/r0"})

    assert Outcomes([record], [tmp_path]).read(record) is None


def test_other_items_do_not_pair(tmp_path: Path) -> None:
    truth = np.array([0, 1, 2, 3])
    one = stored(tmp_path, truth=truth)
    first = one[1].read(one[0])
    two = stored(tmp_path, truth=truth[::-1].copy())
    second = two[1].read(two[0])
    part = stored(tmp_path, truth=truth, item=np.array([2, 3, 4, 5]))
    third = part[1].read(part[0])
    assert first is not None
    assert second is not None
    assert third is not None

    assert common(first, first) is not None
    assert common(first, second) is None
    assert common(first, third) is None  # items 2 and 3 have other answers there
