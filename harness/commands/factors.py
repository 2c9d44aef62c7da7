"""`bench factors`: every number that nobody measured here, and where it comes from."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from harness import factors
from harness.commands.console import out, print_json, print_rows, print_text, warn
from harness.errors import UsageError
from harness.factor import Factor
from harness.factors import Entry, boavizta, ecologits_data
from harness.factors.lock import changed, lock_text, read_lock
from harness.ledger import ledger_of
from harness.site import load_site

STANDARD_OUTPUT = Path("-")


def show(
    place: str | None, site_path: Path | None, lock_path: Path | None, *, as_json: bool
) -> int:
    """Every factor that is known for a place or a site, and what is missing."""
    site = load_site(site_path) if site_path else None
    where = place or (site.place if site else None)
    if where is None:
        raise UsageError(
            "no place is named", hint="bench factors show FRA, or --site F"
        )
    if site is not None and place is not None:
        site = site.at(place)
    lock = read_lock(lock_path) if lock_path else None
    known = lock.entries_of(where) if lock else factors.entries_of(where)
    ledger = ledger_of(site, where, lock=lock)
    if lock is not None:
        for key, how in changed(lock, _now(where)).items():
            warn(f"{key}: {how}; the locked one is used")
    first = ledger.intensity
    others = ledger.second_opinions
    rows = [_row(f, first if f in others else None) for f in ledger.factors()]
    if as_json:
        plain = first.model_dump(mode="json") if first else {}
        more = {
            "factors": rows,
            "entries": [entry.model_dump(mode="json") for entry in known],
            "missing": ledger.missing if site else {},
        }
        print_json(plain | more)
        return 0
    every = ledger.factors()
    titles = [_title(factor, every) for factor in every]
    print_rows({t: _shown(row) for t, row in zip(titles, rows, strict=True)})
    if site is not None:
        print_rows({"missing": ledger.missing} if ledger.missing else {})
    return 0


def lock(places: Sequence[str], site_path: Path | None, output: Path) -> int:
    """Write the factors of places, and of a site's place and hardware, as they are."""
    site = load_site(site_path) if site_path else None
    wanted = [*places, *([site.place] if site and site.place else [])]
    if not wanted:
        raise UsageError(
            "no place is named", hint="bench factors lock FRA, or --site F"
        )
    entries: list[Entry] = []
    for place in dict.fromkeys(wanted):
        entries += factors.entries_of(place)
    for piece in site.hardware if site else ():
        entries += ecologits_data.embodied(piece.name)
    text = lock_text(entries)
    if output == STANDARD_OUTPUT:
        print_text(text)
        return 0
    try:
        output.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{output}: cannot be written: {error.strerror}") from error
    out().print(str(output), soft_wrap=True, markup=False, highlight=False)
    return 0


def list_sources() -> dict[str, dict[str, Any]]:
    """The sources of factors, in the words of `bench list factors`."""
    kinds = (
        (factors.PACKAGED, "published yearly, in an installed package", "offline"),
        (factors.LIVE, "mean intensity now", "asked when a run begins"),
        (
            factors.MARGINAL,
            "marginal intensity now, no mean",
            "asked when a run begins",
        ),
    )
    return {
        name: {
            "kind": kind,
            "network": network,
            "about": _about(target),
            "loads": target,
            "show": "bench factors show FRA" if network == "offline" else None,
        }
        for table, kind, network in kinds
        for name, target in table.items()
    }


def _about(target: str) -> str:
    module = target.partition(":")[0]
    return (
        str(factors.load(f"{module}:__doc__")).partition("\n\n")[0].replace("\n", " ")
    )


def _now(place: str) -> tuple[Entry, ...]:
    try:
        return factors.entries_of(place)
    except UsageError:  # a lock holds places that newer packages have dropped
        return ()


def _row(factor: Factor, first: Factor | None) -> dict[str, Any]:
    """Plain data of a factor; of a second opinion also how far it is from the first."""
    row = factor.model_dump(mode="json")
    if first is not None and first.value:
        row["difference_ratio"] = factor.value / first.value - 1
    return row


def _title(factor: Factor, every: Sequence[Factor]) -> str:
    """Its name; with its source where several have the same."""
    several = sum(other.name == factor.name for other in every) > 1
    return f"{factor.name} by {factor.source}" if several else factor.name


def _shown(row: dict[str, Any]) -> dict[str, Any]:
    """A row as people read it: the value with its unit, no flags that are not set."""
    value = f"{row['value']:.4g} {row['unit']}"
    low, high = row["low"], row["high"]
    if low is not None or high is not None:
        ends = ["?" if end is None else f"{end:.4g}" for end in (low, high)]
        value = f"{value} ({ends[0]} to {ends[1]})"
    if row["assumed"]:
        value = f"{value} (assumed)"
    package = f"{row['package']} {row['package_version']}" if row["package"] else None
    difference = row.get("difference_ratio")
    return {
        "value": value,
        "difference": None if difference is None else f"{difference:+.1%} to the first",
        "year": row["year"] or "not stated",
        "source": row["source"],
        "licence": row["licence"],
        "place": row["place"],
        "package": package,
        "caveats": "; ".join(row["caveats"]),
    }


def embodied(kind: boavizta.Kind, name: str, url: str, *, as_json: bool) -> int:
    """Embodied carbon of a piece of hardware, and the line that a site file takes."""
    factor = boavizta.embodied(url, kind, name)
    row = factor.model_dump(mode="json")
    if as_json:
        print_json(row)
        return 0
    print_rows({factor.name: _shown(row)})
    keys = ("value", "low", "high", "source", "licence")
    parts = {key: row[key] for key in keys if row[key] is not None}
    line = json.dumps(parts, ensure_ascii=False)
    print_text(f"in a site file:\n    embodied_kg_co2e: {line}")
    return 0
