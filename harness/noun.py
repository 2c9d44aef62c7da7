"""A frozen value: what every stored and passed thing is made of."""

from pydantic import BaseModel, ConfigDict, ValidationError


class Noun(BaseModel):
    """A frozen value; unknown fields of newer writers are ignored on reading."""

    model_config = ConfigDict(
        frozen=True, extra="ignore", ser_json_inf_nan="null", protected_namespaces=()
    )


def first_fault(error: ValidationError) -> tuple[str, str]:
    """Where the first fault of some data is, as a dotted path, and what it is."""
    first = error.errors(include_url=False)[0]
    return ".".join(str(part) for part in first["loc"]), first["msg"]
