"""BoAmps 1.1, the report of Boavizta on the energy of an AI task: one a configuration.

Format: github.com/Boavizta/BoAmps, model/report_schema.json (CC BY 4.0).
"""

import json
from collections.abc import Iterator
from typing import Any

from reports.disclosure import words
from reports.disclosure.subject import TOOL, Activity, Subject
from reports.sustainability.arithmetic import grade

VERSION = "1.1.0"
SPECIFICATION = "https://github.com/Boavizta/BoAmps/tree/main/model"
INFRASTRUCTURE = {"owned": "onPremise", "cloud": "publicCloud"}


def files(subject: Subject) -> Iterator[tuple[str, str]]:
    """A report for each configuration."""
    for activity in subject.activities:
        text = json.dumps(
            _report(subject, activity), indent=2, ensure_ascii=False, allow_nan=False
        )
        yield f"boamps/{activity.stem}.json", text + "\n"


def _report(subject: Subject, activity: Activity) -> dict[str, Any]:
    return known(
        {
            "header": {
                "formatVersion": VERSION,
                "formatVersionSpecificationUri": SPECIFICATION,
                "reportId": words.identity(subject, "boamps", activity.key),
                "reportDatetime": _moment(subject.created_utc),
                "reportStatus": "draft",
            },
            "task": _task(activity, subject),
            "measures": [_measure(activity, subject)],
            "system": _system(subject),
            "software": known(
                {"language": "python", "version": subject.machine.python}
            ),
            "infrastructure": {
                "infraType": INFRASTRUCTURE.get(
                    subject.ledger.ownership or "", "other"
                ),
                "components": _components(subject),
            },
            "environment": _environment(subject),
            "quality": _grade(activity),
        }
    )


def known(fields: dict[str, Any]) -> dict[str, Any]:
    """Fields that have a value: what is unknown is left out."""
    return {name: value for name, value in fields.items() if value not in (None, {})}


def _moment(text: str | None) -> str | None:
    """ISO 8601 as this format wants it."""
    return text and text.replace("T", " ").removesuffix("Z")


def _task(activity: Activity, subject: Subject) -> dict[str, Any]:
    """The work; a training is one, inference as many requests as there were items."""
    kind = activity.dataset.kind if activity.dataset else "other"
    family = f"{kind}Classification" if activity.metric == "accuracy" else None
    return known(
        {
            "taskStage": activity.stage.replace("-", ""),
            "taskFamily": words.UNKNOWN if kind == "other" or not family else family,
            "nbRequest": None if activity.trains else activity.items,
            "algorithms": [_algorithm(activity, subject)],
            "dataset": [_dataset(activity)],
            "measuredAccuracy": _in_range(activity.accuracy),
            "taskDescription": (
                f"{activity.key}: {words.method(activity)}; {_covers(activity)}"
            ),
        }
    )


def _covers(activity: Activity) -> str:
    if activity.trains:
        return f"mean of one training of {words.rounds(activity)}"
    return f"sum of {words.rounds(activity)}"


def _in_range(ratio: float | None) -> float | None:
    return ratio if ratio is not None and 0 <= ratio <= 1 else None


def _algorithm(activity: Activity, subject: Subject) -> dict[str, Any]:
    configuration = activity.configuration
    options = configuration.options
    parameters = activity.parameters
    tuned = activity.stage == "fine-tuning"
    learning = {
        "trainingType": "transferLearning" if tuned else "supervisedLearning",
        "epochsNumber": _epochs(activity),
        "optimizer": options.get("optimizer"),
    }
    return known(
        {
            "algorithmType": "neuralNetwork",
            "algorithmName": configuration.workload,
            "parametersNumber": None if parameters is None else parameters / 1e9,
            "framework": "pytorch",
            "frameworkVersion": subject.machine.packages.get("torch"),
            "quantization": configuration.precision,
        }
        | (learning if activity.trains else {})
    )


def _epochs(activity: Activity) -> float | None:
    """Passes of a training over its data; None where a target ended it."""
    options = activity.configuration.options
    epochs = options.get("epochs")
    whole = isinstance(epochs, int) and epochs > 0 and not options.get("target")
    return epochs if whole and activity.trains else None  # type: ignore[return-value]


def _dataset(activity: Activity) -> dict[str, Any]:
    """Data of one training, each item once; or all items that were inferred."""
    data = activity.dataset
    passes = (activity.units if activity.trains else 1) * (_epochs(activity) or 1)
    public = data.public if data else None
    return known(
        {
            "dataUsage": "input",
            "dataType": data.kind if data else "other",
            "dataQuantity": activity.items / passes,
            "source": {True: "public", False: "private", None: None}[public],
            "sourceUri": data.uri if data else None,
        }
    )


def _measure(activity: Activity, subject: Subject) -> dict[str, Any]:
    """Energy of one training, or of all items that were inferred."""
    amounts = activity.stated if activity.trains else activity.whole
    busy = [each.cpu_ratio for each in activity.rounds if each.cpu_ratio is not None]
    alone = len(activity.rounds) == 1
    return known(
        {
            "measurementMethod": f"{TOOL}, {words.tag(activity)}",
            "version": subject.tool_version,
            "cpuTrackingMode": _tracking(activity, ("cpu",)),
            "gpuTrackingMode": _tracking(activity, ("gpu", "tpu")),
            "averageUtilizationCpu": _in_range(busy[0]) if alone and busy else None,
            "powerConsumption": amounts.kwh,
            "measurementDuration": amounts.duration_s,
            "measurementDateTime": _moment(activity.rounds[0].started_utc),
        }
    )


def _tracking(activity: Activity, domains: tuple[str, ...]) -> str | None:
    """Sources of some domains, each with whether it is a meter or a model."""
    sources = (
        f"{each.name} ({each.provenance})"
        for each in activity.sources
        if each.domain in domains
    )
    return ", ".join(sources) or None


def _system(subject: Subject) -> dict[str, Any]:
    system = subject.machine.system
    return {"os": system.partition("-")[0].lower()} if system else {}


def _components(subject: Subject) -> list[dict[str, Any]]:
    """Parts of the machine; a processor counts its cores, as CodeCarbon does."""
    machine = subject.machine
    parts: list[dict[str, Any]] = [
        {
            "componentName": piece.name,
            "componentType": "other",
            "nbComponent": piece.count,
        }
        for piece in subject.ledger.hardware
    ]
    parts += [
        {"componentType": kind, "nbComponent": count}
        for kind, count in machine.cards.items()
    ]
    if machine.cores:
        cpu = {"componentType": "cpu", "nbComponent": machine.cores}
        parts.append(known({"componentName": machine.cpu, **cpu}))
    if machine.memory_bytes:
        gigabytes = round(machine.memory_bytes / 1e9)
        parts.append(
            {"componentType": "ram", "nbComponent": 1, "memorySize": gigabytes}
        )
    return parts or [{"componentType": words.UNKNOWN, "nbComponent": 1}]


def _environment(subject: Subject) -> dict[str, Any]:
    ledger = subject.ledger
    if ledger.place is None:
        return {}
    intensity = ledger.intensity.value if ledger.intensity else None
    return known({"country": ledger.place, "powerSourceCarbonIntensity": intensity})


def _grade(activity: Activity) -> str | None:
    """Its quality by the error bound; the format has no word above 50 percent."""
    ratio = activity.whole.bound_ratio
    return None if ratio is None else grade(ratio)
