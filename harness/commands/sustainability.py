"""`bench report sustainability`: energy, carbon and water of runs at a site."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import harness
from harness.commands.console import print_text, warn
from harness.commands.ranking import ranked, stored_plan
from harness.commands.reporting import (
    Target,
    Writer,
    home_of,
    page_writers,
    write,
)
from harness.commands.stored import read_once
from harness.errors import UsageError
from harness.factor import Factor
from harness.factors.lock import read_lock
from harness.frozen_factors import frozen
from harness.ledger import Ledger, ledger_of, machine_names
from harness.near import nearest
from harness.plan import Plan
from harness.site import load_site
from harness.store import ReadResult, RunFolder
from reports.disclosure import ALL, EXPORTS, export, subject_of
from reports.disclosure import Subject as Disclosed
from reports.sustainability.accounts import Entry
from reports.sustainability.assessment import Assessment, Subject, assess
from reports.sustainability.completing import completed
from reports.sustainability.facts import RunFacts, facts_of, machine_of, offsets_s
from reports.sustainability.label import read_pins
from reports.sustainability.sheets.page import sustainability_page
from reports.sustainability.tidy import to_csv

FORMATS = ("html", "md", "json", "csv", "pdf")


@dataclass(frozen=True)
class SiteOptions:
    """Where the machines stand, as a user says it.

    Attributes:
        site: A site.yaml.
        lock: Factors as they were locked.
        assume: Such as `pue=1.54`.
        label: A file of pinned references; None for no label.
        export: Formats of disclosures.
    """

    site: Path | None = None
    lock: Path | None = None
    assume: tuple[str, ...] = ()
    label: Path | None = None
    export: tuple[str, ...] = ()


def sustainability(paths: Sequence[Path], target: Target, given: SiteOptions) -> int:
    """Write the report of one or several runs; the last line is a path."""
    home = home_of(paths, target)
    _check_exports(paths, target, given)
    files = target.files("sustainability", home, FORMATS)
    material = gather(paths, given)
    write(files, _writers(assess_material(material, given), target))
    if given.export:
        folder = target.output or home
        subject, force = _disclosed(material), target.force
        for path in export(subject, given.export, folder, force=force):
            print_text(str(path))
    return 0


def _check_exports(paths: Sequence[Path], target: Target, given: SiteOptions) -> None:
    """Refuse what cannot be exported before anything is read."""
    if not given.export:
        return
    for name in given.export:
        if name != ALL and name not in EXPORTS:
            raise UsageError(
                f"--export: unknown format {name!r}{nearest(name, EXPORTS)}",
                hint=f"known: {', '.join(EXPORTS)}, or {ALL}",
            )
    if len(paths) > 1:
        raise UsageError(
            "a disclosure is of one run on one machine", hint="one RUN with --export"
        )
    if target.is_stream or (target.output and target.output.suffix):
        raise UsageError(
            f"--export writes several files, and {target.output} is one",
            hint="-o FOLDER",
        )


class Material(NamedTuple):
    """Runs as they were read, with the factors of their site."""

    paths: Sequence[Path]
    result: ReadResult
    plans: Sequence[Plan | None]
    runs: Sequence[RunFacts]
    ledger: Ledger


def gather(paths: Sequence[Path], given: SiteOptions) -> Material:
    """Runs and factors; a server without a PUE is refused."""
    paths, result = read_once(paths)
    plans = [stored_plan(path) for path in paths]
    runs = [facts_of(path, plan) for path, plan in zip(paths, plans, strict=True)]
    ledger = completed(site_ledger(paths, given, runs), runs, given.assume)
    return Material(paths, result, plans, runs, ledger)


def assessed(paths: Sequence[Path], given: SiteOptions) -> Assessment:
    """The assessment of some runs."""
    return assess_material(gather(paths, given), given)


def assess_material(material: Material, given: SiteOptions) -> Assessment:
    """The assessment of what was read; what could not be read is warned of."""
    pins = read_pins(given.label) if given.label else None
    made, faults = ranked(material.plans[0], material.paths, material.result)
    for sentence in (*material.result.faults, *faults):
        warn(sentence)
    subject = Subject(
        entries=_entries(material.paths, material.runs, material.result),
        ranking=made,
        ledger=material.ledger,
        runs=material.runs,
        pins=pins,
        command=command_line(),
    )
    return assess(subject, harness.__version__)


def _disclosed(material: Material) -> Disclosed:
    """What the formats of others are made of."""
    return subject_of(
        material.result.records,
        material.plans[0],
        machine_of(material.paths[0]),
        material.ledger,
    )


def site_ledger(
    paths: Sequence[Path], given: SiteOptions, runs: Sequence[RunFacts]
) -> Ledger:
    """Factors of the site, or of the place that the suites name.

    Raises:
        UsageError: The suites name several places, or a file is at fault.
    """
    site = load_site(given.site) if given.site else None
    lock = read_lock(given.lock) if given.lock else None
    places = {run.place for run in runs}
    if len(places) > 1 and not (site and site.place):
        raise UsageError(
            f"the runs are of several places: {', '.join(sorted(map(str, places)))}",
            hint="name one site with a place: --site FILE",
        )
    names = {name for path in paths for name in machine_names(machine_of(path))}
    place = next(iter(places))
    here = lock is None and (site is None or site.place in {None, place})
    live, marginal = _live(paths) if here else (None, None)
    ledger = ledger_of(site, place, lock=lock, live=live, machine=sorted(names))
    return ledger.model_copy(update={"marginal": marginal})


def _live(paths: Sequence[Path]) -> tuple[Factor | None, Factor | None]:
    """Mean and marginal intensity that were asked when the runs began, if all agree."""
    kept = [frozen(RunFolder(path)) for path in paths]
    for each in kept:
        if each.fallback_reason:
            warn(f"the yearly mean of the grid is used: {each.fallback_reason}")
    means = {each.intensity for each in kept}
    margins = {each.marginal for each in kept}
    mean = means.pop() if len(means) == 1 else None
    if len(means) > 1:
        warn("the runs began at several intensities of the grid: the mean is used")
    asked = mean is not None and mean.retrieved_utc is not None
    return mean if asked else None, margins.pop() if len(margins) == 1 else None


def _entries(
    paths: Sequence[Path], runs: Sequence[RunFacts], result: ReadResult
) -> list[Entry]:
    """Trials with their run, its idle stretches and its clock."""
    found: list[Entry] = []
    for number, (path, run) in enumerate(zip(paths, runs, strict=True)):
        records = [
            record
            for record, folder in zip(result.records, result.folders, strict=True)
            if folder == path
        ]
        clocks = offsets_s(path, records)
        found += (
            Entry(record, number, run.idle_s, offset)
            for record, offset in zip(records, clocks, strict=True)
        )
    return found


def command_line() -> str:
    """What was typed, with names of files alone: paths are nobody's business."""
    words = [Path(word).name if "/" in word else word for word in sys.argv[1:]]
    return " ".join(("bench", *words))


def _writers(found: Assessment, target: Target) -> dict[str, Writer]:
    """What makes each format."""
    page = page_writers(
        lambda: sustainability_page(found), interactive=target.interactive
    )
    return page | {
        "json": found.to_json,
        "csv": lambda: to_csv(found),
    }
