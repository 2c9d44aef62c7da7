"""Manifests of the Impact Framework: `if-run` computes the score of SCI once more.

Format: github.com/Green-Software-Foundation/if, version 1, with its builtin plugins.
"""

from collections.abc import Iterator
from typing import Any

from reports.disclosure import words
from reports.disclosure.subject import Activity, Subject
from reports.sustainability.arithmetic import G_PER_KG

INTENSITY, PUE = "grid/carbon-intensity", "pue"
OPERATIONAL, EMBODIED = "carbon-operational", "carbon-embodied"


def files(subject: Subject) -> Iterator[tuple[str, str]]:
    """A manifest for trainings and one for inference; none without carbon."""
    import yaml

    for unit in ("training", "item"):
        children = {
            activity.key: _child(subject, activity)
            for activity in subject.activities
            if activity.trains == (unit == "training")
            and activity.whole.location_kg is not None
        }
        if children:
            manifest = _manifest(subject, unit) | {"tree": {"children": children}}
            text = yaml.safe_dump(manifest, sort_keys=False, allow_unicode=True)
            yield f"imp/{unit}.yaml", text


def _manifest(subject: Subject, unit: str) -> dict[str, Any]:
    """All but the inputs: E x I x PUE, plus M where it is known, over R."""
    plugins = {
        "operational": _plugin(
            "Multiply",
            {
                "input-parameters": ["energy", INTENSITY, PUE],
                "output-parameter": OPERATIONAL,
            },
        ),
        "carbon": _plugin(
            "Sum",
            {"input-parameters": _parts(subject), "output-parameter": "carbon"},
        ),
        "sci": _plugin("Sci", {"functional-unit": unit}),
    }
    lacking = subject.reasons.get("embodied_kg")
    without = f"; embodied carbon is not in it: {lacking}" if lacking else ""
    return {
        "name": subject.suite or words.UNKNOWN,
        "description": f"by {words.program(subject)}, {words.grid(subject)}{without}",
        "tags": None,
        "initialize": {"plugins": plugins},
    }


def _plugin(method: str, config: dict[str, Any]) -> dict[str, Any]:
    return {"method": method, "path": "builtin", "config": config}


def _parts(subject: Subject) -> list[str]:
    return [OPERATIONAL, *([] if "embodied_kg" in subject.reasons else [EMBODIED])]


def _child(subject: Subject, activity: Activity) -> dict[str, Any]:
    """One configuration, an input a round."""
    ledger = subject.ledger
    factors = {INTENSITY: ledger.intensity, PUE: ledger.pue}
    return {
        "pipeline": {"compute": ["operational", "carbon", "sci"]},
        "defaults": {name: f.value for name, f in factors.items() if f},
        "inputs": list(_inputs(subject, activity)),
    }


def _inputs(subject: Subject, activity: Activity) -> Iterator[dict[str, Any]]:
    for each in activity.rounds:
        kg = each.amounts.embodied_kg
        yield {
            "timestamp": each.started_utc or subject.created_utc,
            "duration": each.amounts.duration_s,
            "energy": each.amounts.kwh,
            **({} if kg is None else {EMBODIED: kg * G_PER_KG}),
            ("training" if activity.trains else "item"): 1
            if activity.trains
            else each.items,
            "trial": each.trial,
            "energy-origin": words.tag(activity),
        }
