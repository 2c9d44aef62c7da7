"""A gate for other programs: JSON, Markdown, JUnit, annotations, metrics."""

import json
from xml.sax.saxutils import escape, quoteattr

from reports.exports import cell
from reports.formatting import printable
from reports.gating import words
from reports.gating.findings import GateReport, GateRow
from reports.gating.terminal import HEAD, cells, reasons

MARKER = "<!-- joulebench-gate -->"
"""Hidden; by it a bot finds its own comment again."""
LONGEST_COMMENT = 65_000
MOST_ANNOTATIONS = 10
FAILED = ("regressed", "accuracy lost")


def to_json(report: GateReport) -> str:
    """All of it, missing values as null."""
    return report.model_dump_json(indent=2)


def to_markdown(report: GateReport) -> str:
    """A job's summary or a sticky comment: the verdict, and the table folded away."""
    sign = "❌" if report.exit_code in (1, 5) else "⚠️" if _is_unsure(report) else "✅"
    head = [MARKER, f"### {sign} Energy gate: {cell(words.sentence(report))}", ""]
    head += [f"> {cell(note)}" for note in report.notes]
    foot = ["", "</details>", ""]
    body = [
        "",
        f"<details><summary>{len(report.rows)} rows</summary>",
        "",
        "| " + " | ".join(HEAD) + " |",
        "|---|---|---|--:|--:|--:|",
    ]
    lines = ["| " + " | ".join(map(cell, cells(r))) + " |" for r in _shown(report)]
    lines += ["", *(f"- {cell(line)}" for line in reasons(report))]
    return _capped(head + body, lines, foot)


def _is_unsure(report: GateReport) -> bool:
    return not report.energy_checked or report.verdict in (
        "inconclusive",
        "not-comparable",
    )


def _shown(report: GateReport) -> list[GateRow]:
    return [row for row in words.sorted_rows(report) if row.ratio.value is not None]


def _capped(head: list[str], lines: list[str], foot: list[str]) -> str:
    """As many lines as a comment may hold, and how many are left out."""
    head_text, foot_text = "\n".join(head)[: LONGEST_COMMENT // 2], "\n".join(foot)
    room = LONGEST_COMMENT - len(head_text) - len(foot_text) - 100
    kept: list[str] = []
    for line in lines:
        room -= len(line) + 1
        if room < 0:
            kept.append(f"\n+{len(lines) - len(kept)} more lines")
            break
        kept.append(line)
    return "\n".join([head_text, *kept, foot_text])


def to_junit(report: GateReport) -> str:
    """A test case a row; what is undecided counts as skipped, never as passed."""
    failed = sum(words.word(row) in FAILED for row in report.rows)
    skipped = sum(map(_is_undecided, report.rows))
    head = (
        f'<testsuite name="joulebench gate" tests="{len(report.rows)}" '
        f'failures="{failed}" errors="0" skipped="{skipped}">'
    )
    lines = ['<?xml version="1.0" encoding="UTF-8"?>', "<testsuites>", head]
    for row in words.sorted_rows(report):
        lines += _case(row)
    notes = _text("\n".join(report.notes))
    lines += [f"<system-out>{notes}</system-out>", "</testsuite>", "</testsuites>"]
    return "\n".join(lines) + "\n"


def _is_undecided(row: GateRow) -> bool:
    undecided = row.verdict in ("inconclusive", "not-comparable")
    return undecided and not row.accuracy_lost


def _case(row: GateRow) -> list[str]:
    facts = {
        "verdict": row.verdict,
        "ratio": row.ratio.value,
        "low": row.ratio.low,
        "high": row.ratio.high,
        "minimal_detectable_ratio": row.minimal_detectable_ratio,
        "accuracy_delta": row.accuracy_delta.value,
    }
    name, group = _attribute(words.metric(row)), _attribute(row.key)
    lines = [f"<testcase classname={group} name={name}>", "<properties>"]
    lines += [
        f'<property name="{key}" value={_attribute(str(value))}/>'
        for key, value in facts.items()
        if value is not None
    ]
    lines.append("</properties>")
    if words.word(row) in FAILED:
        lines.append(f"<failure message={_attribute(message(row))}/>")
    elif _is_undecided(row):
        lines.append(f"<skipped message={_attribute(message(row))}/>")
    return [*lines, "</testcase>"]


def _attribute(text: str) -> str:
    return quoteattr(printable(text))


def _text(text: str) -> str:
    return escape("\n".join(printable(line) for line in text.splitlines()))


def message(row: GateRow) -> str:
    """One row in one sentence."""
    said = f"{row.key}: {words.metric(row)} {words.word(row)}"
    if row.ratio.value is not None:
        said += f", {words.changed(row.ratio)}, would have seen {words.seen(row)}"
    if row.accuracy_lost:
        said += f", accuracy {words.points(row.accuracy_delta)}"
    return f"{said}; {row.reason}" if row.reason else said


def to_annotations(report: GateReport) -> str:
    """GitHub's `::error` lines: at most ten, and how many more."""
    failed = [r for r in words.sorted_rows(report) if words.word(r) in FAILED]
    lines = [
        f"::error title=Energy gate::{_command(message(row))}"
        for row in failed[:MOST_ANNOTATIONS]
    ]
    if len(failed) > MOST_ANNOTATIONS:
        more = len(failed) - MOST_ANNOTATIONS
        lines.append(f"::error title=Energy gate::+{more} more")
    if report.exit_code not in (0, 1, 5):
        lines.append(f"::error title=Energy gate::{_command(words.sentence(report))}")
    lines += [f"::warning title=Energy gate::{_command(n)}" for n in report.notes[:5]]
    return "\n".join(lines)


def _command(text: str) -> str:
    """Text that cannot begin another workflow command."""
    return printable(text).replace("%", "%25")


def to_metrics(report: GateReport) -> str:
    """OpenMetrics, as GitLab's `reports: metrics` takes them."""
    lines = []
    for name, about in (
        ("ratio", "Candidate over baseline."),
        ("minimal_detectable_ratio", "Smallest ratio that would have been seen."),
    ):
        lines += [
            f"# TYPE joulebench_gate_{name} gauge",
            f"# HELP joulebench_gate_{name} {about}",
        ]
        for row in _shown(report):
            whole = row.ratio.value
            value = whole if name == "ratio" else row.minimal_detectable_ratio
            if value is not None:
                lines.append(f"joulebench_gate_{name}{_labels(row)} {value:.6g}")
    return "\n".join([*lines, "# EOF"]) + "\n"


def _labels(row: GateRow) -> str:
    named = {"key": row.key, "metric": row.metric, "against": row.against}
    escaped = {
        name: printable(text).replace("\\", "\\\\").replace('"', '\\"')
        for name, text in named.items()
    }
    return "{" + ",".join(f'{name}="{text}"' for name, text in escaped.items()) + "}"


def to_smaller_is_better(report: GateReport) -> str:
    """`customSmallerIsBetter` of github-action-benchmark: the candidate's figures."""
    found = [
        {
            "name": f"{row.key} {row.metric}",
            "unit": row.unit,
            "value": row.candidate,
            "extra": message(row),
        }
        for row in report.rows
        if row.candidate is not None and row.against == "baseline"
    ]
    return json.dumps(found, indent=1) + "\n"


FORMATS = {
    "json": to_json,
    "markdown": to_markdown,
    "junit": to_junit,
    "metrics": to_metrics,
    "smaller-is-better": to_smaller_is_better,
}
