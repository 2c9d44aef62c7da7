"""A ranking for other programs: JSON by contract, CSV and Markdown."""

from reports.formatting import energy, printable, significant, unformulated
from reports.gate import FEW_ROUNDS
from reports.ranking import Group, Ranking
from reports.rows import Interval, Row
from reports.words import short_names

INTERVALS = (
    "accuracy",
    "energy_per_item_j",
    "accuracy_per_j",
    "skill_per_j",
    "co2e_per_item_g",
)
PLAIN = (
    "eligible",
    "verdict",
    "reason",
    "trials",
    "looks",
    "skill",
    "edp_j_s",
    "score_vs_best",
    "energy_vs_reference",
    "on_frontier",
    "provenance",
    "modelled_ratio",
    "f1",
    "recall",
    "items_per_s",
    "p50_s",
    "p90_s",
    "p99_s",
    "proportionality_ratio",
    "peak_flops_ratio",
    "memory_peak_bytes",
    "weight_bytes",
    "converted_ratio",
    "scheme",
    "convert_j",
    "break_even_items",
    "place",
    "frontier_ratio",
    "on_hull",
    "j_per_extra_correct",
)

HEAD = (
    "| # | configuration | accuracy | J / item | accuracy / J | vs best"
    " | g CO2e / 1k items | provenance | reason |"
)


def to_json(ranking: Ranking) -> str:
    """The ranking in the shape of `bench rank --json`, missing values as null."""
    return ranking.model_dump_json(indent=2)


def to_csv(ranking: Ranking) -> str:
    """One line a configuration; text that a sheet would execute is quoted."""
    import pandas as pd

    lines = [_line(group, row) for group in ranking.groups for row in group.rows]
    frame = pd.DataFrame(lines, columns=list(_columns()), dtype=object)
    return str(frame.to_csv(index=False, lineterminator="\n"))


def _columns() -> tuple[str, ...]:
    """Names of the columns, with the bounds beside each value."""
    home = ("workload", "phase", "device", "perimeter", "tier", "track", "scenario")
    bounds = (f"{name}{end}" for name in INTERVALS for end in ("", "_low", "_high"))
    return (*home, "key", "rank", "rank_low", "rank_high", *bounds, *PLAIN)


def _line(group: Group, row: Row) -> dict[str, object]:
    """One configuration by column."""
    line: dict[str, object] = {
        "workload": group.workload,
        "phase": str(group.phase),
        "device": group.device,
        "perimeter": "+".join(group.perimeter),
        "tier": group.tier,
        "track": group.track,
        "scenario": group.scenario,
        "key": row.key,
        "rank": row.rank,
        "rank_low": row.rank_low,
        "rank_high": row.rank_high,
    }
    for name in INTERVALS:
        interval: Interval = getattr(row, name)
        line[name] = interval.value
        line[f"{name}_low"], line[f"{name}_high"] = interval.low, interval.high
    line |= {name: getattr(row, name) for name in PLAIN}
    return {name: inert(value) for name, value in line.items()}


def inert(value: object) -> object:
    """A value for a sheet: text on one line, and none of it a formula."""
    return unformulated(printable(value)) if isinstance(value, str) else value


def to_markdown(ranking: Ranking) -> str:
    """A section with a table and its sentence for each group."""
    if not ranking.groups:
        return "Nothing was measured.\n"
    parts = [_section(group) for group in ranking.groups]
    if ranking.doubts:
        doubts = (
            f"- {cell(d.code)} ({d.count}): {cell(d.message)}; {cell(d.remedy)}"
            for d in ranking.doubts
        )
        parts.append("### Doubts\n\n" + "\n".join(doubts) + "\n")
    return "\n".join(parts)


FORMATS = {"json": to_json, "csv": to_csv, "markdown": to_markdown}


def _section(group: Group) -> str:
    """Title, table, sentence and notes of one group."""
    place = "+".join(group.perimeter) or "no meter"
    facts = f"{place}, tier {group.tier or '-'}, {group.track} track"
    names = short_names(group.rows)
    lines = [
        f"### {cell(group.title)} ({cell(facts)})",
        "",
        HEAD,
        "|--:|---|--:|--:|--:|--:|--:|---|---|",
        *(_markdown_row(row, names[row.key]) for row in group.rows),
        "",
        cell(group.sentence),
        *(f"\nNote: {cell(note)}." for note in group.notes),
        "",
    ]
    return "\n".join(lines)


def _markdown_row(row: Row, name: str) -> str:
    """One configuration as a line of a table."""
    co2e = row.co2e_per_item_g.value
    cells = (
        _place(row),
        name,
        _accuracy(row),
        energy(row.energy_per_item_j.value),
        significant(row.accuracy_per_j.value if row.place else None),
        significant(row.score_vs_best),
        significant(None if co2e is None else co2e * 1000),
        str(row.provenance or "unknown") if row.trials else "-",
        "; ".join(filter(None, (_reason(row), *row.notes))),
    )
    return "| " + " | ".join(cell(text) for text in cells) + " |"


def _place(row: Row) -> str:
    """Rank with its interval, or the place of an estimate in parentheses."""
    if row.rank is None:
        return "-" if row.place is None else f"({row.place})"
    if row.rank_low == row.rank_high:
        return str(row.rank)
    return f"{row.rank} ({row.rank_low}-{row.rank_high})"


def _accuracy(row: Row) -> str:
    """Accuracy, with a question mark where the floor is not proven."""
    if row.accuracy.value is None:
        return "-"
    return f"{row.accuracy.value:.3f}" + "?" * (row.verdict == "pass~")


def _reason(row: Row) -> str | None:
    """What speaks against a row, unless a note of the group says it."""
    return None if row.reason == FEW_ROUNDS else row.reason


def cell(text: str) -> str:
    """Text of others that stays inside one cell and is no markup."""
    safe = printable(text).replace("\\", "\\\\").replace("|", "\\|")
    return safe.replace("<", "&lt;").replace("[", "\\[").replace("`", "\\`")
