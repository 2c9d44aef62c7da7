"""The assessment as a tidy sheet: one figure a line, with unit, method and source."""

import csv
import io
from collections.abc import Iterator, Mapping
from typing import Any

from reports.exports import inert
from reports.page.html import MARK
from reports.sustainability.assessment import Assessment

COLUMNS = (
    "path", "configuration", "value", "low", "high", "unit", "methods", "formula",
    "interval", "reason", "source",
)  # fmt: skip
FIGURE = {"unit", "value", "methods", "formula"}
FACTOR = {"unit", "value", "source", "licence"}


def to_csv(found: Assessment) -> str:
    """Every figure and factor of the assessment; no text of it is a formula."""
    file = io.StringIO()
    writer = csv.DictWriter(file, COLUMNS, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerow({"path": "generator", "source": MARK})
    for line in _lines(found.model_dump(mode="json", by_alias=True), "", ""):
        writer.writerow({name: inert(value) for name, value in line.items()})
    return file.getvalue()


def _lines(node: Any, path: str, key: str) -> Iterator[dict[str, object]]:
    """Figures below a node of the JSON, in its order."""
    if isinstance(node, list):
        for number, each in enumerate(node):
            yield from _lines(each, f"{path}[{number}]", key)
        return
    if not isinstance(node, dict):
        return
    if node.keys() >= FIGURE or node.keys() >= FACTOR:
        yield _line(node, path, key)
        return
    key = str(node.get("key") or key)
    for name, each in node.items():
        yield from _lines(each, f"{path}.{name}" if path else name, key)


def _line(node: Mapping[str, Any], path: str, key: str) -> dict[str, object]:
    methods = node.get("methods")
    assumed = ["assumed" if node.get("assumed") else "sourced"]
    source = ", ".join(
        str(node[name])
        for name in ("name", "source", "year", "package", "package_version")
        if node.get(name)
    )
    return {
        "path": path,
        "configuration": key,
        "value": node["value"],
        "low": node.get("low"),
        "high": node.get("high"),
        "unit": node["unit"],
        "methods": " ".join(methods if methods is not None else assumed),
        "formula": node.get("formula", ""),
        "interval": node.get("interval", ""),
        "reason": node.get("reason") or "; ".join(node.get("caveats", ())),
        "source": source,
    }
