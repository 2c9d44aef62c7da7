"""Verdicts, storage, limits, turns and cells of the pytest plugin."""

import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats

from harness.errors import UsageError
from harness.pytest_plugin import limits, rounds, storage, table, turns, verdicts
from harness.pytest_plugin.results import Machine, Record, Result, Round
from harness.readings import Channel, Provenance, Quantity
from tests.scripted_meter import MACHINE


def result(*joules: float, **fields: Any) -> Result:
    found = tuple(
        Round(energy_j=each, window_s=1.0, busy_s=1.0, iterations=1) for each in joules
    )
    known: dict[str, Any] = {
        "nodeid": "t",
        "name": "t",
        "rounds": found,
        "energy_j": joules[0],
        "perimeter": ("gpu",),
        "provenance": Provenance.MEASURED,
        "tier": "B",
        "complete": True,
    }
    return Result(**(known | fields))


def test_welchs_interval_is_scipys() -> None:
    after, before = [11.0, 12.5, 11.7, 12.1], [10.0, 10.4, 9.1, 9.9, 10.2]

    found = verdicts.welch(after, before)

    known = stats.ttest_ind(np.log(after), np.log(before), equal_var=False)
    interval = known.confidence_interval(0.95)
    assert found.low == pytest.approx(np.exp(interval.low), rel=1e-9)
    assert found.high == pytest.approx(np.exp(interval.high), rel=1e-9)


def test_equal_values_leave_no_width() -> None:
    found = verdicts.welch([2.0, 2.0, 2.0], [1.0, 1.0, 1.0])

    assert (found.low, found.value, found.high) == pytest.approx((2.0, 2.0, 2.0))


def share_regressed(ratio: float, spread: float, limit_ratio: float) -> float:
    chance = np.random.default_rng(7)
    verdicts_found = [
        verdicts.judge(
            result(*chance.lognormal(np.log(ratio), spread, 5)),
            result(*chance.lognormal(0.0, spread, 5)),
            "base",
            limit_ratio,
        ).outcome
        for _ in range(1500)
    ]
    return verdicts_found.count("regressed") / len(verdicts_found)


def test_false_alarms_are_rare_and_true_regressions_are_caught() -> None:
    assert share_regressed(1.0, 0.03, 0.05) <= 0.01
    assert share_regressed(1.1, 0.03, 0.05) >= 0.95
    assert share_regressed(1.0, 0.03, 0.10) == 0.0


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"perimeter": ("cpu",)}, "unlike parts: cpu"),
        ({"tier": "C"}, "tier C"),
        ({"complete": False}, "without a part"),
        ({"items": 3}, "only one of both says its items"),
        ({"provenance": Provenance.MODELLED}, "modelled, not measured"),
        ({"energy_j": None, "reason": "lost"}, "not measured: lost"),
        ({"rounds": ()}, "rounds: 0; it takes 3"),
        ({"rounds": result(1.0, 0.0, 2.0).rounds}, "not all of some joules"),
        ({"rounds": result(1.0, -3.0, 2.0).rounds}, "not all of some joules"),
    ],
)
def test_unlike_results_are_not_compared(fields: dict[str, object], why: str) -> None:
    verdict = verdicts.judge(
        result(1.0, 1.0, 1.0, **fields), result(9.0, 9.0, 9.0), "base", 0.1
    )

    assert (verdict.outcome, verdict.ratio) == ("not-comparable", None)
    assert why in (verdict.reason or "")


def test_items_are_what_is_compared_where_both_have_them() -> None:
    twice = result(2.0, 2.02, 1.98, items=20)

    verdict = verdicts.judge(twice, result(1.0, 1.01, 0.99, items=10), "base", 0.1)

    assert verdict.outcome == "equivalent"


def test_a_difference_that_the_meters_do_not_resolve_is_no_regression() -> None:
    coarse = tuple(
        r.model_copy(update={"relative_bound_j": 1.0}) for r in result(3, 3, 3).rounds
    )

    verdict = verdicts.judge(
        result(3.0, rounds=coarse), result(1.5, 1.5, 1.5), "base", 0.1
    )
    unseen = verdicts.judge(
        result(3.0, rounds=coarse), result(2.5, 2.5, 2.5), "base", 0.1
    )

    assert verdict.outcome == "regressed"
    assert unseen.outcome == "inconclusive"
    assert "do not resolve" in (unseen.reason or "")


@pytest.mark.parametrize("value", ["10%", 0.1])
def test_a_share_is_a_percentage_or_a_number(value: object) -> None:
    found = limits.of_marker((), {"max_regression": value}, "t")

    assert found.max_regression_ratio == pytest.approx(0.1)


@pytest.mark.parametrize(
    "stated",
    [
        {"max_regression": "10"},
        {"max_regression": "-5%"},
        {"max_regression": "nan%"},
        {"max_regression": True},
        {"min_accuracy": 90},
        {"items": 0},
        {"items": 1.5},
        {"max_energy": 1},
    ],
)
def test_a_marker_that_cannot_be_meant_is_refused(stated: dict[str, object]) -> None:
    with pytest.raises(UsageError, match="t: "):
        limits.of_marker((), stated, "t")


def record(machine: Machine = MACHINE) -> Record:
    return storage.record(machine, [result(1.0)], "abc")


def test_numbers_go_on_and_names_are_found(tmp_path: Path) -> None:
    first = storage.save(tmp_path, record(), "main")
    second = storage.save(tmp_path, record(), "main")
    third = storage.save(tmp_path, record(), "other")

    assert [p.stem for p in (first, second, third)] == [
        "0001_main", "0002_main", "0003_other",
    ]  # fmt: skip
    assert storage.find(tmp_path, "main", MACHINE) == second
    assert storage.find(tmp_path, "1", MACHINE) == first
    assert storage.find(tmp_path, "0001_main", MACHINE) == first
    assert storage.find(tmp_path, "latest", MACHINE) == third
    assert storage.find(tmp_path, str(first), MACHINE) == first
    assert storage.read(first).tests == (result(1.0),)
    with pytest.raises(UsageError, match="other"):
        storage.find(tmp_path, "othr", MACHINE)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("{", "not a file of energy results"),
        ('{"schema": 1}', "joulebench"),
        ('{"schema": 99, "joulebench": "9", "utc": ""}', "schema 99 is newer"),
    ],
)
def test_a_faulty_file_is_named(tmp_path: Path, text: str, why: str) -> None:
    path = tmp_path / "0001_bad.json"
    path.write_text(text)

    with pytest.raises(UsageError, match=why) as caught:
        storage.read(path)

    assert str(path) in caught.value.message


def channel(device: str, source: str) -> Channel:
    return Channel(
        name=device,
        domain="gpu",
        device=device,
        quantity=Quantity.ENERGY_J,
        kind="counter",
        provenance=Provenance.MEASURED,
        source=source,
        tier="B",
    )


def test_another_device_is_another_machine_and_another_meter_is_told() -> None:
    one = storage.machine([channel("GPU-1", "nvml.total_energy")])
    two = storage.machine([channel("GPU-2", "nvml.total_energy")])
    integrated = storage.machine([channel("GPU-1", "nvml.power")])

    assert one.name != two.name
    assert one.name == integrated.name
    assert one.unlike(one) is None
    assert "its meters is nvml.power" in (one.unlike(integrated) or "")


def test_calls_are_counted_until_they_fill_a_window() -> None:
    calls = rounds.Calls(sum, ([1] * 100,))

    count = rounds.calibrate(calls, 0.02)

    assert calls.answer == 100
    assert 0.005 < calls.run(count) < 0.5


def test_a_slow_meter_asks_for_longer_windows_up_to_a_cap() -> None:
    assert rounds.Metering(slowest_s=0.1).window_s(1.0) == pytest.approx(5.0)
    assert rounds.Metering(slowest_s=60.0).window_s(1.0) == 10.0
    assert rounds.Metering(slowest_s=0.1).window_s(20.0) == 20.0
    assert rounds.Metering(slowest_s=None).window_s(1.0) == 1.0


def test_who_has_joules_has_the_node_alone_and_is_not_kept_waiting() -> None:
    order: list[str] = []

    def metered() -> None:
        with turns.alone():
            order.append("metered")

    def other() -> None:
        with turns.beside():
            order.append("other")

    with turns.beside():
        waits = threading.Thread(target=metered)
        waits.start()
        waits.join(0.2)
        late = threading.Thread(target=other)
        late.start()
        late.join(0.2)
        assert order == []
    for thread in (waits, late):
        thread.join(10.0)

    assert order == ["metered", "other"]


def test_those_without_joules_run_beside_each_other() -> None:
    with turns.beside(), turns.beside():
        pass


@pytest.mark.parametrize(
    ("values", "unit", "texts"),
    [
        ([0.5, 0.02], "mJ", ["500", "20.0"]),
        ([2.5e-7, None], "nJ", ["250", "-"]),
        ([1500.0, 20.0], "kJ", ["1.50", "0.0200"]),
        ([0.0], "nJ", ["0.00"]),
        ([], "J", []),
    ],
)
def test_a_column_has_one_unit(
    values: list[float | None], unit: str, texts: list[str]
) -> None:
    scale = table.Scale(values, "J")

    assert scale.unit == unit
    assert [scale.text(value) for value in values] == texts


def test_what_is_missing_stands_last_and_says_why() -> None:
    lost = Result(nodeid="a", name="a", reason="no meter")
    known = result(2.0, 2.0, 2.0)

    lines = table.lines([lost, known], ("joules", "rounds"), "joules")

    assert lines[1].split() == ["t", "2.00", "3", "x", "1"]
    assert lines[2] == "a     energy not measured: no meter"
