import csv
import io
import json
from pathlib import Path

from harness.records import TrialRecord
from reports.exports import to_csv, to_json, to_markdown
from reports.ranking import rank

GOLDEN = Path(__file__).parents[1] / "data" / "golden"


def stored() -> list[TrialRecord]:
    lines = (GOLDEN / "trials.jsonl").read_text(encoding="utf-8").splitlines()
    return [TrialRecord.model_validate_json(line) for line in lines]


def renamed(key: str, reason: str = "because") -> TrialRecord:
    return stored()[0].model_copy(
        update={"key": key, "status": "failed", "reason": reason}
    )


def test_json_has_the_names_of_the_contract() -> None:
    read = json.loads(to_json(rank(stored())))

    group = read["groups"][0]
    assert {
        "workload",
        "phase",
        "device",
        "perimeter",
        "tier",
        "track",
        "rows",
    } <= set(group)
    assert {
        "rank",
        "rank_low",
        "rank_high",
        "key",
        "eligible",
        "verdict",
        "reason",
        "trials",
        "accuracy",
        "energy_per_item_j",
        "accuracy_per_j",
        "co2e_per_item_g",
        "on_frontier",
        "provenance",
    } <= set(group["rows"][0])
    assert set(group["rows"][0]["accuracy"]) == {"value", "low", "high"}


def test_json_never_holds_what_is_not_json() -> None:
    text = to_json(rank(stored()))

    assert "NaN" not in text
    assert "Infinity" not in text


def test_csv_has_one_line_a_configuration() -> None:
    ranking = rank(stored())

    lines = list(csv.DictReader(io.StringIO(to_csv(ranking))))

    assert len(lines) == sum(len(group.rows) for group in ranking.groups)
    assert lines[0]["rank"] == "1"
    assert lines[0]["key"] == "bert/infer/int8-dynamic/cpu/b8"
    assert lines[-1]["co2e_per_item_g"]


def test_csv_writes_missing_as_empty_and_never_as_zero() -> None:
    lines = list(csv.DictReader(io.StringIO(to_csv(rank([renamed("x")])))))

    assert lines[0]["energy_per_item_j"] == ""
    assert lines[0]["rank"] == ""


def test_csv_of_nothing_is_its_header() -> None:
    assert to_csv(rank([])).startswith("workload,phase,device")


def test_a_spreadsheet_executes_nothing() -> None:
    text = to_csv(rank([renamed("=cmd|'/c calc'!A0", "\t@SUM(1)")]))
    (line,) = csv.DictReader(io.StringIO(text))

    assert line["key"] == "'=cmd|'/c calc'!A0"
    assert line["reason"] == "'@SUM(1)"


def test_markdown_pipes_stay_inside_their_cell() -> None:
    text = to_markdown(rank([renamed("x", "a | b\n| c <script>")]))

    assert "a \\| b \\| c &lt;script>" in text


def test_the_markdown_is_the_one_that_was_agreed() -> None:
    text = to_markdown(rank(stored()))

    assert text == (GOLDEN / "ranking.md").read_text(encoding="utf-8")


def test_markdown_of_nothing_says_so() -> None:
    assert to_markdown(rank([])) == "Nothing was measured.\n"
