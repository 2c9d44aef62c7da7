"""Live grid intensity: what services tell, and everything that they may do instead.

The answers are written after the services' documentation and served on the loopback
interface; the adapters are given that address as an argument.
"""

import contextlib
import json
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import pytest

from harness.errors import BenchError, FactorUnavailable, UsageError
from harness.factor import Factor
from harness.factors import LIVE, MARGINAL, live
from harness.factors.live.electricity_maps import ElectricityMaps
from harness.factors.live.uk_carbon_intensity import UkCarbonIntensity
from harness.factors.live.watttime import WattTimeMarginal
from tests.meter_servers import Answer, serving
from tests.meter_servers import json as answered

NOW = datetime(2026, 11, 25, 13, 40, tzinfo=UTC)
TOKEN = "s3cret-t0ken"  # noqa: S105 (opens nothing)
UK = {
    "data": [
        {
            "from": "2026-11-25T13:30Z",
            "to": "2026-11-25T14:00Z",
            "intensity": {"forecast": 156, "actual": 149, "index": "moderate"},
        }
    ]
}
MAPS = {
    "zone": "FR",
    "carbonIntensity": 67,
    "datetime": "2026-11-25T13:00:00.000Z",
    "updatedAt": "2026-11-25T12:51:02.892Z",
    "emissionFactorType": "lifecycle",
    "isEstimated": True,
    "estimationMethod": "TIME_SLICER_AVERAGE",
    "temporalGranularity": "hourly",
}
WATTTIME = {
    "data": [{"point_time": "2026-11-25T13:40:00+00:00", "value": 870.0}],
    "meta": {
        "data_point_period_seconds": 300,
        "region": "FR",
        "signal_type": "co2_moer",
        "units": "lbs_co2_per_mwh",
        "model": {"date": "2026-03-01", "type": "binned_regression"},
        "warnings": [{"type": "EXAMPLE", "message": "an\x1b[31m example"}],
    },
}
Answers = Callable[[str, Mapping[str, str]], Answer]


@pytest.fixture(autouse=True)
def _account(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ELECTRICITY_MAPS_API_KEY", TOKEN)
    monkeypatch.setenv("WATTTIME_USER", "user")
    monkeypatch.setenv("WATTTIME_PASSWORD", "pässword")


def now() -> datetime:
    return NOW


def changed(data: dict[str, Any], *path: str | int, to: Any) -> dict[str, Any]:
    """A copy in which one value is another."""
    copy = json.loads(json.dumps(data))
    place = copy
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = to
    return dict(copy)


def uk(data: Any = UK) -> Factor:
    with serving(lambda *_: answered(json.dumps(data))) as url:
        return UkCarbonIntensity(url, now).intensity("GBR")


def maps(data: Any = MAPS, place: str = "FRA") -> Factor:
    with serving(lambda *_: answered(json.dumps(data))) as url:
        return ElectricityMaps(url, now).intensity(place)


def watttime(data: Any = WATTTIME, place: str = "FRA") -> Factor:
    def answers(path: str, _: Mapping[str, str]) -> Answer:
        return answered(json.dumps({"token": TOKEN} if path == "/login" else data))

    with serving(answers) as url:
        return WattTimeMarginal(url, now).intensity(place)


@contextmanager
def failing(answers: Answers) -> Iterator[pytest.ExceptionInfo[BenchError]]:
    with pytest.raises(FactorUnavailable) as caught:  # noqa: SIM117
        with serving(answers) as url:
            ElectricityMaps(url, now, timeout_s=5.0).intensity("FRA")
    yield caught
    assert TOKEN not in f"{caught.value.message} {caught.value.hint}"


def test_great_britain_has_what_was_metered() -> None:
    factor = uk()

    assert (factor.value, factor.unit, factor.year) == (149.0, "g CO2e/kWh", 2026)
    assert factor.place == "GBR"
    assert factor.source == (
        "UK Carbon Intensity API v2, Great Britain, actual of 2026-11-25T13:30Z"
    )
    assert factor.retrieved_utc == "2026-11-25T13:40:00+00:00"
    assert factor.licence.startswith("CC BY 4.0")
    assert "life cycle" in factor.caveats[0]
    assert not factor.marginal


def test_an_open_half_hour_has_a_forecast_and_says_so() -> None:
    factor = uk(changed(UK, "data", 0, "intensity", "actual", to=None))

    assert factor.value == 156.0
    assert "forecast of" in factor.source
    assert factor.caveats[-1].startswith("a forecast")


def test_electricity_maps_is_asked_for_life_cycle_means_of_a_zone() -> None:
    asked: list[tuple[str, str | None]] = []

    def answers(path: str, headers: Mapping[str, str]) -> Answer:
        asked.append((path, headers.get("auth-token")))
        return answered(json.dumps(MAPS))

    with serving(answers) as url:
        factor = ElectricityMaps(url, now).intensity("FRA")

    ((path, token),) = asked
    assert path.startswith("/v4/carbon-intensity/latest?zone=FR&")
    assert "emissionFactorType=lifecycle" in path
    assert "disableCallerLookup=true" in path
    assert token == TOKEN
    assert (factor.value, factor.year, factor.marginal) == (67.0, 2026, False)
    assert "API v4, FR" in factor.source
    assert "TIME_SLICER_AVERAGE" in factor.caveats[1]


def test_watttime_logs_in_and_converts_pounds() -> None:
    asked: list[tuple[str, str | None]] = []

    def answers(path: str, headers: Mapping[str, str]) -> Answer:
        asked.append((path, headers.get("Authorization")))
        found = {"token": TOKEN} if path == "/login" else WATTTIME
        return answered(json.dumps(found))

    with serving(answers) as url:
        factor = WattTimeMarginal(url, now).intensity("FRA")

    assert asked == [
        ("/login", "Basic dXNlcjpww6Rzc3dvcmQ="),
        (
            "/v3/forecast?region=FR&signal_type=co2_moer&horizon_hours=0",
            f"Bearer {TOKEN}",
        ),
    ]
    assert factor.value == pytest.approx(394.6253619)  # 870 lb/MWh
    assert factor.marginal
    assert factor.name == "marginal grid intensity FRA"
    assert "marginal (co2_moer)" in factor.source
    assert "model of 2026-03-01" in factor.source
    assert factor.caveats[0].startswith("marginal:")
    assert factor.caveats[-1] == "WattTime: an [31m example"


def test_great_britain_is_uk_to_watttime() -> None:
    assert watttime(changed(WATTTIME, "meta", "region", to="UK"), "GBR").place == "GBR"


@pytest.mark.parametrize("name", [*LIVE, *MARGINAL])
def test_a_source_refuses_what_is_no_country(name: str) -> None:
    for place in ("XXX", "fra", "FR", "", "../..", "USA-CA"):
        with pytest.raises(UsageError, match="not known to cover"):
            live(name).zone(place)


def test_a_part_of_a_country_has_the_zone_that_the_user_names() -> None:
    assert live("electricity-maps").zone("USA-CA", "US-CAL-CISO") == "US-CAL-CISO"
    assert live("watttime").zone("USA-CA", "CAISO_NORTH") == "CAISO_NORTH"
    with pytest.raises(UsageError, match="'London'"):
        live("uk-carbon-intensity").zone("GBR", "London")


def test_an_unknown_source_has_a_near_name() -> None:
    with pytest.raises(UsageError, match="did you mean 'watttime'"):
        live("watttimes")


def test_sources_that_do_not_cover_a_country_say_so() -> None:
    with pytest.raises(UsageError, match="GBR alone"):
        raise_hint(lambda: UkCarbonIntensity().intensity("FRA"))
    with pytest.raises(UsageError, match="not known to cover the place 'USA'"):
        WattTimeMarginal().intensity("USA")


def raise_hint(call: Callable[[], object]) -> None:
    try:
        call()
    except UsageError as error:
        raise UsageError(error.hint) from error


@pytest.mark.parametrize(
    "name", ["ELECTRICITY_MAPS_API_KEY", "WATTTIME_USER", "WATTTIME_PASSWORD"]
)
def test_without_a_token_nothing_is_asked(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, " ")
    source = ElectricityMaps if name.startswith("ELECTRICITY") else WattTimeMarginal
    asked: list[str] = []

    def answers(path: str, _: Mapping[str, str]) -> Answer:
        asked.append(path)
        return answered("{}")

    with serving(answers) as url, pytest.raises(UsageError) as caught:
        source(url, now).intensity("FRA")

    assert f"{name} is not set" in caught.value.message
    assert f"export {name}=" in caught.value.hint
    assert asked == []


@pytest.mark.parametrize("token", ["two\nlines", "a\x07b", "a\r\nb"])
def test_a_token_that_cannot_be_sent_is_not_shown(
    token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WATTTIME_PASSWORD", token)

    with pytest.raises(UsageError, match="cannot be sent") as caught:
        watttime()

    assert token not in str(caught.value)


@pytest.mark.parametrize(
    ("status", "message", "hint"),
    [
        (401, "refuses the access", "ELECTRICITY_MAPS_API_KEY"),
        (403, "refuses the access", "one zone"),
        (404, "does not know", "parts of this country"),
        (429, "asked too often", "some minutes"),
        (500, "in trouble", "try again later"),
        (503, "in trouble", "try again later"),
        (418, "status 418", "try again later"),
    ],
)
def test_a_refusal_says_what_to_do(status: int, message: str, hint: str) -> None:
    with failing(lambda *_: (status, f"no {TOKEN}".encode(), {})) as caught:
        assert message in caught.value.message
        assert hint in caught.value.hint


@pytest.mark.parametrize(
    ("after", "told"),
    [
        ("120", "in 120 s"),
        ("Wed, 25 Nov 2026 14:00:00 GMT", "after Wed, 25 Nov 2026 14:00:00 GMT"),
        ("<script>", "some minutes"),
        ("9" * 400, "some minutes"),
    ],
)
def test_a_busy_service_says_when_to_come_again(after: str, told: str) -> None:
    with failing(lambda *_: (429, b"", {"Retry-After": after})) as caught:
        assert told in caught.value.hint


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_token_does_not_follow_a_redirect(status: int) -> None:
    strangers: list[Mapping[str, str]] = []

    def stranger(_: str, headers: Mapping[str, str]) -> Answer:
        strangers.append(headers)
        return answered(json.dumps(MAPS))

    with (
        serving(stranger) as there,
        failing(lambda *_: (status, b"", {"Location": there})) as caught,
    ):
        assert "redirects" in caught.value.message
    assert strangers == []


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b"{", b"\xff\xfe", b"[" * 100_000, b'{"zone": "FR"']
)
def test_junk_is_no_number(body: bytes) -> None:
    with failing(lambda *_: (200, body, {})) as caught:
        assert "not JSON" in caught.value.message


def test_a_huge_answer_is_not_read() -> None:
    with failing(lambda *_: (200, b" " * (1 << 22), {})) as caught:
        assert "longer than 256 KiB" in caught.value.message


def test_a_packed_answer_is_not_unpacked_for_ever() -> None:
    import gzip

    bomb = gzip.compress(b" " * (1 << 26))
    with failing(lambda *_: (200, bomb, {"Content-Encoding": "gzip"})) as caught:
        assert "longer than 256 KiB" in caught.value.message


def test_a_silent_service_is_left() -> None:
    ended = threading.Event()

    def answers(*_: object) -> Answer:
        ended.wait(10)
        return answered(json.dumps(UK))

    with serving(answers) as url:
        with pytest.raises(FactorUnavailable, match=r"no answer within 0\.2 s"):
            UkCarbonIntensity(url, now, timeout_s=0.2).intensity("GBR")
        ended.set()


@contextmanager
def streaming(part: bytes, every_s: float) -> Iterator[str]:
    """Address of a server whose answer never ends."""
    ended = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as server:

        def stream() -> None:
            connection, _ = server.accept()
            with connection, contextlib.suppress(OSError):
                connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
                while not ended.wait(every_s):
                    connection.sendall(part)

        thread = threading.Thread(target=stream, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}"
        ended.set()
        thread.join()


def test_a_dripping_answer_is_left_in_time() -> None:
    with (
        streaming(b" ", 0.02) as url,
        pytest.raises(FactorUnavailable, match=r"no answer within 0\.3 s"),
    ):
        UkCarbonIntensity(url, now, timeout_s=0.3).intensity("GBR")


def test_an_endless_answer_is_read_no_further_than_it_may_be() -> None:
    with (
        streaming(b" " * (1 << 16), 0.0) as url,
        pytest.raises(FactorUnavailable, match="longer than 256 KiB"),
    ):
        UkCarbonIntensity(url, now, timeout_s=5.0).intensity("GBR")


def test_a_service_that_is_not_there_cannot_be_reached() -> None:
    with serving(lambda *_: answered("{}")) as url:
        pass

    with pytest.raises(FactorUnavailable, match="cannot be reached") as caught:
        UkCarbonIntensity(url, now).intensity("GBR")

    assert "network" in caught.value.hint


ABSURD = [-1, 0, 0.09, 3000.1, 1e308, 10**400, float("nan"), float("inf")]
MISSING: list[Any] = [None, "67", True, [], {}]


@pytest.mark.parametrize("value", ABSURD + MISSING)
def test_a_value_that_no_grid_has_is_refused(value: Any) -> None:
    cases: list[tuple[Callable[[Any], Factor], Any]] = [
        (maps, changed(MAPS, "carbonIntensity", to=value)),
        (watttime, changed(WATTTIME, "data", 0, "value", to=value)),
    ]
    if value is not None:
        cases += [(uk, changed(UK, "data", 0, "intensity", "actual", to=value))]
    for source, data in cases:
        if value == 3000.1 and source is watttime:
            continue  # 1,361 g/kWh
        with pytest.raises(FactorUnavailable, match="cannot be used"):
            source(data)


@pytest.mark.parametrize("junk", [None, [], {}, 5, "text", {"data": []}, {"data": 5}])
def test_an_answer_of_another_shape_is_refused(junk: Any) -> None:
    for source in (uk, maps, watttime):
        with pytest.raises(FactorUnavailable, match="cannot be used"):
            source(junk)


def test_the_answer_must_be_about_what_was_asked() -> None:
    with pytest.raises(FactorUnavailable, match="'DE' where 'FR' was asked"):
        maps(changed(MAPS, "zone", to="DE"))
    with pytest.raises(FactorUnavailable, match="'direct' where 'lifecycle'"):
        maps(changed(MAPS, "emissionFactorType", to="direct"))
    for key, wrong in (
        ("region", "CAISO_NORTH"),
        ("signal_type", "co2_aoer"),
        ("units", "percentile"),
    ):
        with pytest.raises(FactorUnavailable, match=f"meta.{key} is '{wrong}' where"):
            watttime(changed(WATTTIME, "meta", key, to=wrong))


@pytest.mark.parametrize(
    "time", ["2026-11-24T13:30Z", "2026-11-25T15:00Z", "yesterday", "0", None]
)
def test_a_value_of_another_day_is_not_now(time: str | None) -> None:
    with pytest.raises(FactorUnavailable, match="cannot be used"):
        uk(changed(UK, "data", 0, "from", to=time))


@pytest.mark.parametrize("token", [None, 5, "", "a\nb", "tökén"])
def test_a_login_without_a_token_is_no_login(token: Any) -> None:
    with (
        serving(lambda *_: answered(json.dumps({"token": token}))) as url,
        pytest.raises(FactorUnavailable, match="no token"),
    ):
        WattTimeMarginal(url, now).intensity("FRA")


def test_the_netrc_of_a_user_stays_at_home(
    monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    netrc = tmp_path_factory.mktemp("home") / "netrc"
    netrc.write_text("machine 127.0.0.1 login me password mine\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    asked: list[Mapping[str, str]] = []

    def answers(_: str, headers: Mapping[str, str]) -> Answer:
        asked.append(headers)
        return answered(json.dumps(UK))

    with serving(answers) as url:
        UkCarbonIntensity(url, now).intensity("GBR")

    assert "Authorization" not in asked[0]
