"""The site file: every number with its source, every fault at once."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import UsageError
from harness.site import load_site, site_schema
from harness.site_keys import LIMITS
from harness.suite import bundled_configs
from tests.texts import written

EXAMPLE = bundled_configs() / "sites" / "example.yaml"


def faults(folder: Path, text: str) -> list[str]:
    with pytest.raises(UsageError) as caught:
        load_site(written(folder, text))
    return caught.value.message.splitlines()


def test_the_example_is_a_sound_site() -> None:
    site = load_site(EXAMPLE)

    assert (site.place, site.ownership, site.matched) == ("FRA", "owned", "annual")
    assert site.factors["pue"].bounds == (1.3, 1.4)
    assert site.factors["price_per_kwh"].unit == "EUR/kWh"
    assert site.factors["wue_l_per_kwh"].assumed
    (server,) = site.hardware
    assert server.capex is not None
    assert server.capex.assumed
    assert server.lifetime is not None
    assert not server.lifetime.assumed
    assert [factor.value for factor in server.embodied] == [1200]


def test_every_fault_is_told_at_once_with_its_path_and_cure(tmp_path: Path) -> None:
    told = "\n".join(
        faults(
            tmp_path,
            "schema: 1\nname: x\nplace: FRX\nownership: rented\n"
            "pue: 1.2\n"
            "wue_l_per_kwh: {value: -1, source: a}\n"
            "grid_g_per_kwh: {value: 50}\n"
            "contract_g_per_kwh: {value: 5, source: b, low: 6, high: 4}\n"
            "price_per_kwh: {value: 0.2, source: c}\n"
            "hardware:\n"
            "  - {count: 0, lifetime_years: 4}\n"
            "  - {name: a, embodied_kg_co2e: [{value: 1, source: d}, 150]}\n"
            "  - {name: a, capex: {value: .inf, source: e}}\n"
            "assume: {wue_l_per_kwh: 0.5, pu: 1}\n",
        )
    )

    for words in (
        ":3: place: no grid intensity is known for the place 'FRX'",
        ":4: ownership: unknown 'rented'",
        ":5: pue: says no source: write {value: 1.2, source: ..., year: ...}, or",
        "move it under assume: as pue: 1.2",
        ":6: wue_l_per_kwh.value: -1 must be between 0.0 and 100.0",
        ":7: grid_g_per_kwh: key 'source' is missing",
        ":8: contract_g_per_kwh.low: 6 is above the value 5",
        ":8: contract_g_per_kwh.high: 4 is below 5",
        "key 'currency' is missing: a price is given; write it as currency: EUR",
        ":11: hardware[0]: key 'name' is missing",
        ":11: hardware[0].count: 0 must be between 1",
        ":11: hardware[0].lifetime_years: says no source",
        ":12: hardware[1].embodied_kg_co2e[1]: says no source",
        ":13: hardware[2].name: 'a' is there already",
        ":13: hardware[2].capex.value: inf must be between",
        ":14: assume.pu: unknown key (did you mean 'pue'?)",
        ":14: assume.wue_l_per_kwh: has a value with a source already",
    ):
        assert words in told


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("pue: {value: 0.9, source: x}", "pue.value: 0.9 must be between 1.0 and 10.0"),
        ("pue: {value: .nan, source: x}", "pue.value: nan must be between"),
        ("pue: {value: 1" + "0" * 400 + ", source: x}", "pue.value"),
        ("pue: {value: true, source: x}", "pue.value: True is not a number"),
        ("pue: [1.2]", "pue: [1.2] is not {value: ..., source: ...}"),
        ('pue: {value: 1.2, source: ""}', "pue.source: is empty"),
        ("pue: {value: 1.2, source: x, year: 20255}", "pue.year"),
        ("pue: {value: 1.2, source: x, url: http://x}", "pue.url: unknown key"),
        ('pue: {value: 1.2, source: "a\\u202eb"}', "cannot be printed"),
        ("place: NO", "place: False is not text; put it in quotes"),
        ("place: USA-XX", "(did you mean"),
        ("place: France", "did you mean 'FRA'"),
        ("intensity: electricity-maps", "intensity: unknown key"),
        ("boaviztapi: http://192.0.2.1", "boaviztapi: unknown key"),
        ("currency: euro", "'euro' is no ISO 4217 code"),
        ("hardware: {name: x, embodied_kg_co2e: []}", "hardware.embodied_kg_co2e"),
        ("assume: 3", "assume: must be a mapping"),
        ("a: &a [*a]", "anchors and aliases are refused"),
        ("name: !!python/object:os.system x", "is refused"),
    ],
)
def test_what_is_refused_says_where_and_why(
    tmp_path: Path, line: str, words: str
) -> None:
    head = "" if line.startswith("name:") else "name: x\n"

    assert words in "\n".join(faults(tmp_path, f"schema: 1\n{head}{line}\n"))


def test_a_huge_file_is_not_read(tmp_path: Path) -> None:
    assert "1 MiB" in faults(tmp_path, "#" * (2 << 20))[0]


@pytest.mark.parametrize(
    "lines",
    [
        "".join(f"  - {{name: h{i}}}\n" for i in range(5000)),
        "  - name: x\n    embodied_kg_co2e: ["
        + "{value: 1, source: a}, " * 5000
        + "]\n",
    ],
)
def test_endless_lists_are_refused_at_once(tmp_path: Path, lines: str) -> None:
    (fault,) = faults(tmp_path, f"schema: 1\nname: x\nhardware:\n{lines}")

    assert "hardware: lists more than 500" in fault


def test_names_of_any_script_are_kept(tmp_path: Path) -> None:
    site = load_site(written(tmp_path, "schema: 1\nname: 数据中心 Zürich\n"))

    assert site.name == "数据中心 Zürich"


@given(key=st.sampled_from(sorted(LIMITS)), value=st.floats(-1e7, 1e7))
def test_a_number_is_taken_as_it_is_or_refused_with_its_path(
    tmp_path_factory: pytest.TempPathFactory, key: str, value: float
) -> None:
    low, high = LIMITS[key]
    said = f"{value:.6f}"
    text = f"schema: 1\nname: x\ncurrency: EUR\nassume: {{{key}: {said}}}\n"
    path = written(tmp_path_factory.mktemp("site"), text)

    if low <= float(said) <= high:
        assert load_site(path).factors[key].value == float(said)
    else:
        with pytest.raises(UsageError, match=rf":4: assume\.{key}: .* must be between"):
            load_site(path)


def test_the_schema_refuses_what_the_reader_refuses() -> None:
    schema = site_schema()

    assert schema["additionalProperties"] is False
    assert schema["required"] == ["schema", "name"]
    assert "USA-CA" in schema["properties"]["place"]["enum"]
    first, second = schema["properties"]["pue"]["anyOf"]
    assert first == {"not": {}}
    assert second["required"] == ["value", "source"]
