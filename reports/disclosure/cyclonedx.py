"""CycloneDX 1.6 (ECMA-424): a bill of materials with a model card a configuration.

Energy stands in modelCard.considerations.environmentalConsiderations; the format knows
kWh and tonnes only, and no origin of a number, so that stands in properties.
"""

import json
from collections.abc import Iterator
from typing import Any

from reports.disclosure import words
from reports.disclosure.subject import TOOL, Activity, Amounts, Subject

KG_PER_TONNE = 1_000.0
FAMILIES = {
    "bert": "transformer",
    "cnn": "convolutional neural network",
    "rnn": "recurrent neural network",
}


def files(subject: Subject) -> Iterator[tuple[str, str]]:
    """One bill of materials for all configurations."""
    text = json.dumps(_bom(subject), indent=2, ensure_ascii=False, allow_nan=False)
    yield "cyclonedx.json", text + "\n"


def _bom(subject: Subject) -> dict[str, Any]:
    tool = {"type": "application", "name": TOOL, "version": subject.tool_version}
    return {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{words.identity(subject, 'cyclonedx')}",
        "version": 1,
        "metadata": {
            "timestamp": subject.created_utc,
            "tools": {"components": [tool]},
            "properties": [
                _property(f"left-out:{key}", why)
                for key, why in subject.left_out.items()
            ],
        },
        "components": [_component(each, subject) for each in subject.activities],
    }


def _property(name: str, value: str) -> dict[str, str]:
    return {"name": f"{TOOL}:{name}", "value": value}


def _component(activity: Activity, subject: Subject) -> dict[str, Any]:
    digest = activity.weights_sha256
    hashes = [{"alg": "SHA-256", "content": digest}] if digest else []
    parameters = activity.parameters
    facts = {
        "parameters": None if parameters is None else str(parameters),
        "precision": activity.configuration.precision,
        "scheme": activity.scheme,
        "batch-size": str(activity.configuration.batch_size),
        "hardware": subject.machine.words,
    }
    return {
        "type": "machine-learning-model",
        "bom-ref": activity.stem,
        "name": activity.key,
        **({"hashes": hashes} if hashes else {}),
        "modelCard": _card(activity, subject),
        "properties": [_property(n, value) for n, value in facts.items() if value],
    }


def _card(activity: Activity, subject: Subject) -> dict[str, Any]:
    card: dict[str, Any] = {
        "modelParameters": _parameters(activity),
        "considerations": {
            "environmentalConsiderations": {
                "energyConsumptions": _consumptions(activity, subject),
                "properties": [_property("coverage", words.coverage(activity))],
            }
        },
    }
    if activity.accuracy is not None:
        metric = {"type": activity.metric, "value": words.plain(activity.accuracy)}
        card["quantitativeAnalysis"] = {"performanceMetrics": [metric]}
    return card


def _parameters(activity: Activity) -> dict[str, Any]:
    workload = activity.configuration.workload
    found: dict[str, Any] = {"architectureFamily": FAMILIES.get(workload, workload)}
    if activity.metric == "accuracy":
        found["task"] = "classification"
    if activity.trains:
        found["approach"] = {"type": "supervised"}
    if data := activity.dataset:
        about = "; ".join(
            part
            for part in (data.about, data.licence and f"licence: {data.licence}")
            if part
        )
        entry: dict[str, Any] = {"type": "dataset", "name": data.name}
        if about:
            entry["description"] = about
        if data.uri:
            entry["contents"] = {"url": data.uri}
        found["datasets"] = [entry]
    return found


def _consumptions(activity: Activity, subject: Subject) -> list[dict[str, Any]]:
    """The work, and what stood beside it where it is known."""
    stated = activity.stated
    work = _consumption(activity.stage, stated.kwh, subject)
    if stated.location_kg is not None:
        tonnes = stated.location_kg / KG_PER_TONNE
        work["co2CostEquivalent"] = {"value": tonnes, "unit": "tCO2eq"}
    work["properties"] = _notes(activity, stated, subject)
    beside = (
        ("validation", activity.evaluation_kwh, "examinations of one training"),
        ("deployment", activity.setup_kwh, "loading and converting, once a round"),
    )
    return [work] + [
        _consumption(name, kwh, subject)
        | {
            "properties": [
                _property("energy:stated-for", what),
                _property("energy:origin", words.tag(activity)),
            ]
        }
        for name, kwh, what in beside
        if kwh is not None
    ]


def _consumption(name: str, kwh: float, subject: Subject) -> dict[str, Any]:
    """Energy of the machines; who sold it is not known to a benchmark."""
    measure = {"value": kwh, "unit": "kWh"}
    provider = {
        "description": words.grid(subject),
        "organization": {"name": words.UNKNOWN},
        "energySource": "unknown",
        "energyProvided": measure,
    }
    return {
        "activity": name,
        "energyProviders": [provider],
        "activityEnergyCost": measure,
    }


def _notes(
    activity: Activity, stated: Amounts, subject: Subject
) -> list[dict[str, str]]:
    """What the format has no field for."""
    values = {
        "energy:bound-kwh": stated.bound_kwh,
        "carbon:market-kg": stated.market_kg,
        "carbon:embodied-kg": stated.embodied_kg,
        "carbon:embodied-low-kg": stated.embodied_low_kg,
        "carbon:embodied-high-kg": stated.embodied_high_kg,
    }
    return [
        _property("energy:stated-for", words.article(activity)),
        _property("energy:origin", words.tag(activity)),
        _property("energy:method", words.method(activity)),
        *(
            _property(name, words.plain(value))
            for name, value in values.items()
            if value is not None
        ),
        *(
            _property(f"unknown:{name.replace('_', '-')}", why)
            for name, why in subject.reasons.items()
        ),
    ]
