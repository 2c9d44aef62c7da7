"""What stands behind a ranking: the gate, doubts, what did not run, machine, method."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

from harness.records import TrialRecord
from reports.formatting import MISSING, percent, significant
from reports.page.blocks import Block, Column, Facts, Section, Table, Text
from reports.ranking import Ranking
from reports.ranking_page.material import Material
from reports.ranking_page.tables import listed

GATE = (
    (
        "pass",
        "proven",
        "the items show with 95 % confidence that it keeps the accuracy",
    ),
    ("pass~", "estimated", "it keeps it as an estimate; so few items cannot prove it"),
    ("fail", "fails", "below the required accuracy: greyed and not ranked"),
    ("ungated", "no gate", "nothing to hold it against, or no accuracy"),
    ("failed", "failed", "no trial of it ended"),
    ("invalid", "invalid", "a trial ended, but its joules or answers cannot be used"),
    ("skipped", "not run", "left out by the plan, with its reason below"),
)


def gate_section(ranking: Ranking) -> Section:
    """What was required, and how many reached it."""
    counts: Counter[str] = Counter(
        row.verdict for group in ranking.groups for row in group.rows
    )
    absolute = ranking.absolute
    floor = f"at least {percent(ranking.floor)} of the accuracy of the fp32 reference"
    if absolute is not None:
        floor += f", or {significant(absolute)} in the open track"
    rows = tuple(
        (title, str(counts[verdict]), about)
        for verdict, title, about in GATE
        if counts[verdict]
    )
    return Section(
        name="gate",
        title="Quality gate",
        blocks=(
            Text(
                text=f"Only what keeps the accuracy is ranked: {floor}, on the same "
                "held-out items, from the answers given in the metered window."
            ),
            Table(
                caption="Verdicts",
                columns=(
                    Column(title="verdict"),
                    Column(title="configurations", align="right"),
                    Column(title="meaning"),
                ),
                rows=rows,
            ),
        ),
    )


def doubts_section(ranking: Ranking, trials: int) -> Section:
    """Each kind of doubt once, with how often and its cure."""
    if not ranking.doubts:
        blocks: tuple[Block, ...] = (Text(text="No trial raised a doubt."),)
    else:
        rows = tuple(
            (d.code, f"{d.count} of {trials}", d.message, d.remedy)
            for d in ranking.doubts
        )
        columns = (
            Column(title="doubt"),
            Column(title="trials", align="right"),
            Column(title="for example"),
            Column(title="remedy"),
        )
        blocks = (Table(caption="Reasons to distrust", columns=columns, rows=rows),)
    return Section(name="doubts", title="Doubts and their remedies", blocks=blocks)


def skipped_section(ranking: Ranking) -> Section | None:
    """What did not run or did not end, by reason."""
    found: dict[tuple[str, str], list[str]] = defaultdict(list)
    for group in ranking.groups:
        for row in group.rows:
            if row.verdict in ("skipped", "failed", "invalid"):
                what = "not run" if row.verdict == "skipped" else row.verdict
                found[what, row.reason or "no reason was kept"].append(row.key)
    if not found:
        return None
    order = sorted(found.items(), key=lambda each: (-len(each[1]), each[0]))
    rows = tuple(
        (reason, what, str(len(keys)), listed(keys, 3))
        for (what, reason), keys in order
    )
    columns = (
        Column(title="reason"),
        Column(title="what"),
        Column(title="configurations", align="right"),
        Column(title="which"),
    )
    table = Table(caption="Configurations by reason", columns=columns, rows=rows)
    return Section(name="not-run", title="What did not run", blocks=(table,))


def origins_section(records: Sequence[TrialRecord]) -> Section:
    """What an instrument saw, what a model said, what was assumed."""
    counts: Counter[tuple[str, ...]] = Counter()
    for record in records:
        counts.update(set(_sources(record)))
    order = sorted(counts.items(), key=lambda each: (each[0][1] != "measured", each[0]))
    rows = tuple((*source, str(count)) for source, count in order)
    columns = (
        Column(title="quantity"),
        Column(title="origin", about="Measured by an instrument, modelled from load, "
               "or assumed."),
        Column(title="source"),
        Column(title="tier", about="A wall meter, B energy counter, C integrated "
               "power, D load model, E constant."),
        Column(title="update period", align="right", about="How often the source has "
               "a new value."),
        Column(title="trials", align="right"),
    )  # fmt: skip
    return Section(
        name="origins",
        title="Measured, modelled, assumed",
        blocks=(
            Table(caption="Where the numbers come from", columns=columns, rows=rows),
        ),
    )


def _sources(record: TrialRecord) -> Iterable[tuple[str, ...]]:
    """Quantity, origin, source, tier and period of what a record is made of."""
    for reading in record.energy:
        if reading.energy_j is None:
            reason = reading.reason or "no reason was kept"
            yield f"energy of {reading.domain}", "missing", reason, MISSING, MISSING
            continue
        yield (
            f"energy of {reading.domain}",
            str(reading.provenance),
            reading.source,
            reading.tier or MISSING,
            _period(reading.update_period_s),
        )
    if record.quality is not None and record.quality.accuracy is not None:
        where = "in the window" if record.quality.in_window else "also after the window"
        yield "accuracy", "measured", f"answers {where}", MISSING, MISSING
    carbon = record.carbon
    if carbon is not None and carbon.intensity_g_per_kwh is not None:
        year = "" if carbon.year is None else f" {carbon.year}"
        what = f"{significant(carbon.intensity_g_per_kwh)} g CO2e/kWh, {carbon.place}"
        yield (
            "carbon intensity",
            "assumed",
            f"{what}{year}: {carbon.source}",
            MISSING,
            MISSING,
        )
        if carbon.pue != 1.0:
            yield "PUE", "assumed", significant(carbon.pue), MISSING, MISSING
    if record.performance and record.performance.peak_source:
        yield "peak speed", "measured", record.performance.peak_source, MISSING, MISSING


def _period(period_s: float | None) -> str:
    """One digit: trials differ in the further ones."""
    if period_s is None:
        return MISSING
    return f"{significant(period_s * 1000, 1)} ms"


def origin_section(material: Material) -> Section:
    """Machine, protocol, suite."""
    blocks: list[Block] = [Facts(pairs=material.origin.machine)]
    blocks.append(Facts(pairs=material.origin.method))
    return Section(name="method", title="Machine and method", blocks=tuple(blocks))
