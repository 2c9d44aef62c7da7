"""A run goes on with the data that it began with, or not at all."""

from pathlib import Path

import pytest

from harness.errors import UsageError
from harness.inputs import FILE, keep_or_check
from harness.records import Configuration, OptionValue, Phase
from harness.store import RunFolder


def wanted(**options: OptionValue) -> list[Configuration]:
    return [
        Configuration(
            workload="rnn",
            phase=Phase.INFER,
            precision="fp32",
            device="cpu",
            batch_size=8,
            options=options,
        )
    ]


def refused(folder: RunFolder, configurations: list[Configuration]) -> str:
    with pytest.raises(UsageError) as caught:
        keep_or_check(folder, configurations)
    return caught.value.told()


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    return RunFolder.create(tmp_path / "run")


def test_data_that_changed_is_not_mixed_in(tmp_path: Path, folder: RunFolder) -> None:
    data = tmp_path / "mine.csv"
    data.write_text("text,label")
    mine = wanted(data=str(data))
    keep_or_check(folder, mine)
    keep_or_check(folder, mine)

    data.write_text("text,label\nnew,a")

    assert "has changed since this run began" in refused(folder, mine)
    data.unlink()
    assert "cannot be read any more" in refused(folder, mine)
    keep_or_check(folder, wanted(data=""))  # what needs no data goes on


def test_a_relative_path_is_told_with_where_it_began(
    tmp_path: Path, folder: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "mine.csv").write_text(name)
    mine = wanted(data="mine.csv")
    monkeypatch.chdir(tmp_path / "one")
    keep_or_check(folder, mine)

    monkeypatch.chdir(tmp_path / "two")

    assert f"(in {tmp_path / 'one'})" in refused(folder, mine)


def test_a_checkpoint_counts_as_well(tmp_path: Path, folder: RunFolder) -> None:
    mine = wanted(checkpoint=f"hf:{tmp_path / 'model'}")
    keep_or_check(folder, mine)  # its trials report that it is not there
    (tmp_path / "model").mkdir()
    config = tmp_path / "model" / "config.json"
    config.write_text('{"model_type": "bert"}')
    (tmp_path / "model" / "model.safetensors").write_bytes(b"")
    keep_or_check(folder, mine)  # mended: from now on it counts

    config.write_text('{"model_type": "bert", "pad_token_id": 0}')

    assert "has changed since" in refused(folder, mine)
    assert "minilm-l6" not in folder.read(FILE)
    keep_or_check(folder, wanted(checkpoint="minilm-l6"))


def test_a_spoilt_note_is_told(tmp_path: Path, folder: RunFolder) -> None:
    folder.write(FILE, "[]")
    assert f"{tmp_path / 'run' / FILE}: not what a run writes" in refused(folder, [])
