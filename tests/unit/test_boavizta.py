"""Embodied carbon over HTTP; the answers have the shape of BoaviztAPI 2.5.0's."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import pytest

from harness.errors import FactorUnavailable, UsageError
from harness.factor import Factor
from harness.factors.boavizta import Kind, embodied
from tests.meter_servers import Answer, serving
from tests.meter_servers import json as answered

DEFAULT_KG = 575.1
GPUS = {
    "NVIDIA H100 SXM 80GB": 575.1,
    "NVIDIA H100 PCIe 80GB": 566.7,
    "NVIDIA A100 SXM4 80GB": 568.0,
    "NVIDIA A100 SXM4 40GB": 319.3,
    "NVIDIA T4": 130.7,
    "AMD Instinct MI300X 192GB": 1497.0,
}
FUZZY = {
    "NVIDIA H100 80GB HBM3": "NVIDIA H100 SXM 80GB",
    "NVIDIA H100 PCIe": "NVIDIA H100 PCIe 80GB",
    "NVIDIA Tesla T4": "NVIDIA T4",
    "AMD MI300X": "AMD Instinct MI300X 192GB",
    "NVIDIA H999 SXM 80GB": "NVIDIA H100 SXM 80GB",
    "NVIDIA A100 80GB": "NVIDIA A100 SXM4 40GB",
    "GPU": "NVIDIA H100 SXM 80GB",
    "AMD EPYC 9654 96-Core Processor": "AMD EPYC 9654",
    "Xeon": "Intel Xeon Bronze 3104",
}
END_OF_LIFE = "End of life is not included in the calculation"


def gwp(value: Any, low: Any, high: Any, **more: Any) -> dict[str, Any]:
    embedded = {"value": value, "min": low, "max": high, **more}
    return {"gwp": {"unit": "kgCO2eq", "embedded": embedded, "use": "not implemented"}}


def part(asked: Mapping[str, Any]) -> dict[str, Any]:
    """A known name is matched, an unknown one has the default without a warning."""
    name = asked["name"]
    matched = FUZZY.get(name, name if name in GPUS else None)
    told = {"value": name, "status": "INPUT"}
    if matched:
        told = {"value": matched, "status": "COMPLETED"}
        told["source"] = "fuzzy match"
    kg = GPUS.get(matched or "", DEFAULT_KG)
    return {"impacts": gwp(kg, kg, kg), "verbose": {"name": told}}


def answers(path: str, headers: Mapping[str, str]) -> Answer:
    place, _, query = path.partition("?")
    if place.startswith("/v1/component/"):
        assert "duration=1000000000" in query
        found: Any = part(json.loads(headers[":body"]))
    else:
        found = {
            "/v1/utils/version": "2.5.0",
            "/v1/utils/gpu_name": list(GPUS),
            "/v1/utils/cpu_name": ["AMD EPYC 9654"],
            "/v1/server/archetypes": ["platform_compute_medium", "dellR740"],
            "/v1/server/": {
                "impacts": gwp(900.0, 459.9, 2087.0, warnings=[END_OF_LIFE])
            },
        }[place]
    return answered(json.dumps(found))


@pytest.fixture
def url() -> Iterator[str]:
    with serving(answers) as address:
        yield address


def now() -> datetime:
    return datetime(2026, 11, 25, tzinfo=UTC)


@pytest.mark.parametrize(
    ("name", "kg", "matched"),
    [
        ("NVIDIA H100 80GB HBM3", 575.1, "NVIDIA H100 SXM 80GB"),
        ("NVIDIA H100 PCIe", 566.7, "NVIDIA H100 PCIe 80GB"),
        ("NVIDIA Tesla T4", 130.7, "NVIDIA T4"),
        ("AMD MI300X", 1497.0, "AMD Instinct MI300X 192GB"),
        ("NVIDIA A100 SXM4 40GB", 319.3, "NVIDIA A100 SXM4 40GB"),
    ],
)
def test_a_known_gpu_has_the_name_it_was_matched_to(
    url: str, name: str, kg: float, matched: str
) -> None:
    factor = embodied(url, "gpu", name, now)

    assert (factor.value, factor.low, factor.high) == (kg, None, None)
    assert factor.unit == "kg CO2e"
    assert factor.source == f"BoaviztAPI 2.5.0, matched to {matched}"
    assert factor.retrieved_utc == "2026-11-25T00:00:00+00:00"
    assert "3.5" in factor.caveats[-1]


def test_a_processor_may_say_how_many_cores_it_has(url: str) -> None:
    factor = embodied(url, "cpu", "AMD EPYC 9654 96-Core Processor", now)

    assert factor.source.endswith("matched to AMD EPYC 9654")


@pytest.mark.parametrize("name", ["nonsense", "Tesla T4", "NVIDIA A100-SXM4-80GB"])
def test_the_silent_default_is_refused(url: str, name: str) -> None:
    with pytest.raises(UsageError, match="does not know") as caught:
        embodied(url, "gpu", name, now)

    assert "it would tell a default" in caught.value.message
    assert "site file" in caught.value.hint


def test_an_unknown_name_has_a_near_one(url: str) -> None:
    with pytest.raises(UsageError, match="did you mean 'NVIDIA A100 SXM4 80GB'"):
        embodied(url, "gpu", "NVIDIA A100-SXM4-80GB", now)


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("gpu", "NVIDIA H999 SXM 80GB"),
        ("gpu", "NVIDIA A100 80GB"),
        ("gpu", "GPU"),
        ("cpu", "Xeon"),
    ],
)
def test_a_fuzzy_match_with_another_model_is_refused(
    url: str, kind: Kind, name: str
) -> None:
    with pytest.raises(UsageError, match="it would tell of"):
        embodied(url, kind, name, now)


def test_a_server_has_a_range_and_what_is_said_against_it(url: str) -> None:
    factor = embodied(url, "server", "platform_compute_medium", now)

    assert (factor.low, factor.value, factor.high) == (459.9, 900.0, 2087.0)
    assert factor.caveats[0] == END_OF_LIFE
    assert "archetype" in factor.caveats[1]


def test_an_unknown_server_is_refused(url: str) -> None:
    with pytest.raises(UsageError, match="did you mean 'dellR740'"):
        embodied(url, "server", "dell R740", now)


@contextmanager
def telling(impacts: Any) -> Iterator[str]:
    def told(path: str, _: Mapping[str, str]) -> Answer:
        name = {"value": "NVIDIA T4", "status": "COMPLETED"}
        found: Any = {"impacts": impacts, "verbose": {"name": name}}
        return answered(json.dumps("2.5.0" if path.endswith("version") else found))

    with serving(told) as address:
        yield address


@pytest.mark.parametrize(
    "impacts",
    [
        None,
        gwp(None, 1, 2),
        gwp("130", 1, 200),
        gwp(0, 0, 0),
        gwp(-1, -2, 1),
        gwp(float("nan"), 1, 2),
        gwp(1e9, 1, 1e9),
        gwp(130, 140, 150),
        {"gwp": {**gwp(1, 1, 1)["gwp"], "unit": "gCO2eq"}},
        {"gwp": {"unit": "kgCO2eq", "embedded": "not implemented"}},
    ],
)
def test_what_is_no_mass_is_refused(impacts: Any) -> None:
    with telling(impacts) as url, pytest.raises(FactorUnavailable, match="used"):
        embodied(url, "gpu", "NVIDIA T4", now)


@pytest.mark.parametrize(
    "url",
    [
        "localhost:5000",
        "ftp://localhost",
        "file:///etc/passwd",
        "http://",
        "http://me:secret@localhost",
        "http://[",
        "",
    ],
)
def test_what_is_no_address_is_refused(url: str) -> None:
    with pytest.raises(UsageError, match="no address"):
        embodied(url, "gpu", "NVIDIA T4")


def test_another_service_at_the_address_is_told() -> None:
    with (
        serving(lambda *_: (404, b"", {})) as url,
        pytest.raises(FactorUnavailable, match="BoaviztAPI") as caught,
    ):
        embodied(url, "gpu", "NVIDIA T4")

    assert "doc.api.boavizta.org" in caught.value.hint


def test_the_factor_survives_its_own_json(url: str) -> None:
    factor = embodied(url, "gpu", "NVIDIA T4", now)

    assert Factor.model_validate_json(factor.model_dump_json()) == factor
