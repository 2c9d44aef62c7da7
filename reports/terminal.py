"""The table a person reads: best first, one unit a column, doubts with their cure."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence

from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from harness.readings import Provenance
from harness.records import Carbon, TrialRecord
from reports.across import Across
from reports.formatting import (
    percent,
    printable,
    scale_for,
    significant,
    with_spread,
)
from reports.gate import FEW_ROUNDS
from reports.ranking import DoubtCount, Group, Ranking
from reports.rows import Row
from reports.words import required_line, short_names

CO2E_MIN_COLUMNS = 104
MOST_ROWS = 12
"""A longer table leaves out what was never tried."""
MOST_COLUMNS = 1000
"""Wider than any table: its own width is asked for."""
DROPPED = (
    (),
    ("g CO2e / 1k",),
    ("g CO2e / 1k", "weights"),
    ("g CO2e / 1k", "weights", "pays after"),
    ("g CO2e / 1k", "weights", "pays after", "vs best"),
    ("g CO2e / 1k", "weights", "pays after", "vs best", "accuracy / J"),
)
"""Columns that a narrow terminal does without, the first first."""
UNPROVEN = "? reaches the floor, which so few items cannot prove (verdict pass~)"
LEGEND = "~ not measured in full: joules modelled, or carbon intensity assumed"
TITLES = {
    "accuracy_per_j": "Accuracy per joule",
    "energy": "Energy per item",
    "skill_per_j": "Skill per joule",
    "edp": "Energy-delay product",
}
Cells = Callable[[Row], str]


def folding_table(head: Sequence[str], left: int) -> Table:
    """A table of texts whose first column alone may fold.

    Args:
        head: Titles of the columns.
        left: So many of them are texts; the others are figures.
    """
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    for place, title in enumerate(head):
        table.add_column(
            title,
            justify="left" if place < left else "right",
            no_wrap=place > 0,
            overflow="fold",
        )
    return table


def header_lines(
    suite: str, machine: str, records: Sequence[TrialRecord]
) -> tuple[str, ...]:
    """Suite, trials and machine; energy sources; carbon; what the metering cost."""
    configurations = len({record.key for record in records})
    done = sum(record.status == "ok" for record in records)
    first = f"{suite}  {configurations} configurations, {done} trials  on  {machine}"
    sources = {
        f"{reading.domain} {reading.provenance} ({reading.source})"
        for record in records
        for reading in record.energy
        if reading.energy_j is not None
    }
    carbons = {_intensity(record.carbon) for record in records if record.carbon}
    return (
        first,
        "energy: " + ("   ".join(sorted(sources)) or "no source could be read"),
        "carbon: " + ("   ".join(sorted(carbons)) or "no intensity was given"),
        *_meter_cost(records),
    )


def _meter_cost(records: Sequence[TrialRecord]) -> tuple[str, ...]:
    """What measuring cost, where the records say it."""
    costs = [r.meter for r in records if r.meter.cpu_s and r.meter.duration_s]
    lasted_s = sum(cost.duration_s or 0.0 for cost in costs)
    if not lasted_s:
        return ()
    spent_s = sum(cost.cpu_s or 0.0 for cost in costs)
    each_s = significant(spent_s / len(costs))
    return (f"meters: {each_s} CPU s a trial, {percent(spent_s / lasted_s)} of a core",)


def _intensity(carbon: Carbon) -> str:
    """Grid intensity with place, year and source, which is never measured here."""
    if carbon.intensity_g_per_kwh is None:
        return carbon.reason or "no intensity was given"
    year = None if carbon.year is None else str(carbon.year)
    known = (carbon.place, year, carbon.source)
    facts = ", ".join(filter(None, known))
    intensity = significant(carbon.intensity_g_per_kwh)
    return f"{intensity} g CO2e/kWh, {facts or 'place unknown'} (assumed)"


def render(ranking: Ranking, header: Iterable[str], console: Console) -> None:
    """Print header, a table and a sentence for each group, then the doubts."""
    for line in header:
        _print(console, line)
    for group in ranking.groups:
        _print(console, "")
        _render_group(group, ranking.by, console)
    if not ranking.groups:
        _print(console, "Nothing was measured.")
    _render_across(ranking.across, console)
    _render_doubts(ranking.doubts, console)


def _render_across(ratios: Sequence[Across], console: Console) -> None:
    """What each way of running did to fp32's joules, over all groups."""
    for measured in dict.fromkeys(ratio.measured for ratio in ratios):
        mine = [ratio for ratio in ratios if ratio.measured == measured]
        what = ", ".join(
            f"{ratio.name} {significant(ratio.energy_vs_reference)}" for ratio in mine
        )
        _print(console, "")
        head = f"{measured}: J/item over fp32's, geometric mean"
        _print(console, f"{head} over all {mine[0].groups} groups: {what}")


def _print(console: Console, text: str, style: str | None = None) -> None:
    """One paragraph of text that may be of others, wrapped at words."""
    safe = escape(" " * (len(text) - len(text.lstrip())) + printable(text))
    console.print(safe, style=style, highlight=False, emoji=False)


def _render_group(group: Group, by: str, console: Console) -> None:
    """Title, table, reasons, legend, sentence and notes."""
    place = "+".join(group.perimeter) or "no meter"
    facts = f"{place}, tier {group.tier or '-'}, {group.track} track"
    _print(console, f"{group.title}: {TITLES[by]}, best first ({facts})", "bold")
    table = _table(group, console)
    console.print(table)
    names = short_names(group.rows)
    for line in _reasons(group, names):
        _print(console, f"  {line}", "dim")
    has_carbon = any(column.header == "g CO2e / 1k" for column in table.columns)
    if has_carbon or any(row.trials and _is_marked(row) for row in group.rows):
        _print(console, f"  {LEGEND}", "dim")
    if any(row.verdict == "pass~" for row in group.rows):
        _print(console, f"  {UNPROVEN}", "dim")
    _print(console, group.sentence)
    if len(group.required) > 1:
        _print(console, required_line(group.required, names))
    for note in group.notes:
        _print(console, f"note: {note}", "yellow")


def _reasons(group: Group, names: dict[str, str]) -> list[str]:
    """What speaks against rows, those of one reason together."""
    said: dict[tuple[str, str], list[str]] = {}
    for row in group.rows:
        few = row.reason == FEW_ROUNDS  # a note of the group says so
        for reason in filter(None, (None if few else row.reason, *row.notes)):
            said.setdefault((row.verdict, reason), []).append(names[row.key])
    return [f"{', '.join(who)}: {v}: {why}" for (v, why), who in said.items()]


def _table(group: Group, console: Console) -> Table:
    """The table with as many columns as the width has room for.

    The narrowest has rank, name, accuracy and joules without their spread; where even
    that is too wide, names are folded, and no figure is cut.
    """
    unlimited = console.options.update(max_width=MOST_COLUMNS)
    for columns in _layouts(group, wide=console.width >= CO2E_MIN_COLUMNS):
        table = _filled(group, columns)
        if console.measure(table, options=unlimited).maximum <= console.width:
            return table
    return _filled(group, columns, fold=True)


def _layouts(group: Group, *, wide: bool) -> Iterator[Sequence[tuple[str, Cells]]]:
    """Columns to try, each time fewer."""
    columns = _columns(group)
    for dropped in DROPPED if wide else DROPPED[1:]:
        yield [each for each in columns if not each[0].endswith(dropped)]
    plain = _columns(group, spread=False)
    yield [each for each in plain if not each[0].endswith(DROPPED[-1])]


def _filled(
    group: Group, columns: Sequence[tuple[str, Cells]], *, fold: bool = False
) -> Table:
    """A table of the given columns; names are wrapped only if they have to be."""
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold", pad_edge=False)
    is_long = len(group.rows) > MOST_ROWS  # then lines below it tell what was skipped
    rows = [row for row in group.rows if not (is_long and row.verdict == "skipped")]
    texts = []
    for title, cell in columns:
        is_name = title == "configuration"
        texts.append([Text(printable(cell(row))) for row in rows])
        widths = (text.cell_len for text in texts[-1])
        table.add_column(
            title,
            justify="left" if is_name else "right",
            no_wrap=not (fold and is_name),
            overflow="fold",
            width=None if fold else max(len(title), *widths),  # else measured anew
        )
    for row, *cells in zip(rows, *texts, strict=True):
        style = "dim" if row.place is None else "bold" if row.place == 1 else ""
        table.add_row(*cells, style=style)
    return table


def _columns(group: Group, *, spread: bool = True) -> list[tuple[str, Cells]]:
    """Title and cell of each column; one unit a column, from its largest entry."""
    names = short_names(group.rows)
    size, prefix = scale_for(row.energy_per_item_j.value for row in group.rows)
    places = Counter(row.rank for row in group.rows if row.rank)
    tied = {place for place, count in places.items() if count > 1}
    return [
        ("#", lambda row: _place(row, tied)),
        ("configuration", lambda row: names[row.key]),
        ("accuracy", _accuracy),
        (f"{prefix}J / item", lambda row: _joules(row, size, spread=spread)),
        ("accuracy / J", lambda row: _ratio(row, row.accuracy_per_j.value)),
        ("vs best", lambda row: _ratio(row, row.score_vs_best, mark=False)),
        *_conversion_columns(group),
        ("g CO2e / 1k", _co2e),
    ]


def _conversion_columns(group: Group) -> list[tuple[str, Cells]]:
    """Bytes of weights and the items that pay for a conversion, where any is made."""
    if not any(row.break_even_items for row in group.rows):
        return []
    size, prefix = scale_for(row.weight_bytes for row in group.rows)
    return [
        (f"{prefix}B weights", lambda row: _plain(row.weight_bytes, size)),
        ("pays after", lambda row: _plain(row.break_even_items)),
    ]


def _plain(value: float | None, size: float = 1.0) -> str:
    return "-" if value is None else significant(value / size)


def _is_marked(row: Row) -> bool:
    """Whether its joules are anything but measured."""
    return row.provenance is not Provenance.MEASURED or bool(row.modelled_ratio)


def _mark(row: Row, text: str) -> str:
    """Text with `~` where its joules were not all measured."""
    return f"~{text}" if text != "-" and _is_marked(row) else text


def _place(row: Row, tied: set[int]) -> str:
    """Rank, with `=` for a tie and its interval; (n) where it is but an estimate."""
    if row.rank is None:
        return "-" if row.place is None else f"({row.place})"
    place = f"{row.rank}=" if row.rank in tied else str(row.rank)
    if row.rank_low == row.rank_high:
        return place
    return f"{place} [{row.rank_low}-{row.rank_high}]"


def _accuracy(row: Row) -> str:
    """Accuracy with three decimals, or what became of the trial."""
    if row.accuracy.value is not None:
        return f"{row.accuracy.value:.3f}" + "?" * (row.verdict == "pass~")
    return row.verdict if not row.trials else "-"


def _joules(row: Row, size: float, *, spread: bool) -> str:
    """Joules an item in the column's unit, with half the interval."""
    value = row.energy_per_item_j.value
    half = row.energy_per_item_j.half if spread else None
    if value is None:
        return "-"
    return _mark(row, with_spread(value / size, None if half is None else half / size))


def _ratio(row: Row, value: float | None, *, mark: bool = True) -> str:
    """A ratio that only a row behind the gate may show."""
    if row.place is None:
        return "-"
    return _mark(row, significant(value)) if mark else significant(value)


def _co2e(row: Row) -> str:
    """Grams an item times a thousand; the intensity is assumed, so always marked."""
    value = row.co2e_per_item_g.value
    return "-" if value is None else f"~{significant(value * 1000)}"


def _render_doubts(doubts: Sequence[DoubtCount], console: Console) -> None:
    """Each kind of doubt once, with how often and the cure."""
    if doubts:
        _print(console, "")
    for doubt in doubts:
        often = f"{doubt.count} trial" + ("s" if doubt.count > 1 else "")
        text = f"doubt {doubt.code} ({often}): {doubt.message}; {doubt.remedy}"
        _print(console, text, "yellow")
