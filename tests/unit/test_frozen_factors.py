"""The intensity of a run: what a suite may ask for, and what its folder keeps."""

import json
from pathlib import Path
from typing import Any

import pytest

from harness import frozen_factors
from harness.carbon import intensity as yearly
from harness.commands.measure import MeasureOptions, measure
from harness.errors import UsageError
from harness.factor import Factor
from harness.factors import LIVE, MARGINAL
from harness.frozen_factors import Frozen
from harness.ledger import ledger_of
from harness.store import RunFolder
from harness.suite import Location, load_suite, suite_schema

SUITE = """\
schema: 1
name: live
matrix:
  workload: [bert]
  phase: [infer]
  precision: [fp32]
  device: [cpu]
  batch_size: [4]
site: %s
"""
TOLD = Factor(
    name="grid intensity GBR",
    value=149.0,
    unit="g CO2e/kWh",
    year=2026,
    source="UK Carbon Intensity API v2",
    licence="CC BY 4.0",
    place="GBR",
    retrieved_utc="2026-11-25T13:40:00+00:00",
)
GBR = Location(place="GBR", intensity="uk-carbon-intensity")


def site_of(folder: Path, text: str) -> Location:
    path = folder / "suite.yaml"
    path.write_text(SUITE % text)
    return load_suite(str(path)).site


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    return RunFolder.create(tmp_path / "run")


def test_a_suite_names_a_source_and_what_stands_in(tmp_path: Path) -> None:
    text = "{place: GBR, intensity: uk-carbon-intensity, fallback: yearly-mean}"

    site = site_of(tmp_path, text)

    assert (site.intensity, site.fallback) == ("uk-carbon-intensity", "yearly-mean")
    assert site_of(tmp_path, "{place: GBR}").intensity == "yearly-mean"
    marginal = site_of(tmp_path, "{place: FRA, marginal: watttime}")
    assert (marginal.intensity, marginal.marginal) == ("yearly-mean", "watttime")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{place: FRA, intensity: uk-carbon-intensity}", "it covers GBR alone"),
        ("{place: USA, marginal: watttime}", "site.marginal: WattTime is not known"),
        ("{place: USA-CA, intensity: electricity-maps}", "one of its zones"),
        ("{place: FRA, intensity: watttime}", "site.intensity"),
        ("{place: FRA, intensity: 'https://example.org'}", "site.intensity"),
        ("{place: GBR, intensity: {url: x}}", "site.intensity"),
        ("{place: GBR, intensity: uk-carbon-intensity, fallback: 475}", "fallback"),
        ("{place: GBR, intensity: uk-carbon-intensity, url: x}", "url"),
        ("{place: GBR, intensity: uk-carbon-intensity, zone: London}", "as a whole"),
    ],
)
def test_what_fits_no_source_is_a_fault_of_the_suite(
    tmp_path: Path, text: str, message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        site_of(tmp_path, text)


def test_the_schema_names_the_sources() -> None:
    site = suite_schema()["properties"]["site"]["properties"]

    assert set(site["intensity"]["enum"]) >= {"yearly-mean", *LIVE}
    assert not set(site["intensity"]["enum"]) & set(MARGINAL)
    assert site["marginal"]["enum"] == list(MARGINAL)


def test_a_kept_factor_comes_back_as_it_was(folder: RunFolder) -> None:
    found = Frozen(intensity=TOLD, marginal=TOLD.model_copy(update={"marginal": True}))

    frozen_factors.keep(folder, found)

    assert frozen_factors.freeze(folder, GBR) == found


def test_a_run_never_asks_again(folder: RunFolder) -> None:
    for site in (GBR, Location(place="FRA", marginal="watttime")):
        with pytest.raises(UsageError, match="missing: what a live source told"):
            frozen_factors.freeze(folder, site)
    assert not (folder.path / "factors.json").exists()


def test_a_yearly_mean_is_kept_too(folder: RunFolder) -> None:
    old = yearly("FRA").model_copy(update={"value": 55.0, "year": 2022})

    frozen_factors.keep(folder, Frozen(intensity=old))

    assert frozen_factors.freeze(folder, Location(place="FRA")).intensity == old


def test_an_older_run_gets_the_yearly_mean(folder: RunFolder) -> None:
    found = frozen_factors.freeze(folder, Location(place="FRA"))

    assert found.intensity == yearly("FRA")
    assert frozen_factors.frozen(folder) == found
    assert frozen_factors.freeze(folder, Location()).intensity is None


def test_a_run_without_the_file_has_nothing_frozen(tmp_path: Path) -> None:
    assert frozen_factors.frozen(RunFolder(tmp_path)).intensity is None


@pytest.mark.parametrize(
    "change",
    [
        {"value": -1.0},
        {"value": "NaN"},
        {"value": "Infinity"},
        {"value": "many"},
        {"place": "FRA"},
        {"marginal": True},
    ],
)
def test_a_file_that_was_tampered_with_is_refused(
    folder: RunFolder, change: dict[str, Any]
) -> None:
    told = {"intensity": TOLD.model_dump(mode="json") | change}
    folder.write("factors.json", json.dumps(told))

    with pytest.raises(UsageError, match=r"factors\.json: intensity"):
        frozen_factors.freeze(folder, GBR)


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"schema_version": 9}'])
def test_a_torn_or_newer_file_is_refused(folder: RunFolder, text: str) -> None:
    folder.write("factors.json", text)

    with pytest.raises(UsageError, match=r"factors\.json"):
        frozen_factors.freeze(folder, GBR)


def test_a_missing_token_is_told_and_may_be_done_without(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("ELECTRICITY_MAPS_API_KEY", raising=False)
    site = Location(place="FRA", intensity="electricity-maps")

    with pytest.raises(UsageError, match="ELECTRICITY_MAPS_API_KEY is not set"):
        frozen_factors.ask(site)
    found = frozen_factors.ask(site.model_copy(update={"fallback": "yearly-mean"}))

    assert found.intensity is not None
    assert found.intensity.value == yearly("FRA").value
    assert found.intensity.caveats[-1].startswith("in place of electricity-maps")
    assert "is not set" in (found.fallback_reason or "")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({"intensity": "uk-carbon-intensity"}, "needs a place"),
        ({"intensity": "uk-carbon", "place": "GBR"}, "did you mean 'uk-carbon-int"),
        ({"intensity": "watttime", "place": "FRA"}, "unknown source 'watttime'"),
        ({"intensity": "uk-carbon-intensity", "place": "FRA"}, "not known to cover"),
    ],
)
def test_a_command_is_not_measured_with_what_fits_no_source(
    words: dict[str, str], message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        measure(["true"], MeasureOptions(**words))  # type: ignore[arg-type]


def test_a_marginal_is_no_mean_that_fails_softly(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("WATTTIME_USER", raising=False)
    site = Location(place="FRA", marginal="watttime", fallback="yearly-mean")

    with pytest.raises(UsageError, match="WATTTIME_USER is not set"):
        frozen_factors.ask(site)


def test_a_kept_mean_goes_into_the_ledger_before_the_yearly_one(
    folder: RunFolder,
) -> None:
    frozen_factors.keep(folder, Frozen(intensity=TOLD))

    ledger = ledger_of(place="GBR", live=frozen_factors.frozen(folder).intensity)

    assert ledger.intensity == TOLD
    assert len(ledger.second_opinions) == 2
