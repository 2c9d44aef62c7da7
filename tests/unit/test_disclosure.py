"""What is disclosed: valid by each format's schema, the same numbers in all of them."""

import csv
import io
import json
import math
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.ledger import Hardware
from harness.records import Phase
from harness.units import JOULES_PER_KWH
from reports.disclosure import Subject, export
from reports.disclosure.codecarbon import COLUMNS
from reports.disclosure.sci import checklist, report_of
from tests.disclosure_schemas import (
    boamps_faults,
    consumptions,
    cyclonedx_fault,
    emissions,
    one,
    spdx_objects,
    texts,
)
from tests.disclosures import BARE, both, factor, ledger, subject, trial

DATA = Path(__file__).parents[1] / "data"
PLACES = {
    "all known": ledger(),
    "nothing known": BARE,
    "no place": ledger(intensity=None),
}


@pytest.fixture(
    params=[(m, p) for m in (True, False) for p in PLACES],
    ids=lambda p: f"{'modelled' if p[0] else 'measured'}, {p[1]}",
)
def told(request: pytest.FixtureRequest) -> Subject:
    modelled, place = request.param
    return subject(both(modelled=modelled), PLACES[place])


# the official schemas


def test_boamps_reports_are_valid(told: Subject) -> None:
    for text in texts(told, "boamps").values():
        assert boamps_faults(text) == []


def test_codecarbons_own_model_of_boamps_knows_every_field(told: Subject) -> None:
    from codecarbon.output_methods.boamps import BoAmpsReport

    for text in texts(told, "boamps").values():
        report = json.loads(text)

        assert BoAmpsReport.from_dict(report).to_dict() == report


def test_the_schema_of_boamps_is_not_blind() -> None:
    report = json.loads(next(iter(texts(subject([trial()]), "boamps").values())))

    report["measures"][0]["powerConsumption"] = "much"
    report["infrastructure"]["infraType"] = "cellar"
    del report["task"]["dataset"]

    assert len(boamps_faults(json.dumps(report))) == 3


def test_the_bill_of_materials_is_valid_cyclonedx(told: Subject) -> None:
    text = one(told, "cyclonedx")

    assert cyclonedx_fault(text) is None
    assert cyclonedx_fault(text.replace('"kWh"', '"J"')) is not None


def test_the_document_is_valid_spdx_and_nothing_in_it_dangles(told: Subject) -> None:
    found = spdx_objects(one(told, "spdx"))

    assert found.missing_ids == set()
    assert len(list(found.foreach_type("ai_AIPackage"))) == 2


def test_spdx_without_a_required_field_is_refused() -> None:
    text = one(subject([trial()]), "spdx").replace('"ai_energyUnit"', '"ai_unit"')

    with pytest.raises((ValueError, KeyError, TypeError, AttributeError)):
        spdx_objects(text)


def test_model_cards_have_emissions_of_training_in_grams() -> None:
    trained, inferred = emissions(subject(both(modelled=True)))

    assert inferred is None
    assert trained is not None
    kwh = 360.5 / JOULES_PER_KWH
    assert trained["emissions"] == pytest.approx(kwh * 1.25 * 56.0)
    assert "not measured" in trained["source"]
    assert trained["training_type"] == "pre-training"
    assert trained["geographical_location"] == "FRA"
    assert "AMD EPYC 9654" in trained["hardware_used"]


def test_a_model_card_without_a_place_has_no_emissions() -> None:
    assert emissions(subject(both(modelled=False), BARE)) == [None, None]


def test_emissions_csv_has_the_columns_of_the_installed_codecarbon(
    tmp_path: Path, told: Subject
) -> None:
    from dataclasses import fields

    import pandas as pd
    from codecarbon.output_methods.emissions_data import EmissionsData

    (path,) = export(told, ["codecarbon"], tmp_path)
    frame = pd.read_csv(path)

    assert list(frame.columns) == [field.name for field in fields(EmissionsData)]
    assert list(frame.columns) == list(COLUMNS)
    assert len(frame) == 4
    assert not (frame.select_dtypes("number") == 0).any().any()
    assert frame["gpu_energy"].isna().all()
    assert frame["emissions"].isna().all() == (told.ledger.intensity is None)


# the same numbers everywhere


def kwh_said(of: Subject) -> dict[str, list[float]]:
    """kWh of one training and of 1000 items of inference, by format."""
    reports = [json.loads(text) for text in texts(of, "boamps").values()]
    bom = json.loads(one(of, "cyclonedx"))
    graph = json.loads(one(of, "spdx"))["@graph"]
    lines = list(csv.DictReader(io.StringIO(one(of, "codecarbon"))))
    said: dict[str, list[float]] = {
        "boamps": [
            r["measures"][0]["powerConsumption"]
            / r["task"].get("nbRequest", 1_000)
            * 1_000
            for r in reports
        ],
        "cyclonedx": [
            consumptions(each)[0]["activityEnergyCost"]["value"]
            for each in bom["components"]
        ],
        "spdx": [
            float(next(iter(energies(node)))["ai_energyQuantity"])
            for node in graph
            if node["type"] == "ai_AIPackage"
        ],
        "codecarbon": [
            sum(
                float(line["energy_consumed"])
                for line in lines
                if line["experiment_id"] == each.key
            )
            / (of.ledger.pue.value if of.ledger.pue else 1.0)
            * each.stated_units
            / each.units
            for each in of.activities
        ],
    }
    for name in ("huggingface", "sci"):
        said[name] = [
            number_in(r"Energy:\*\* (\S+) kWh", t) for t in texts(of, name).values()
        ]
    said["statement"] = [
        float(text) for text in re.findall(r" s, (\S+) kWh", one(of, "statement"))
    ]
    trained, inferred = texts(of, "eu").values()
    said["eu"] = [
        number_in(r"training \| (\S+) MWh", trained) * 1_000,
        number_in(r"form\) \| (\S+) kWh for 1000 items", inferred),
    ]
    return said


def number_in(pattern: str, text: str) -> float:
    found = re.search(pattern, text)
    assert found, (pattern, text)
    return float(found[1])


def energies(node: dict[str, Any]) -> list[dict[str, str]]:
    (found,) = (v for k, v in node["ai_energyConsumption"].items() if k != "type")
    return list(found)


joules = st.floats(1e-3, 1e9)


@settings(max_examples=20, deadline=None)
@given(rounds_j=st.lists(st.tuples(joules, joules), min_size=1, max_size=3))
def test_every_format_says_the_same_kwh(rounds_j: list[tuple[float, float]]) -> None:
    of = subject(
        [
            trial(number=number, phase=phase, cpu_j=cpu_j, dram_j=dram_j)
            for phase in Phase
            for number, (cpu_j, dram_j) in enumerate(rounds_j)
        ]
    )
    mean_kwh = math.fsum(map(sum, rounds_j)) / len(rounds_j) / JOULES_PER_KWH
    truth = [mean_kwh, mean_kwh / 5_000 * 1_000]

    for name, values in kwh_said(of).items():
        digits = 5e-3 if name == "eu" else 5e-6
        assert values == pytest.approx(truth, rel=digits), name


@settings(max_examples=20, deadline=None)
@given(cpu_j=joules, pue=st.floats(1.0, 3.0), intensity=st.floats(1.0, 1_500.0))
def test_every_format_says_the_same_carbon(
    cpu_j: float, pue: float, intensity: float
) -> None:
    at = ledger(
        pue=factor("PUE", pue, "ratio"),
        intensity=factor("grid intensity FRA", intensity, "g CO2e/kWh"),
    )
    of = subject([trial(phase=phase, cpu_j=cpu_j) for phase in Phase], at)
    truth_kg = [
        (cpu_j + 60.0) / JOULES_PER_KWH * share * pue * intensity / 1_000
        for share in (1.0, 1_000 / 5_000)
    ]
    lines = list(csv.DictReader(io.StringIO(one(of, "codecarbon"))))
    graph = json.loads(one(of, "spdx"))["@graph"]
    pattern = r"location-based:(?:\*\*)? (\S+?)(?: kg|;)"

    said = {
        "cyclonedx": [
            consumptions(each)[0]["co2CostEquivalent"]["value"] * 1_000
            for each in json.loads(one(of, "cyclonedx"))["components"]
        ],
        "spdx": [
            number_in(pattern, node["comment"])
            for node in graph
            if node["type"] == "ai_AIPackage"
        ],
        "huggingface": [
            number_in(pattern, text) for text in texts(of, "huggingface").values()
        ],
        "statement": [
            float(text) for text in re.findall(r"and (\S+) kg", one(of, "statement"))
        ],
        "codecarbon": [
            sum(float(r["emissions"]) for r in lines if r["experiment_id"] == each.key)
            * each.stated_units
            / each.units
            for each in of.activities
        ],
    }
    (trained, _) = emissions(of)

    assert trained is not None
    assert trained["emissions"] / 1_000 == pytest.approx(truth_kg[0])
    for name, values in said.items():
        assert values == pytest.approx(truth_kg, rel=5e-6), name


def test_sci_is_operation_and_making_over_the_functional_unit() -> None:
    of = subject([trial(), trial(number=1)])
    (activity,) = of.activities

    found = report_of(of, activity)

    operation_g = 720.0 / JOULES_PER_KWH * 1.25 * 56.0
    making_g = 2 * 1_100.0 * 1_000 * 120.0 / (4 * 365.25 * 24 * 3_600)
    assert found.unit == "item"
    assert found.score_g == pytest.approx((operation_g + making_g) / 10_000)
    assert [part.name for part in found.components] == [
        "Electricity of cpu",
        "Electricity of dram",
        "Making the hardware",
    ]
    assert all(passed for _, passed in checklist(found))
    assert len(checklist(found)) == 8


def computed(manifest: dict[str, Any], inputs: dict[str, Any]) -> dict[str, Any]:
    """What `if-run` makes of an input: its plugins, in the order of the pipeline."""
    values = dict(inputs)
    for plugin in manifest["initialize"]["plugins"].values():
        config = plugin["config"]
        if plugin["method"] == "Sci":
            values["sci"] = values["carbon"] / values[config["functional-unit"]]
            continue
        terms = [values[name] for name in config["input-parameters"]]
        multiplies = plugin["method"] == "Multiply"
        made = math.prod(terms) if multiplies else math.fsum(terms)
        values[config["output-parameter"]] = made
    return values


@pytest.mark.parametrize("hardware", [ledger().hardware, ()], ids=["with M", "no M"])
def test_the_manifest_computes_the_same_score(hardware: tuple[Hardware, ...]) -> None:
    of = subject(both(modelled=False), ledger(hardware=hardware))
    manifests = [yaml.safe_load(text) for text in texts(of, "imp").values()]

    for manifest, activity in zip(manifests, of.activities, strict=True):
        (child,) = manifest["tree"]["children"].values()
        inputs = [child["defaults"] | each for each in child["inputs"]]
        outputs = [computed(manifest, each) for each in inputs]
        report = report_of(of, activity)
        parts = [part.score_g for part in report.components if part.score_g is not None]

        carbon_g = math.fsum(each["carbon"] for each in outputs)
        assert carbon_g / activity.units == pytest.approx(math.fsum(parts))
        assert outputs[0]["sci"] == pytest.approx(math.fsum(parts), rel=0.01)


def test_the_checklist_of_sci_finds_what_is_wrong() -> None:
    of = subject([trial()])
    sound = report_of(of, of.activities[0])
    broken = [
        sound._replace(score_g=1.0),
        sound._replace(unit="request"),
        sound._replace(coefficients=()),
        sound._replace(methodologies=(sound.methodologies[0]._replace(tag="guessed"),)),
        sound._replace(methodologies=(sound.methodologies[0]._replace(symbol="X"),)),
        sound._replace(components=(sound.components[0]._replace(about=""),)),
        sound._replace(components=sound.components[:1]),
        sound._replace(components=(sound.components[0]._replace(score_g=None),)),
    ]

    for place, each in enumerate(broken):
        assert not checklist(each)[place][1], checklist(each)[place][0]
