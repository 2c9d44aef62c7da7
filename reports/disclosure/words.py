"""Sentences and numbers that several formats say."""

import uuid
from decimal import Decimal

from reports.disclosure.subject import TOOL, Activity, Amounts, Source, Subject
from reports.formatting import printable, significant

UNKNOWN = "unknown"
DIGITS = 6
"""Of numbers in texts; JSON and CSV have all of them."""


def number(value: float | None, digits: int = DIGITS) -> str:
    """A number in a text; `unknown` where it is missing."""
    return UNKNOWN if value is None else significant(value, digits)


def given(value: float) -> str:
    """A factor in a text, with as many digits as it came with."""
    return f"{value:.{DIGITS}g}"


def count(number: int, noun: str) -> str:
    """How many, such as `3 rounds`."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def plain(value: float) -> str:
    """All digits of a number, without an exponent."""
    return format(Decimal(repr(value)), "f")


def tag(activity: Activity) -> str:
    """How its energy came to be, in a word or two."""
    if activity.measured:
        return "measured"
    if activity.provenance is None:
        return "origin unknown"
    ratio = activity.modelled_ratio
    return "partly modelled" if ratio is not None and ratio < 1 else "modelled"


def source(each: Source) -> str:
    """A meter in words, such as `rapl.powercap of cpu (measured)`."""
    return f"{each.name} of {each.domain} ({each.provenance})"


def method(activity: Activity) -> str:
    """How its energy was had, in a sentence without a full stop."""
    how = {
        "measured": "measured by instruments",
        "origin unknown": "of unknown origin",
        "modelled": "estimated by a model, not measured",
    }.get(tag(activity))
    if how is None:
        how = (
            f"partly measured, {activity.modelled_ratio:.0%} of it estimated by models"
        )
    sources = ", ".join(source(each) for each in activity.sources) or UNKNOWN
    lacking = "" if activity.complete else "; the perimeter is not complete"
    return f"energy {how}: {sources}; {bound(activity.whole)}{lacking}"


def bound(amounts: Amounts) -> str:
    """How far off the energy can be."""
    ratio = amounts.bound_ratio
    return "no error bound" if ratio is None else f"error bound {ratio:.1%}"


def rounds(activity: Activity) -> str:
    """Which trials it covers."""
    names = ", ".join(each.trial for each in activity.rounds)
    made = count(len(activity.rounds), "round")
    left = f" (left out: {activity.left_out})" if activity.left_out else ""
    return f"{made}: {names}{left}"


def coverage(activity: Activity) -> str:
    """What the stated amounts are of, and what all rounds took."""
    whole = activity.whole
    what = "mean of" if activity.trains else f"{activity.items} items in"
    return (
        f"amounts of {article(activity)}, {what} {rounds(activity)}; all rounds "
        f"together: {number(whole.kwh)} kWh in {number(whole.duration_s)} s"
    )


def article(activity: Activity) -> str:
    """What is stated, with its article where it needs one."""
    return f"one {activity.unit_name}" if activity.trains else activity.unit_name


def grid(subject: Subject) -> str:
    """Where the electricity's carbon is from."""
    factor = subject.ledger.intensity
    if factor is None:
        return f"grid and carbon {UNKNOWN}: {subject.reasons['location_kg']}"
    year = f", {factor.year}" if factor.year else ""
    kind = ", assumed" if factor.assumed else ""
    return (
        f"{given(factor.value)} {factor.unit} (location-based{year}{kind}, "
        f"{printable(factor.source)}), PUE {overhead(subject)}"
    )


def overhead(subject: Subject) -> str:
    """PUE with whether anyone gave it."""
    pue = subject.ledger.pue
    if pue is None:
        return UNKNOWN
    return given(pue.value) + (" (assumed)" if pue.assumed else "")


def program(subject: Subject) -> str:
    """What measured."""
    return f"{TOOL} {subject.tool_version}"


def identity(subject: Subject, *parts: str) -> str:
    """UUID of a document: another one for other trials, factors or another second."""
    text = "\n".join((subject.digest, *parts))
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"{TOOL}:{text}"))
