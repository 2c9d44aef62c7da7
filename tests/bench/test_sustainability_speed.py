"""The sustainability report of 100,000 trials; it reports and never fails."""

import time
from typing import Any

import pytest

from reports.page.html import html
from reports.ranking import rank
from reports.sustainability.accounts import Entry
from reports.sustainability.assessment import Subject, assess
from reports.sustainability.sheets.page import sustainability_page
from tests import sustainability_makers as makers
from tests.bench.test_speed import many

pytestmark = pytest.mark.slow


@pytest.mark.benchmark(group="100,000 trials, CPU time", timer=time.process_time)
@pytest.mark.parametrize(("configurations", "rounds"), [(1000, 100), (33_333, 3)])
def test_assessing_and_rendering(
    benchmark: Any, configurations: int, rounds: int
) -> None:
    records = many(configurations, rounds)
    entries = [Entry(record, 0, makers.IDLE_S, makers.OFFSET_S) for record in records]
    subject = Subject(entries, rank(records), makers.site(), [makers.FACTS])

    text = benchmark.pedantic(
        lambda: html(sustainability_page(assess(subject))), rounds=1
    )

    assert len(text.encode()) < 300_000
