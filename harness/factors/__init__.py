"""Sources of factors: one file each, one line in a table here.

A source of factors that are published yearly is asked with a place and answers from an
installed package, without any network. A live source is asked once, when a run begins.
Neither ever answers for a place that it does not know.
"""

from collections.abc import Callable, Mapping
from importlib import import_module
from importlib.metadata import entry_points
from typing import Any, Literal

from harness.errors import UsageError
from harness.factor import Factor
from harness.factors.live import LiveIntensity
from harness.near import nearest
from harness.noun import Noun

PACKAGED: Mapping[str, str] = {
    "codecarbon": "harness.factors.codecarbon_grid:entries",
    "ecologits": "harness.factors.ecologits_data:entries",
}
"""Called with a place; the first that knows an intensity is the one that is used."""
LIVE: Mapping[str, str] = {
    "electricity-maps": "harness.factors.live.electricity_maps:ElectricityMaps",
    "uk-carbon-intensity": "harness.factors.live.uk_carbon_intensity:UkCarbonIntensity",
}
"""Means of the grid (harness.factors.live.LiveIntensity)."""
MARGINAL: Mapping[str, str] = {
    "watttime": "harness.factors.live.watttime:WattTimeMarginal",
}
"""The same, of plants that answer to more load: never used as a mean."""
PLACES = "harness.factors.codecarbon_grid:names"
Kind = Literal["intensity", "source_water", "embodied"]


class Entry(Noun):
    """A factor, and what it is good for.

    Attributes:
        by: The source that told it, such as `codecarbon`.
        subject: What it is about: a place, or the name of a piece of hardware.
    """

    kind: Kind
    by: str
    subject: str
    factor: Factor

    @property
    def key(self) -> str:
        """Identity in a lock file, such as `intensity/FRA/codecarbon`."""
        return f"{self.kind}/{self.subject}/{self.by}"


def load(target: str) -> Any:
    """The object behind `module:name`, imported now."""
    module, _, name = target.partition(":")
    return getattr(import_module(module), name)


def places() -> dict[str, str]:
    """Codes of all known places, with their names, in order."""
    found: dict[str, str] = load(PLACES)()
    return found


def check_place(place: str) -> None:
    """Refuse a place that no source knows.

    Raises:
        UsageError: With the nearest code or name; never the world's mean instead.
    """
    known = places()
    if place in known:
        return
    codes = {name: code for code, name in known.items()}
    near = nearest(_long_code(place), [*known, *codes])
    for name, code in codes.items():
        near = near.replace(f"did you mean {name!r}", f"did you mean {code!r}")
    raise UsageError(
        f"no grid intensity is known for the place {place!r}{near}",
        hint="use a country's ISO 3166 alpha-3 code, such as FRA, or a part of one, "
        "such as USA-CA, CAN-QC, SWE-SE3, CHN-SC; for a grid that no table holds, a "
        "site file without a place that states grid_g_per_kwh",
    )


def _long_code(place: str) -> str:
    """The alpha-3 code of an alpha-2 one; anything else as it is."""
    import pycountry

    found = pycountry.countries.get(alpha_2=place) if len(place) == 2 else None
    return str(found.alpha_3) if found else place


def entries_of(place: str) -> tuple[Entry, ...]:
    """Every packaged factor of a place, of the sources in their order.

    Raises:
        UsageError: No source knows the place.
    """
    check_place(place)
    told: list[Callable[[str], tuple[Entry, ...]]] = [
        load(t) for t in PACKAGED.values()
    ]
    return tuple(entry for entries in told for entry in entries(place))


def means() -> dict[str, str]:
    """Live sources of means: ours, and those of packages that the user installed."""
    added = {p.name: p.value for p in entry_points(group="joulebench.intensity")}
    return {**LIVE, **added}


def live(source: str) -> LiveIntensity:
    """A live source.

    Raises:
        UsageError: There is no such source.
    """
    known = {**means(), **MARGINAL}
    if source not in known:
        raise UsageError(
            f"unknown live source {source!r}{nearest(source, known)}",
            hint=f"known: {', '.join(known)}",
        )
    made: LiveIntensity = load(known[source])()
    return made
