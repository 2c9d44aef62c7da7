"""Plugs, racks, Prometheus and analysers on the loopback interface."""

import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from harness.errors import ProbeUnavailable
from harness.meters_file import MeterEntry
from harness.probes.external import ExternalProbe
from harness.probes.external_kinds import MeterFault, Poll, Values, poll_of
from harness.readings import Quantity
from tests.meter_servers import Answer, json, serving

VARIABLE = "BMC_PASSWORD"
POWER, ENERGY = Quantity.POWER_W, Quantity.ENERGY_J
Answers = Callable[[str, Mapping[str, str]], Answer]


def entry(kind: str, **options: Any) -> MeterEntry:
    return MeterEntry(name="m", kind=kind, every_s=0.2, options=options)


def only(path: str, answer: Answer) -> Answers:
    """This answer for this path, 404 for others."""
    return lambda asked, _: answer if asked.startswith(path) else (404, b"", {})


def asked(answers: Answers, kind: str, **options: Any) -> Mapping[Quantity, float]:
    with serving(answers) as url:
        return poll_of(entry(kind, url=url, **options))()


@pytest.mark.parametrize(
    ("kind", "path", "text", "options", "values"),
    [
        (
            "shelly", "/rpc/Switch.GetStatus?id=0",
            '{"apower": 85.5, "aenergy": {"total": 2.0}}', {},
            {POWER: 85.5, ENERGY: 7200.0},
        ),
        (
            "shelly", "/rpc/PM1.GetStatus?id=1",
            '{"apower": 5, "aenergy": {"total": 0.5}}', {"channel": 1},
            {POWER: 5.0, ENERGY: 1800.0},
        ),
        (
            "shelly", "/meter/0", '{"power": 12.5, "total": 3}', {},
            {POWER: 12.5, ENERGY: 180.0},
        ),
        (
            "tasmota", "/cm?cmnd=Status+8",
            '{"StatusSNS": {"ENERGY": {"Power": 60, "Total": 0.25}}}', {},
            {POWER: 60.0, ENERGY: 900_000.0},
        ),
        (
            "redfish", "/redfish/v1/Chassis/1/EnvironmentMetrics",
            '{"PowerWatts": {"Reading": 374}, "EnergykWh": {"Reading": 1}}', {},
            {POWER: 374.0, ENERGY: 3_600_000.0},
        ),
        (
            "redfish", "/redfish/v1/Chassis/Self/Power",
            '{"PowerControl": [{"PowerConsumedWatts": 344}]}', {"chassis": "Self"},
            {POWER: 344.0},
        ),
        (
            "prometheus", "/api/v1/query?query=up",
            '{"data": {"result": [{"metric": {}, "value": [1.5, "2500"]}]}}',
            {"query": "up", "quantity": "energy_j", "scale": 0.001},
            {ENERGY: 2.5},
        ),
    ],
)  # fmt: skip
def test_each_kind_tells_watts_and_joules(
    kind: str,
    path: str,
    text: str,
    options: Mapping[str, Any],
    values: Mapping[Quantity, float],
) -> None:
    assert asked(only(path, json(text)), kind, **options) == values


def test_a_result_of_the_same_time_is_nothing_new() -> None:
    text = '{"data": {"result": [{"metric": {}, "value": [1.5, "25"]}]}}'
    with serving(only("/api", json(text))) as url:
        poll = poll_of(entry("prometheus", url=url, query="up", quantity="power_w"))

        assert poll() == {POWER: 25.0}
        assert poll() == {}


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ((401, b"", {}), "401"),
        ((200, b"<html>", {}), "no JSON"),
        ((200, b"[]", {}), "tells no"),
        ((200, b'{"StatusSNS": {"ENERGY": {"Power": null}}}', {}), "tells no"),
        ((200, b" " * ((1 << 20) + 1), {}), "more than 1 MiB"),
        ((200, b"[" * 100_000, {}), "no JSON"),
        ((200, b"no gzip", {"Content-Encoding": "gzip"}), "DecodeError"),
        (
            (200, b'{"StatusSNS": {"ENERGY": {"Power": 1' + b"0" * 400 + b"}}}", {}),
            "tells no",
        ),
        ((302, b"", {"Location": "http://127.0.0.1:1/"}), "302"),
    ],
)
def test_a_bad_answer_is_a_fault_not_a_number(answer: Answer, words: str) -> None:
    with pytest.raises(MeterFault, match=words):
        asked(only("/cm", answer), "tasmota")


def test_several_results_are_a_fault_that_lists_them() -> None:
    one = '{"metric": {"gpu": "%d"}, "value": [1, "2"]}'
    text = f'{{"data": {{"result": [{one % 0}, {one % 1}]}}}}'

    with pytest.raises(MeterFault, match=r"2 results, not one.*'gpu': '1'"):
        asked(only("/api", json(text)), "prometheus", query="up", quantity="power_w")


def test_a_meter_that_hangs_is_given_up() -> None:
    def hang(path: str, _: Mapping[str, str]) -> Answer:
        time.sleep(0.5)
        return 200, b"{}", {}

    with pytest.raises(MeterFault, match="Timeout"):
        asked(hang, "tasmota")


def test_the_password_is_sent_and_never_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BMC_PASSWORD", "hunter2")
    seen: list[str] = []

    def answers(path: str, headers: Mapping[str, str]) -> Answer:
        seen.append(headers.get("Authorization", ""))
        return 403, b"", {}

    with pytest.raises(MeterFault) as caught:
        asked(answers, "redfish", username="admin", password_env=VARIABLE)

    assert seen[0].startswith("Basic ")
    assert "hunter2" not in str(caught.value)


DCMI = """
    Instantaneous power reading:                   214 Watts
    Minimum during sampling period:                  3 Watts
    IPMI timestamp:                           Wed Nov 25 07:54:33 2026
    Power reading state is:                   {state}
"""


def with_ipmitool(
    folder: Path, monkeypatch: pytest.MonkeyPatch, script: str, **options: Any
) -> Poll:
    """An `ipmitool` on the path that is this script; it notes how it was called."""
    program = folder / "ipmitool"
    program.write_text(
        f'#!/bin/sh\necho "$@ $IPMI_PASSWORD" > {folder}/asked\n{script}\n'
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(folder), prepend=":")
    return poll_of(entry("ipmi", **options))


def test_the_board_controller_tells_its_watts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = f"printf '%s' '{DCMI.format(state='activated')}'"
    poll = with_ipmitool(tmp_path, monkeypatch, told)

    assert poll() == {POWER: 214.0}
    assert (tmp_path / "asked").read_text() == "dcmi power reading \n"


def test_another_hosts_controller_is_asked_without_showing_the_password(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, "hunter2")
    options = {"host": "192.0.2.12", "username": "admin", "password_env": VARIABLE}
    poll = with_ipmitool(tmp_path, monkeypatch, "exit 1", **options)

    with pytest.raises(MeterFault, match=r"no power reading \(exit code 1\)"):
        poll()
    told = (tmp_path / "asked").read_text()
    assert told == "-I lanplus -H 192.0.2.12 -U admin -E dcmi power reading hunter2\n"


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("echo 'Could not open device at /dev/ipmi0' >&2; exit 1", "/dev/ipmi0"),
        (f"printf '%s' '{DCMI.format(state='deactivated')}'", "is deactivated"),
        ("printf '\\377\\376'", "no power reading"),
    ],
)
def test_a_controller_that_tells_nothing_is_a_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, words: str
) -> None:
    poll = with_ipmitool(tmp_path, monkeypatch, script)

    with pytest.raises(MeterFault, match=words):
        poll()


def test_without_ipmitool_its_package_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(MeterFault, match="apt install"):
        poll_of(entry("ipmi"))()


def test_a_growing_csv_gives_its_newest_whole_line(tmp_path: Path) -> None:
    path = tmp_path / "wt310.csv"
    path.write_text("t;P;U\n1;100,5;230\n2;10")
    poll = poll_of(entry("csv", path=str(path), power_w="P"))

    first = poll()
    nothing = poll()
    path.write_text("t;P;U\n1;100,5;230\n2;101;230\n3;102,5;230\n")
    grown = poll()
    path.write_text("t;P\n9;7\n")
    anew = poll()

    assert [first, nothing, grown, anew] == [
        {POWER: 100.5},
        {},
        {POWER: 102.5},
        {POWER: 7.0},
    ]


def test_a_csv_with_a_cell_beyond_reason_is_a_fault_once(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("t,P\n1,100\n")
    poll = poll_of(entry("csv", path=str(path), power_w="P"))
    poll()
    with path.open("a") as file:
        file.write(f'2,"{"x" * 200_000}\n')

    with pytest.raises(MeterFault, match="field larger"):
        poll()
    with path.open("a") as file:
        file.write("3,101\n")
    assert poll() == {POWER: 101.0}


def test_a_csv_without_the_column_says_which_it_has(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("time,watts\n1,2\n")

    with pytest.raises(MeterFault, match="no column 'P'; it has time, watts"):
        poll_of(entry("csv", path=str(path), power_w="P"))()


def meters(folder: Path, *lines: str) -> Path:
    path = folder / "meters.yaml"
    text = "".join(f"  - {line}\n" for line in lines)
    path.write_text(f"schema: 1\nmeters:\n{text}")
    return path


def test_the_probe_hands_each_answer_over_once(tmp_path: Path) -> None:
    plug = '{"apower": 85.5, "aenergy": {"total": 2.0}}'
    with serving(only("/rpc/Switch", json(plug))) as url:
        path = meters(
            tmp_path, f"{{name: plug, kind: shelly, url: '{url}', every: 9 s}}"
        )
        probe = ExternalProbe(path)

        channels = probe.open()
        first, second = probe.read(), probe.read()
        probe.close()

    assert {(c.quantity, c.tier, c.domain) for c in channels} == {
        (POWER, "A", "wall"),
        (ENERGY, "A", "wall"),
    }
    assert first == {"external/plug/power_w": 85.5, "external/plug/energy_j": 7200.0}
    assert second == {}


def test_a_silent_meter_beside_another_is_missing_and_said(tmp_path: Path) -> None:
    csv = tmp_path / "a.csv"
    csv.write_text("t,power_w\n1,40\n")
    path = meters(
        tmp_path,
        f"{{name: a, kind: csv, path: '{csv}'}}",
        "{name: b, kind: tasmota, url: 'http://127.0.0.1:1', every: 200 ms}",
    )
    probe = ExternalProbe(path)

    channels = {c.device: c for c in probe.open()}
    values = probe.read()
    probe.close()

    assert values == {"external/a/power_w": 40.0, "external/b/power_w": None}
    assert "tasmota b" in (channels["b"].note or "")


def test_no_meter_that_answers_is_unavailable_with_each_reason(tmp_path: Path) -> None:
    path = meters(tmp_path, f"{{name: a, kind: csv, path: '{tmp_path}/none.csv'}}")

    with pytest.raises(ProbeUnavailable, match=r"a: .*none\.csv") as caught:
        ExternalProbe(path).open()

    assert caught.value.hint


def test_no_file_comes_with_an_example(tmp_path: Path) -> None:
    with pytest.raises(ProbeUnavailable, match="no meters file") as caught:
        ExternalProbe(tmp_path / "meters.yaml").open()

    assert "kind: shelly" in caught.value.hint


def test_a_meter_that_comes_back_is_read_again(tmp_path: Path) -> None:
    state = {"up": True}
    good = '{"StatusSNS": {"ENERGY": {"Power": 60}}}'

    def answers(path: str, _: Mapping[str, str]) -> Answer:
        return json(good) if state["up"] else (500, b"", {})

    with serving(answers) as url:
        line = f"{{name: p, kind: tasmota, url: '{url}', every: 100 ms}}"
        probe = ExternalProbe(meters(tmp_path, line))
        probe.open()
        probe.read()
        state["up"] = False
        lost = until(probe, None)
        state["up"] = True
        back = until(probe, 60.0)
        probe.close()

    assert (lost, back) == (True, True)


def until(probe: ExternalProbe, value: float | None) -> bool:
    """Whether the meter tells this within two seconds."""
    for _ in range(200):
        if value in probe.read().values():
            return True
        time.sleep(0.01)
    return False


class Meters:
    """Meters that answer when they are let to, or never, and note when they are asked.

    Args:
        silent: Names of those that hang until `release`.
        takes_s: How long each other answer takes.
        answer: What they answer.
    """

    def __init__(
        self,
        silent: frozenset[str] = frozenset(),
        takes_s: float = 0.0,
        answer: Values | None = None,
    ) -> None:
        self.silent = silent
        self.takes_s = takes_s
        self.answer = answer or {POWER: 40.0}
        self.asked_s: list[float] = []
        self.enough = threading.Event()
        self.released = threading.Event()

    def poll_of(self, meter: MeterEntry) -> Poll:
        return lambda: self._poll(meter)

    def _poll(self, meter: MeterEntry) -> Values:
        if meter.name in self.silent:
            self.released.wait(10.0)
            raise MeterFault("let go")
        self.asked_s.append(time.monotonic())
        if len(self.asked_s) == 6:
            self.enough.set()
        time.sleep(self.takes_s)
        return self.answer


@pytest.mark.parametrize("strange", [AttributeError, OverflowError, KeyError])
def test_an_answer_that_nobody_thought_of_does_not_end_the_asking(
    tmp_path: Path, strange: type[Exception]
) -> None:
    asked = 0

    def poll() -> Values:
        nonlocal asked
        asked += 1
        if asked == 2:
            raise strange("a secret")
        return {POWER: float(asked)}

    path = meters(tmp_path, "{name: m, kind: csv, path: /x, every: 100 ms}")
    probe = ExternalProbe(path, lambda _: poll)
    probe.open()
    seen: list[float | None] = []
    deadline_s = time.monotonic() + 5.0
    while 3.0 not in seen and time.monotonic() < deadline_s:
        seen += probe.read().values()
        time.sleep(0.01)
    probe.close()

    assert seen[:3] == [1.0, None, 3.0]


def test_silent_meters_together_are_waited_for_once(tmp_path: Path) -> None:
    fakes = Meters(silent=frozenset({"a", "b", "c"}))
    lines = [f"{{name: {name}, kind: csv, path: x}}" for name in "abcd"]
    probe = ExternalProbe(meters(tmp_path, *lines), fakes.poll_of, first_answer_s=0.3)

    begun_s = time.monotonic()
    channels = {c.device: c for c in probe.open()}
    took_s = time.monotonic() - begun_s
    probe.close()
    fakes.released.set()

    assert 0.3 <= took_s < 0.8
    assert channels["d"].note is None
    assert "has not answered yet" in (channels["a"].note or "")


def test_a_silent_meter_is_a_channel_of_what_its_entry_promises(
    tmp_path: Path,
) -> None:
    fakes = Meters(silent=frozenset({"a"}))
    path = meters(
        tmp_path,
        "{name: a, kind: prometheus, url: 'http://x', query: up, quantity: energy_j}",
        "{name: b, kind: csv, path: x}",
    )
    probe = ExternalProbe(path, fakes.poll_of, first_answer_s=0.1)

    channels = {c.device: c for c in probe.open()}
    probe.close()
    fakes.released.set()

    assert (channels["a"].quantity, channels["a"].kind) == (ENERGY, "counter")
    assert channels["a"].name == "external/a/energy_j"
    assert (channels["b"].quantity, channels["b"].kind) == (POWER, "gauge")


def test_a_slow_answer_does_not_stretch_the_pace(tmp_path: Path) -> None:
    fakes = Meters(takes_s=0.07)
    line = "{name: a, kind: csv, path: x, every: 100 ms}"
    probe = ExternalProbe(meters(tmp_path, line), fakes.poll_of)

    probe.open()
    asked_often = fakes.enough.wait(5.0)
    probe.close()

    assert asked_often
    five_periods_s = fakes.asked_s[5] - fakes.asked_s[0]
    assert 0.5 <= five_periods_s < 0.5 + 5 * fakes.takes_s


def test_a_probe_that_is_closed_or_opened_anew_asks_no_longer(tmp_path: Path) -> None:
    fakes = Meters()
    line = "{name: a, kind: csv, path: x, every: 100 ms}"
    probe = ExternalProbe(meters(tmp_path, line), fakes.poll_of)

    def asking() -> int:
        return sum(thread.name == "external/a" for thread in threading.enumerate())

    probe.open()
    probe.open()
    ended = within(2.0, lambda: asking() == 1)
    probe.close()

    assert ended
    assert within(2.0, lambda: asking() == 0)
    assert probe.read() == {}


def within(limit_s: float, claim: Callable[[], bool]) -> bool:
    """Whether something comes true in this time."""
    until_s = time.monotonic() + limit_s
    while time.monotonic() < until_s:
        if claim():
            return True
        time.sleep(0.01)
    return False
