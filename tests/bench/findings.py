"""Runs the suite `precision-cpu` and writes docs/findings.md from what it measured.

python -m tests.bench.findings [--run FOLDER] [-- further arguments of `bench run`]

With --run the page is written from a run that is there already.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from harness.outcomes import Outcomes
from harness.plan import Plan, parse_plan
from harness.records import TrialRecord
from harness.store import RunFolder, read_runs
from reports.formatting import energy, percent, significant, times
from reports.ranking import Group, rank
from reports.rows import Row
from reports.words import short_names

PAGE = Path(__file__).parents[2] / "docs" / "findings.md"
SUITE = "precision-cpu"
PACKAGES = ("torch", "torchao", "transformers", "onnxruntime", "openvino", "nncf")
CLEARLY = 1.05
HEAD = (
    "configuration",
    "accuracy",
    "F1",
    "J / item",
    "of fp32",
    "accuracy / J",
    "items / s",
    "of peak FLOP/s",
    "weights",
    "peak memory",
    "converted",
    "pays after",
    "verdict",
)
LEGEND = """\
**J / item** with half its 95 % interval; `~` where a load model told it and no meter.
**of fp32**: joules an item over those of `fp32` as torch runs it. **of peak FLOP/s**:
operations of the fp32 model over what a matrix product of the same format reaches
here; empty where none is known. **converted**: share of the parameters. **pays after**:
items that make up for the joules of quantising, calibrating and compiling; empty where
an item costs more than with fp32. **verdict**: against 99 % of fp32's accuracy on the
same items.
"""


def main() -> None:
    """Run, or take a run, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--run", type=Path)
    parser.add_argument("further", nargs="*")
    asked = parser.parse_args()
    if asked.run:
        PAGE.write_text(page(RunFolder(asked.run)), encoding="utf-8")
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "run"
        command = [sys.executable, "-P", "-m", "harness", "run", SUITE, "-o", str(path)]
        subprocess.run([*command, *asked.further], check=True)
        PAGE.write_text(page(RunFolder(path)), encoding="utf-8")


def page(folder: RunFolder) -> str:
    """Head, what surprised, and a table for each group."""
    plan = parse_plan((folder.path / "plan.json").read_text(), folder.path)
    machine = json.loads((folder.path / "machine.json").read_text())
    stored = read_runs([folder.path])
    records = stored.records
    answers = Outcomes(records, stored.folders)
    ranking = rank(records, floor=plan.quality.relative, outcomes=answers)
    parts = [
        "# Which compressions save joules here, and which cost them",
        head(plan, machine, records),
        "## What stands out\n\n" + bullets(surprises(ranking.groups)),
        "## Every variant\n\n" + LEGEND,
        *(section(group) for group in ranking.groups),
        "## Not run\n\n" + bullets(not_run(plan, records)),
    ]
    return "\n".join(parts)


def bullets(lines: Iterable[str]) -> str:
    """A list of lines."""
    return "".join(f"- {line}\n" for line in lines)


def head(plan: Plan, machine: Any, records: Sequence[TrialRecord]) -> str:
    """When, on what, how, and how far the joules can be believed."""
    done = [r for r in records if r.status == "ok" and r.total]
    modelled = sum((r.total.modelled_ratio or 0.0) for r in done if r.total)
    share = percent(modelled / len(done)) if done else "none"
    each = plan.protocol
    versions = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    return (
        f"Written by `make findings` on {datetime.now(UTC):%Y-%m-%d} from "
        f"{len(done)} trials of the suite `{plan.suite}`: {each.rounds} rounds in "
        f"shuffled order, windows of {each.window_min_s:g} s, on "
        f"{machine.get('cpu', 'an unknown processor')} ({versions}).\n\n"
        f"**{share} of the joules are modelled.** A load model follows processor "
        "seconds and time, so such joules order variants by how long they keep the "
        "processor busy; a meter can order close ones otherwise. The models are small "
        "(`size=tiny`): of what is saved in a product more is lost around it than in "
        f"BERT-base.\n\nDoubts: {doubts(done)}.\n"
    )


def doubts(done: Sequence[TrialRecord]) -> str:
    """How many trials carry each doubt, the most frequent first."""
    counts = Counter(code for r in done for code in {d.code for d in r.doubts})
    listed = ", ".join(
        f"{code} ({n} trial{'s' * (n > 1)})" for code, n in counts.most_common()
    )
    return listed or "none"


def titled(group: Group) -> str:
    """What was compared; the open track has its name in the title."""
    return group.title if group.track == "open" else f"{group.title}, closed track"


def surprises(groups: Iterable[Group]) -> Iterator[str]:
    """The cheapest that passes, what cost energy, and what failed, in each group."""
    for group in groups:
        names = short_names(group.rows)
        title = f"**{titled(group)}**"
        passed = [r for r in group.rows if r.eligible and r.energy_vs_reference]
        passed.sort(key=lambda row: row.energy_vs_reference or 0.0)
        if passed:
            yield f"{title}: {_cheapest(passed[0], names)}"
        by_key = {row.key: row for row in group.rows}
        dear = [r for r in passed if (r.energy_vs_reference or 0.0) > CLEARLY]
        costly = [r for r in dear if _apart(by_key[r.reference or ""], r)]
        if costly:
            yield f"{title}: passes the gate and costs energy: {_times(costly, names)}."
        open_ = [r for r in dear if r not in costly]
        if open_:
            yield (
                f"{title}: may cost energy, but the rounds differ too much to say: "
                f"{_times(open_, names)}."
            )
        failed = [r for r in group.rows if r.verdict == "fail" and r.accuracy.value]
        if failed:
            listed = ", ".join(
                f"{names[r.key]} ({r.accuracy.value or 0.0:.3f})" for r in failed
            )
            yield f"{title}: fails the gate: {listed}."


def _cheapest(row: Row, names: dict[str, str]) -> str:
    ratio = significant(row.energy_vs_reference)
    text = f"{names[row.key]} takes {ratio} of fp32's joules"
    if row.break_even_items:
        items = f"{row.break_even_items:,.0f}"
        text += f", which pays for its conversion after {items} items"
    return text + "."


def _times(rows: Iterable[Row], names: Mapping[str, str]) -> str:
    return ", ".join(
        f"{names[r.key]} ({times(r.energy_vs_reference or 0.0)})" for r in rows
    )


def _apart(less: Row, more: Row) -> bool:
    """Whether the intervals of the joules an item leave a gap."""
    high, low = less.energy_per_item_j.high, more.energy_per_item_j.low
    return high is not None and low is not None and high < low


def section(group: Group) -> str:
    """One table."""
    names = short_names(group.rows)
    rows = [r for r in group.rows if r.trials]
    lines = [
        f"### {titled(group)}",
        "",
        "| " + " | ".join(HEAD) + " |",
        "|---|" + "--:|" * (len(HEAD) - 2) + "---|",
        *("| " + " | ".join(cells(row, names[row.key])) + " |" for row in rows),
        "",
        *(f"- `{names[r.key]}`: {r.scheme}" for r in rows if r.scheme != "none"),
        "",
    ]
    return "\n".join(lines)


def cells(row: Row, name: str) -> list[str]:
    """One configuration."""
    cost, half = row.energy_per_item_j.value, row.energy_per_item_j.half
    mark = "~" if row.modelled_ratio else ""
    joules = mark + energy(cost) + (f" ± {energy(half)}" if half else "")
    peak = row.peak_flops_ratio
    return [
        f"`{name}`",
        _digits(row.accuracy.value),
        _digits(row.f1),
        joules,
        significant(row.energy_vs_reference),
        mark + significant(row.accuracy_per_j.value),
        significant(row.items_per_s),
        percent(peak) if peak else "",
        f"{(row.weight_bytes or 0.0) / 1e6:.2f} MB",
        f"{(row.memory_peak_bytes or 0.0) / 1e6:.0f} MB",
        percent(row.converted_ratio or 0.0),
        f"{row.break_even_items:,.0f}" if row.break_even_items else "",
        row.verdict,
    ]


def _digits(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"


def not_run(plan: Plan, records: Sequence[TrialRecord]) -> list[str]:
    """Configurations by the reason why they did not run."""
    said: dict[str, list[str]] = defaultdict(list)
    for skip in plan.skips:
        said[skip.reason].append(skip.configuration.key)
    for record in records:
        if record.status == "skipped" and record.round == 0:
            said[record.reason or "no reason"].append(record.key)
    return [
        f"{reason}: {', '.join(f'`{key}`' for key in sorted(keys))}"
        for reason, keys in said.items()
    ]


if __name__ == "__main__":
    main()
