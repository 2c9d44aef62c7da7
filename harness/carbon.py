"""Grams of CO2 equivalent from joules, with a grid factor that says its year.

The factors are CodeCarbon's offline table of yearly means by country (Our World in
Data); the file is read directly, since CodeCarbon's own look-up turns an unknown
country into the world's mean.
"""

import difflib
import json
from functools import cache
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from harness.errors import BenchError, UsageError
from harness.factor import Factor
from harness.records import Carbon
from harness.units import kwh

TABLE = Path("data") / "private_infra" / "global_energy_mix.json"


@cache
def _grid_table() -> dict[str, dict[str, Any]]:
    """Country rows by ISO 3166 alpha-3 code."""
    spec = find_spec("codecarbon")
    if spec is None or spec.origin is None:
        raise BenchError(
            "codecarbon is not installed", hint="pip install codecarbon>=3.3"
        )
    table: dict[str, dict[str, Any]] = json.loads(
        (Path(spec.origin).parent / TABLE).read_text(encoding="utf-8")
    )
    return table


def places() -> list[str]:
    """Codes that the table knows, in order."""
    return sorted(_grid_table())


def intensity(place: str) -> Factor:
    """Yearly mean carbon intensity of a country's grid.

    Args:
        place: ISO 3166 alpha-3 code, such as FRA.

    Raises:
        UsageError: The place is not in the table; never the world's mean instead.
    """
    table = _grid_table()
    row = table.get(place)
    if row is None or row.get("carbon_intensity") is None:
        known = [*table, *(str(r.get("country_name")) for r in table.values())]
        near = difflib.get_close_matches(place, known, n=1)
        names = {str(r.get("country_name")): code for code, r in table.items()}
        guess = f" (did you mean {names.get(near[0], near[0])!r}?)" if near else ""
        raise UsageError(
            f"no grid intensity is known for the place {place!r}{guess}",
            hint="use a country's ISO 3166 alpha-3 code, such as FRA, DEU or USA",
        )
    return Factor(
        name=f"grid intensity {place}",
        value=float(row["carbon_intensity"]),
        unit="g CO2e/kWh",
        year=int(row["year"]) if row.get("year") else None,
        source=f"Our World in Data, as shipped in codecarbon {version('codecarbon')}",
        licence="MIT (codecarbon); CC BY 4.0 (Our World in Data)",
    )


def emissions(energy_j: float | None, factor: Factor | None, pue: float) -> Carbon:
    """Operational, location-based emissions: energy x PUE x intensity.

    Source of the formula: ISO/IEC 21031:2024 (SCI), the term E x I.
    """
    if factor is None:
        return Carbon(
            co2e_g=None, pue=pue, reason="the suite names no place (site.place)"
        )
    grams = None if energy_j is None else kwh(energy_j) * pue * factor.value
    return Carbon(
        co2e_g=grams,
        intensity_g_per_kwh=factor.value,
        place=factor.name.rpartition(" ")[2],
        year=factor.year,
        source=factor.source,
        pue=pue,
        reason="the energy is not known" if grams is None else None,
    )
