"""Energy as tables and charts: by phase, by domain, by UTC hour."""

from collections.abc import Iterator, Sequence

from reports.formatting import MISSING, percent
from reports.page.blocks import Block, Column, Figure, Section, Table, Text
from reports.page.charts.parts import Axis, Bar, Part
from reports.page.figures import bar_figure
from reports.sustainability.assessment import Assessment
from reports.sustainability.figures import Figure as Amount
from reports.sustainability.phases import Stretch
from reports.sustainability.sheets.amounts import (
    amount,
    ends,
    filled,
    methods,
    scale_of,
    share,
)

MOST_HOURS = 48
TABLE = (
    Column(title="figure"),
    Column(title="value", align="right"),
    Column(title="range", align="right"),
    Column(title="formula"),
    Column(title="method", about="How its parts came to be: measured by an instrument, "
           "modelled from load, sourced from the literature, or assumed."),
    Column(title="what it lacks, or why it is missing"),
)  # fmt: skip


def figures_table(caption: str, named: Sequence[tuple[str, Amount]]) -> Table:
    """Figures with all that is known of them, a line each."""
    rows = tuple(
        (
            name,
            amount(figure),
            ends(figure),
            figure.formula or MISSING,
            methods(figure),
            figure.reason or "",
        )
        for name, figure in named
    )
    return filled(Table(caption=caption, columns=TABLE, rows=rows))


def energy_section(found: Assessment) -> Section:
    """All of the energy."""
    used = found.energy
    named = [
        ("Machines, gross (idle included)", used.machine_kwh),
        ("Facility", used.facility_kwh),
        ("Windows of the measured work", used.window_j),
        ("Windows, net of idle power", used.net_j),
        ("Converting models (part of setup)", used.convert_j),
    ]
    blocks: list[Block] = [
        Text(text=_quality(found)),
        figures_table("Energy of all trials", named),
        *_charts(found),
    ]
    return Section(name="energy", title="Energy", blocks=tuple(blocks))


def _quality(found: Assessment) -> str:
    """How far the joules can be trusted."""
    used = found.energy
    ratio = used.modelled_ratio
    if ratio is None:
        text = "How much of the energy was modelled is not known."
    elif ratio == 0:
        text = "All of the energy was measured by instruments."
    else:
        text = f"{percent(ratio)} of the energy was modelled, not measured."
    if used.error_ratio is not None:
        text += f" Its error bound is {percent(used.error_ratio)}"
        text += f" (quality grade in BoAmps' words: {used.grade})."
    return f"{text} Tiers: {', '.join(used.tiers) or 'none'}."


def _charts(found: Assessment) -> Iterator[Figure]:
    used = found.energy
    yield _bars(
        used.phases,
        "Energy by phase",
        "Loading and converting, idle stretches, the measured windows and evaluation; "
        "warm-up is not known.",
    )
    yield _bars(
        used.domains, "Energy by domain", "Of the windows alone, by what used it."
    )
    if used.hours:
        placed = "; ".join(used.placed_by)
        yield _bars(
            used.hours[:MOST_HOURS],
            "Energy by UTC hour",
            f"Of the windows; one that spans hours is spread evenly. Laid on hours: "
            f"{placed}.",
        )


def _bars(stretches: Sequence[Stretch], title: str, caption: str) -> Figure:
    """A bar a stretch with joules."""
    known = [each for each in stretches if each.energy_j.value is not None]
    size, unit = scale_of([each.energy_j for each in known])
    bars = [
        Bar(
            label=each.name,
            parts=(Part(name=title, value=(each.energy_j.value or 0.0) / size),),
            low=None if each.energy_j.low is None else each.energy_j.low / size,
            high=None if each.energy_j.high is None else each.energy_j.high / size,
        )
        for each in known
    ]
    texts = (
        f"{each.name} {amount(each.energy_j)} ({share(each.share_ratio)})"
        for each in known[:12]
    )
    alt = f"{title}: {', '.join(texts) or 'nothing is known'}."
    axis = Axis(title="Energy", unit=unit)
    return bar_figure(bars, axis, title, alt, caption, "error bound of the meters")
