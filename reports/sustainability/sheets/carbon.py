"""Carbon: from kWh to grams step by step, by location and contract, scopes, making."""

from collections.abc import Iterator

from reports.formatting import significant
from reports.page.blocks import Block, Column, Figure, Section, Table, Text
from reports.page.charts.parts import Axis, Bar, Part, Range
from reports.page.figures import bar_figure, range_figure
from reports.sustainability.assessment import Assessment
from reports.sustainability.sheets.amounts import GRAMS, amount, ends, filled, told
from reports.sustainability.sheets.energy import figures_table

MOST_SOURCES = 30
NO_OFFSETS = (
    "Location-based figures are with the mean of the grid, market-based ones with the "
    "contract of the site. Offsets are subtracted nowhere."
)
BY_TIME = (
    "Making is charged by time: TE x TiR / EL, the time for which the machines were "
    "reserved over their lifetime. How busy they are otherwise is not assumed."
)


def carbon_section(found: Assessment) -> Section:
    """All of the carbon."""
    emitted = found.carbon
    named = [
        ("E: energy of the machines", emitted.energy_kwh),
        ("E x PUE: energy of the facility", emitted.facility_kwh),
        ("E x PUE x I: electricity, location-based", emitted.location_g),
        ("E x PUE x I: electricity, market-based", emitted.market_g),
        ("TiR: time reserved", emitted.reserved_s),
        ("M: making of the hardware", emitted.embodied_g),
        ("Total, location-based", emitted.total_g),
    ]
    blocks: list[Block] = [
        Text(text=NO_OFFSETS),
        *_waterfall(found),
        figures_table("From energy to carbon", named),
    ]
    if found.check is not None:
        verdict = "agrees" if found.check.agrees else "DOES NOT AGREE"
        line = f"Check: {found.check.line}. Computed again: {verdict}."
        blocks.append(Text(text=line, tone="small"))
    blocks += [*_making(found), _scopes(found)]
    return Section(name="carbon", title="Carbon", blocks=tuple(blocks))


def _waterfall(found: Assessment) -> Iterator[Figure]:
    """Grams as they add up: machines, overhead of the facility, making."""
    emitted = found.carbon
    used, facility = emitted.energy_kwh.value, emitted.facility_kwh.value
    location = emitted.location_g.value
    if not used or not facility or location is None:
        return
    machines = location * used / facility
    made = emitted.embodied_g.value
    size, unit = GRAMS.of(location + (made or 0.0))
    steps = [
        ("E x I: machines", 0.0, machines),
        ("x PUE: overhead of the facility", machines, location - machines),
    ]
    if made is not None:
        steps.append(("+ M: making of the hardware", location, made))
    whole = emitted.total_or_location
    bars = [
        Bar(label=name, parts=(Part(name="grams", value=grams / size),))
        for name, _, grams in steps
    ]
    bars.append(
        Bar(
            label="total" if made is not None else "total without M",
            parts=(Part(name="grams", value=(location + (made or 0.0)) / size),),
            low=None if whole.low is None else whole.low / size,
            high=None if whole.high is None else whole.high / size,
        )
    )
    words = ", ".join(f"{name} {significant(g / size)} {unit}" for name, _, g in steps)
    alt = f"Emissions step by step: {words}; in total {told(whole)}."
    lack = (
        "" if made is not None else " M is missing: " + str(emitted.embodied_g.reason)
    )
    yield bar_figure(
        bars,
        Axis(title="Emissions", unit=unit),
        "From energy to carbon",
        alt,
        f"Location-based, all trials. The range is the worst case.{lack}",
        "range",
    )


def _making(found: Assessment) -> Iterator[Block]:
    """Embodied carbon by its named sources."""
    yield Text(text=BY_TIME)
    listed = found.embodied_sources[:MOST_SOURCES]
    made = found.carbon.embodied_g
    if not listed or made.value is None:
        yield Text(text=f"Embodied carbon is not known: {made.reason}.", tone="caution")
        return
    size, unit = GRAMS.of(max(s.embodied_g.value or 0.0 for s in listed))
    spans = []
    for each in listed:
        low, high = each.embodied_g.bounds or (0.0, 0.0)
        year = f", {each.year}" if each.year else ""
        spans.append(
            Range(
                label=f"{each.count} x {each.hardware}",
                low=low / size,
                high=high / size,
                value=(each.embodied_g.value or 0.0) / size,
                note=f"{each.source}{year}: {significant(each.made_kg)} kg",
            )
        )
    texts = (f"{each.source} {told(each.embodied_g)}" for each in listed)
    yield range_figure(
        spans,
        Axis(title="Share of making", unit=unit),
        "Embodied carbon by source",
        f"Share of making that falls on the run, by source: {'; '.join(texts)}.",
        caption=f"All hardware: {told(made)}, the median source and the ends of all.",
    )


def _scopes(found: Assessment) -> Table:
    """Lines of a corporate inventory."""
    rows = tuple(
        (
            scope.what,
            scope.scope or "not assigned",
            amount(scope.location_g),
            ends(scope.location_g),
            amount(scope.market_g),
            scope.location_g.reason or scope.note
            if scope.location_g.value is None
            else scope.note,
        )
        for scope in found.scopes
    )
    ownership = found.site.ownership or "not given"
    table = Table(
        caption=f"Scopes of the GHG Protocol (ownership: {ownership})",
        columns=(
            Column(title="emissions"),
            Column(title="scope"),
            Column(title="location-based", align="right"),
            Column(title="range", align="right"),
            Column(title="market-based", align="right"),
            Column(title="note"),
        ),
        rows=rows,
    )
    return filled(table)
