"""The whole page of a ranking."""

from collections.abc import Iterator, Sequence

from harness import __version__
from harness.garbage import uncollected
from harness.readings import Provenance
from reports.across import Across
from reports.formatting import MISSING, energy, significant
from reports.page.blocks import Block, Column, Page, Points, Section, Table, Text
from reports.ranking import Group
from reports.ranking_page.background import (
    doubts_section,
    gate_section,
    origin_section,
    origins_section,
    skipped_section,
)
from reports.ranking_page.energies import figures
from reports.ranking_page.material import Material
from reports.ranking_page.tables import (
    ranked_rows,
    ranking_table,
    reasons,
    required_table,
)
from reports.ranking_page.traces import trace_figures
from reports.rows import Row
from reports.words import required_line

COST = " times the energy of "
MOST_COSTS = 5
MOST_GROUPS = 12
"""So many groups have a section of their own."""


@uncollected()
def ranking_page(material: Material) -> Page:
    """All that there is to say of a ranking, the answer first."""
    ranking = material.ranking
    full = [group for group in ranking.groups if ranked_rows(group)]
    shown = full[:MOST_GROUPS]
    found, faults = trace_figures(shown, material)
    sections: list[Section | None] = [
        *(
            _group_section(number, group, material, alone=len(full) == 1)
            for number, group in enumerate(shown)
        ),
        _further(full[MOST_GROUPS:]),
        _across_section(ranking.across),
        _traces_section(found, faults),
        gate_section(ranking),
        doubts_section(ranking, len(material.records)),
        skipped_section(ranking),
        origins_section(material.records),
        origin_section(material),
    ]
    done = sum(record.status == "ok" for record in material.records)
    keys = len({record.key for record in material.records})
    return Page(
        title=f"{material.origin.suite}: accuracy per joule",
        subtitle=_subtitle(material, done, keys),
        lead=tuple(_lead(material, full)),
        sections=tuple(section for section in sections if section is not None),
        colophon=_colophon(material),
    )


def _subtitle(material: Material, done: int, keys: int) -> str:
    started = sorted(r.started_utc for r in material.records if r.started_utc)
    when = f"{started[0][:10]}, " if started else ""
    machine = dict(material.origin.machine).get("processor", "unknown machine")
    return f"{when}{keys} configurations, {done} trials, on {machine}"


def _colophon(material: Material) -> tuple[str, ...]:
    folders = list(dict.fromkeys(str(folder) for folder in material.folders))
    return (
        f"Made by joulebench {__version__} from {', '.join(folders[:5])}"
        + (f" and {len(folders) - 5} more runs" if len(folders) > 5 else "")
        + ". The same figures for programs: bench report ranking --format json,csv.",
    )


def _lead(material: Material, groups: Sequence[Group]) -> Iterator[Block]:
    """The answer, then what speaks against it."""
    ranking = material.ranking
    if not groups:
        yield Text(text="Nothing was measured.", tone="lead")
    elif len(groups) == 1:
        said, costly = _said(groups[0])
        yield Text(text=said[0], tone="lead")
        if said[1:]:
            yield Text(text=" ".join(said[1:]))
        yield from _costs(costly)
    else:
        yield Text(text=_overall(groups), tone="lead")
        yield _winners(groups, material)
    for sentence in (*ranking.warnings, *material.faults[:5]):
        yield Text(text=sentence, tone="caution")
    if len(material.faults) > 5:
        more = f"{len(material.faults) - 5} more lines could not be read."
        yield Text(text=more, tone="caution")
    caution = _origin_caution(groups)
    if caution:
        yield Text(text=caution, tone="caution")


def _said(group: Group) -> tuple[list[str], list[str]]:
    """A group's sentences: what is best, and what cost energy instead of saving it."""
    every = [f"{each.rstrip('.')}." for each in group.sentence.split(". ")]
    costly = [each for each in every if COST in each]
    return [each for each in every if COST not in each] or every, costly


def _costs(costly: Sequence[str]) -> Iterator[Block]:
    """The sentences of what cost energy; some of many."""
    if costly:
        yield Text(text="Cost energy instead of saving it:")
        more = len(costly) - MOST_COSTS
        rest = [f"and {more} more; the column J vs fp32 has them."] if more > 0 else []
        yield Points(items=(*costly[:MOST_COSTS], *rest))


def _overall(groups: Sequence[Group]) -> str:
    """How much the best of each group saves, in a sentence."""
    ratios = [
        best.energy_vs_reference
        for group in groups
        if (best := _best(group)) and best.energy_vs_reference and best.reference
    ]
    if not ratios:
        return f"{len(groups)} groups, each ranked apart."
    low, high = significant(min(ratios), 2), significant(max(ratios), 2)
    share = low if low == high else f"{low} to {high}"
    return f"The best of each group used {share} of the energy of its fp32 reference."


def _best(group: Group) -> Row | None:
    return next((row for row in group.rows if row.place == 1), None)


def _winners(groups: Sequence[Group], material: Material) -> Table:
    """The best of each group, a line each."""
    rows, by = [], material.ranking.by
    for group in groups:
        best = _best(group)
        if best is None:
            rows.append((group.title, "nothing can be ranked", *(MISSING,) * 4))
            continue
        names = material.names(group)
        tied = sum(row.rank == 1 for row in group.rows) - 1
        known = best.rank is not None
        how = "estimate" if not known else f"tied with {tied}" if tied else "shown"
        ratio = significant(best.energy_vs_reference)
        accuracy = best.accuracy.value
        rows.append(
            (
                group.title,
                names[best.key],
                energy(best.energy_per_item_j.value),
                ratio if best.energy_vs_reference else MISSING,
                MISSING if accuracy is None else f"{accuracy:.3f}",
                how,
            )
        )
    return Table(
        caption=f"Best by {by.replace('_per_j', ' per joule').replace('_', ' ')}",
        columns=(
            Column(title="group"),
            Column(title="best"),
            Column(title="J / item", align="right"),
            Column(title="J vs fp32", align="right"),
            Column(title="accuracy", align="right"),
            Column(title="lead"),
        ),
        rows=tuple(rows),
    )


def _origin_caution(groups: Sequence[Group]) -> str:
    """That the joules of some rows were not measured."""
    rows = [row for group in groups for row in group.rows if row.trials]
    other = [row for row in rows if row.provenance is not Provenance.MEASURED]
    if not other:
        return ""
    modelled = [row for row in other if row.modelled_ratio == 1.0]
    if len(modelled) == len(rows):
        return (
            "All joules here come from a model of the load: no instrument saw them. "
            "They order configurations of one machine roughly; they are no "
            "measurement. bench doctor shows which meters this machine has."
        )
    return (
        f"The joules of {len(other)} of {len(rows)} configurations were not all "
        "measured; the column joules says which."
    )


def _group_section(
    number: int, group: Group, material: Material, *, alone: bool
) -> Section:
    """Table, charts and sentences of one group."""
    names = material.names(group)
    place = " + ".join(group.perimeter) or "no meter"
    facts = f"Joules of {place}, tier {group.tier or MISSING}, {group.track} track."
    blocks: list[Block] = []
    if not alone:
        told, costly = _said(group)
        blocks += [Text(text=" ".join(told)), *_costs(costly)]
    blocks += [Text(text=facts, tone="small")]
    blocks += [ranking_table(group, material)]
    said = [
        *(f"{note[:1].upper()}{note[1:]}." for note in group.notes),
        *reasons(group, names),
    ]
    if said:
        blocks.append(Points(items=tuple(said)))
    blocks += figures(group, material)
    if len(group.required) > 1:
        blocks.append(Text(text=required_line(group.required, names)))
        blocks.append(required_table(group, names))
    return Section(name=f"group-{number + 1}", title=group.title, blocks=tuple(blocks))


def _further(groups: Sequence[Group]) -> Section | None:
    """Groups beyond those that have a section."""
    if not groups:
        return None
    items = tuple(f"{group.title}: {group.sentence}" for group in groups)
    return Section(
        name="further", title="Further groups", blocks=(Points(items=items),)
    )


def _across_section(ratios: Sequence[Across]) -> Section | None:
    """What each way of running did to fp32's joules, over all groups."""
    if not ratios:
        return None
    rows = tuple(
        (
            ratio.name,
            significant(ratio.energy_vs_reference),
            significant(ratio.score_vs_reference),
            str(ratio.groups),
            ratio.measured,
        )
        for ratio in ratios
    )
    columns = (
        Column(title="configuration"),
        Column(title="J vs fp32", align="right", about="Joules an item over fp32's."),
        Column(
            title="accuracy / J vs fp32",
            align="right",
            about="Above 1 it does more right answers a joule than fp32.",
        ),
        Column(title="groups", align="right"),
        Column(title="measured"),
    )
    caption = "Geometric means over groups; only what passed the gate in all of them"
    table = Table(caption=caption, columns=columns, rows=rows)
    return Section(name="across", title="Across the groups", blocks=(table,))


def _traces_section(found: Sequence[Block], faults: Sequence[str]) -> Section | None:
    """Power over time, or why it cannot be shown."""
    if not found and not faults:
        return None
    blocks: list[Block] = list(found)
    if faults:
        some = f"{faults[0]}" + (f" and {len(faults) - 1} more" if faults[1:] else "")
        blocks.append(Text(text=f"Not shown: {some}.", tone="small"))
    return Section(name="traces", title="Power over time", blocks=tuple(blocks))
