"""Reports of Software Carbon Intensity (ISO/IEC 21031:2024), one a configuration.

The parts are those of the Green Software Foundation's report: score, breakdown that
sums to it, coefficients, methodologies with their tags, and its checklist, run as code.
SCI = (E x I + M) / R; location-based, offsets never count.
"""

import math
from collections.abc import Iterator
from typing import NamedTuple

from harness.factor import Factor
from reports.disclosure import words
from reports.disclosure.markdown import facts, table
from reports.disclosure.subject import Activity, Subject
from reports.exports import cell
from reports.sustainability.arithmetic import G_PER_KG, operational_g

SYMBOLS = {"C", "O", "M", "E", "I", "R"}
TAGS = {"sourced", "measured", "modeled"}
MAKING = "Making the hardware"


class Component(NamedTuple):
    """A part of the score.

    Attributes:
        score_g: Grams CO2e per functional unit; None where it is not known.
        methods: Names of the methodologies that it comes from.
    """

    name: str
    score_g: float | None
    about: str
    methods: tuple[str, ...]
    unit: str


class Methodology(NamedTuple):
    """How a quantity of the formula was had.

    Attributes:
        symbol: C, O, M, E, I or R.
        tag: How; None where the quantity could not be had.
        coefficients: Names of the factors that it uses.
    """

    name: str
    symbol: str
    tag: str | None
    about: str
    coefficients: tuple[str, ...] = ()


class Report(NamedTuple):
    """What the checklist asks about.

    Attributes:
        score_g: Grams CO2e per functional unit; None as soon as a part is unknown.
    """

    unit: str
    score_g: float | None
    components: tuple[Component, ...]
    methodologies: tuple[Methodology, ...]
    coefficients: tuple[Factor, ...]


def files(subject: Subject) -> Iterator[tuple[str, str]]:
    """A report for each configuration."""
    for activity in subject.activities:
        yield f"sci/{activity.stem}.md", _text(subject, activity)


def report_of(subject: Subject, activity: Activity) -> Report:
    """Score and parts; the operation is broken down by what was metered."""
    unit = "training" if activity.trains else "item"
    components = (*_operation(subject, activity, unit), _making(activity, unit))
    scores = [each.score_g for each in components]
    known = [score for score in scores if score is not None]
    ledger = subject.ledger
    factors = [ledger.intensity, ledger.pue]
    for piece in ledger.hardware:
        factors += [piece.lifetime, *piece.embodied]
    return Report(
        unit=unit,
        score_g=math.fsum(known) if len(known) == len(scores) else None,
        components=components,
        methodologies=tuple(_methodologies(subject, activity)),
        coefficients=tuple(dict.fromkeys(each for each in factors if each)),
    )


def _operation(subject: Subject, activity: Activity, unit: str) -> Iterator[Component]:
    """Carbon of the electricity, by domain where the domains make up the total."""
    domains: dict[str, float] = {}
    for each in activity.rounds:
        for name, domain_kwh in each.domains_kwh.items():
            domains[name] = domains.get(name, 0.0) + domain_kwh
    if not math.isclose(math.fsum(domains.values()), activity.whole.kwh, rel_tol=1e-6):
        domains = {"+".join(activity.perimeter) or "machine": activity.whole.kwh}
    factor, pue = subject.ledger.intensity, subject.ledger.pue
    for name, domain_kwh in sorted(domains.items()):
        grams = None
        if factor is not None and pue is not None:
            grams = operational_g(domain_kwh, pue.value, factor.value)
        yield Component(
            name=f"Electricity of {name}",
            score_g=None if grams is None else grams / activity.units,
            about=f"What {name} used while the work ran, with the facility's share.",
            methods=("Energy", "Grid intensity", "Functional unit"),
            unit=unit,
        )


def _making(activity: Activity, unit: str) -> Component:
    kg = activity.whole.embodied_kg
    return Component(
        name=MAKING,
        score_g=None if kg is None else kg * G_PER_KG / activity.units,
        about="Share of what making the hardware emitted, for the time of the work.",
        methods=("Embodied carbon", "Functional unit"),
        unit=unit,
    )


def _methodologies(subject: Subject, activity: Activity) -> Iterator[Methodology]:
    ledger = subject.ledger
    intensity, pue = ledger.intensity, ledger.pue
    yield Methodology(
        "Energy",
        "E",
        "measured" if activity.measured else activity.provenance and "modeled",
        f"{words.method(activity)}; PUE {words.overhead(subject)}",
        (pue.name,) if pue else (),
    )
    yield Methodology(
        "Grid intensity",
        "I",
        None if intensity is None else "modeled" if intensity.assumed else "sourced",
        words.grid(subject),
        (intensity.name,) if intensity else (),
    )
    made = [
        factor
        for piece in ledger.hardware
        for factor in (piece.lifetime, *piece.embodied)
        if factor
    ]
    unknown = subject.reasons.get("embodied_kg")
    yield Methodology(
        "Embodied carbon",
        "M",
        None if unknown else "modeled" if any(f.assumed for f in made) else "sourced",
        unknown or "median of the sources, shared out by time over the expected life",
        tuple(dict.fromkeys(factor.name for factor in made)),
    )
    yield Methodology(
        "Functional unit", "R", "measured", f"counted: {words.coverage(activity)}"
    )


def checklist(report: Report) -> tuple[tuple[str, bool], ...]:
    """The eight questions before a report is handed in, answered by its numbers."""
    scores = [each.score_g for each in report.components]
    known = [score for score in scores if score is not None]
    total = report.score_g
    named = {factor.name for factor in report.coefficients}
    used = {name for each in report.methodologies for name in each.coefficients}
    return (
        (
            "the parts add up to the score",
            total is not None and math.isclose(math.fsum(known), total, rel_tol=1e-9),
        ),
        (
            "every part has the functional unit of the score",
            {each.unit for each in report.components} == {report.unit},
        ),
        ("every coefficient in use is in the table", used <= named),
        (
            "every methodology is sourced, measured or modeled",
            all(each.tag in TAGS for each in report.methodologies),
        ),
        (
            "every methodology is of C, O, M, E, I or R",
            all(each.symbol in SYMBOLS for each in report.methodologies),
        ),
        (
            "every part says what it holds",
            all(each.about for each in report.components),
        ),
        ("the score is broken down", len(report.components) > 1),
        ("no part is unknown", len(known) == len(scores)),
    )


def _text(subject: Subject, activity: Activity) -> str:
    """The report in Markdown."""
    report = report_of(subject, activity)
    unit = f"gCO2e/{report.unit}"
    head = {
        "SCI": f"{words.number(report.score_g)} {unit}{_known_part(report)}",
        "Application": activity.key,
        "Version": words.program(subject),
        "Organization": words.UNKNOWN,
        "Accountable": words.UNKNOWN,
        "Measurement timespan": _timespan(activity),
        "Functional unit": f"{report.unit}: {_why(activity)}",
        "Covers": words.coverage(activity),
        "Energy": f"{words.number(activity.stated.kwh)} kWh, {words.tag(activity)}, "
        f"for {words.article(activity)}",
        "Market-based, not in the score": f"{words.number(activity.stated.market_kg)}"
        f" kg CO2e for {words.article(activity)}",
    }
    parts = (
        (
            each.name,
            words.number(each.score_g),
            unit,
            each.about,
            ", ".join(each.methods),
        )
        for each in report.components
    )
    coefficients = (
        (f.name, words.given(f.value), f.unit, str(f.year or "-"), _origin(f))
        for f in report.coefficients
    )
    methods = (
        (each.symbol, each.name, each.tag or words.UNKNOWN, each.about)
        for each in report.methodologies
    )
    checks = "".join(
        f"- [{'x' if passed else ' '}] {question}\n"
        for question, passed in checklist(report)
    )
    return "\n".join(
        (
            f"# SCI report: {cell(activity.key)}\n",
            facts(head.items()),
            "## Breakdown\n",
            table(("part", "SCI", "unit", "what it holds", "methodologies"), parts),
            "## Coefficients\n",
            table(("coefficient", "value", "unit", "year", "source"), coefficients),
            "## Methodologies\n",
            table(("quantity", "name", "method", "description"), methods),
            "## Checklist\n",
            checks,
        )
    )


def _known_part(report: Report) -> str:
    """Sum of the known parts, where the score is unknown."""
    known = [each.score_g for each in report.components if each.score_g is not None]
    if report.score_g is not None or not known:
        return ""
    return f"; its known parts are {words.number(math.fsum(known))}"


def _origin(factor: Factor) -> str:
    return f"{factor.source}{' (assumed)' if factor.assumed else ''}"


def _timespan(activity: Activity) -> str:
    """First and last beginning of a round."""
    starts = [each.started_utc for each in activity.rounds if each.started_utc]
    return f"{min(starts)} to {max(starts)} (starts)" if starts else words.UNKNOWN


def _why(activity: Activity) -> str:
    if activity.trains:
        return "a whole training is what is bought with the energy"
    return "each item is one answer of the model"
