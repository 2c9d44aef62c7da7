"""SPDX 3.0.1 with its AI and dataset profiles, as JSON-LD.

Conformance with the AI profile is not claimed: it asks for a supplier, a release time
and a place of download, which a benchmark does not know.
"""

import json
from collections.abc import Iterator
from typing import Any

from reports.disclosure import words
from reports.disclosure.subject import TOOL, Activity, Dataset, Subject

CONTEXT = "https://spdx.org/rdf/3.0.1/spdx-context.jsonld"
CREATION = "_:creation"
STAGES = {
    "training": "ai_trainingEnergyConsumption",
    "fine-tuning": "ai_finetuningEnergyConsumption",
    "inference": "ai_inferenceEnergyConsumption",
}
KINDS = {"text": "text", "image": "image", "other": "noAssertion"}


def files(subject: Subject) -> Iterator[tuple[str, str]]:
    """One document for all configurations."""
    text = json.dumps(_document(subject), indent=2, ensure_ascii=False, allow_nan=False)
    yield "spdx.json", text + "\n"


def _document(subject: Subject) -> dict[str, Any]:
    """A graph of the document, its maker, the models and their data."""
    base = f"urn:uuid:{words.identity(subject, 'spdx')}#"
    agent = {
        "type": "SoftwareAgent",
        "spdxId": f"{base}agent",
        "creationInfo": CREATION,
        "name": words.program(subject),
    }
    models = [_model(each, subject, base) for each in subject.activities]
    sets = {
        each.dataset.name: each.dataset for each in subject.activities if each.dataset
    }
    names = {name: f"{base}data-{place}" for place, name in enumerate(sets)}
    data = [_dataset(each, names[name]) for name, each in sets.items()]
    links = [
        _link(each, names[each.dataset.name], base)
        for each in subject.activities
        if each.dataset
    ]
    elements = [agent, *models, *data, *links]
    document = {
        "type": "SpdxDocument",
        "spdxId": f"{base}document",
        "creationInfo": CREATION,
        "name": subject.suite or TOOL,
        "profileConformance": ["core", "software"],
        "rootElement": [model["spdxId"] for model in models],
        "element": [element["spdxId"] for element in elements],
    }
    creation = {
        "type": "CreationInfo",
        "@id": CREATION,
        "specVersion": "3.0.1",
        "created": subject.created_utc,
        "createdBy": [agent["spdxId"]],
    }
    return {"@context": CONTEXT, "@graph": [creation, document, *elements]}


def _model(activity: Activity, subject: Subject, base: str) -> dict[str, Any]:
    energy = {
        "type": "ai_EnergyConsumptionDescription",
        "ai_energyQuantity": words.plain(activity.stated.kwh),
        "ai_energyUnit": "kilowattHour",
    }
    model: dict[str, Any] = {
        "type": "ai_AIPackage",
        "spdxId": f"{base}{activity.stem}",
        "creationInfo": CREATION,
        "name": activity.key,
        "comment": "; ".join(_remarks(activity, subject)),
        "software_primaryPurpose": "model",
        "ai_energyConsumption": {
            "type": "ai_EnergyConsumption",
            STAGES[activity.stage]: [energy],
        },
        "ai_typeOfModel": [activity.configuration.workload],
        "ai_hyperparameter": [
            _entry(name, str(value))
            for name, value in sorted(activity.configuration.options.items())
            if name != "data"
        ],
    }
    if activity.accuracy is not None and activity.metric:
        model["ai_metric"] = [_entry(activity.metric, words.plain(activity.accuracy))]
    if activity.trains:
        model["ai_informationAboutTraining"] = words.coverage(activity)
    if activity.weights_sha256:
        model["verifiedUsing"] = [
            {
                "type": "Hash",
                "algorithm": "sha256",
                "hashValue": activity.weights_sha256,
            }
        ]
    return model


def _remarks(activity: Activity, subject: Subject) -> Iterator[str]:
    """What the format has no field for: origin of the energy, and carbon."""
    stated = activity.stated
    yield f"energy of {words.article(activity)}: {words.tag(activity)}"
    yield words.method(activity)
    yield words.coverage(activity)
    for name, value in (
        ("operational kg CO2e, location-based", stated.location_kg),
        ("operational kg CO2e, market-based", stated.market_kg),
        ("embodied kg CO2e", stated.embodied_kg),
    ):
        yield f"{name}: {words.UNKNOWN if value is None else words.plain(value)}"
    yield words.grid(subject)


def _entry(key: str, value: str) -> dict[str, str]:
    return {"type": "DictionaryEntry", "key": key, "value": value}


def _dataset(data: Dataset, name: str) -> dict[str, Any]:
    found: dict[str, Any] = {
        "type": "dataset_DatasetPackage",
        "spdxId": name,
        "creationInfo": CREATION,
        "name": data.name,
        "dataset_datasetType": [KINDS[data.kind]],
    }
    if data.about:
        found["summary"] = data.about
    if data.licence:
        found["software_attributionText"] = [f"licence: {data.licence}"]
    if data.uri:
        found["software_downloadLocation"] = data.uri
    return found


def _link(activity: Activity, data: str, base: str) -> dict[str, Any]:
    """Which data a model was trained or run on."""
    return {
        "type": "Relationship",
        "spdxId": f"{base}{activity.stem}-data",
        "creationInfo": CREATION,
        "relationshipType": "trainedOn" if activity.trains else "testedOn",
        "from": f"{base}{activity.stem}",
        "to": [data],
    }
