"""The official checks of each format that is disclosed, and how its files are read."""

import io
import json
from pathlib import Path
from typing import Any

from reports.disclosure import EXPORTS, Subject

DATA = Path(__file__).parent / "data"


def texts(of: Subject, name: str) -> dict[str, str]:
    return dict(EXPORTS[name](of))


def one(of: Subject, name: str) -> str:
    (text,) = texts(of, name).values()
    return text


def boamps_faults(text: str) -> list[str]:
    import jsonschema

    schema = json.loads((DATA / "boamps-1.1.schema.json").read_text(encoding="utf-8"))
    found = jsonschema.Draft4Validator(schema).iter_errors(json.loads(text))
    return [error.message for error in found]


def cyclonedx_fault(text: str) -> Any:
    from cyclonedx.schema import SchemaVersion
    from cyclonedx.validation.json import JsonStrictValidator

    return JsonStrictValidator(SchemaVersion.V1_6).validate_str(text)


def spdx_objects(text: str) -> Any:
    from spdx_python_model.bindings import v3_0_1

    found = v3_0_1.SHACLObjectSet()
    v3_0_1.JSONLDDeserializer().read(io.BytesIO(text.encode()), found)
    v3_0_1.JSONLDSerializer().write(found, io.BytesIO())  # checks what is required
    return found


def emissions(of: Subject) -> list[dict[str, Any] | None]:
    """`co2_eq_emissions` of each card, as the hub's library reads it."""
    from huggingface_hub import ModelCard

    found: list[Any] = [
        ModelCard(text).data for text in texts(of, "huggingface").values()
    ]
    return [data.to_dict().get("co2_eq_emissions") for data in found]


def consumptions(component: dict[str, Any]) -> list[dict[str, Any]]:
    about = component["modelCard"]["considerations"]["environmentalConsiderations"]
    found: list[dict[str, Any]] = about["energyConsumptions"]
    return found
