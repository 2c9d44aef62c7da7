"""What a suite names is looked for when it is planned, not in its first trial."""

from pathlib import Path

import pytest

from workloads.places import checkpoint_place, missing


def test_what_is_there_is_not_missing(tmp_path: Path) -> None:
    (tmp_path / "reviews.csv").write_text("text,label\n")

    assert missing({}) is None
    assert missing({"data": str(tmp_path / "reviews.csv")}) is None
    assert missing({"checkpoint": f"hf:{tmp_path}"}) is None
    assert missing({"checkpoint": "hf:google/bert_uncased_L-2_H-128_A-2"}) is None
    assert checkpoint_place(f"hf:{tmp_path}") == tmp_path
    assert checkpoint_place("minilm-l6") == "minilm-l6"


def test_a_misspelt_file_is_told_with_its_neighbour(tmp_path: Path) -> None:
    (tmp_path / "reviews.csv").write_text("text,label\n")

    told = missing({"data": str(tmp_path / "review.csv")}) or ""

    assert f"data: {tmp_path}/review.csv: no such file or folder" in told
    assert "did you mean 'reviews.csv'?" in told
    assert "mend the path in the suite" in told


def test_a_relative_path_is_told_with_where_it_begins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    assert f"in {tmp_path}" in (missing({"data": "reviews"}) or "")


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("minilm-l7", "did you mean 'minilm-l6'?"),
        ("hf:/nowhere/model", "no such file or folder"),
        ("hf:a b", "is no name on the hub"),
        ("hf:", "hf:NAME for the hub"),
        ("hf:~nobody-at-all/model", "looked up"),
    ],
)
def test_a_checkpoint_that_is_nowhere_is_told(name: str, words: str) -> None:
    assert words in (missing({"checkpoint": name}) or "")
