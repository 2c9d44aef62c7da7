"""What stands behind a ranking: the gate, doubts, what did not run, machine, method."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence

from harness.records import Carbon, TrialRecord
from reports.formatting import MISSING, percent, significant
from reports.page.blocks import Block, Column, Facts, Section, Table, Text
from reports.ranking import Ranking
from reports.ranking_page.material import Material
from reports.ranking_page.tables import listed

Source = tuple[str, str, str, str]
"""Quantity, origin, source and tier."""

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
    counts: Counter[Source] = Counter()
    periods_s: dict[Source, list[float]] = defaultdict(list)
    for record in records:
        found = dict(_sources(record))
        counts.update(found.keys())
        for source, period_s in found.items():
            if period_s is not None:
                periods_s[source].append(period_s)
    order = sorted(counts, key=lambda each: (each[1] != "measured", each))
    rows = tuple((*s, _periods(periods_s[s]), str(counts[s])) for s in order)
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


def _sources(record: TrialRecord) -> Iterator[tuple[Source, float | None]]:
    """What a record is made of, and how often that has a new value, in seconds."""
    for reading in record.energy:
        what = f"energy of {reading.domain}"
        if reading.energy_j is None:
            reason = reading.reason or "no reason was kept"
            yield (what, "missing", reason, MISSING), None
            continue
        tier = reading.tier or MISSING
        source = (what, str(reading.provenance), reading.source, tier)
        yield source, reading.update_period_s
    if record.quality is not None and record.quality.accuracy is not None:
        where = "in the window" if record.quality.in_window else "also after the window"
        yield ("accuracy", "measured", f"answers {where}", MISSING), None
    if record.carbon is not None:
        yield from _assumed(record.carbon)
    if record.performance and record.performance.peak_source:
        how = record.performance.peak_source
        yield ("peak speed", "measured", how, MISSING), None


def _assumed(carbon: Carbon) -> Iterator[tuple[Source, None]]:
    """Factors that nobody measured here."""
    if carbon.intensity_g_per_kwh is None:
        return
    year = "" if carbon.year is None else f" {carbon.year}"
    what = f"{significant(carbon.intensity_g_per_kwh)} g CO2e/kWh, {carbon.place}{year}"
    yield ("carbon intensity", "assumed", f"{what}: {carbon.source}", MISSING), None
    if carbon.pue != 1.0:
        yield ("PUE", "assumed", significant(carbon.pue), MISSING), None


def _periods(periods_s: Sequence[float]) -> str:
    """The shortest and the longest, where they differ by more than their reading."""
    if not periods_s:
        return MISSING
    ends = [significant(f(periods_s) * 1000, 2) for f in (min, max)]
    return f"{' to '.join(dict.fromkeys(ends))} ms"


def origin_section(material: Material) -> Section:
    """Machine, protocol, suite."""
    blocks: list[Block] = [Facts(pairs=material.origin.machine)]
    blocks.append(Facts(pairs=material.origin.method))
    return Section(name="method", title="Machine and method", blocks=tuple(blocks))
