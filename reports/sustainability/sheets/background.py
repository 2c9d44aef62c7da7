"""Boundary, water, sensitivity, coefficients, methods and how to repeat it."""

from collections.abc import Iterator

from harness.factor import Factor
from reports.formatting import MISSING, significant
from reports.page.blocks import (
    Block,
    Column,
    Facts,
    Figure,
    Points,
    Section,
    Table,
    Text,
)
from reports.page.charts.parts import Axis, Range
from reports.page.figures import range_figure
from reports.sustainability.assessment import Assessment
from reports.sustainability.facts import RunFacts
from reports.sustainability.sensitivity import End
from reports.sustainability.sheets.amounts import GRAMS, filled
from reports.sustainability.sheets.energy import figures_table

MOST_RUNS = 8


def boundary_section(found: Assessment) -> Section:
    """What is in and what is not."""
    sheet = found.boundary
    roles = Table(
        caption="Lifecycle stage and persona of SCI for AI",
        columns=(
            Column(title="phase"),
            Column(title="persona"),
            Column(title="stage"),
            Column(title="trials", align="right"),
        ),
        rows=tuple((r.phase, r.persona, r.stage, str(r.trials)) for r in sheet.roles),
    )
    ordered = sorted(sheet.parts, key=lambda part: not part.included)
    parts = Table(
        caption="Components",
        columns=(
            Column(title="component"),
            Column(title="counted"),
            Column(title="how, or why not"),
        ),
        rows=tuple(
            (p.component, "yes" if p.included else "no", p.how) for p in ordered
        ),
    )
    blocks = (roles, parts, Points(items=sheet.idle))
    return Section(name="boundary", title="Boundary", blocks=blocks)


def water_section(found: Assessment) -> Section:
    """Litres, and what is said against them."""
    used = found.water
    named = [
        ("On-site", used.onsite_l),
        ("In power plants of the grid", used.source_l),
        ("Consumption, unadjusted", used.total_l),
        ("Consumption, adjusted for stress", used.stress_adjusted_l),
        ("Withdrawal (never added to consumption)", used.withdrawal_l),
        ("Making of the hardware", used.embodied_l),
    ]
    return Section(
        name="water",
        title="Water",
        blocks=(
            figures_table("Water of all trials", named),
            Text(text=f"{used.tier}. {used.caveat}", tone="small"),
        ),
    )


def sensitivity_section(found: Assessment) -> Section:
    """One assumption at a time, as a tornado, and what it does to the order."""
    tried = found.sensitivity
    if tried.base_g is None:
        text = f"Nothing could be tried: {tried.reason}."
        said = Text(text=text, tone="caution")
        return Section(name="sensitivity", title="Sensitivity", blocks=(said,))
    rows = tuple(
        (each.name if end is each.low else "", *_end(end))
        for each in tried.assumptions
        for end in (each.low, each.high)
    )
    columns = (
        Column(title="assumption"),
        Column(title="set to"),
        Column(title="total", align="right"),
        Column(title="order of configurations"),
    )
    table = Table(
        caption="What each assumption does to the total and to the order by g CO2e an "
        "item",
        columns=columns,
        rows=rows,
    )
    abouts = tuple((each.name, each.about) for each in tried.assumptions)
    blocks: list[Block] = [
        Text(text=tried.statement),
        *_tornado(found),
        table,
        Text(text="Where the ends come from:", tone="small"),
        Facts(pairs=abouts),
    ]
    return Section(name="sensitivity", title="Sensitivity", blocks=tuple(blocks))


def _end(end: End) -> tuple[str, str, str]:
    size, unit = GRAMS.of(end.total_g)
    total = f"{significant(end.total_g / size)} {unit}"
    if end.flips == 0:
        return end.text, total, "stays"
    count = "1 pair changes" if end.flips == 1 else f"{end.flips} pairs change"
    pairs = "; ".join(f"{ahead} and {behind}" for ahead, behind in end.examples[:1])
    return end.text, total, f"{count}, such as {pairs}" if pairs else count


def _tornado(found: Assessment) -> Iterator[Figure]:
    tried = found.sensitivity
    base = tried.base_g or 0.0
    spread = sorted(
        tried.assumptions,
        key=lambda each: -abs(each.high.total_g - each.low.total_g),
    )
    tops = [end.total_g for each in spread for end in (each.low, each.high)]
    size, unit = GRAMS.of(max([base, *tops]))
    spans = [
        Range(
            label=each.name,
            low=min(each.low.total_g, each.high.total_g) / size,
            high=max(each.low.total_g, each.high.total_g) / size,
            note=f"{each.low.text} | {each.high.text}",
        )
        for each in spread
    ]
    if not spans:
        return
    texts = (f"{s.label} {significant(s.low)} to {significant(s.high)}" for s in spans)
    yield range_figure(
        spans,
        Axis(title="Total of the run", unit=unit),
        "One assumption at a time",
        f"Total in {unit} at both ends of each assumption, {significant(base / size)} "
        f"as reported: {'; '.join(texts)}.",
        base / size,
        "The dashed line is the figure of this report.",
    )


def coefficients_section(found: Assessment) -> Section:
    """The ledger, and what the site does not name."""
    blocks: list[Block] = []
    if found.assumed:
        blocks.append(Text(text="Assumed; nobody vouches for it:", tone="caution"))
        blocks.append(Points(items=found.assumed))
    columns = (
        Column(title="name"),
        Column(title="value", align="right"),
        Column(title="range", align="right"),
        Column(title="unit"),
        Column(title="year", align="right"),
        Column(title="method"),
        Column(title="source, package"),
        Column(title="licence"),
    )
    rows = tuple(_coefficient(factor) for factor in found.coefficients)
    blocks.append(filled(Table(caption="Coefficients", columns=columns, rows=rows)))
    caveats = tuple(
        (f"{factor.name}, {factor.source}", "; ".join(factor.caveats))
        for factor in found.coefficients
        if factor.caveats
    )
    if caveats:
        blocks += [
            Text(text="What their sources say against them:"),
            Facts(pairs=caveats),
        ]
    if found.site.missing:
        pairs = tuple(sorted(found.site.missing.items()))
        blocks += [Text(text="What is not known, and the cure:"), Facts(pairs=pairs)]
    return Section(name="coefficients", title="Coefficients", blocks=tuple(blocks))


def _coefficient(factor: Factor) -> tuple[str, ...]:
    low, high = factor.bounds
    package = f"{factor.package or ''} {factor.package_version or ''}".strip()
    parts = [factor.source]
    if package and package.casefold() not in factor.source.casefold():
        parts.append(package)
    if factor.retrieved_utc:
        parts.append(f"asked {factor.retrieved_utc}")
    return (
        factor.name,
        significant(factor.value, 4),
        f"{significant(low)} to {significant(high)}" if low < high else MISSING,
        factor.unit or MISSING,
        str(factor.year) if factor.year else MISSING,
        "assumed" if factor.assumed else "sourced",
        ", ".join(parts),
        factor.licence,
    )


def method_section(found: Assessment) -> Section:
    """Which method each part follows, and how its inputs came to be."""
    tags = tuple(
        (name, ", ".join(methods) or "not known")
        for name, methods in found.tags.items()
    )
    tags += (("Tier of the energy", ", ".join(found.energy.tiers) or MISSING),)
    doubts = tuple(
        f"{doubt.code} ({doubt.count} trials): {doubt.message}; {doubt.remedy}"
        for doubt in found.doubts
    )
    blocks: list[Block] = [Points(items=found.methodology), Facts(pairs=tags)]
    if doubts:
        blocks += [Text(text="Doubts of the trials:"), Points(items=doubts)]
    return Section(name="method", title="Methodology", blocks=tuple(blocks))


def repeat_section(found: Assessment) -> Section:
    """What it takes to come to the same figures."""
    facts = found.reproducibility
    blocks: list[Block] = [
        Facts(
            pairs=(
                ("command", facts.command or "not kept"),
                ("report by", f"joulebench {facts.joulebench}"),
            )
        )
    ]
    blocks += [Facts(pairs=tuple(_run(run))) for run in facts.runs[:MOST_RUNS]]
    more = len(facts.runs) - MOST_RUNS
    if more > 0:
        blocks.append(Text(text=f"{more} more runs are in the JSON.", tone="small"))
    return Section(name="repeat", title="To repeat it", blocks=tuple(blocks))


def _run(run: RunFacts) -> Iterator[tuple[str, str]]:
    yield "run", run.name
    yield "began", run.utc or "not kept"
    yield (
        "suite",
        f"{run.suite or 'not kept'}, SHA-256 {run.suite_sha256 or 'not kept'}",
    )
    settings = ", ".join(run.settings)
    yield (
        "plan",
        f"profile {run.profile or 'not kept'}" + (f"; {settings}" * bool(settings)),
    )
    cores = f" ({run.cores_logical} cores)" if run.cores_logical else ""
    yield "processor", f"{run.cpu or 'not kept'}{cores}"
    if run.memory_bytes:
        yield "memory", f"{run.memory_bytes / 2**30:.0f} GiB"
    cards = ", ".join(run.accelerators)
    yield "accelerators", cards or "none was read"
    if cards and "driver" not in cards:
        yield "driver", "not recorded with the run"
    yield "system", f"{run.system or 'not kept'}, Python {run.python or 'not kept'}"
    packages = ", ".join(f"{name} {version}" for name, version in run.packages.items())
    yield "packages", packages or "not kept"
    yield "measured by", f"joulebench {run.joulebench or 'of unknown version'}"
