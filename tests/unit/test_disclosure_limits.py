"""What a disclosure covers, does not know, and does with names of others."""

import csv
import io
import json
import math
import re
from pathlib import Path

import pytest
import yaml

from harness.errors import NothingMeasured, OutputError, UsageError
from harness.ledger import Ledger
from harness.records import Phase
from reports.disclosure import EXPORTS, Subject, export, subject_of
from reports.disclosure.codecarbon import COLUMNS
from tests.disclosure_schemas import (
    boamps_faults,
    consumptions,
    cyclonedx_fault,
    emissions,
    one,
    spdx_objects,
    texts,
)
from tests.disclosures import BARE, both, ledger, subject, trial

HOSTILE = 'a"b\n---\n# h1 | <script>alert(1)</script> [x](y) \u202e\u00e9 `c`'


# what is unknown, and what is modelled


def test_what_is_unknown_is_said_or_left_out_and_never_zero() -> None:
    of = subject(both(modelled=False), BARE)
    (bom, _), (_, inferred) = (
        json.loads(one(of, "cyclonedx"))["components"],
        texts(of, "sci").values(),
    )
    report = json.loads(next(iter(texts(of, "boamps").values())))

    assert "co2CostEquivalent" not in consumptions(bom)[0]
    assert "environment" not in report
    assert report["infrastructure"]["infraType"] == "other"
    assert "SCI:** unknown gCO2e/item" in inferred
    assert "- [ ] no part is unknown" in inferred
    assert of.activities[0].stated.location_kg is None
    assert set(of.reasons) == {"location_kg", "market_kg", "embodied_kg"}


def test_embodied_carbon_is_unknown_as_soon_as_that_of_one_piece_is() -> None:
    full = ledger()
    bare_piece = full.hardware[0].model_copy(update={"name": "NIC", "embodied": ()})
    at = ledger(hardware=(*full.hardware, bare_piece))

    of = subject([trial()], at)

    assert of.activities[0].whole.embodied_kg is None
    assert "NIC" in of.reasons["embodied_kg"]


def test_the_range_of_embodied_carbon_holds_sources_and_lifetimes() -> None:
    whole = subject([trial()]).activities[0].whole
    year_s = 365.25 * 24 * 3_600

    assert whole.embodied_low_kg == pytest.approx(2 * 800 * 60 / (6 * year_s))
    assert whole.embodied_high_kg == pytest.approx(2 * 1_300 * 60 / (3 * year_s))


@pytest.mark.parametrize("name", EXPORTS)
def test_modelled_energy_is_marked_in_every_format(name: str) -> None:
    marked = texts(subject(both(modelled=True)), name)
    plain = texts(subject(both(modelled=False)), name)

    for text in marked.values():
        assert re.search("modell?ed", text)
    for text in plain.values():
        assert not re.search(r"\(modelled|, modelled|\| modeled \| energy", text)


def test_mixed_energy_says_how_much_of_it_is_modelled() -> None:
    whole = trial(modelled=True)
    assert whole.total
    half = trial(total=whole.total.model_copy(update={"modelled_ratio": 0.25}))

    text = one(subject([half]), "statement")
    card = next(iter(texts(subject([half]), "huggingface").values()))

    assert "partly modelled" in text
    assert "25% of it estimated by models" in card


# which trials


def test_a_disclosure_names_its_trials_and_why_others_do_not_count() -> None:
    lost = trial(number=1, status="failed", reason="killed")
    never = trial("cnn", status="skipped", reason="no int4 here")

    of = subject([trial(), lost, never])

    (activity,) = of.activities
    assert [each.trial for each in activity.rounds] == ["r0-bert"]
    assert activity.left_out == "1 more: killed"
    assert of.left_out == {"cnn/infer/fp32/cpu/b32": "no int4 here"}
    assert "r0-bert (left out: 1 more: killed)" in one(of, "spdx")
    assert "no int4 here" in one(of, "cyclonedx")


def test_only_some_configurations_can_be_disclosed() -> None:
    trials = [trial(), trial("cnn")]

    of = subject(trials, only_keys="cnn/*")

    assert [each.key for each in of.activities] == ["cnn/infer/fp32/cpu/b32"]
    with pytest.raises(UsageError, match="rnn"):
        subject(trials, only_keys="rnn/*")


def test_training_that_starts_from_weights_of_others_is_fine_tuning() -> None:
    tuned = trial(phase=Phase.TRAIN)
    options = {"checkpoint": "minilm-l6", "sequence_length": 32}
    changed = tuned.configuration.model_copy(update={"options": options})

    of = subject([tuned.model_copy(update={"configuration": changed})])

    assert of.activities[0].stage == "fine-tuning"
    assert "ai_finetuningEnergyConsumption" in one(of, "spdx")
    assert emissions(of)[0]["training_type"] == "fine-tuning"  # type: ignore[index]
    assert '"activity": "fine-tuning"' in one(of, "cyclonedx")


def test_where_own_data_lie_is_not_told() -> None:
    mine = trial()
    options = {"data": "/home/me/secret.csv", "sequence_length": 32}
    changed = mine.configuration.model_copy(update={"options": options})
    of = subject([mine.model_copy(update={"configuration": changed})])

    for name in EXPORTS:
        assert "secret" not in "".join(texts(of, name).values())


def test_numbers_that_json_does_not_know_are_unknown() -> None:
    odd = trial()
    assert odd.total
    bound = odd.total.model_copy(update={"error_bound_j": math.inf})
    quality = odd.quality.model_copy(update={"accuracy": math.nan})  # type: ignore[union-attr]
    of = subject([odd.model_copy(update={"total": bound, "quality": quality})])

    assert of.activities[0].whole.bound_kwh is None
    assert of.activities[0].accuracy is None
    assert cyclonedx_fault(one(of, "cyclonedx")) is None


# names of others


@pytest.fixture
def hostile() -> Subject:
    named = trial(HOSTILE, phase=Phase.TRAIN)
    formula = trial("=cmd|' /C calc'!A1", phase=Phase.TRAIN)
    server = ledger().hardware[0].model_copy(update={"name": HOSTILE})
    return subject([named, formula], ledger(hardware=(server,)))


def test_hostile_names_stay_text_in_markdown(hostile: Subject) -> None:
    for name in ("sci", "eu", "huggingface"):
        for text in texts(hostile, name).values():
            front = text.startswith("---\n")
            body = text.partition("---\n\n")[2] if front else text
            assert "<script" not in body
            assert "[x](" not in body.replace("\\[x](", "")
            titles = [line for line in body.splitlines() if line.startswith("# ")]
            assert len(titles) == 1


def test_hostile_names_stay_text_in_front_matter(hostile: Subject) -> None:
    for text in texts(hostile, "huggingface").values():
        front = yaml.safe_load(text.split("---\n")[1])
        assert set(front) == {"tags", "metrics", "co2_eq_emissions"}


def test_hostile_names_are_no_formula_in_a_sheet(hostile: Subject) -> None:
    lines = list(csv.reader(io.StringIO(one(hostile, "codecarbon"))))

    assert len(lines) == 3
    assert {len(line) for line in lines} == {len(COLUMNS)}
    assert not any(cell.startswith(("=", "@")) for line in lines for cell in line)
    assert any(cell.startswith("'=cmd") for cell in lines[2])


def test_hostile_names_leave_json_valid(hostile: Subject) -> None:
    assert cyclonedx_fault(one(hostile, "cyclonedx")) is None
    assert spdx_objects(one(hostile, "spdx")).missing_ids == set()
    for text in texts(hostile, "boamps").values():
        assert boamps_faults(text) == []


def test_files_stay_in_their_folder_whatever_a_key_is(tmp_path: Path) -> None:
    trials = [trial("../../up"), trial("a" * 300), trial("\u00e9/\u00e8"), trial("..")]

    paths = export(subject(trials), ["all"], tmp_path / "out")

    assert all((tmp_path / "out") in path.resolve().parents for path in paths)
    assert len(set(paths)) == len(paths) == 4 * 4 + 5


# the call


def test_formats_are_written_once_each_in_the_order_given(tmp_path: Path) -> None:
    paths = export(subject([trial()]), ["spdx", "eu", "spdx"], tmp_path)

    assert [path.relative_to(tmp_path).parts[0] for path in paths] == [
        "spdx.json",
        "eu",
    ]


def test_an_unknown_format_is_refused_before_anything_is_written(
    tmp_path: Path,
) -> None:
    with pytest.raises(UsageError, match="did you mean 'boamps'"):
        export(subject([trial()]), ["spdx", "boamp"], tmp_path)

    assert list(tmp_path.iterdir()) == []


def test_nothing_measured_is_nothing_disclosed(tmp_path: Path) -> None:
    with pytest.raises(NothingMeasured, match="killed"):
        export(subject([trial(status="failed", reason="killed")]), ["all"], tmp_path)


def test_a_manifest_without_carbon_is_refused_with_the_reason(tmp_path: Path) -> None:
    with pytest.raises(NothingMeasured, match="no intensity is known"):
        export(subject([trial()], BARE), ["imp"], tmp_path)


def test_a_folder_that_takes_nothing_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(OutputError, match="file"):
        export(subject([trial()]), ["eu"], tmp_path / "file")


def test_cards_are_counted_since_a_run_keeps_no_names() -> None:
    channels = [
        {"domain": "gpu", "device": uuid, "name": name}
        for uuid in ("GPU-1", "GPU-2")
        for name in ("energy", "power")
    ]

    of = subject_of([trial()], None, {"channels": channels, "cpu": "EPYC"}, BARE)

    assert of.machine.words == "EPYC, 2 GPUs"
    (line,) = csv.DictReader(io.StringIO(one(of, "codecarbon")))
    assert line["gpu_count"] == "2"


def test_the_machine_file_is_not_trusted() -> None:
    facts = {"cpu": 7, "cores_physical": "many", "memory_bytes": -1, "packages": [1]}

    of = subject_of([trial()], None, facts, Ledger(site="x"))

    assert of.machine.words is None
    assert boamps_faults(next(iter(texts(of, "boamps").values()))) == []


def test_the_statement_names_what_it_does_not_count() -> None:
    failed = trial("cnn", status="failed", reason="killed")

    text = one(subject([trial(), failed]), "statement")

    assert f"Not counted: {failed.key}: killed." in text
    assert "windows of these 1 trials" in text


@pytest.mark.parametrize("energy_j", [math.inf, math.nan])
def test_a_domain_whose_joules_cannot_be_is_left_out(energy_j: float) -> None:
    good = trial()
    broken = good.energy[0].model_copy(update={"energy_j": energy_j})
    made = subject([good.model_copy(update={"energy": (broken, *good.energy[1:])})])

    (line,) = csv.DictReader(io.StringIO(one(made, "codecarbon")))

    assert line["cpu_energy"] == ""
    assert float(line["ram_energy"]) > 0
