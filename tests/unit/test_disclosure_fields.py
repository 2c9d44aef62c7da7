"""Single fields of each format, by figures that can be worked out by hand."""

import csv
import io
import json
import re
from typing import Any

import pytest

from harness.records import Evaluation, Phase, TrialRecord
from harness.units import JOULES_PER_KWH
from reports.disclosure import Subject
from tests.disclosure_schemas import consumptions, one, texts
from tests.disclosures import ledger, subject, trial


def report(of: Subject) -> dict[str, Any]:
    (text,) = texts(of, "boamps").values()
    found: dict[str, Any] = json.loads(text)
    return found


def component(of: Subject) -> dict[str, Any]:
    (found,) = json.loads(one(of, "cyclonedx"))["components"]
    return dict(found)


def bounded(ratio: float | None) -> TrialRecord:
    sound = trial()
    assert sound.total
    bound_j = None if ratio is None else 360.0 * ratio
    total = sound.total.model_copy(update={"error_bound_j": bound_j})
    return sound.model_copy(update={"total": total})


@pytest.mark.parametrize(
    ("ratio", "grade"),
    [(0.05, "high"), (0.2, "medium"), (0.4, "low"), (3.0, None), (None, None)],
)
def test_boamps_grades_by_the_error_bound(
    ratio: float | None, grade: str | None
) -> None:
    assert report(subject([bounded(ratio)])).get("quality") == grade


def test_boamps_counts_the_items_of_one_pass_over_the_data() -> None:
    told = report(subject([trial(phase=Phase.TRAIN), trial(phase=Phase.TRAIN)]))

    assert told["task"]["dataset"][0]["dataQuantity"] == 2_500
    assert told["task"]["algorithms"][0]["epochsNumber"] == 2
    assert told["measures"][0]["measurementDuration"] == 60


def test_boamps_tells_no_epochs_where_a_target_ended_the_training() -> None:
    plain = trial(phase=Phase.TRAIN)
    options = plain.configuration.options | {"target": 0.7}
    stopped = plain.configuration.model_copy(update={"options": options})

    told = report(subject([plain.model_copy(update={"configuration": stopped})]))

    assert "epochsNumber" not in told["task"]["algorithms"][0]
    assert told["task"]["dataset"][0]["dataQuantity"] == 5_000


def test_boamps_has_all_items_that_were_inferred() -> None:
    told = report(subject([trial(), trial(number=1)]))

    assert told["task"]["nbRequest"] == 10_000
    assert told["task"]["dataset"][0]["dataQuantity"] == 10_000
    assert told["measures"][0]["powerConsumption"] * JOULES_PER_KWH == 720.0
    assert told["measures"][0]["cpuTrackingMode"] == "rapl.powercap (measured)"


@pytest.mark.parametrize(
    ("phase", "name"), [(Phase.TRAIN, "trainedOn"), (Phase.INFER, "testedOn")]
)
def test_spdx_says_what_data_were_for(phase: Phase, name: str) -> None:
    graph = json.loads(one(subject([trial(phase=phase)]), "spdx"))["@graph"]

    (link,) = (node for node in graph if node["type"] == "Relationship")
    (data,) = (node for node in graph if node["type"] == "dataset_DatasetPackage")

    assert link["relationshipType"] == name
    assert link["to"] == [data["spdxId"]]
    assert "CC0" in data["software_attributionText"][0]


def test_spdx_has_no_exponent_in_its_quantity() -> None:
    tiny = one(subject([trial(cpu_j=1e-9, dram_j=1e-9)]), "spdx")

    found = re.findall(r'"ai_energyQuantity": "(.*)"', tiny)

    assert len(found) == 1
    assert re.fullmatch(r"-?[0-9]+(\.[0-9]*)?", found[0])


def test_cyclonedx_tells_what_stands_beside_a_training() -> None:
    examined = trial(
        phase=Phase.TRAIN, evaluation=Evaluation(duration_s=1.0, energy_j=12.0)
    )

    told = {
        each["activity"]: each["activityEnergyCost"]["value"] * JOULES_PER_KWH
        for each in consumptions(component(subject([examined])))
    }

    assert told == pytest.approx(
        {"training": 360.0, "validation": 12.0, "deployment": 40.0}
    )


@pytest.mark.parametrize("digest", ["ab" * 32, "AB" * 32, "../../x", None])
def test_only_a_digest_is_told_as_one(digest: str | None) -> None:
    sound = trial()
    assert sound.model
    model = sound.model.model_copy(update={"weights_sha256": digest})

    told = component(subject([sound.model_copy(update={"model": model})]))

    sha256 = [{"alg": "SHA-256", "content": "ab" * 32}]
    assert told.get("hashes") == (sha256 if digest == "ab" * 32 else None)


def test_emissions_csv_has_power_load_and_water() -> None:
    (line,) = csv.DictReader(io.StringIO(one(subject([trial()]), "codecarbon")))

    assert float(line["cpu_power"]) == pytest.approx(300.0 * 1.25 / 60)
    assert float(line["ram_power"]) == pytest.approx(60.0 * 1.25 / 60)
    assert float(line["cpu_energy"]) == pytest.approx(300.0 * 1.25 / JOULES_PER_KWH)
    assert float(line["cpu_utilization_percent"]) == pytest.approx(90)
    assert float(line["water_consumed"]) == pytest.approx(0.4 * 360 / JOULES_PER_KWH)
    assert float(line["emissions_rate"]) == pytest.approx(float(line["emissions"]) / 60)
    assert line["country_name"] == "France"
    assert line["country_iso_code"] == "FRA"
    assert line["timestamp"] == "2026-11-25T10:00:00"


def test_a_part_of_a_country_is_a_region() -> None:
    of = subject([trial()], ledger(place="USA-CA"))
    (line,) = csv.DictReader(io.StringIO(one(of, "codecarbon")))

    assert line["country_name"] == "United States"
    assert line["country_iso_code"] == "USA"
    assert line["region"] == "CA"


def test_a_card_says_the_joules_of_an_item() -> None:
    (card,) = texts(subject([trial(), trial(number=1)]), "huggingface").values()

    assert "**Energy per item:** 72.0 mJ" in card


def test_the_form_of_the_eu_has_its_units_and_figures() -> None:
    trained, inferred = texts(
        subject([trial(phase=phase) for phase in Phase]), "eu"
    ).values()

    assert "| 1.25e+11 FLOP |" in trained
    assert "| 0.000694 days of wall-clock time |" in trained
    assert "| 1.00e-07 MWh (measured) |" in trained
    assert "| 9.92e+05 |" in trained
    assert "| 2.50e+10 FLOP |" in inferred
    assert "MWh" not in inferred


def test_the_form_of_the_eu_says_unknown_where_nothing_was_counted() -> None:
    sound = trial(phase=Phase.TRAIN, performance=None, model=None)

    (text,) = texts(subject([sound]), "eu").values()

    assert "training | unknown | not counted" in text
    assert "parameters | unknown" in text
