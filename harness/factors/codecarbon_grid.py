"""Carbon intensity of grids, from the tables inside the package codecarbon.

Yearly means by country (Our World in Data), US states (EPA eGRID), Canadian provinces,
bidding zones of Sweden and Norway, Chinese provinces. The files are read directly: the
package's own look-ups turn a place that they do not know into the world's mean, and do
not tell the year.
"""

import json
from collections.abc import Mapping
from functools import cache
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from harness.errors import BenchError
from harness.factor import Factor
from harness.factors import Entry

FOLDER = Path("data") / "private_infra"
UNIT = "g CO2e/kWh"
LB_PER_MWH_IN_G_PER_KWH = 0.45359237
"""A pound is 453.59237 g by definition."""
MIX_G_PER_KWH = {
    "coal": 995.725971,
    "petroleum": 816.6885263,
    "naturalGas": 743.8415916,
}
"""By fuel, as codecarbon multiplies Canadian mixes; all others count as nothing."""
CANADA = {
    "AB": "alberta",
    "BC": "british columbia",
    "MB": "manitoba",
    "NB": "new brunswick",
    "NL": "newfoundland and labrador",
    "NS": "nova scotia",
    "NT": "northwest territories",
    "NU": "nunavut",
    "ON": "ontario",
    "PE": "prince edward island",
    "QC": "quebec",
    "SK": "saskatchewan",
    "YT": "yukon",
}
NORDIC = {"SE": "SWE", "NO": "NOR"}
Row = Mapping[str, Any]


def entries(place: str) -> tuple[Entry, ...]:
    """The intensity of a place; nothing where the tables do not know it."""
    row = _table().get(place)
    if row is None:
        return ()
    package = version("codecarbon")
    factor = Factor(
        name=f"grid intensity {place}",
        unit=UNIT,
        place=place,
        package="codecarbon",
        package_version=package,
        value=row["value"],
        year=row["year"],
        source=f"{row['source']}, as shipped in codecarbon {package}",
        licence=row["licence"],
        caveats=row["caveats"],
    )
    return (Entry(kind="intensity", by="codecarbon", subject=place, factor=factor),)


def names() -> dict[str, str]:
    """Names of all places that the tables know, by code, in order."""
    return {code: row["name"] for code, row in sorted(_table().items())}


@cache
def _table() -> dict[str, Row]:
    parts = (_countries(), _states(), _provinces(), _zones(), _chinese())
    return {code: row for part in parts for code, row in part.items()}


def _read(name: str) -> dict[str, Any]:
    spec = find_spec("codecarbon")
    if spec is None or spec.origin is None:
        raise BenchError(
            "codecarbon is not installed", hint="pip install codecarbon>=3.3"
        )
    path = Path(spec.origin).parent / FOLDER / name
    try:
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BenchError(
            f"{path}: cannot be read: {error}",
            hint="its tables have moved: pip install codecarbon==3.3.2",
        ) from error
    return found


def _row(name: str, value: float, year: int | None, source: str, *caveats: str) -> Row:
    return {
        "name": name,
        "value": float(value),
        "year": year,
        "source": source,
        "licence": "MIT (codecarbon)",
        "caveats": caveats,
    }


def _countries() -> dict[str, Row]:
    licence = "MIT (codecarbon); CC BY 4.0 (Our World in Data)"
    return {
        code: {
            **_row(
                str(row.get("country_name", code)),
                row["carbon_intensity"],
                int(row["year"]) if row.get("year") else None,
                "Our World in Data",
            ),
            "licence": licence,
        }
        for code, row in _read("global_energy_mix.json").items()
        if row.get("carbon_intensity") is not None
    }


def _states() -> dict[str, Row]:
    data = _read("2023/usa_emissions.json")
    told = data.get("_source", {})
    source = str(told.get("name", "EPA eGRID"))
    year = told.get("year")
    return {
        f"USA-{row['regionCode']}": _row(
            name.title(), row["emissions"] * LB_PER_MWH_IN_G_PER_KWH, year, source
        )
        for name, row in data.items()
        if not name.startswith("_") and name != "usa" and "emissions" in row
    }


def _provinces() -> dict[str, Row]:
    """By their mixes of fuels: 3 fuels have a factor, all others count as nothing."""
    data = _read("2023/canada_energy_mix.json")
    caveat = (
        "burning of coal, oil and gas alone: hydro, nuclear, wind and biomass count "
        "as 0, and the table names no year (its folder is called 2023)"
    )
    source = "codecarbon's table of Canadian generation by fuel"
    return {
        f"CAN-{code}": _row(
            name.title(), _mix_g_per_kwh(data[name]), None, source, caveat
        )
        for code, name in CANADA.items()
        if name in data
    }


def _mix_g_per_kwh(mix: Mapping[str, float]) -> float:
    grams = sum(mix[fuel] * factor for fuel, factor in MIX_G_PER_KWH.items())
    return grams / mix["total"]


def _zones() -> dict[str, Row]:
    """Bidding zones; Finland is one, and stands in the table of countries."""
    data = _read("nordic_emissions.json")["data"]
    source = "ENTSO-E generation by type, weighted by codecarbon"
    found = {}
    for zone, row in data.items():
        country = NORDIC.get(zone[:2])
        if country is not None:
            told = (f"coverage {row['coverage']}" if "coverage" in row else None,)
            caveats = [c for c in (*told, row.get("note")) if c]
            name = str(row.get("description", zone))
            found[f"{country}-{zone}"] = _row(
                name, row["emission_factor"], row.get("year"), source, *caveats
            )
    return found


def _chinese() -> dict[str, Row]:
    data = _read("2023/china_provincial_emissions.json")
    told = data.get("metadata", {})
    caveat = str(told.get("convention", "CO2 only"))
    source = "Ministry of Ecology and Environment of China"
    if told.get("announcement"):
        source = f"{source}, announcement {told['announcement']}"
    return {
        f"CHN-{code.removeprefix('CN-')}": _row(
            str(row.get("description", code)),
            row["emission_factor"],
            row.get("year"),
            source,
            caveat,
        )
        for code, row in data["data"].items()
    }
