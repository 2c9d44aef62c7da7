"""What the page of a ranking says, and that its charts agree with its tables."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from harness.records import TrialRecord
from harness.store import RunFolder
from reports.page.blocks import Block, Figure, Page, Section, Table, Text
from reports.page.figures import bar_figure
from reports.page.html import html
from reports.ranking import rank
from reports.ranking_page.material import Material, Origin
from reports.ranking_page.page import MOST_GROUPS, ranking_page
from tests.page_makers import HOSTILE, ranked_run
from tests.unit.test_ranking import trial


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return ranked_run(tmp_path_factory.mktemp("runs") / "run")


def made(records: Sequence[TrialRecord], folder: Path = Path("gone")) -> Page:
    folders = [folder] * len(records)
    return ranking_page(Material(rank(records), records, folders, Origin(suite="s")))


def of_run(run: Path) -> Page:
    return made(RunFolder(run).records().records, run)


def section(page: Page, name: str) -> Section:
    return next(each for each in page.sections if each.name == name)


def figure(blocks: Sequence[Block], title: str) -> Figure:
    return next(b for b in blocks if isinstance(b, Figure) and b.title == title)


def texts(blocks: Sequence[Block], tone: str) -> list[str]:
    return [b.text for b in blocks if isinstance(b, Text) and b.tone == tone]


def test_one_group_is_answered_in_one_sentence() -> None:
    pairs = (("fp32", 90), ("bf16", 50))
    page = made([trial(p, j + r, round=r) for r in range(3) for p, j in pairs])

    (answer,) = texts(page.lead, "lead")

    assert answer.startswith("bf16 is best by accuracy per joule at 510 mJ per item")
    assert answer.count(". ") == 0


def test_domains_sum_to_the_joules_of_the_ranking(run: Path) -> None:
    blocks = section(of_run(run), "group-1").blocks
    ranking = next(b for b in blocks if isinstance(b, Table))

    domains = figure(blocks, "Energy by domain").table

    heads = [column.title for column in ranking.columns]
    joules = {row[1]: row[heads.index("mJ / item")] for row in ranking.rows}
    assert {row[0]: row[1] for row in domains.rows} == joules


def test_phases_are_those_of_the_records(run: Path) -> None:
    phases = figure(section(of_run(run), "group-1").blocks, "Energy by phase").table

    assert [column.title for column in phases.columns][1:6] == [
        "load", "convert", "window: idle power", "window: above idle", "sum",
    ]  # fmt: skip
    best = phases.rows[0]
    assert best[0] == "int8-dynamic"
    assert [float(cell) for cell in best[1:]] == [6, 3, 10, 41, 60]


def test_modelled_joules_are_a_caution() -> None:
    told = {"provenance": "modelled", "tier": "D", "modelled_ratio": 1.0}
    page = made([trial("fp32", 50, round=r, **told) for r in range(3)])

    assert any("no instrument saw them" in text for text in texts(page.lead, "caution"))
    assert not texts(made([trial("fp32", 50)]).lead, "caution")


def test_what_fails_the_gate_is_grey_and_has_no_rank(run: Path) -> None:
    blocks = section(of_run(run), "group-1").blocks
    ranking = next(b for b in blocks if isinstance(b, Table))

    grey = [ranking.rows[number] for number in sorted(ranking.muted)]

    assert {row[1] for row in grey} == {"bf16", "prune-90"}
    assert all(row[0] == "-" and row[3] == "fails" for row in grey)


def test_many_groups_become_lines() -> None:
    names = [f"w{n:02d}" for n in range(MOST_GROUPS + 3)]
    page = made([trial("fp32", 50, workload=name) for name in names])

    titles = [each.title for each in page.sections]

    assert sum(title.startswith("w") for title in titles) == MOST_GROUPS
    assert "Further groups" in titles


def test_a_trial_that_would_lead_out_of_its_folder_is_not_read(tmp_path: Path) -> None:
    run = ranked_run(tmp_path / "run")
    away = RunFolder(run).trace_path("r0-bert-int8-dynamic")
    away.rename(tmp_path / "away.parquet")
    records = [
        record.model_copy(update={"trial": "../../away"})
        for record in RunFolder(run).records().records
    ]

    traces = section(made(records, run), "traces")

    assert not any(isinstance(block, Figure) for block in traces.blocks)
    assert "leads out of the folder" in texts(traces.blocks, "small")[0]


def test_names_of_records_stay_text(tmp_path: Path) -> None:
    records = [
        trial(HOSTILE, 40 + r, round=r, workload=HOSTILE, device=HOSTILE)
        for r in range(3)
    ]

    text = html(made([*records, trial("fp32", 50, workload=HOSTILE, device=HOSTILE)]))

    assert HOSTILE not in text
    assert "&lt;script&gt;" in text


def test_the_table_behind_bars_has_no_empty_columns() -> None:
    from reports.page.charts.parts import Axis, Bar, Part

    bars = [Bar(label="a", parts=(Part(name="cpu", value=1.0),))]

    table = bar_figure(bars, Axis(title="Energy", unit="J"), "t", "a").table

    assert [column.title for column in table.columns] == ["name", "cpu"]


def test_nothing_measured_is_said() -> None:
    page = made([trial("fp32", None, status="skipped", reason="not here")])

    assert texts(page.lead, "lead") == ["Nothing was measured."]
