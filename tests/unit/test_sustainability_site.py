"""Labels against a pinned reference, assumptions, overhead, facts of a machine."""

import json
import math
from pathlib import Path
from typing import Any

import pytest

from harness.errors import UsageError
from harness.records import TrialRecord
from reports.sustainability.accounts import Entry, account, tokens_per_item, work
from reports.sustainability.completing import assumption, completed
from reports.sustainability.facts import RunFacts, facts_of
from reports.sustainability.label import Pin, letter, read_pins
from tests import sustainability_makers as makers


@pytest.mark.parametrize(
    ("index", "expected"),
    [(0.35, "A"), (0.36, "B"), (0.5, "B"), (0.51, "C"), (0.7071, "C"), (1.0, "D"),
     (1.01, "E"), (1.42, "F"), (2.0, "F"), (2.01, "G")],
)  # fmt: skip
def test_letters_have_fixed_steps(index: float, expected: str) -> None:
    assert letter(index) == expected


def labels(records: list[TrialRecord], joules: float, **pin: Any) -> dict[str, Any]:
    pins = (Pin(key="bert/infer/fp32/cpu/b8", energy_per_item_j=joules, **pin),)
    found = makers.assessment(records, pins=pins)
    return {row.name: row.label for group in found.groups for row in group.rows}


def test_a_label_does_not_drift_with_peers() -> None:
    alone = [r for r in makers.run() if r.configuration.precision in {"fp32", "bf16"}]

    assert labels(alone, 0.1)["bf16"] == labels(makers.run(), 0.1)["bf16"]


def test_an_interval_over_a_step_prints_both_letters() -> None:
    found = labels(makers.run(), 0.0868)["bf16"]

    assert found.low < 2**-0.5 < found.high
    assert found.letters == "C\N{EN DASH}D"
    assert found.note == "not an official label"


@pytest.mark.parametrize(
    ("records", "name", "reason"),
    [
        (makers.run(), "int4", "below 99 %"),
        (
            [makers.trial("fp32", n, 9.0, modelled_ratio=0.5) for n in range(3)],
            "fp32",
            "not measured throughout",
        ),
        ([makers.trial("fp32", 0, 9.0)], "fp32", "three rounds"),
    ],
)
def test_no_label_without_floor_instrument_and_interval(
    records: list[TrialRecord], name: str, reason: str
) -> None:
    found = labels(records, 0.1)[name]

    assert found.letters is None
    assert reason in found.reason


def test_a_label_holds_on_the_machine_of_its_reference() -> None:
    assert labels(makers.run(), 0.1, machine="Ryzen")["bf16"].letters
    other = labels(makers.run(), 0.1, machine="Xeon")["bf16"]
    assert other.reason == "no reference is pinned for what it does"


def test_pins_are_read_from_a_file_and_all_faults_named(tmp_path: Path) -> None:
    good, bad = tmp_path / "good.yaml", tmp_path / "bad.yaml"
    pin = "{key: bert/infer/fp32/cpu/b8, energy_per_item_j: 0.1, source: run of May}"
    good.write_text(f"schema: 1\npins:\n  - {pin}\n")
    bad.write_text("schema: 2\npins:\n  - {key: x, energy_per_item_j: -1}\n")

    assert read_pins(good)[0].energy_per_item_j == 0.1
    with pytest.raises(UsageError) as caught:
        read_pins(bad)
    for fault in ("bad.yaml:1: schema", "bad.yaml:3: pins[0]: key 'source' is missing"):
        assert fault in caught.value.message


SERVER = RunFacts(name="run", cpu="AMD EPYC 9654")
LAPTOP = RunFacts(name="run", cpu="Intel(R) Core(TM) i7")


def test_a_server_needs_a_pue() -> None:
    ledger = makers.site(pue=None)

    with pytest.raises(UsageError, match="this machine is a server") as caught:
        completed(ledger, [LAPTOP, SERVER])
    assert "--assume pue=1.54" in caught.value.hint
    found = completed(ledger, [SERVER], ["pue=1.54"]).pue
    assert found is not None
    assert (found.value, found.assumed) == (1.54, True)


@pytest.mark.parametrize(
    ("cpu", "card", "is_server"),
    [
        ("Intel(R) Xeon(R) Gold 6338", None, True),
        ("Intel(R) Core(TM) i7-1260P", "NVIDIA A100-SXM4-80GB", True),
        ("AMD Ryzen 9 7950X", "NVIDIA GeForce RTX 4090", False),
        ("Apple M2", None, False),
        (None, "tpu chip-0", True),
    ],
)
def test_servers_are_known_by_their_parts(
    cpu: str | None, card: str | None, *, is_server: bool
) -> None:
    cards = (card,) if card else ()

    found = RunFacts(name="run", cpu=cpu, accelerators=cards).server

    assert (found is not None) == is_server


@pytest.mark.parametrize(
    "text", ["", "[]", '{"channels": 5, "gpus": {}, "meters_unavailable": 1, "cpu": 3}']
)
def test_a_broken_machine_file_is_not_believed(tmp_path: Path, text: str) -> None:
    (tmp_path / "machine.json").write_text(text)

    found = facts_of(tmp_path, None)

    assert (found.cpu, found.accelerators, found.unavailable) == (None, (), ())


def test_gpus_are_named_with_their_driver(tmp_path: Path) -> None:
    gpu = {"name": "NVIDIA L4", "driver": "570.1"}
    (tmp_path / "machine.json").write_text(json.dumps({"gpus": [gpu]}))

    assert facts_of(tmp_path, None).accelerators == ("NVIDIA L4 (driver 570.1)",)


def test_a_laptop_has_no_facility_and_says_so() -> None:
    found = completed(makers.site(pue=None), [LAPTOP]).pue

    assert found is not None
    assert found.value == 1
    assert found.caveats == ("no facility overhead included",)


def test_a_suite_may_name_the_pue_of_its_server() -> None:
    said = SERVER.model_copy(update={"pue": 1.3})

    found = completed(makers.site(pue=None), [said]).pue

    assert found is not None
    assert (found.value, found.source) == (1.3, "site.pue of the suite")


@pytest.mark.parametrize("text", ["pue=0.9", "pue", "pue=x", "intensity=nan", "pu=1.5"])
def test_wrong_assumptions_are_refused(text: str) -> None:
    with pytest.raises(UsageError, match=f"--assume {text}"):
        assumption(text)


def test_assumptions_are_printed_as_such() -> None:
    ledger = completed(makers.site(), [LAPTOP], ["intensity=300"])

    found = makers.assessment(ledger=ledger)

    assert "assumed" in found.carbon.location_g.methods
    assert any("intensity: 300 g CO2e/kWh" in text for text in found.assumed)
    assert ledger.second_opinions == ()


def test_numbers_that_cannot_be_are_unknown_and_no_sum() -> None:
    records = [makers.trial("fp32", number, 9.0) for number in range(3)]
    broken = json.loads(records[0].model_dump_json())
    broken["setup"]["energy_j"] = 1e308
    broken["energy"][0]["energy_j"] = math.inf
    broken["utilization"]["cpu_ratio"] = math.inf
    twice = [TrialRecord.model_validate(broken)] * 2

    found = account([Entry(record) for record in (*twice, *records)])

    assert found.unknown["setup"] == 2
    assert all(map(math.isfinite, found.domains.values()))
    done = work([Entry(record) for record in twice])
    assert done is not None
    assert done.busy_ratio is None


def test_an_overhead_that_the_suites_disagree_on_is_refused() -> None:
    runs = [RunFacts(name="a", pue=1.3), RunFacts(name="b", pue=1.4)]

    with pytest.raises(UsageError, match=r"several PUE: 1\.3, 1\.4"):
        completed(makers.site(pue=None), runs)
    with pytest.raises(UsageError, match=r"several PUE: 1, 1\.3"):
        completed(makers.site(pue=None), [runs[0], RunFacts(name="c")])


@pytest.mark.parametrize("text", ["pue=135", "intensity=56000", "wue=1800"])
def test_an_assumption_is_believed_as_far_as_a_site_file(text: str) -> None:
    with pytest.raises(UsageError, match=r"is no number from \d to \d+"):
        assumption(text)


def test_an_assumption_with_two_values_is_refused() -> None:
    with pytest.raises(UsageError, match=r"pue is given as 1\.2 and as 1\.5"):
        completed(makers.site(), [makers.FACTS], ["pue=1.2", "pue=1.5"])


def test_an_error_bound_beyond_the_joules_ends_at_nothing() -> None:
    records = [makers.trial("fp32", n, 9.0) for n in range(3)]
    unsure = [
        r.model_copy(update={"total": r.total.model_copy(update={"error_bound_j": 30})})
        for r in records
        if r.total
    ]

    found = makers.assessment(unsure)

    (row,) = found.groups[0].rows
    assert row.gross_per_item_j.low == 0.0
    assert found.energy.window_j.low == 0.0
    assert (found.carbon.location_g.low, found.energy.machine_kwh.low) == (0.0, 0.0)
    assert (row.total_per_item_g.low or 0) >= 0


@pytest.mark.parametrize("length", [math.inf, 1e308])
def test_a_length_that_cannot_be_is_no_number_of_tokens(length: float) -> None:
    record = makers.trial("fp32", 0, 9.0)
    options = {"sequence_length": length}
    asked = record.configuration.model_copy(update={"options": options})

    assert tokens_per_item(record.model_copy(update={"configuration": asked})) is None
