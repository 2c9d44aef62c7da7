"""Energy and computation as the EU's Model Documentation Form asks for them.

The form belongs to the code of practice for general-purpose AI (Regulation (EU)
2024/1689, Annex XI, section 1, 2(d) and (e)). Only its items on training time,
computation, energy, size and inference are filled in, in units of the form; the figures
are of this benchmark's runs, not of all that a provider trained.
"""

from collections.abc import Iterator

from reports.disclosure import words
from reports.disclosure.markdown import table
from reports.disclosure.subject import PER, Activity, Subject
from reports.exports import cell

SECONDS_PER_DAY = 86_400.0
KWH_PER_MWH = 1_000.0
FIGURES = 3
"""The form asks for two significant figures at least."""


def files(subject: Subject) -> Iterator[tuple[str, str]]:
    """A document for each configuration."""
    for activity in subject.activities:
        rows = _training(subject, activity) if activity.trains else _inference(activity)
        text = (
            f"# Model documentation, energy and computation: {cell(activity.key)}\n\n"
            + table(("item", "value", "methodology"), rows)
            + f"\n{cell(words.coverage(activity))}.\n"
            + "\nThese are figures of a benchmark, not of all that was trained to make "
            f"a model. Written {subject.created_utc} by {words.program(subject)}.\n"
        )
        yield f"eu/{activity.stem}.md", text


def _training(subject: Subject, activity: Activity) -> Iterator[tuple[str, str, str]]:
    """Items on one training."""
    stated = activity.stated
    days = words.number(stated.duration_s / SECONDS_PER_DAY, FIGURES)
    yield (
        "Training time",
        f"{days} days of wall-clock time",
        f"measured window, mean of a training; hardware: {_hardware(subject)}",
    )
    flop = activity.flop_per_item
    items = activity.items / activity.units
    yield (
        "Amount of computation used for training",
        _flop(None if flop is None else flop * items),
        "operations of matrix products and convolutions, three times a forward pass, "
        f"times {words.given(items)} items"
        if flop is not None
        else "not counted for this configuration",
    )
    yield (
        "Amount of energy used for training",
        (
            f"{words.number(stated.kwh / KWH_PER_MWH, FIGURES)} MWh"
            f" ({words.tag(activity)})"
        ),
        (
            f"{words.method(activity)}; energy of the machine, without the facility's "
            "overhead"
        ),
    )
    yield _size(activity)


def _inference(activity: Activity) -> Iterator[tuple[str, str, str]]:
    """Items on inference: the form asks for computation, not for energy."""
    flop = activity.flop_per_item
    yield (
        "Benchmarked amount of computation used for inference",
        _flop(None if flop is None else flop * PER),
        f"operations of matrix products and convolutions for {PER} items of "
        f"{activity.dataset.name if activity.dataset else words.UNKNOWN}"
        if flop is not None
        else "not counted for this configuration",
    )
    yield (
        "Energy used for inference (not asked for by the form)",
        (
            f"{words.number(activity.stated.kwh)} kWh for {PER} items"
            f" ({words.tag(activity)})"
        ),
        words.method(activity),
    )
    yield _size(activity)


def _size(activity: Activity) -> tuple[str, str, str]:
    count = activity.parameters
    text = words.UNKNOWN if count is None else f"{count:.{FIGURES - 1}e}"
    return "Total number of parameters", text, "counted before conversion"


def _flop(value: float | None) -> str:
    """Operations with as many figures as the form asks for."""
    return words.UNKNOWN if value is None else f"{value:.{FIGURES - 1}e} FLOP"


def _hardware(subject: Subject) -> str:
    return subject.machine.words or words.UNKNOWN
