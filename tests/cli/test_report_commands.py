"""`bench report ranking` as a user runs it."""

import json
import re
from io import StringIO
from pathlib import Path

import pandas as pd
import pytest

from tests.cli.test_commands import bench
from tests.page_makers import ranked_run


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return ranked_run(tmp_path_factory.mktemp("runs") / "run")


def test_the_page_goes_into_the_run_and_its_path_is_the_last_line(run: Path) -> None:
    done = bench("report", "ranking", str(run))

    text = (run / "ranking.html").read_text(encoding="utf-8")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == str(run / "ranking.html")
    for words in (
        "int8-dynamic", "Accuracy against joules", "Energy by domain",
        "Energy by phase", "Quality gate", "short-window", "a longer one",
        "no fp8 here", "AMD EPYC", "rapl.powercap", "torch 2.13", "a table",
    ):  # fmt: skip
        assert words in text, words


def test_traces_show_the_window_and_its_watts(run: Path) -> None:
    text = bench("report", "ranking", str(run), "-o", "-").stdout

    section = text.partition("## Power over time")[2].partition("\n## ")[0]
    assert "int8-dynamic: best" in section
    assert "fp32: the reference" in section
    watts = re.findall(
        r"\| cpu package-0 \| measured \| rapl.powercap \| ([\d.]+) ", section
    )
    assert watts
    assert all(59 < float(mean) < 61 for mean in watts)


def test_json_is_that_of_rank(run: Path) -> None:
    made = bench("report", "ranking", str(run), "-o", "-", "--format", "json")
    ours = json.loads(made.stdout)
    ranks = json.loads(bench("rank", str(run), "--json").stdout)

    assert ours.pop("generator").startswith("joulebench report")
    assert ours == ranks


def test_csv_is_that_of_rank(run: Path) -> None:
    ours = bench("report", "ranking", str(run), "-o", "-", "--format", "csv").stdout

    assert ours == bench("rank", str(run), "--csv").stdout
    assert len(pd.read_csv(StringIO(ours))) == 9


def test_several_runs_need_a_place_of_their_own(run: Path, tmp_path: Path) -> None:
    other = ranked_run(tmp_path / "other", "second", rounds=2)
    _earlier(other / "trials.jsonl")

    refused = bench("report", "ranking", str(run), str(other))
    made = bench(
        "report", "ranking", str(run), str(other), "-o", str(tmp_path / "x.html")
    )

    assert refused.returncode == 2
    assert "-o" in refused.stderr
    assert made.returncode == 0
    assert "quick, second" in (tmp_path / "x.html").read_text(encoding="utf-8")


def _earlier(trials: Path) -> None:
    """Put the trials of a run on another day."""
    text = trials.read_text(encoding="utf-8")
    trials.write_text(text.replace('"2026-11-01T', '"2026-10-01T'), encoding="utf-8")


def test_a_run_by_two_names_has_no_more_rounds(run: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(run)
    out = ("-o", "-", "--format", "csv")

    once = bench("report", "ranking", str(run), *out)
    twice = bench("report", "ranking", str(run), str(tmp_path / "link"), *out)

    assert twice.returncode == 0, twice.stderr
    assert twice.stdout == once.stdout
    ranked = bench("rank", str(run), str(tmp_path / "link"), "--csv")
    assert ranked.stdout == once.stdout


def test_numbers_that_cannot_be_are_not_told_of_a_machine(tmp_path: Path) -> None:
    run = ranked_run(tmp_path / "run")
    (run / "machine.json").write_text(
        json.dumps({"cpu": "AMD EPYC", "memory_bytes": 10**400}), encoding="utf-8"
    )

    done = bench("report", "ranking", str(run), "-o", str(tmp_path / "x.md"))

    assert done.returncode == 0, done.stderr
    assert "memory" not in (tmp_path / "x.md").read_text().partition("AMD EPYC")[2]


def test_a_run_without_traces_or_machine_still_has_a_page(tmp_path: Path) -> None:
    run = ranked_run(tmp_path / "run")
    for path in [*run.glob("traces/*"), run / "machine.json", run / "plan.json"]:
        path.unlink()
    (run / "traces" / "r0-bert-int8-dynamic.parquet").write_bytes(b"no parquet")

    done = bench("report", "ranking", str(run), "-o", str(tmp_path / "x.md"))

    text = (tmp_path / "x.md").read_text(encoding="utf-8")
    assert done.returncode == 0, done.stderr
    assert "Not shown" in text
    assert "unknown machine" in text


def test_help_names_the_formats() -> None:
    done = bench("report", "ranking", "--help")

    assert "html, md, json, csv, pdf" in re.sub(r"\s+", " ", done.stdout)


def test_an_unknown_run_is_named() -> None:
    done = bench("report", "ranking", "nowhere", "-o", "x.html")

    assert done.returncode == 2
    assert "no such run folder" in done.stderr


def test_a_trial_with_a_number_that_no_reader_holds_is_left_out(tmp_path: Path) -> None:
    run = ranked_run(tmp_path / "run")
    trials = run / "trials.jsonl"
    first, *others = trials.read_text(encoding="utf-8").splitlines()
    broken = json.loads(first)
    broken["window"]["items"] = 10**400
    trials.write_text("\n".join([json.dumps(broken), *others]) + "\n", encoding="utf-8")

    done = bench("report", "ranking", str(run), "-o", str(tmp_path / "x.md"))

    assert done.returncode == 0, done.stderr
    assert "trials.jsonl:1: left out" in done.stderr


@pytest.mark.parametrize("start_s", [1e308, float("inf"), float("nan")])
def test_a_window_that_no_clock_can_tell_still_has_a_page(
    tmp_path: Path, start_s: float
) -> None:
    run = ranked_run(tmp_path / "run")
    trials = run / "trials.jsonl"
    records = [json.loads(line) for line in trials.read_text().splitlines()]
    for record in records:
        record["window"]["start_s"] = start_s
    trials.write_text("".join(json.dumps(each) + "\n" for each in records))

    done = bench("report", "ranking", str(run), "-o", str(tmp_path / "x.md"))

    assert done.returncode == 0, done.stderr
