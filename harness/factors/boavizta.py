"""Embodied carbon of a GPU by an instance of BoaviztAPI that the user runs.

BoaviztAPI 2.5, `POST /v1/component/gpu`, answers `impacts.gwp.embedded` with value,
min and max in kg CO2e of one piece, and `verbose.name`. A name that it does not know it
answers all the same, with its default GPU: only `verbose.name.status` tells (`INPUT`,
as it was given, against `COMPLETED`, as it was found). It is AGPL-3.0, and only ever
asked by HTTP.
"""

import os
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from harness.errors import EvidenceError, UsageError
from harness.factor import Factor
from harness.factors import asking

NAME = "BoaviztAPI"
VARIABLE = "BOAVIZTAPI_URL"
MOST_KG = 1e6
FOUND = "COMPLETED"


def instance(url: str | None, environ: Mapping[str, str] = os.environ) -> str:
    """Address of the user's instance; never of a suite or a site file.

    Raises:
        UsageError: There is none, or it is no address.
    """
    found = url or environ.get(VARIABLE, "")
    if not found:
        raise UsageError(
            f"{NAME}: no instance is named",
            hint=f"--boaviztapi URL or {VARIABLE}, after "
            "`docker run -p 5000:5000 ghcr.io/boavizta/boaviztapi`",
        )
    if not found.startswith(("http://", "https://")):
        raise UsageError(f"{NAME}: its address does not begin with http:// or https://")
    return found.rstrip("/")


def embodied(name: str, base: str) -> Factor:
    """Embodied carbon of one GPU of that name.

    Raises:
        EvidenceError: It does not answer, or does not know the name.
    """
    version = asking.answer(asking.Request(NAME, f"{base}/v1/utils/version"))
    request = asking.Request(
        NAME,
        f"{base}/v1/component/gpu",
        params={"verbose": "true", "criteria": "gwp"},
        json={"name": name},
    )
    data = asking.answer(request)
    told = asking.dug(NAME, data, "verbose", "name")
    if asking.dug(NAME, told, "status") != FOUND:
        raise EvidenceError(
            f"{NAME}: does not know {name!r}, and would answer for its default GPU",
            hint="try a name of its list (/v1/utils/gpu_name), or give your own figure",
        )
    unit = asking.dug(NAME, data, "impacts", "gwp", "unit")
    if unit != "kgCO2eq":
        raise EvidenceError(f"{NAME}: answers in {str(unit)[:40]!r}, not in kgCO2eq")
    made = asking.dug(NAME, data, "impacts", "gwp", "embedded")
    low, value, high = (_kg(made, part) for part in ("min", "value", "max"))
    matched = asking.words(told.get("value"), 100)
    return Factor(
        name=f"embodied carbon of {name}",
        value=value,
        low=low if low < value else None,
        high=high if high > value else None,
        unit="kg CO2e",
        year=None,
        source=f"{NAME} {asking.words(version, 20)}, bottom-up, found as {matched!r}",
        licence="AGPL-3.0 (BoaviztAPI)",
        retrieved_utc=datetime.now(UTC).isoformat(timespec="seconds"),
        caveats=("found by likeness of the name: check that it is the same",),
    )


def _kg(made: Any, part: str) -> float:
    return asking.believed(NAME, asking.dug(NAME, made, part), high=MOST_KG)
