"""The site file: what its owner knows of a place, each number with its source."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import Field

from harness.factor import Factor
from harness.ledger_nouns import Hardware, Matched, Ownership
from harness.noun import Noun
from harness.site_keys import LIMITS, PIECE_LIMITS, site_table
from harness.yaml_source import Source, Where, read_source, read_table, table_schema

UNITS = {
    "pue": "ratio",
    "wue_l_per_kwh": "L/kWh",
    "source_water_l_per_kwh": "L/kWh",
    "grid_g_per_kwh": "g CO2e/kWh",
    "contract_g_per_kwh": "g CO2e/kWh",
    "price_per_kwh": "{currency}/kWh",
    "capex": "{currency}",
    "lifetime_years": "years",
    "embodied_kg_co2e": "kg CO2e",
}
TITLES = {
    "pue": "PUE",
    "wue_l_per_kwh": "water at the site",
    "source_water_l_per_kwh": "source water",
    "grid_g_per_kwh": "grid intensity",
    "contract_g_per_kwh": "contract intensity",
    "price_per_kwh": "price of electricity",
    "capex": "price",
    "lifetime_years": "lifetime",
    "embodied_kg_co2e": "embodied carbon",
}
MOST_LISTED = 500
NO_LICENCE = "not stated"
ASSUMED = "assumed in the site file, without a source"


class Site(Noun):
    """A site as its owner describes it.

    Attributes:
        place: Code of the grid; None where the file does not say.
        factors: By the key of the file, such as `pue`.
        matched: Whether the contract covers the use by the hour or by the year.
        hardware: Pieces with what the file knows of them.
    """

    name: str
    place: str | None = None
    ownership: Ownership | None = None
    currency: str | None = None
    factors: dict[str, Factor] = Field(default_factory=dict)
    matched: Matched | None = None
    hardware: tuple[Hardware, ...] = ()

    def at(self, place: str) -> "Site":
        """The same site on another grid: numbers of the old grid stay behind."""
        if self.place in (None, place):
            return self.model_copy(update={"place": place})
        kept = {k: f for k, f in self.factors.items() if f.place is None}
        return self.model_copy(
            update={"place": place, "factors": kept, "matched": None}
        )


def load_site(path: Path) -> Site:
    """The site behind a path.

    Raises:
        UsageError: The file is at fault; the message names every fault with its
            file, line and path.
    """
    source = read_source(path)
    _check_length(source)
    found = read_table(source, (), source.data, site_table())
    _check(source, found)
    source.raise_faults()
    return _site(found)


def site_schema() -> dict[str, Any]:
    """JSON Schema of a site file."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "joulebench site",
        **table_schema(site_table()),
    }


def _check_length(source: Source) -> None:
    """Stop at lists that no site has, before each of their members is looked at."""
    data = source.data if isinstance(source.data, dict) else {}
    listed = data.get("hardware")
    pieces = listed if isinstance(listed, list) else [listed]
    made = [p.get("embodied_kg_co2e") for p in pieces if isinstance(p, dict)]
    longest = max((len(m) for m in made if isinstance(m, list)), default=0)
    if max(len(pieces), longest) > MOST_LISTED:
        source.fault(("hardware",), f"lists more than {MOST_LISTED} of a kind")
        source.raise_faults()


def _check(source: Source, found: Mapping[str, Any]) -> None:
    """How the values fit together."""
    pieces = found.get("hardware", ())
    _check_values(source, (), found, LIMITS)
    for index, piece in enumerate(pieces):
        _check_values(source, ("hardware", index), piece, PIECE_LIMITS)
    names = [piece.get("name") for piece in pieces]
    for index, name in enumerate(names):
        if name is not None and name in names[:index]:
            where = ("hardware", index, "name")
            source.fault(where, f"{name!r} is there already; raise its count")
    _check_currency(source, found, pieces)


def _check_currency(source: Source, found: Mapping[str, Any], pieces: Any) -> None:
    groups = [found, *pieces]
    groups += [group.get("assume", {}) for group in groups]
    priced = any({"price_per_kwh", "capex"} & group.keys() for group in groups)
    if priced and "currency" not in found and ("currency",) not in source.places:
        text = "key 'currency' is missing: a price is given; write it as currency: EUR"
        source.fault((), text)


def _check_values(
    source: Source, where: Where, group: Mapping[str, Any], keys: Mapping[str, Any]
) -> None:
    """Ranges hold their values, and nothing is both known and assumed."""
    for key in keys.keys() & group.keys() & group.get("assume", {}).keys():
        source.fault((*where, "assume", key), "has a value with a source already")
    for key in keys.keys() & group.keys():
        given = group[key]
        several = isinstance(given, tuple)
        for index, each in enumerate(given if several else (given,)):
            at = (*where, key, index) if several else (*where, key)
            _check_range(source, at, each)


def _check_range(source: Source, where: Where, given: Mapping[str, Any]) -> None:
    value = given.get("value")
    if value is None:
        return
    if given.get("low", value) > value:
        source.fault((*where, "low"), f"{given['low']:g} is above the value {value:g}")
    if given.get("high", value) < value:
        source.fault((*where, "high"), f"{given['high']:g} is below {value:g}")


def _site(found: Mapping[str, Any]) -> Site:
    currency = found.get("currency")
    place = found.get("place")
    about = {"currency": currency or "", "place": place}
    contract = found.get("contract_g_per_kwh", {})
    return Site(
        name=found["name"],
        place=place,
        ownership=found.get("ownership"),
        currency=currency,
        factors={
            key: values[0]
            for key in LIMITS
            if (values := _factors(found, key, "", about))
        },
        matched=contract.get("matched"),
        hardware=tuple(_piece(piece, about) for piece in found.get("hardware", ())),
    )


def _piece(found: Mapping[str, Any], about: Mapping[str, Any]) -> Hardware:
    name = found["name"]
    single = {
        key: next(iter(_factors(found, key, f" of {name}", about)), None)
        for key in ("capex", "lifetime_years")
    }
    return Hardware(
        name=name,
        match=found.get("match"),
        count=found.get("count", 1),
        lifetime=single["lifetime_years"],
        capex=single["capex"],
        embodied=_factors(found, "embodied_kg_co2e", f" of {name}", about),
    )


def _factors(
    group: Mapping[str, Any], key: str, of: str, about: Mapping[str, Any]
) -> tuple[Factor, ...]:
    """What the file says at a key, with a source each or assumed; often nothing."""
    local = key.endswith("_per_kwh") and key != "wue_l_per_kwh"
    shared: dict[str, Any] = {
        "name": f"{TITLES[key]}{of}",
        "unit": UNITS[key].format(currency=about["currency"]),
        "place": about["place"] if local else None,
    }
    given = group.get(key, ())
    several = given if isinstance(given, tuple) else (given,)
    stated = [
        Factor(
            **shared,
            value=each["value"],
            low=each.get("low"),
            high=each.get("high"),
            year=each.get("year"),
            source=each["source"],
            licence=each.get("licence", NO_LICENCE),
        )
        for each in several
    ]
    value = group.get("assume", {}).get(key)
    if value is not None:
        guess = Factor(
            **shared,
            value=value,
            year=None,
            source=ASSUMED,
            licence=NO_LICENCE,
            assumed=True,
        )
        stated.append(guess)
    return tuple(stated)
