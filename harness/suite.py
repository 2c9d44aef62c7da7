"""The suite file: untrusted YAML to frozen values, with all its faults at once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from harness.errors import UsageError
from harness.factors import live
from harness.jobs import Protocol
from harness.near import nearest
from harness.noun import Noun
from harness.protocol_keys import PROFILES, protocol_of
from harness.records import OptionValue
from harness.suite_keys import AXES, DEFAULT_AXES, YEARLY_MEAN, suite_table
from harness.yaml_source import (
    Source,
    override,
    read_source,
    read_table,
    shown,
    table_schema,
)

DEFAULTS = PROFILES


class QualityFloor(Noun):
    """What a configuration must reach before it may be ranked.

    Attributes:
        relative: Share of the fp32 reference's accuracy, in the closed track.
        absolute: Accuracy to reach in the open track; None when not given.
    """

    relative: float = 0.99
    absolute: float | None = None


class Location(Noun):
    """Where the machine stands, as far as a suite says it.

    Attributes:
        place: Code of the grid, such as FRA or USA-CA; None when not given.
        pue: Energy of the facility over energy of the machine, 1 or more.
        intensity: The yearly mean, or a live source that is asked when a run begins.
        marginal: A live source of the marginal intensity, which is kept beside.
        zone: What the live source calls the place.
        fallback: What stands in where the live source fails; None: the run does not
            begin.
    """

    place: str | None = None
    pue: float = 1.0
    intensity: str = YEARLY_MEAN
    marginal: str | None = None
    zone: str | None = None
    fallback: str | None = None


@dataclass(frozen=True)
class Block:
    """Axes to cross.

    Attributes:
        axes: Values by the name of their axis; every axis of AXES is there.
        options: Values to cross by workload and name of the option.
    """

    axes: Mapping[str, tuple[Any, ...]]
    options: Mapping[str, Mapping[str, tuple[OptionValue, ...]]]
    track: Literal["closed", "open"] = "closed"


@dataclass(frozen=True)
class Suite:
    """What was asked for.

    Attributes:
        matrix: The sweep itself.
        excludes: Patterns by axis; what matches all of one leaves the matrix.
        includes: Blocks that are added after the exclusions.
        text: The file as it was given.
        settings: What `--set` changed.
    """

    name: str
    seed: int
    profile: str
    protocol: Protocol
    matrix: Block
    excludes: tuple[Mapping[str, tuple[str, ...]], ...]
    includes: tuple[Block, ...]
    quality: QualityFloor
    site: Location
    text: str
    settings: tuple[str, ...] = ()


def bundled_configs() -> Path:
    """Folder of the suites that ship with the package."""
    shipped = Path(__file__).parent / "configs"
    return shipped if shipped.is_dir() else Path(__file__).parents[1] / "configs"


def load_suite(reference: str, settings: Sequence[str] = ()) -> Suite:
    """The suite behind a path or a bundled name, with `key=value` overrides.

    Raises:
        UsageError: The file is at fault; the message names every fault with its
            file, line and path.
    """
    source = read_source(_locate(reference))
    for setting in settings:
        override(source, setting)
    found = read_table(source, (), source.data, suite_table())
    source.raise_faults()
    return _suite(source, found, settings)


def suite_schema() -> dict[str, Any]:
    """JSON Schema of a suite file."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "joulebench suite",
        **table_schema(suite_table()),
    }


def _locate(reference: str) -> Path:
    """Path of a suite: a bundled one by its plain name, else a file."""
    bundled = {path.stem: path for path in bundled_configs().glob("*.yaml")}
    if reference in bundled:
        return bundled[reference]
    path = Path(reference)
    try:
        is_there = path.exists()
    except (OSError, ValueError):
        is_there = False
    if is_there or path.suffix in (".yaml", ".yml"):
        return path
    raise UsageError(
        f"no suite {shown(reference)}{nearest(reference, list(bundled))}",
        hint=f"a path to a YAML file, or one of: {', '.join(sorted(bundled))}",
    )


def _suite(source: Source, found: dict[str, Any], settings: Sequence[str]) -> Suite:
    """The suite of a file whose values are all sound; still checks how they fit."""
    profile = found.get("profile", "standard")
    matrix = found["matrix"]
    axes = {name: matrix.get(name, DEFAULT_AXES.get(name)) for name in AXES}
    main = Block(axes, matrix.get("options", {}))
    suite = Suite(
        name=found["name"],
        seed=found.get("seed", 0),
        profile=profile,
        protocol=_protocol(source, profile, found.get("protocol", {})),
        matrix=main,
        excludes=matrix.get("exclude", ()),
        includes=tuple(_include(main, each) for each in matrix.get("include", ())),
        quality=_quality(found.get("quality", {})),
        site=Location(**found.get("site", {})),
        text=source.text,
        settings=tuple(settings),
    )
    _check_excludes(source, suite)
    _check_options(source, suite)
    _check_site(source, suite.site)
    source.raise_faults()
    return suite


def _include(main: Block, given: Mapping[str, Any]) -> Block:
    """An added block; what it does not say is as in the matrix."""
    return Block(
        {name: given.get(name, main.axes[name]) for name in AXES},
        {**main.options, **given.get("options", {})},
        given.get("track", "closed"),
    )


def _protocol(source: Source, profile: str, given: dict[str, Any]) -> Protocol:
    made, faults = protocol_of(profile, given)
    for key, message in faults.items():
        source.fault(("protocol", key), message)
    return made


def _quality(given: Mapping[str, float]) -> QualityFloor:
    floor = QualityFloor(absolute=given.get("absolute"))
    if "floor" in given:
        return floor.model_copy(update={"relative": given["floor"]})
    return floor


def _check_excludes(source: Source, suite: Suite) -> None:
    for index, pattern in enumerate(suite.excludes):
        if not pattern:
            where = ("matrix", "exclude", index)
            source.fault(where, "empty; it would exclude everything")


def _check_site(source: Source, site: Location) -> None:
    """Live sources, and what is said of them, go together."""
    is_live = site.intensity != YEARLY_MEAN
    if (is_live or site.marginal) and site.place is None:
        source.fault(("site",), "key 'place' is missing: a live source is asked for it")
    if is_live and site.marginal:
        source.fault(("site", "marginal"), "only one live source can be asked")
    if site.zone and not (is_live or site.marginal):
        source.fault(("site", "zone"), "means nothing without a live source")
    if site.fallback and not is_live:
        source.fault(("site", "fallback"), "means nothing without a live intensity")
    for key in ("marginal", "intensity"):
        name = getattr(site, key)
        if site.place is not None and name not in (None, YEARLY_MEAN):
            try:
                live(name).zone(site.place, site.zone)
            except UsageError as error:
                source.fault(("site", key), f"{error.message}; {error.hint}")


def _check_options(source: Source, suite: Suite) -> None:
    """Options of a workload that the suite does not run would be ignored."""
    ran = {w for b in (suite.matrix, *suite.includes) for w in b.axes["workload"]}
    for workload in suite.matrix.options.keys() - ran:
        where = ("matrix", "options", workload)
        source.fault(where, "the matrix runs no such workload")
