"""The page of the sustainability report, in every format that it is written in."""

import json
import re
from typing import Any

import pytest

from harness.records import Doubt
from reports.page.blocks import Facts, Figure, Page, Points, Table, Text
from reports.page.html import html
from reports.page.markdown import markdown
from reports.sustainability.figures import Figure as Amount
from reports.sustainability.figures import missing
from reports.sustainability.label import Pin
from reports.sustainability.sheets.amounts import amount, ends, filled, told
from reports.sustainability.sheets.page import sustainability_page
from tests import sustainability_makers as makers

SECTIONS = [
    "boundary", "energy", "carbon", "sci", "water", "ranking", "sensitivity",
    "coefficients", "method", "repeat",
]  # fmt: skip


def page(*args: Any, **more: Any) -> Page:
    return sustainability_page(makers.assessment(*args, **more))


def words(made: Page) -> str:
    return markdown(made)


def tables(made: Page, name: str) -> list[Table]:
    (section,) = [each for each in made.sections if each.name == name]
    return [block for block in section.blocks if isinstance(block, Table)]


def test_the_page_has_all_parts_and_answers_first() -> None:
    made = page()

    assert [section.name for section in made.sections] == SECTIONS
    first = made.lead[0]
    assert isinstance(first, Text)
    assert re.match(
        r"These trials took [\d.]+ mWh of electricity and caused [\d.]+ g CO2e \(",
        first.text,
    )
    assert any(isinstance(block, Table) for block in made.lead)


def test_charts_have_words_and_tables() -> None:
    charts = [
        block
        for section in page().sections
        for block in section.blocks
        if isinstance(block, Figure)
    ]

    assert len(charts) == 6
    assert all(len(chart.alt) > 40 and chart.table.rows for chart in charts)


def test_rows_under_the_floor_are_grey_and_say_why() -> None:
    table = next(t for t in tables(page(), "ranking") if "infer" in t.caption)

    (grey,) = [row for n, row in enumerate(table.rows) if n in table.muted]
    assert "int4" in grey
    assert "below 99 %" in grey[-1]


def test_a_reduced_precision_that_costs_more_is_called_out() -> None:
    (section,) = [s for s in page().sections if s.name == "ranking"]

    called = [b.items for b in section.blocks if isinstance(b, Points)]

    assert called == [("int8: 1.30 times the energy of fp32",)]


def test_what_to_take_comes_with_its_saving() -> None:
    made = page()
    (table,) = [block for block in made.lead if isinstance(block, Table)]

    heads = [column.title for column in table.columns]
    row = dict(zip(heads, table.rows[0], strict=True))

    assert row["take"] == "bf16"
    assert row["saving"] == "shown"
    assert float(row["J, fp32 = 1"]) == pytest.approx(0.614, abs=0.01)


def test_every_coefficient_is_listed_with_source_and_method() -> None:
    ledger = makers.site(wue=makers.factor("wue", 0.5, "L/kWh", assumed=True))

    (table,) = tables(page(ledger=ledger), "coefficients")

    assert len(table.rows) == len(ledger.factors())
    text = words(page(ledger=ledger))
    assert "Assumed; nobody vouches for it:" in text
    assert "source of library" in text


def test_a_site_that_names_nothing_says_so_and_invents_nothing() -> None:
    bare = makers.site(
        intensity=None, second_opinions=(), contract=None, pue=None, wue=None,
        source_water=None, hardware=(), ownership=None,
    )  # fmt: skip

    text = words(page(ledger=bare))

    assert "their carbon is not known: no PUE is known" in text
    assert "475" not in text
    assert "Nothing could be tried" in text


def test_modelled_energy_is_said_before_all_else() -> None:
    records = [makers.trial("fp32", n, 9.0, modelled_ratio=1.0) for n in range(3)]

    lead = " ".join(b.text for b in page(records).lead if isinstance(b, Text))

    assert "100 % of the energy was modelled, not measured" in lead


def test_labels_are_printed_with_their_scale_and_disclaimer() -> None:
    pins = (Pin(key="bert/infer/fp32/cpu/b8", energy_per_item_j=0.1),)

    with_label, without = words(page(pins=pins)), words(page())

    assert "not an official label" in with_label
    assert "A up to 0.35; B 0.35 to 0.50" in with_label
    assert "not an official label" not in without


def test_hostile_names_stay_text() -> None:
    evil = "<script>alert(1)</script>"
    ledger = makers.site(
        site=evil, intensity=makers.factor(evil, 56.0, "g CO2e/kWh", source=evil)
    )

    made = html(page(ledger=ledger))

    assert "<script" not in made
    assert "&lt;script&gt;" in made


def test_a_run_without_joules_still_has_a_page() -> None:
    lost = [
        record.model_copy(update={"status": "failed", "total": None, "window": None})
        for record in makers.run()
    ]

    made = page(lost)

    first = made.lead[0]
    assert isinstance(first, Text)
    assert first.text == "No energy is known: no trial has joules."
    assert html(made)


def test_many_configurations_fit_a_page() -> None:
    records = [
        makers.trial(f"p{number}" if number else "fp32", turn, 100.0 + number)
        for number in range(400)
        for turn in range(3)
    ]

    made = html(page(records))

    assert len(made.encode()) < 300_000
    assert "150 more configurations are in the JSON and CSV alone" in made


def test_the_machine_and_the_command_can_be_looked_up() -> None:
    (section,) = [s for s in page(command="bench x").sections if s.name == "repeat"]
    facts = dict(
        pair for block in section.blocks if isinstance(block, Facts)
        for pair in block.pairs
    )  # fmt: skip

    assert facts["command"] == "bench x"
    assert facts["processor"] == "Ryzen"


@pytest.mark.parametrize(
    ("figure", "text", "span"),
    [
        (Amount(unit="kWh", value=0.01, low=0.0, high=0.02), "10.0 Wh", "0 to 20.0"),
        (Amount(unit="g CO2e", value=999.6), "1.00 kg CO2e", "-"),
        (Amount(unit="g CO2e", value=0.0), "0 g CO2e", "-"),
        (Amount(unit="L", value=2e3, low=1e3, high=3e3), "2.00 m³", "1.00 to 3.00"),
        (missing("L", "no factor"), "-", "-"),
    ],
)  # fmt: skip
def test_amounts_share_the_unit_of_their_value(
    figure: Amount, text: str, span: str
) -> None:
    assert amount(figure) == text
    assert ends(figure) == span


def test_what_is_missing_is_told_with_its_reason() -> None:
    assert told(missing("L", "no factor")) == "not known: no factor"


def test_empty_columns_are_left_out_but_never_all() -> None:
    (table, *_) = tables(page(), "energy")
    bare = table.model_copy(update={"rows": (("",) * len(table.columns),)})

    assert len(filled(bare).columns) == 1


def test_json_and_page_hold_the_same_total() -> None:
    found = json.loads(makers.assessment().to_json())

    total = found["carbon"]["total_g"]["value"]

    assert f"{total:.3g} g CO2e" in words(page())


def test_doubts_of_the_ranking_are_repeated() -> None:
    doubt = Doubt(code="short-window", message="too short", remedy="longer")
    records = [r.model_copy(update={"doubts": (doubt,)}) for r in makers.run()]

    assert makers.assessment(records).doubts[0].count == len(records)


def test_both_ends_of_a_bar_are_named_for_what_they_are() -> None:
    heads = {
        block.title: [column.title for column in block.table.columns]
        for section in page().sections
        for block in section.blocks
        if isinstance(block, Figure)
    }

    assert heads["Energy by phase"][-1] == "error bound of the meters"
    assert heads["From energy to carbon"][-1] == "range"
    assert not any("95 % interval" in titles for titles in heads.values())


def test_grams_that_grow_where_joules_are_saved_are_told_as_a_cost() -> None:
    records = [
        makers.trial(precision, number, joules, duration_s=duration_s)
        for number in range(3)
        for precision, joules, duration_s in (
            ("fp32", 100.0 + number, 10.0),
            ("bf16", 60.0 + 2 * number, 900.0),
        )
    ]

    said = words(page(records))

    assert re.search(r"save [\d.]+ k?J, [\d.]+ L of water, but cost [\d.]+ g", said)
    assert not re.search(r"items save[^|\n]*-\d", said)
