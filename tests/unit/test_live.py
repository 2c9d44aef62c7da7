"""Live intensities: recorded answers, and every way in which a source can fail."""

import json as jsons
import re
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from harness import factors, frozen_factors
from harness.errors import BenchError, EvidenceError, UsageError
from harness.factor import Factor
from harness.factors import (
    asking,
    electricity_maps,
    uk_carbon_intensity,
    watttime,
)
from harness.ledger import ledger_of
from harness.store import RunFolder
from harness.suite import Location
from tests.meter_servers import Answer, json, serving

NOW = datetime.now(UTC).strftime("%Y-%m-%dT%H:%MZ")
TOKEN = {"ELECTRICITY_MAPS_TOKEN": "s3cret"}
ACCOUNT = {"WATTTIME_USERNAME": "me", "WATTTIME_PASSWORD": "s3cret"}
UK: dict[str, Any] = {
    "data": [
        {
            "from": NOW,
            "to": NOW,
            "intensity": {"forecast": 266, "actual": 263, "index": "moderate"},
        }
    ]
}
MAPS: dict[str, Any] = {
    "zone": "FR",
    "carbonIntensity": 31,
    "datetime": NOW,
    "updatedAt": NOW,
    "emissionFactorType": "lifecycle",
    "isEstimated": True,
    "estimationMethod": "TIME_SLICER_AVERAGE\x1b[2J",
}
WATT: dict[str, Any] = {
    "data": [{"point_time": NOW, "value": 870.0}],
    "meta": {"region": "CAISO_NORTH", "units": "lbs_co2_per_mwh"},
}
Ask = Callable[[str], Factor]
Serve = Callable[[str, Mapping[str, str]], Answer]


def says(data: Any) -> Serve:
    return lambda _path, _headers: json(jsons.dumps(data))


def uk(base: str) -> Factor:
    return uk_carbon_intensity.fetch("GBR", base=base)


def maps(base: str) -> Factor:
    return electricity_maps.fetch("FRA", "FR", base=base, environ=TOKEN)


def watt(base: str) -> Factor:
    return watttime.fetch("USA-CA", "CAISO_NORTH", base=base, environ=ACCOUNT)


def failure(ask: Ask, serve: Serve) -> EvidenceError:
    with serving(serve) as base, pytest.raises(EvidenceError) as caught:
        ask(base)
    assert "s3cret" not in f"{caught.value.message} {caught.value.hint}"
    return caught.value


def test_the_uks_actual_value_goes_before_its_forecast() -> None:
    with serving(says(UK)) as base:
        factor = uk(base)

    assert factor.value == 263
    assert "actual of the half hour" in factor.source
    assert factor.licence == "CC BY 4.0"
    assert factor.retrieved_utc is not None


def test_an_open_half_hour_has_its_forecast_and_says_so() -> None:
    row = {**UK["data"][0], "intensity": {"forecast": 266, "actual": None}}

    with serving(says({"data": [row]})) as base:
        factor = uk(base)

    assert factor.value == 266
    assert "forecast of the half hour" in factor.source


def test_electricity_maps_is_asked_with_the_token_and_tells_its_doubts() -> None:
    seen: list[tuple[str, str | None]] = []

    def serve(path: str, headers: Mapping[str, str]) -> Answer:
        seen.append((path, headers.get("auth-token")))
        return json(jsons.dumps(MAPS))

    with serving(serve) as base:
        factor = maps(base)

    assert seen == [("/v3/carbon-intensity/latest?zone=FR", "s3cret")]
    assert factor.value == 31
    assert "emission factors: lifecycle" in factor.caveats
    assert any("TIME_SLICER_AVERAGE" in caveat for caveat in factor.caveats)
    assert all(caveat.isprintable() for caveat in factor.caveats)


def test_watttime_is_marginal_and_in_grams() -> None:
    seen: list[str] = []

    def serve(path: str, headers: Mapping[str, str]) -> Answer:
        seen.append(f"{path} {headers.get('Authorization', '')[:12]}")
        return json('{"token": "abc"}' if path == "/login" else jsons.dumps(WATT))

    with serving(serve) as base:
        factor = watt(base)

    assert factor.value == pytest.approx(870 * 0.45359237)
    assert factor.marginal
    assert "marginal" in factor.name
    assert seen[0].startswith("/login Basic")
    assert seen[1].endswith("signal_type=co2_moer Bearer abc")


@pytest.mark.parametrize("ask", [uk, maps, watt], ids=["uk", "maps", "watttime"])
@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ((401, b"", {}), r"refuses access \(401\)"),
        ((403, b"", {}), r"refuses access \(403\)"),
        ((429, b"", {"Retry-After": "30"}), "asks to wait 30 s"),
        ((429, b"", {"Retry-After": "<b>"}), r"asked too often \(429\)$"),
        ((500, b"", {}), "answers 500"),
        ((302, b"", {"Location": "http://192.0.2.1/"}), "answers 302"),
        ((200, b"<html>", {}), "answers no JSON"),
        ((200, b"[" * 100_000, {}), "answers no JSON"),
        ((200, b"[]", {}), "its answer has no"),
        ((200, b'{"data": []}', {}), "its answer has no"),
        ((200, b" " * (2 << 20), {}), "answers more than 1 MiB"),
    ],
)
def test_every_failure_is_a_sentence(ask: Ask, answer: Answer, words: str) -> None:
    error = failure(ask, lambda *_: answer)

    assert re.search(words, error.message)


def test_a_refused_token_names_its_variable() -> None:
    assert "ELECTRICITY_MAPS_TOKEN" in failure(maps, lambda *_: (401, b"", {})).hint


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"carbonIntensity": -4}, "not between"),
        ({"carbonIntensity": 0}, "not between"),
        ({"carbonIntensity": 1e9}, "not between"),
        ({"carbonIntensity": float("nan")}, "not between"),
        ({"carbonIntensity": "31"}, "not a number"),
        ({"carbonIntensity": True}, "not a number"),
        ({"carbonIntensity": None}, "not a number"),
        ({"carbonIntensity": 10**400}, "not between"),
        ({"zone": "DE"}, "answers for 'DE', not for 'FR'"),
        ({"datetime": "yesterday"}, "is not a time"),
        ({"datetime": "2020-01-01T00:00:00.000Z"}, "not of today"),
    ],
)
def test_what_cannot_be_believed_is_refused(change: Any, words: str) -> None:
    assert words in failure(maps, says({**MAPS, **change})).message


def test_another_unit_of_watttime_is_refused() -> None:
    meta = {"meta": {"units": "g_co2_per_kwh"}}

    error = failure(watt, says({"token": "abc", **WATT, **meta}))

    assert "not in lbs_co2_per_mwh" in error.message


def test_a_source_that_does_not_answer_in_time_is_given_up() -> None:
    def slow(_path: str, _headers: Mapping[str, str]) -> Answer:
        time.sleep(0.4)
        return json("{}")

    with serving(slow) as base, pytest.raises(EvidenceError, match=r"within 0\.1 s"):
        asking.answer(asking.Request("X", base, timeout_s=0.1))


def test_a_source_that_is_not_there_is_a_sentence() -> None:
    with pytest.raises(EvidenceError, match="cannot be reached"):
        uk("http://127.0.0.1:1")


@pytest.mark.parametrize(
    ("ask", "words"),
    [
        (lambda: electricity_maps.fetch("FRA", "FR", environ={}), "has no ELECTRICITY"),
        (
            lambda: electricity_maps.fetch(
                "FRA", "FR", environ={"ELECTRICITY_MAPS_TOKEN": "a\r\nHost: b"}
            ),
            "characters that no token has",
        ),
        (lambda: electricity_maps.fetch("FRA", environ=TOKEN), "is not named"),
        (lambda: watttime.fetch("USA-CA", "X", environ={}), "has no WATTTIME_USER"),
        (lambda: uk_carbon_intensity.fetch("FRA"), "knows the place GBR"),
        (lambda: factors.ask_live("watttimes", "USA-CA"), "did you mean 'watttime'"),
    ],
)
def test_nothing_is_sent_where_something_is_missing(
    ask: Callable[[], Factor], words: str
) -> None:
    with pytest.raises(UsageError, match=words):
        ask()


LIVE = Location(place="GBR", intensity="uk-carbon-intensity")


def test_a_live_value_is_asked_once_and_read_from_then_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = RunFolder.create(tmp_path / "run")
    with serving(says(UK)) as base:
        monkeypatch.setattr(uk_carbon_intensity.fetch, "__kwdefaults__", {"base": base})
        first = frozen_factors.freeze(folder, LIVE)

    again = frozen_factors.freeze(folder, LIVE)

    assert first.intensity is not None
    assert first.intensity.value == 263
    assert again == first


@pytest.fixture
def unreachable(monkeypatch: pytest.MonkeyPatch) -> None:
    base = {"base": "http://127.0.0.1:1"}
    monkeypatch.setattr(uk_carbon_intensity.fetch, "__kwdefaults__", base)


@pytest.mark.usefixtures("unreachable")
def test_a_live_source_that_fails_stops_the_run_with_the_cure(tmp_path: Path) -> None:
    folder = RunFolder.create(tmp_path / "run")

    with pytest.raises(BenchError, match="cannot be reached") as caught:
        frozen_factors.freeze(folder, LIVE)

    assert "site.fallback: yearly-mean" in caught.value.hint
    assert not (folder.path / "factors.json").exists()


@pytest.mark.usefixtures("unreachable")
def test_a_named_fallback_is_taken_and_told(tmp_path: Path) -> None:
    folder = RunFolder.create(tmp_path / "run")
    site = LIVE.model_copy(update={"fallback": "yearly-mean"})

    found = frozen_factors.freeze(folder, site)

    assert found.intensity is not None
    assert found.intensity.year == 2023
    assert "cannot be reached" in (found.fallback_reason or "")


def test_a_frozen_mean_goes_into_the_ledger_before_the_yearly_one(
    tmp_path: Path,
) -> None:
    folder = RunFolder.create(tmp_path / "run")
    with serving(says(UK)) as base:
        text = frozen_factors.Frozen(intensity=uk(base)).model_dump_json()
    folder.write("factors.json", text)

    ledger = ledger_of(place="GBR", live=frozen_factors.frozen(folder).intensity)

    assert ledger.intensity is not None
    assert ledger.intensity.value == 263
    assert len(ledger.second_opinions) == 2


def test_a_damaged_factors_file_is_named(tmp_path: Path) -> None:
    folder = RunFolder.create(tmp_path / "run")
    folder.write("factors.json", '{"intensity": 3}')

    with pytest.raises(UsageError, match=r"factors\.json: intensity"):
        frozen_factors.freeze(folder, Location(place="FRA"))


def test_an_old_run_without_the_file_has_nothing_frozen(tmp_path: Path) -> None:
    assert frozen_factors.frozen(RunFolder(tmp_path)).intensity is None


def test_a_day_old_value_is_too_old() -> None:
    old = (datetime.now(UTC) - timedelta(hours=25)).isoformat()

    with pytest.raises(EvidenceError, match="not of today"):
        asking.moment("X", old)
