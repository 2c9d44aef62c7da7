"""A second opinion on grids, water of power plants, and embodied carbon: EcoLogits.

The package's mixes name no year. Its constants of hardware are no part of its interface
and changed between releases, so that a version without them answers nothing.
"""

from importlib.metadata import PackageNotFoundError, version
from typing import Any

from harness.factor import Factor
from harness.factors import Entry

PACKAGE = "ecologits"
LICENCE = "MPL-2.0 (ecologits)"
G_PER_KG = 1000.0
NO_YEAR = "the package names no year"
HYDRO = "water of hydropower reservoirs is counted, and its method is not settled"
GPU = "NVIDIA H100 80GB"
CONSTANT = "GPU_EMBODIED_IMPACT_GWP"
"""Of `ecologits.impacts.llm`, in kg CO2e, of one GPU."""
GPU_WORDS = {"h100", "80gb"}
MORE_WORDS = {"nvidia", "tensor", "core", "gpu", "sxm", "sxm5", "hbm3"}
"""What may stand in its name besides; any other word (8x, DGX, MIG, PCIe) makes it
something else."""


def entries(place: str) -> tuple[Entry, ...]:
    """Intensity and water of a place; water of the country for a part of one."""
    country = place.partition("-")[0]
    mix = _mix(country)
    if mix is None:
        return ()
    warned = tuple(str(warning.message) for warning in mix.warnings)
    whole = (f"holds for {country} as a whole, not for {place}",)
    other = whole if country != place else ()
    found = [_water(place, country, mix.wue, (*other, *warned, HYDRO, NO_YEAR))]
    if country == place:
        mean = _factor(
            f"grid intensity {place}", mix.gwp * G_PER_KG, "g CO2e/kWh", (NO_YEAR,)
        ).model_copy(update={"place": place})
        found.insert(0, _entry("intensity", place, mean))
    return tuple(found)


def embodied(name: str) -> tuple[Entry, ...]:
    """Embodied carbon of hardware whose name says that it is the kind described."""
    is_gpu = set(name.casefold().split()) - MORE_WORDS == GPU_WORDS
    value = _constant(CONSTANT) if is_gpu else None
    if value is None:
        return ()
    caveat = "a constant of the package's model, which changed between its releases"
    factor = _factor(f"embodied carbon {GPU}", value, "kg CO2e", (caveat, NO_YEAR))
    return (_entry("embodied", name, factor),)


def _water(place: str, country: str, value: float, caveats: tuple[str, ...]) -> Entry:
    factor = _factor(f"source water {country}", value, "L/kWh", caveats)
    told = factor.model_copy(update={"place": country})
    return _entry("source_water", place, told)


def _entry(kind: Any, subject: str, factor: Factor) -> Entry:
    return Entry(kind=kind, by=PACKAGE, subject=subject, factor=factor)


def _factor(name: str, value: float, unit: str, caveats: tuple[str, ...]) -> Factor:
    package = version(PACKAGE)
    return Factor(
        name=name,
        value=float(value),
        unit=unit,
        year=None,
        source=f"EcoLogits {package}",
        licence=LICENCE,
        package=PACKAGE,
        package_version=package,
        caveats=caveats,
    )


def _mix(country: str) -> Any:
    """The package's mix of a country; None without the package, or if it changed."""
    try:
        version(PACKAGE)
        from ecologits.electricity_mix_repository import electricity_mixes

        mix = electricity_mixes.find_electricity_mix(country)
    except (ImportError, AttributeError, PackageNotFoundError):
        return None
    parts = ("gwp", "wue", "warnings")
    return mix if all(hasattr(mix, part) for part in parts) else None


def _constant(name: str) -> float | None:
    try:
        version(PACKAGE)
        from ecologits.impacts import llm
    except (ImportError, PackageNotFoundError):
        return None
    value = getattr(llm, name, None)
    return float(value) if isinstance(value, (int, float)) else None
