"""All factors of one site: what a report may multiply joules with.

A number of the site's owner goes before a source's; what neither knows is missing with
the way to supply it, and is never guessed.
"""

from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any

from harness import factors
from harness.factor import Factor
from harness.factors import Entry, ecologits_data
from harness.factors.lock import Lock
from harness.ledger_nouns import Hardware, Ledger, Matched, Ownership
from harness.site import Site

__all__ = ["Hardware", "Ledger", "Matched", "Ownership", "ledger_of", "machine_names"]

ASSUME = "or under `assume:` without a source"
CURES = {
    "place": "no place is known: `place: FRA` in the site file or the suite",
    "ownership": "`ownership: owned`, colo or cloud in the site file",
    "intensity": "no source knows the grid: `place: FRA` in the site file, or its own "
    "`grid_g_per_kwh`",
    "contract": f"`contract_g_per_kwh` with value and source in the site file, "
    f"{ASSUME}",
    "pue": f"`pue` with value and source in the site file, {ASSUME}",
    "wue": f"`wue_l_per_kwh` with value and source in the site file, {ASSUME}",
    "source_water": "no source knows it: `source_water_l_per_kwh` with value and "
    f"source in the site file, {ASSUME}",
    "price": f"`price_per_kwh` with value and source in the site file, {ASSUME}",
    "hardware": "`hardware:` in the site file: name, embodied_kg_co2e with sources, "
    "lifetime_years",
    "second_opinions": "no second source knows the grid of this place",
}
OWN = {
    "contract": "contract_g_per_kwh",
    "pue": "pue",
    "wue": "wue_l_per_kwh",
    "price": "price_per_kwh",
}


def ledger_of(
    site: Site | None = None,
    place: str | None = None,
    *,
    lock: Lock | None = None,
    live: Factor | None = None,
    machine: Sequence[str] | None = None,
) -> Ledger:
    """Every factor that is known, and why the others are missing.

    Args:
        site: Of the user; None where there is no site file.
        place: Of the suite; the site's own goes before it.
        lock: Takes the place of the installed packages.
        live: Intensity that was frozen when a run began; the yearly mean is then a
            second opinion.
        machine: What a machine calls its parts (`machine_names`): hardware that
            matches none of it is left out. None: all of the site's hardware.

    Raises:
        UsageError: The place is not known, or the lock does not hold it.
    """
    where = (site.place if site else None) or place
    known = _entries(where, lock)
    own = site.factors if site else {}
    intensities = _intensities(own.get("grid_g_per_kwh"), live, known)
    water = [e.factor for e in known if e.kind == "source_water"]
    found: dict[str, Any] = {
        "place": where,
        "ownership": site.ownership if site else None,
        "intensity": next(iter(intensities), None),
        "second_opinions": tuple(intensities[1:]),
        "source_water": own.get("source_water_l_per_kwh") or next(iter(water), None),
        "marginal": live if live and live.marginal else None,
        "hardware": _hardware(site, machine, lock),
        **{name: own.get(key) for name, key in OWN.items()},
    }
    return Ledger(
        site=site.name if site else (where or "no site"),
        matched=site.matched if site else None,
        missing=_missing(found, site, machine),
        **found,
    )


def machine_names(machine: Mapping[str, Any]) -> tuple[str, ...]:
    """What a run's machine.json calls the processor and the metered devices."""
    channels = machine.get("channels", ())
    gpus = machine.get("gpus", ())
    told = [machine.get("cpu")]
    told += [c.get("device") for c in channels if isinstance(c, Mapping)]
    told += [g.get("name") if isinstance(g, Mapping) else g for g in gpus]
    return tuple(dict.fromkeys(name for name in told if isinstance(name, str)))


def _entries(place: str | None, lock: Lock | None) -> tuple[Entry, ...]:
    if place is None:
        return ()
    return factors.entries_of(place) if lock is None else lock.entries_of(place)


def _intensities(
    own: Factor | None, live: Factor | None, known: Sequence[Entry]
) -> list[Factor]:
    """The one to use first; a marginal one is never among means."""
    means = [e.factor for e in known if e.kind == "intensity"]
    mean = None if live is None or live.marginal else live
    return [factor for factor in (own, mean, *means) if factor is not None]


def _hardware(
    site: Site | None, machine: Sequence[str] | None, lock: Lock | None
) -> tuple[Hardware, ...]:
    pieces = site.hardware if site else ()
    return tuple(
        piece.model_copy(update={"embodied": _embodied(piece, lock)})
        for piece in pieces
        if machine is None or any(_is(piece, name) for name in machine)
    )


def _is(piece: Hardware, name: str) -> bool:
    if piece.match is None:
        return name.casefold() == piece.name.casefold()
    return fnmatchcase(name.casefold(), piece.match.casefold())


def _embodied(piece: Hardware, lock: Lock | None) -> tuple[Factor, ...]:
    """What the site says, then what sources say of hardware of exactly that name."""
    if lock is None:
        more = ecologits_data.embodied(piece.name)
    else:
        more = lock.embodied_of(piece.name)
    return (*piece.embodied, *(entry.factor for entry in more))


def _missing(
    found: Mapping[str, Any], site: Site | None, machine: Sequence[str] | None
) -> dict[str, str]:
    reasons = {n: cure for n, cure in CURES.items() if not found[n]}
    if "hardware" in reasons and site and site.hardware and machine is not None:
        wanted = ", ".join(piece.match or piece.name for piece in site.hardware)
        names = ", ".join(machine) or "nothing"
        reasons["hardware"] = (
            f"none of the site's hardware ({wanted}) is what the machine "
            f"has ({names}): set `match:` of a piece to a pattern of its name"
        )
    for piece in found["hardware"]:
        if not piece.embodied:
            reasons[f"embodied of {piece.name}"] = (
                "no source knows it: `embodied_kg_co2e` with value and source"
            )
        if piece.lifetime is None:
            reasons[f"lifetime of {piece.name}"] = (
                "`lifetime_years` with value and source in the site file, " + ASSUME
            )
    return reasons
