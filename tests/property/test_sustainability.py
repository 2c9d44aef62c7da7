"""What must hold of a sustainability report for every set of trials and every site."""

import json
import math
from collections.abc import Iterator
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from harness.ledger_nouns import Hardware, Ledger
from harness.readings import EnergyTotal
from harness.records import TrialRecord
from reports.page.html import html
from reports.sustainability.sheets.page import sustainability_page
from reports.sustainability.tidy import to_csv
from tests import sustainability_makers as makers

WILD = st.one_of(
    st.none(), st.just(0.0), st.just(math.inf), st.just(math.nan), st.just(-5.0),
    st.floats(1e-9, 1e12),
)  # fmt: skip


def wild_trial(precision: str, number: int, facts: dict[str, Any]) -> TrialRecord:
    record = makers.trial(precision, number, 100.0, phase=facts["phase"])
    total = EnergyTotal(
        energy_j=facts["energy_j"],
        perimeter=("cpu",),
        provenance=None,
        tier=facts["tier"],
        complete=facts["complete"],
        error_bound_j=facts["bound_j"],
        modelled_ratio=facts["modelled_ratio"],
    )
    window = record.window
    assert window is not None
    duration_s = facts["duration_s"] or 0.0
    change = {
        "total": total,
        "window": window.model_copy(
            update={"duration_s": duration_s, "items": facts["items"]}
        ),
        "started_utc": facts["started_utc"],
    }
    return record.model_copy(update=change)


TRIALS = st.lists(
    st.builds(
        wild_trial,
        st.sampled_from(["fp32", "bf16", "int8"]),
        st.integers(0, 3),
        st.fixed_dictionaries(
            {
                "phase": st.sampled_from(["infer", "train"]),
                "energy_j": WILD,
                "bound_j": WILD,
                "modelled_ratio": st.one_of(st.none(), st.floats(0, 1)),
                "tier": st.sampled_from([None, "B", "E"]),
                "complete": st.booleans(),
                "duration_s": WILD,
                "items": st.integers(-1, 1000),
                "started_utc": st.sampled_from(["", "nonsense", "2026-11-25T10:00:00"]),
            }
        ),
    ),
    max_size=8,
)


def some(name: str, low: float = 0.0) -> st.SearchStrategy[Any]:
    return st.one_of(
        st.none(),
        st.floats(low, 1e6).map(lambda value: makers.factor(name, value)),
    )


SITES = st.builds(
    makers.site,
    intensity=some("intensity"),
    pue=some("pue", 1.0),
    wue=some("wue"),
    source_water=some("water"),
    contract=some("contract"),
    ownership=st.sampled_from([None, "owned", "colo", "cloud"]),
    hardware=st.lists(
        st.builds(
            Hardware,
            name=st.just("box"),
            count=st.integers(1, 8),
            lifetime=some("lifetime", 0.1),
            embodied=st.lists(
                st.floats(0, 1e5).map(lambda v: makers.factor("maker", v)), max_size=2
            ).map(tuple),
        ),
        max_size=2,
    ).map(tuple),
)


def numbers(node: Any) -> Iterator[Any]:
    if isinstance(node, dict):
        if {"unit", "value", "reason"} <= node.keys():
            yield node
        for each in node.values():
            yield from numbers(each)
    elif isinstance(node, list):
        for each in node:
            yield from numbers(each)


@given(records=TRIALS, ledger=SITES)
@settings(max_examples=25, deadline=None)
def test_whatever_was_recorded_there_is_a_report_without_false_figures(
    records: list[TrialRecord], ledger: Ledger
) -> None:
    found = makers.assessment(records, ledger)

    text = found.to_json()
    for figure in numbers(json.loads(text)):
        assert figure["value"] is not None or figure["reason"]
        if figure["low"] is not None:
            assert figure["low"] <= figure["value"] * (1 + 1e-9) + 1e-12
            assert figure["value"] <= figure["high"] * (1 + 1e-9) + 1e-12
    assert "NaN" not in text
    assert "Infinity" not in text
    assert html(sustainability_page(found)).startswith("<!DOCTYPE html>")
    assert to_csv(found)
