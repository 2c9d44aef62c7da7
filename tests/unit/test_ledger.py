"""The ledger: the owner's numbers first, nothing guessed, the same from a lock."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness import factors
from harness.errors import UsageError
from harness.factor import Factor
from harness.factors import Entry, ecologits_data
from harness.factors.lock import UNITS, Lock, changed, lock_text, read_lock
from harness.ledger import ledger_of, machine_names
from harness.site import load_site
from tests.texts import written

HEAD = "schema: 1\nname: x\n"
LIVE = Factor(
    name="grid intensity FRA",
    value=20.0,
    unit="g CO2e/kWh",
    year=2026,
    source="live",
    licence="x",
)


@pytest.mark.parametrize(
    ("place", "value", "year", "words"),
    [
        ("FRA", 56.039, 2023, "Our World in Data"),
        ("USA-CA", 394.769 * 0.45359237, 2023, "eGRID2023"),
        ("CAN-QC", 3.937, None, "Canadian"),
        ("SWE-SE3", 27.0, 2025, "ENTSO-E"),
        ("CHN-SC", 156.4, 2023, "Ministry of Ecology"),
    ],
)
def test_places_and_parts_of_them_have_year_and_source(
    place: str, value: float, year: int | None, words: str
) -> None:
    factor = ledger_of(place=place).intensity

    assert factor is not None
    assert factor.value == pytest.approx(value, rel=1e-3)
    assert factor.year == year
    assert words in factor.source
    assert (factor.package, factor.place) == ("codecarbon", place)


def test_every_known_place_has_one_believable_intensity() -> None:
    for place in factors.places():
        found = [e for e in factors.entries_of(place) if e.by == "codecarbon"]
        assert len(found) == 1, place
        assert 0 <= found[0].factor.value < 1500, place


@pytest.mark.parametrize("place", ["FRX", "usa-ca", "USA-XX", "CHN-XZ", "", "USA-USA"])
def test_an_unknown_place_is_refused_never_the_worlds_mean(place: str) -> None:
    with pytest.raises(UsageError, match="no grid intensity is known"):
        factors.entries_of(place)


def test_water_of_the_whole_country_says_so() -> None:
    water = ledger_of(place="USA-CA").source_water

    assert water is not None
    assert water.place == "USA"
    assert "holds for USA as a whole, not for USA-CA" in water.caveats


def test_the_sources_own_warning_is_carried() -> None:
    water = ledger_of(place="TZA").source_water

    assert water is not None
    assert any("world default" in caveat for caveat in water.caveats)


def test_the_owners_number_goes_before_a_live_one_and_the_mean(tmp_path: Path) -> None:
    own = load_site(
        written(tmp_path, f"{HEAD}place: FRA\nassume: {{grid_g_per_kwh: 33}}\n")
    )

    ledger = ledger_of(own, live=LIVE)

    assert ledger.intensity is not None
    assert (ledger.intensity.value, ledger.intensity.assumed) == (33, True)
    assert [f.value for f in ledger.second_opinions] == [20.0, 56.039, 41.44]


def test_on_another_grid_the_numbers_of_the_old_one_stay_behind(
    tmp_path: Path,
) -> None:
    text = f"{HEAD}place: FRA\nassume: {{grid_g_per_kwh: 33, pue: 1.2}}\n"
    site = load_site(written(tmp_path, text))

    ledger, same = ledger_of(site.at("DEU")), ledger_of(site.at("FRA"))

    assert ledger.intensity is not None
    assert (ledger.place, ledger.intensity.assumed) == ("DEU", False)
    assert ledger.pue == same.pue
    assert same.intensity is not None
    assert same.intensity.value == 33


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -1.0])
def test_no_factor_is_negative_or_endless(tmp_path: Path, value: float) -> None:
    (first, *_) = factors.entries_of("FRA")
    factor = first.factor.model_copy(update={"value": value})
    text = lock_text([first.model_copy(update={"factor": factor})])

    with pytest.raises(UsageError, match=r"factor\.value"):
        read_lock(written(tmp_path, text, "factors.lock"))


def test_a_marginal_intensity_is_never_among_means() -> None:
    marginal = LIVE.model_copy(update={"marginal": True})

    ledger = ledger_of(place="FRA", live=marginal)

    assert ledger.marginal == marginal
    assert marginal not in (ledger.intensity, *ledger.second_opinions)


def test_what_is_missing_says_how_to_supply_it() -> None:
    missing = ledger_of().missing

    names = {"place", "intensity", "pue", "wue", "source_water", "price", "hardware"}
    assert names <= missing.keys()
    assert "`pue` with value and source" in missing["pue"]


@pytest.mark.parametrize(
    "name",
    [
        "Tesla T4",
        "NVIDIA H100 PCIe",
        "nonsense",
        "H100",
        "DGX with 8 x H100 80GB",
        "NVIDIA H100 80GB HBM3 MIG 1g.10gb",
    ],
)
def test_unknown_hardware_is_never_an_h100(tmp_path: Path, name: str) -> None:
    site = load_site(written(tmp_path, f"{HEAD}hardware: {{name: {name}}}\n"))

    ledger = ledger_of(site)

    assert ledger.hardware[0].embodied == ()
    assert "no source knows it" in ledger.missing[f"embodied of {name}"]


def test_an_h100_has_the_owners_and_the_packages_figure(tmp_path: Path) -> None:
    text = (
        f"{HEAD}hardware:\n  - name: NVIDIA H100 80GB HBM3\n"
        "    embodied_kg_co2e: {value: 164, source: maker's PCF, year: 2025}\n"
    )

    (piece,) = ledger_of(load_site(written(tmp_path, text))).hardware

    assert [f.value for f in piece.embodied] == [164, 273]
    assert piece.embodied[1].package_version is not None


def test_hardware_that_the_machine_has_not_is_left_out(tmp_path: Path) -> None:
    text = f"{HEAD}hardware:\n  - {{name: a, match: '*epyc*'}}\n  - {{name: b}}\n"
    site = load_site(written(tmp_path, text))
    names = machine_names({"cpu": "AMD EPYC 9654", "channels": [{"device": "GPU-1"}]})

    matched, none = ledger_of(site, machine=names), ledger_of(site, machine=["Xeon"])

    assert [piece.name for piece in matched.hardware] == ["a"]
    assert none.hardware == ()
    assert "match:" in none.missing["hardware"]


def in_its_unit(entry: Entry) -> Entry:
    right = entry.factor.model_copy(update={"unit": UNITS[entry.kind]})
    return entry.model_copy(update={"factor": right})


def entries() -> st.SearchStrategy[list[Entry]]:
    number = st.floats(0, 1e300)
    text = st.text(st.characters(exclude_categories=["C", "Z"]), max_size=20)
    factor = st.builds(
        Factor, name=text, value=number, unit=st.just("?"), source=text, licence=text,
        year=st.none() | st.integers(1900, 2100), low=st.none() | st.just(0.0),
        caveats=st.lists(text, max_size=2).map(tuple),
    )  # fmt: skip
    entry = st.builds(
        Entry,
        kind=st.sampled_from(["intensity", "embodied"]),
        by=st.sampled_from(["a", "b"]),
        subject=st.sampled_from(["FRA", "ÅLA", "X"]),
        factor=factor,
    ).map(in_its_unit)
    return st.lists(entry, max_size=6, unique_by=lambda e: e.key)


@given(entries())
def test_a_lock_gives_back_what_was_locked(
    tmp_path_factory: pytest.TempPathFactory, given_entries: list[Entry]
) -> None:
    path = tmp_path_factory.mktemp("lock") / "factors.lock"

    path.write_text(lock_text(given_entries), encoding="utf-8")

    read = read_lock(path).entries
    assert read == tuple(sorted(given_entries, key=lambda e: e.key))
    assert lock_text(read) == lock_text(given_entries[::-1])


def test_a_locked_ledger_is_the_same_although_packages_change(tmp_path: Path) -> None:
    found = factors.entries_of("FRA")
    older = [
        e.model_copy(update={"factor": e.factor.model_copy(update={"value": 7.0})})
        for e in found
    ]
    lock = read_lock(written(tmp_path, lock_text(older), "factors.lock"))

    ledger = ledger_of(place="FRA", lock=lock)

    assert ledger.intensity is not None
    assert ledger.intensity.value == 7.0
    told = changed(lock, found)["intensity/FRA/codecarbon"]
    assert "locked 7" in told
    assert "installed 56.039" in told


def test_a_lock_refuses_a_place_that_it_does_not_hold() -> None:
    lock = Lock(entries=factors.entries_of("FRA"))

    with pytest.raises(UsageError, match="holds nothing of the place 'DEU'"):
        ledger_of(place="DEU", lock=lock)


def test_a_changed_entry_of_a_lock_is_named(tmp_path: Path) -> None:
    text = lock_text(factors.entries_of("FRA")).replace("41.44", "4.144")

    with pytest.raises(UsageError, match="intensity/FRA/ecologits was changed"):
        read_lock(written(tmp_path, text, "factors.lock"))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"low": 900.0}, "900 <= 56.039"),
        ({"unit": "kg CO2e/kWh"}, "in 'kg CO2e/kWh', not in g CO2e/kWh"),
        ({"marginal": True}, "no mean"),
        ({"source": "\x1b]0;x\x07"}, "that no terminal shows"),
        ({"caveats": ("a\u202eb",)}, "that no terminal shows"),
    ],
)
def test_a_lock_with_right_digests_is_not_believed_everything(
    tmp_path: Path, change: dict[str, Any], words: str
) -> None:
    first, *rest = factors.entries_of("FRA")
    forged = first.factor.model_copy(update=change)
    text = lock_text([first.model_copy(update={"factor": forged}), *rest])

    with pytest.raises(UsageError, match=re.escape(words)):
        read_lock(written(tmp_path, text, "factors.lock"))


def test_an_entry_that_stands_twice_in_a_lock_is_named(tmp_path: Path) -> None:
    data = json.loads(lock_text(factors.entries_of("FRA")))
    data["entries"].append(data["entries"][0])

    with pytest.raises(UsageError, match="'intensity/FRA/codecarbon' stands there tw"):
        read_lock(written(tmp_path, json.dumps(data), "factors.lock"))


def test_a_name_with_brackets_is_no_pattern(tmp_path: Path) -> None:
    site = load_site(written(tmp_path, f"{HEAD}hardware: {{name: 'Xeon [v4]'}}\n"))

    (piece,) = ledger_of(site, machine=["xeon [V4]"]).hardware

    assert piece.name == "Xeon [v4]"


def test_another_place_takes_no_number_of_the_old_grid_along(tmp_path: Path) -> None:
    text = (
        f"{HEAD}place: FRA\ncurrency: EUR\nassume: {{pue: 1.3, wue_l_per_kwh: 0.2, "
        "grid_g_per_kwh: 20, contract_g_per_kwh: 5, source_water_l_per_kwh: 1, "
        "price_per_kwh: 0.2}\n"
    )

    ledger = ledger_of(load_site(written(tmp_path, text)).at("POL"))

    assert (ledger.contract, ledger.price) == (None, None)
    assert {f.place for f in ledger.factors()} == {"POL", None}
    assert [f.value for f in (ledger.pue, ledger.wue) if f] == [1.3, 0.2]


def test_an_entry_that_was_taken_out_of_a_lock_is_seen(tmp_path: Path) -> None:
    data = json.loads(lock_text(factors.entries_of("FRA")))
    del data["entries"][0]

    with pytest.raises(UsageError, match="taken out"):
        read_lock(written(tmp_path, json.dumps(data), "factors.lock"))


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{}", '{"entries": [3], "schema": 1}', '{"entries": [{}], "schema": 1}',
     '{"entries": [], "schema": 2}', "[" * 100_000],
)  # fmt: skip
def test_what_is_no_lock_is_a_sentence(tmp_path: Path, text: str) -> None:
    with pytest.raises(UsageError, match=r"factors\.lock"):
        read_lock(written(tmp_path, text, "factors.lock"))


def test_an_ecologits_without_its_constants_answers_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from ecologits.impacts import llm

    monkeypatch.delattr(llm, "GPU_EMBODIED_IMPACT_GWP")

    assert ecologits_data.embodied("NVIDIA H100 80GB HBM3") == ()
