"""How long the page of many trials takes: `make figures` reports it."""

import time
from pathlib import Path
from typing import Any

import pytest

from reports.page.html import html
from reports.ranking import rank
from reports.ranking_page.material import Material, Origin
from reports.ranking_page.page import ranking_page
from tests.bench.test_speed import many

pytestmark = pytest.mark.slow


@pytest.mark.benchmark(
    group="page of 100,000 trials, CPU time", timer=time.process_time
)
@pytest.mark.parametrize(("configurations", "rounds"), [(1000, 100), (33_333, 3)])
def test_page(benchmark: Any, configurations: int, rounds: int) -> None:
    records = many(configurations, rounds)
    ranking = rank(records)

    def page() -> str:
        material = Material(
            ranking, records, [Path("run")] * len(records), Origin(suite="many")
        )
        return html(ranking_page(material))

    text = benchmark.pedantic(page, rounds=3)

    assert len(text.encode()) < 300_000
