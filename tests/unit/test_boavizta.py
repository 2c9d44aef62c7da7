"""BoaviztAPI: its default GPU is never taken for the one that was asked for."""

import json as jsons
from collections.abc import Mapping
from typing import Any

import pytest

from harness.errors import EvidenceError, UsageError
from harness.factors import boavizta
from tests.meter_servers import Answer, json, serving

IMPACTS: dict[str, Any] = {
    "gwp": {
        "unit": "kgCO2eq",
        "embedded": {"value": 123.5, "min": 120.0, "max": 130.0},
        "use": "not implemented",
    }
}
FOUND = {"value": "NVIDIA L4", "status": "COMPLETED", "source": "fuzzy match"}
UNKNOWN = {"value": "nonsense", "status": "INPUT"}
"""How version 2.5.0 answers of a name that it knows, and of one that it does not."""


def answers(name: Mapping[str, str], impacts: Any = None) -> Any:
    body = {"impacts": impacts or IMPACTS, "verbose": {"name": name}}

    def serve(path: str, _headers: Mapping[str, str]) -> Answer:
        is_version = path.startswith("/v1/utils/version")
        return json('"2.5.0"' if is_version else jsons.dumps(body))

    return serve


def test_a_known_gpu_has_its_range_and_the_name_that_was_found() -> None:
    with serving(answers(FOUND)) as base:
        factor = boavizta.embodied("L4", base)

    assert (factor.low, factor.value, factor.high) == (120.0, 123.5, 130.0)
    assert "BoaviztAPI 2.5.0" in factor.source
    assert "found as 'NVIDIA L4'" in factor.source


def test_the_silent_default_is_refused() -> None:
    with serving(answers(UNKNOWN)) as base, pytest.raises(EvidenceError) as caught:
        boavizta.embodied("nonsense", base)

    assert "does not know 'nonsense'" in caught.value.message


@pytest.mark.parametrize(
    "impacts",
    [
        {"gwp": {"unit": "gCO2eq", "embedded": IMPACTS["gwp"]["embedded"]}},
        {"gwp": {"unit": "kgCO2eq", "embedded": "not implemented"}},
        {"gwp": {"unit": "kgCO2eq", "embedded": {"value": 0, "min": 0, "max": 0}}},
        {"adp": {}},
    ],
)
def test_what_is_no_figure_is_refused(impacts: Any) -> None:
    serve = answers(FOUND, impacts)

    with serving(serve) as base, pytest.raises(EvidenceError, match="BoaviztAPI"):
        boavizta.embodied("L4", base)


@pytest.mark.parametrize("url", [None, "file:///etc/passwd", "localhost:5000"])
def test_an_instance_must_be_named_by_the_user(url: str | None) -> None:
    with pytest.raises(UsageError, match="BoaviztAPI"):
        boavizta.instance(url, {})


def test_the_environment_may_name_the_instance() -> None:
    assert boavizta.instance(None, {"BOAVIZTAPI_URL": "http://x/"}) == "http://x"
