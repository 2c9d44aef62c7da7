"""A comparison for people and for other programs."""

from collections import Counter

from rich.console import Console
from rich.markup import escape

from reports.comparing import Compared, Comparison
from reports.exports import cell, inert
from reports.formatting import printable, significant
from reports.rows import Interval
from reports.terminal import folding_table

HEAD = ("configuration", "outcome", "J / item", "accuracy", "metric")
RATIOS = ("score_ratio", "energy_ratio", "accuracy_delta")
STYLES = {"better": "green", "worse": "red", "not comparable": "dim"}
PLAIN = ("key", "outcome", "reason", "paired", "p")


def to_json(comparison: Comparison) -> str:
    """All of it, missing values as null."""
    return comparison.model_dump_json(indent=2)


def to_csv(comparison: Comparison) -> str:
    """One line a configuration."""
    import pandas as pd

    lines = []
    for row in comparison.rows:
        line: dict[str, object] = {name: getattr(row, name) for name in PLAIN}
        for name in RATIOS:
            interval: Interval = getattr(row, name)
            line |= {name: interval.value, f"{name}_low": interval.low}
            line[f"{name}_high"] = interval.high
        lines.append({name: inert(value) for name, value in line.items()})
    bounds = [f"{name}{end}" for name in RATIOS for end in ("", "_low", "_high")]
    frame = pd.DataFrame(lines, columns=[*PLAIN, *bounds], dtype=object)
    return str(frame.to_csv(index=False, lineterminator="\n"))


def to_markdown(comparison: Comparison) -> str:
    """A table and its sentence."""
    lines = ["| " + " | ".join(HEAD) + " | reason |", "|---|---|--:|--:|--:|---|"]
    for row in comparison.rows:
        values = (*_cells(row), row.reason or "")
        lines.append("| " + " | ".join(cell(value) for value in values) + " |")
    lines += ["", sentence(comparison), *(f"\nNote: {n}." for n in comparison.notes)]
    return "\n".join(lines) + "\n"


FORMATS = {"json": to_json, "csv": to_csv, "markdown": to_markdown}


def render(comparison: Comparison, console: Console) -> None:
    """Print a table, the reasons below it and a sentence."""
    table = folding_table(HEAD, left=2)
    known = [row for row in comparison.rows if row.energy_ratio.value is not None]
    for row in known:
        style = STYLES.get(row.outcome)
        table.add_row(*(escape(printable(text)) for text in _cells(row)), style=style)
    if known:
        console.print(table)
    for line in _reasons(comparison):
        _print(console, f"  {line}", "dim")
    _print(console, sentence(comparison))
    for note in comparison.notes:
        _print(console, f"note: {note}", "yellow")


def _reasons(comparison: Comparison) -> list[str]:
    """What speaks against rows, those of one reason together."""
    said: dict[tuple[str, str], list[str]] = {}
    for row in comparison.rows:
        if row.reason:
            said.setdefault((row.outcome, row.reason), []).append(row.key)
    return [f"{', '.join(keys)}: {o}: {why}" for (o, why), keys in said.items()]


def _print(console: Console, text: str, style: str | None = None) -> None:
    safe = escape(" " * (len(text) - len(text.lstrip())) + printable(text))
    console.print(safe, style=style, highlight=False, emoji=False)


def sentence(comparison: Comparison) -> str:
    """How many came out how, and what that can mean."""
    counts = Counter(str(row.outcome) for row in comparison.rows)
    outcomes = ("better", "worse", "no difference shown")
    said = ", ".join(f"{counts[o]} {o}" for o in outcomes)
    return (
        f"The second run against the first, by {comparison.by}: {said}"
        f" ({counts['not comparable']} not comparable); at most 5 % chance of any"
        " false difference."
    )


def _cells(row: Compared) -> tuple[str, ...]:
    """Ratios as changes in percent, with their intervals."""
    delta = row.accuracy_delta
    points = "-" if delta.value is None else f"{delta.value:+.4f}"
    if delta.low is not None and delta.high is not None:
        points += f" [{delta.low:+.4f} {delta.high:+.4f}]"
    energy, score = _times(row.energy_ratio), _times(row.score_ratio)
    return row.key, row.outcome, energy, points, score


def _times(ratio: Interval) -> str:
    """Such as `x0.912 [0.900 0.931]`."""
    if ratio.value is None:
        return "-"
    text = f"x{significant(ratio.value)}"
    if ratio.low is None or ratio.high is None:
        return text
    return f"{text} [{significant(ratio.low)} {significant(ratio.high)}]"
