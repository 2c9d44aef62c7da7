"""The whole page: the answer first, then what it rests on."""

from collections.abc import Iterator

from reports.formatting import percent
from reports.page.blocks import Block, Page, Text
from reports.sustainability.assessment import Assessment
from reports.sustainability.sheets.amounts import amount, told
from reports.sustainability.sheets.background import (
    boundary_section,
    coefficients_section,
    method_section,
    repeat_section,
    sensitivity_section,
    water_section,
)
from reports.sustainability.sheets.carbon import carbon_section
from reports.sustainability.sheets.energy import energy_section
from reports.sustainability.sheets.rows import (
    choices,
    overall,
    ranking_section,
)
from reports.sustainability.sheets.scores import scores_section


def sustainability_page(found: Assessment) -> Page:
    """All that there is to say of energy, carbon and water of some runs."""
    runs = found.reproducibility.runs
    suites = ", ".join(dict.fromkeys(run.suite or run.name for run in runs))
    return Page(
        title=f"{suites or 'run'}: sustainability report",
        subtitle=_subtitle(found),
        lead=tuple(_lead(found)),
        sections=(
            boundary_section(found),
            energy_section(found),
            carbon_section(found),
            scores_section(found),
            water_section(found),
            ranking_section(found),
            sensitivity_section(found),
            coefficients_section(found),
            method_section(found),
            repeat_section(found),
        ),
        colophon=(
            f"Made by joulebench {found.reproducibility.joulebench}.",
            "The same figures for programs: bench report sustainability --format json.",
        ),
    )


def _subtitle(found: Assessment) -> str:
    runs = found.reproducibility.runs
    dates = sorted({run.utc[:10] for run in runs if run.utc})
    machines = dict.fromkeys(run.cpu for run in runs if run.cpu)
    parts = [
        *dates[:1],
        f"{found.trials} trials",
        f"on {', '.join(machines) or 'an unknown machine'}",
        f"at {found.site.name}",
    ]
    if found.site.place:
        parts.append(f"grid {found.site.place}")
    return ", ".join(parts)


def _lead(found: Assessment) -> Iterator[Block]:
    """What the run took, what to take of it, and what speaks against both."""
    yield Text(text=_taken(found), tone="lead")
    saving = overall(found)
    if saving:
        yield Text(text=saving)
    if found.groups:
        yield choices(found.groups)
    yield from (Text(text=text, tone="caution") for text in _cautions(found))


def _taken(found: Assessment) -> str:
    """Energy, carbon and water of all trials, in a sentence."""
    emitted = found.carbon
    if emitted.energy_kwh.value is None:
        return f"No energy is known: {emitted.energy_kwh.reason}."
    text = f"These trials took {amount(emitted.energy_kwh)} of electricity"
    whole = emitted.total_or_location
    if whole.value is None:
        text += f"; their carbon is not known: {whole.reason}"
    elif emitted.embodied_g.value is None:
        text += f" and caused {told_short(found)}, making of the hardware not counted"
    else:
        text += (
            f" and caused {told_short(found)}: {amount(emitted.location_g)} by "
            f"electricity, {amount(emitted.embodied_g)} as their share of making the "
            "hardware"
        )
    litres = found.water.total_l
    if litres.value is not None:
        text += f", and {amount(litres)} of water"
    return text + "."


def told_short(found: Assessment) -> str:
    """Grams with their range."""
    whole = found.carbon.total_or_location
    return told(whole.model_copy(update={"reason": None}))


def _cautions(found: Assessment) -> Iterator[str]:
    ratio = found.energy.modelled_ratio
    if ratio:
        yield (
            f"{percent(ratio)} of the energy was modelled, not measured; its error "
            f"bound is {percent(found.energy.error_ratio or 0.0)}. `bench doctor` "
            "shows which meters this machine has."
        )
    if found.carbon.embodied_g.value is None:
        yield f"Embodied carbon is not in it: {found.carbon.embodied_g.reason}."
    if found.water.total_l.value is None:
        yield f"Water is not known: {found.water.total_l.reason}."
    if found.assumed:
        yield f"Assumed: {'; '.join(found.assumed)}."
    if found.sensitivity.survives is False:
        yield found.sensitivity.statement
    yield from found.warnings
