"""Carbon, water and scores of runs made by hand: what must hold, what is refused."""

import csv
import io
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.ledger_nouns import Hardware
from harness.noun import Noun
from harness.records import TrialRecord
from reports.sustainability import (
    carbon,
    label,
    phases,
    rated,
    saving,
    sci,
    sensitivity,
)
from reports.sustainability.accounts import Entry, account, hour_shares
from reports.sustainability.arithmetic import embodied_g
from reports.sustainability.assessment import AssessedGroup, Assessment
from reports.sustainability.facts import RunFacts, offsets_s
from reports.sustainability.figures import Figure
from reports.sustainability.sensitivity import Cost, Terms, inversions, order
from reports.sustainability.tidy import to_csv
from tests import sustainability_makers as makers

JOULES = st.floats(min_value=1e-3, max_value=1e9)


def test_the_worked_example_of_the_specification() -> None:
    """ISO/IEC 21031: 1000 kg over 4 years are about 28 g an hour."""
    assert embodied_g(1000.0, 3600.0, 4.0) == pytest.approx(28.5, abs=0.6)


def scaled(record: TrialRecord, by: float) -> TrialRecord:
    total = record.total
    assert total is not None
    assert total.energy_j is not None
    assert total.error_bound_j is not None
    change = {
        "energy_j": total.energy_j * by,
        "error_bound_j": total.error_bound_j * by,
    }
    return record.model_copy(update={"total": total.model_copy(update=change)})


@given(by=st.floats(min_value=0.01, max_value=100.0))
@settings(max_examples=25, deadline=None)
def test_more_joules_are_more_grams_in_proportion(by: float) -> None:
    records = [makers.trial("fp32", n, 100.0 + n) for n in range(3)]

    once = makers.assessment(records).groups[0].rows[0]
    more = makers.assessment([scaled(r, by) for r in records]).groups[0].rows[0]

    for name in ("location_g", "market_g"):
        first = getattr(once.carbon, name).value
        assert getattr(more.carbon, name).value == pytest.approx(by * first)
    assert more.carbon.embodied_g == once.carbon.embodied_g
    assert more.water.total_l.value == pytest.approx(
        by * (once.water.total_l.value or 0)
    )


@given(joules=st.lists(JOULES, min_size=2, max_size=8), cut=st.integers(1, 7))
@settings(max_examples=50, deadline=None)
def test_sums_of_parts_are_sums_of_the_whole(joules: list[float], cut: int) -> None:
    records = [makers.trial("fp32", n, each) for n, each in enumerate(joules)]
    entries = [Entry(record, 0, makers.IDLE_S, makers.OFFSET_S) for record in records]

    parts = [account(entries[:cut]), account(entries[cut:])]
    whole = account(entries)

    for name, value in whole.known.items():
        assert sum(p.known.get(name, 0) for p in parts) == pytest.approx(value), name
    spread = sum(whole.hours.values())
    assert spread == pytest.approx(whole.known["window"])


@given(
    energy_kwh=st.floats(1e-9, 1e6), pue=st.floats(1.0, 3.0), grid=st.floats(1.0, 900.0)
)
@settings(max_examples=25, deadline=None)
def test_the_overhead_of_the_facility_is_taken_once(
    energy_kwh: float, pue: float, grid: float
) -> None:
    ledger = makers.site(
        pue=makers.factor("pue", pue), intensity=makers.factor("grid", grid)
    )
    records = [makers.trial("fp32", 0, energy_kwh * 3.6e6, items=1)]

    row = makers.assessment(records, ledger).groups[0].rows[0]

    assert row.carbon.energy_kwh.value == pytest.approx(energy_kwh)
    assert row.carbon.facility_kwh.value == pytest.approx(energy_kwh * pue)
    assert row.carbon.location_g.value == pytest.approx(energy_kwh * pue * grid)
    assert row.water.onsite_l.value == pytest.approx(energy_kwh * 0.5)
    assert row.water.source_l.value == pytest.approx(energy_kwh * pue * 3.6)


def paths(node: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(node, list):
        for number, each in enumerate(node):
            yield from paths(each, f"{path}[{number}]")
    elif isinstance(node, dict):
        for name, each in node.items():
            yield from paths(each, f"{path}.{name}".lstrip("."))
    else:
        yield path, node


def test_another_country_changes_only_what_depends_on_it() -> None:
    poland = makers.site(
        place="POL",
        intensity=makers.factor("grid", 589.0, "g CO2e/kWh", low=500.0, high=700.0),
        second_opinions=(makers.factor("grid too", 650.0, "g CO2e/kWh"),),
        source_water=makers.factor("water", 1.9, "L/kWh", low=1.0, high=2.0),
    )

    here, there = (
        dict(paths(makers.report())),
        dict(paths(makers.report(ledger=poland))),
    )

    assert here.keys() == there.keys()
    changed = {path for path in here if here[path] != there[path]}
    depends = re.compile(
        r"^site\.place$|^coefficients|_g\.(value|low|high)$|_l\.(value|low|high)$"
        r"|location_g|total_g|market_g|^check|^sensitivity|scores\[\d+\]\.line$"
        r"|answer\.sentence$|^boundary\.parts\[\d+\]\.how$"
    )
    assert [path for path in sorted(changed) if not depends.search(path)] == []
    assert not [p for p in changed if re.search(r"embodied|market_g|onsite_l|_j\.", p)]
    assert any(path.endswith("location_g.value") for path in changed)


@pytest.mark.parametrize(
    ("lacks", "gone", "kept"),
    [
        (
            {"intensity": None},
            ["location_g", "total_g"],
            ["facility_kwh", "embodied_g"],
        ),
        ({"pue": None}, ["facility_kwh", "location_g", "market_g"], ["energy_kwh"]),
        ({"contract": None}, ["market_g"], ["location_g", "total_g"]),
        ({"hardware": ()}, ["embodied_g", "total_g"], ["location_g"]),
    ],
)
def test_a_missing_factor_is_none_with_a_reason_and_never_zero(
    lacks: dict[str, Any], gone: list[str], kept: list[str]
) -> None:
    emitted = makers.assessment(ledger=makers.site(**lacks)).carbon

    for name in gone:
        figure = getattr(emitted, name)
        assert figure.value is None
        assert figure.low is figure.high is None
        assert "is known" in figure.reason
    assert all(getattr(emitted, name).value > 0 for name in kept)


def test_making_without_a_lifetime_is_not_known() -> None:
    old = Hardware(name="box", count=1, embodied=(makers.factor("maker", 900.0),))

    found = makers.assessment(ledger=makers.site(hardware=(old,)))

    assert found.carbon.embodied_g.reason == "box: no lifetime is known"
    assert found.carbon.total_or_location.value == found.carbon.location_g.value
    assert "M is not in it" in (found.carbon.total_or_location.reason or "")


def test_a_trial_without_joules_is_counted_as_lacking() -> None:
    lost = makers.trial("fp32", 3, 100.0).model_copy(
        update={"status": "failed", "total": None, "window": None}
    )

    found = makers.assessment([*makers.run(), lost])

    assert "1 of 16 trials tell no window" in (found.energy.window_j.reason or "")
    assert found.statuses == {"failed": 1, "ok": 15}


def test_the_check_line_of_the_carbon_agrees() -> None:
    check = makers.assessment().check

    assert check is not None
    assert check.agrees
    assert check.line.startswith("E x PUE x I + M = ")
    assert check.stated_g == pytest.approx(check.recomputed_g)


def test_inference_and_training_have_their_own_personas() -> None:
    found = makers.report()
    scores = {
        (row["configuration"]["phase"], score["persona"], score["unit"])
        for group in found["groups"]
        for row in group["rows"]
        for score in row["scores"]
    }

    assert scores == {
        ("infer", "consumer", "item"),
        ("infer", "consumer", "token"),
        ("train", "provider", "FLOP"),
        ("train", "provider", "training token"),
        ("train", "provider", "parameter"),
    }


def test_an_image_has_no_tokens() -> None:
    records = [makers.trial("fp32", n, 100.0, options={}) for n in range(3)]

    units = {s.unit for s in makers.assessment(records).groups[0].rows[0].scores}

    assert units == {"item"}


@pytest.mark.parametrize(
    ("ownership", "scopes"),
    [
        ("owned", ["Scope 2", "Scope 3, category 2", "Scope 3, category 3"]),
        ("colo", ["Scope 2 under", "Scope 3, category 2", "Scope 3, category 3"]),
        ("cloud", ["Scope 3, category 1"] * 3),
    ],
)
def test_scopes_follow_ownership(ownership: str, scopes: list[str]) -> None:
    lines = makers.assessment(ledger=makers.site(ownership=ownership)).scopes

    for line, start in zip(lines, scopes, strict=True):
        assert (line.scope or "").startswith(start)
    assert lines[2].location_g.value is None
    assert "not computed" in (lines[2].location_g.reason or "")


def test_without_an_owner_no_scope_is_assigned() -> None:
    lines = makers.assessment(ledger=makers.site(ownership=None)).scopes

    assert {line.scope for line in lines} == {None}


def test_a_window_over_the_hour_is_shared_between_both() -> None:
    record = makers.trial("fp32", 0, 90.0, start_s=3590.0, duration_s=30.0)

    shares = dict(hour_shares(Entry(record, 0, 0.0, 0.0)))

    assert shares == {
        "1970-01-01T00": pytest.approx(30.0),
        "1970-01-01T01": pytest.approx(60.0),
    }


def test_without_a_clock_a_window_lies_behind_its_setup() -> None:
    record = makers.trial("fp32", 0, 90.0).model_copy(
        update={"started_utc": "2026-09-21T13:59:58+00:00"}
    )

    (shares,) = hour_shares(Entry(record, 0, 0.0, None))
    found = account([Entry(record, 0, 0.0, None)])

    assert shares[0] == "2026-09-21T14"
    assert shares[1] == pytest.approx(90.0)
    assert "the warm-up is not known" in next(iter(found.placed_by))


@pytest.mark.parametrize(
    "wrong",
    [{"start_s": 1e300}, {"duration_s": 1e300, "end_s": 1e300}, {"duration_s": 0.0}],
)
def test_impossible_windows_are_left_out(wrong: dict[str, float]) -> None:
    record = makers.trial("fp32", 0, 90.0)
    assert record.window is not None
    broken = record.model_copy(
        update={"window": record.window.model_copy(update=wrong)}
    )

    found = account([Entry(broken, 0, 0.0, makers.OFFSET_S)])

    assert dict(found.hours) == {}


def test_no_trace_no_clock(tmp_path: Path) -> None:
    records = [makers.trial("fp32", n, 1.0) for n in range(5)]

    assert offsets_s(tmp_path, records) == [None] * 5


def test_a_clean_grid_flips_an_order_that_joules_alone_would_not() -> None:
    """Quick and hungry against slow and frugal: making decides on a clean grid."""
    costs = [Cost("hungry", 2.0, 1.0), Cost("frugal", 1.0, 3.0)]

    assert order(costs, Terms(500.0, 1.0, 100.0)) == ["frugal", "hungry"]
    assert order(costs, Terms(50.0, 1.0, 100.0)) == ["hungry", "frugal"]


def test_the_report_says_that_its_order_depends_on_the_grid() -> None:
    records = [
        *(makers.trial("fp32", n, 1e4, duration_s=10.0) for n in range(3)),
        *(makers.trial("bf16", n, 9e3, duration_s=11.0) for n in range(3)),
    ]
    grid = makers.factor("grid", 300.0, "g CO2e/kWh", low=20.0, high=3000.0)

    found = makers.assessment(records, makers.site(intensity=grid)).sensitivity

    broken = {each.name for each in found.assumptions if not each.survives}
    assert found.survives is False
    assert "carbon intensity of the grid" in broken
    assert "carbon intensity of the grid" in found.statement


@given(st.permutations(range(7)))
def test_inversions_count_pairs_out_of_order(places: list[int]) -> None:
    pairs = [(a, b) for n, a in enumerate(places) for b in places[n + 1 :]]

    assert inversions(places) == sum(a > b for a, b in pairs)


NOUNS = [
    carbon.Share, carbon.Check, carbon.Carbon, label.Pin, label.Label, Figure, RunFacts,
    phases.Stretch, phases.Energy, rated.Rated, saving.Saving, sci.Score,
    sensitivity.End, sensitivity.Sensitivity, AssessedGroup, Assessment,
]  # fmt: skip


def test_the_sheet_is_tidy_and_no_text_is_a_formula() -> None:
    evil = makers.site(
        intensity=makers.factor(
            "=1+1", 56.0, "g CO2e/kWh", source="=cmd()|' /C calc'!A0"
        )
    )

    sheet = to_csv(makers.assessment(ledger=evil))

    lines = list(csv.DictReader(io.StringIO(sheet)))
    assert lines[0]["source"].startswith("joulebench report")
    assert not [c for line in lines for c in line.values() if c[:1] in ("=", "@", "+")]
    total = next(line for line in lines if line["path"] == "carbon.total_g")
    assert float(total["low"]) < float(total["value"]) < float(total["high"])
    assert (total["unit"], total["methods"]) == ("g CO2e", "measured sourced")
    figures = re.findall(r'"methods":', makers.assessment(ledger=evil).to_json())
    factors = len(evil.factors())
    assert len(lines) == 1 + len(figures) + factors


def test_the_json_is_a_public_format() -> None:
    found = json.loads(makers.assessment().to_json())

    assert found["schema"] == 1
    assert found["kind"] == "joulebench report: sustainability"
    assert {
        "site", "trials", "boundary", "energy", "carbon", "embodied_sources", "check",
        "scopes", "water", "groups", "sensitivity", "coefficients", "assumed",
        "methodology", "tags", "doubts", "warnings", "reproducibility",
    } <= found.keys()  # fmt: skip


def test_quality_of_energy_is_graded_by_its_error() -> None:
    grades = {
        bound: makers.assessment(
            [makers.trial("fp32", n, 100.0, bound_j=bound) for n in range(3)]
        ).energy.grade
        for bound in (10.0, 25.0, 50.0, 60.0)
    }

    assert list(grades.values())[:3] == ["high", "medium", "low"]
    assert (grades[60.0] or "").startswith("none")


@pytest.mark.parametrize(
    "noun",
    NOUNS,
    ids=lambda noun: noun.__name__,
)
def test_plain_numbers_of_the_json_say_their_unit_last(noun: type[Noun]) -> None:
    plain = {
        "value", "low", "high", "place", "rank", "rank_low", "rank_high", "trials",
        "count", "year", "flips", "cores_logical", "pue", "statuses",
    }  # fmt: skip
    units = ("_g", "_j", "_s", "_kg", "_years", "_ratio", "_bytes", "_kwh", "_l")

    numbers = [
        name
        for name, each in noun.model_fields.items()
        if re.search(r"\b(int|float)\b", str(each.annotation))
    ]

    assert [n for n in numbers if n not in plain and not n.endswith(units)] == []
