import json
from xml.etree import ElementTree as ET

import pytest
from rich.console import Console

from reports.gating import exports, terminal
from reports.gating.findings import Demands, GateReport, GateRow, report
from reports.gating.rule import Verdict
from reports.rows import Interval

EVIL = 'bert/<b>"x"\n::error::y|[red]'


def row(verdict: Verdict, key: str = "bert/infer", **given: object) -> GateRow:
    values = {"value": 1.2, "low": 1.1, "high": 1.3}
    return GateRow.model_validate(
        {
            "key": key,
            "metric": "energy_per_item_j",
            "unit": "J",
            "verdict": verdict,
            "ratio": values,
            "minimal_detectable_ratio": 1.055,
            "candidate": 0.6,
        }
        | given
    )


def made(*rows: GateRow) -> GateReport:
    return report(rows, (), 0.05, Demands())


@pytest.mark.parametrize(
    ("verdicts", "whole", "code"),
    [
        (["equivalent", "improved"], "improved", 0),
        (["equivalent", "regressed", "inconclusive"], "regressed", 1),
        (["equivalent", "inconclusive"], "inconclusive", 0),
        (["equivalent", "not-comparable"], "equivalent", 0),
        (["not-comparable"], "not-comparable", 4),
        ([], "not-comparable", 4),
    ],
)
def test_the_worst_row_names_the_whole(
    verdicts: list[Verdict], whole: str, code: int
) -> None:
    found = made(*(row(v) for v in verdicts))

    assert (found.verdict, found.exit_code) == (whole, code)


def test_json_has_the_shape_of_the_contract() -> None:
    found = json.loads(exports.to_json(made(row("regressed"))))

    (first,) = found["rows"]
    assert found["verdict"] == first["verdict"] == "regressed"
    assert first["ratio"] == {"value": 1.2, "low": 1.1, "high": 1.3}
    assert first["minimal_detectable_ratio"] == 1.055
    assert first["accuracy_delta"] == {"value": None, "low": None, "high": None}


def test_a_comment_is_marked_and_short_enough() -> None:
    found = made(*(row("regressed", f"bert/{n:060d}") for n in range(1500)))

    text = exports.to_markdown(found)

    assert text.startswith(exports.MARKER)
    assert len(text) <= 65_000
    assert "more lines" in text
    assert text.rstrip().endswith("</details>")


def test_markdown_of_others_stays_in_its_cell() -> None:
    text = exports.to_markdown(made(row("regressed", EVIL)))

    line = next(each for each in text.splitlines() if each.startswith("| bert"))
    assert line.replace("\\|", "").count("|") == 7
    assert "<b>" not in line


def test_junit_counts_undecided_rows_as_skipped() -> None:
    lost = row("improved", "cnn", accuracy_lost=True)
    found = made(row("regressed", EVIL), row("inconclusive"), row("equivalent"), lost)

    (suite,) = ET.fromstring(exports.to_junit(found))  # noqa: S314 (our own text)

    assert [suite.get(n) for n in ("tests", "failures", "skipped")] == ["4", "2", "1"]
    assert len(suite.findall("testcase/failure")) == 2
    values = {p.get("name"): p.get("value") for p in suite.iter("property")}
    assert values["minimal_detectable_ratio"] == "1.055"


def test_annotations_are_ten_and_cannot_be_forged() -> None:
    found = made(*(row("regressed", EVIL) for _ in range(13)))

    lines = exports.to_annotations(found).splitlines()

    assert len(lines) == 11
    assert lines[-1] == "::error title=Energy gate::+3 more"
    assert all(line.startswith("::error title=Energy gate::") for line in lines)


def test_openmetrics_end_as_they_must() -> None:
    text = exports.to_metrics(made(row("regressed", 'a"b')))

    assert 'joulebench_gate_ratio{key="a\\"b",metric="energy_per_item_j"' in text
    assert text.endswith("# EOF\n")


def test_the_dashboards_take_the_figures_of_the_candidate() -> None:
    gone = row("not-comparable", candidate=None)

    found = json.loads(exports.to_smaller_is_better(made(row("improved"), gone)))

    assert [(each["unit"], each["value"]) for each in found] == [("J", 0.6)]


def test_a_terminal_shows_the_change_and_what_would_have_been_seen() -> None:
    console = Console(width=160, record=True)
    exact = row("equivalent", ratio=Interval(value=1.0, low=1.0, high=1.0))
    undecided = row("inconclusive", EVIL, reason="the rounds spread too far")

    terminal.render(made(row("regressed"), exact, undecided), console)

    text = console.export_text()
    assert "+20 % [+10 % +30 %]" in text
    assert "5.5 %" in text
    assert "+0 % (exact)" in text
    assert "[red]" in text
    assert "regressed: 1 of 3 rows regressed" in text
