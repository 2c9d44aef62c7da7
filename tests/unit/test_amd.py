"""AMD GPUs: joules by the counter, watts where they are known, one meter a card."""

import ctypes
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from pathlib import Path
from typing import Any

import pytest

from harness.errors import ProbeUnavailable
from harness.probes.amd import AmdProbe, imported
from harness.readings import Channel


@dataclass
class Board:
    """One handle of the library, with what it answers; None is "not supported"."""

    uuid: str
    hip_id: int = 0
    energy: dict[str, Any] | None = field(
        default_factory=lambda: {
            "energy_accumulator": 2_000_000,
            "counter_resolution": ctypes.c_float(15.259).value,
            "timestamp": 1,
        }
    )
    power: dict[str, Any] | None = field(
        default_factory=lambda: {
            "current_socket_power": 240,
            "average_socket_power": "N/A",
        }
    )
    gfx_activity: Any = 93
    hotspot_c: int | None = 61
    edge_c: int | None = None
    partition: int = 0
    market_name: str = "AMD Instinct MI300X"


class FakeAmdsmi:
    """As much of amdsmi 7.0.2 as the probe asks for, with its keys and units."""

    class AmdSmiException(Exception):  # noqa: N818 (the library's name)
        """What amdsmi raises."""

    class AmdSmiTemperatureType(IntEnum):
        EDGE = 0
        HOTSPOT = 1

    class AmdSmiTemperatureMetric(IntEnum):
        CURRENT = 0

    class AmdSmiClkType(IntEnum):
        GFX = 0
        MEM = 4

    def __init__(self, *boards: Board) -> None:
        self.boards = list(boards)
        self.sessions = 0

    def _told(self, value: Any) -> Any:
        if value is None or self.sessions == 0:
            raise self.AmdSmiException("AMDSMI_STATUS_NOT_SUPPORTED")
        return value

    def amdsmi_init(self) -> None:
        self.sessions += 1

    def amdsmi_shut_down(self) -> None:
        self.sessions -= 1

    def amdsmi_get_processor_handles(self) -> list[Board]:
        return self.boards

    def amdsmi_get_gpu_device_uuid(self, board: Board) -> str:
        return board.uuid

    def amdsmi_get_gpu_device_bdf(self, board: Board) -> str:
        return f"0000:{board.uuid}:00.0"

    def amdsmi_get_gpu_enumeration_info(self, board: Board) -> dict[str, Any]:
        return {"hip_id": board.hip_id, "hip_uuid": f"GPU-{board.uuid}"}

    def amdsmi_get_gpu_kfd_info(self, board: Board) -> dict[str, Any]:
        return {"current_partition_id": board.partition}

    def amdsmi_get_gpu_asic_info(self, board: Board) -> dict[str, Any]:
        return {"market_name": board.market_name}

    def amdsmi_get_energy_count(self, board: Board) -> Any:
        return self._told(board.energy)

    def amdsmi_get_power_info(self, board: Board) -> Any:
        return self._told(board.power)

    def amdsmi_get_power_cap_info(self, board: Board) -> Any:
        return self._told({"power_cap": 750_000_000})

    def amdsmi_get_gpu_activity(self, board: Board) -> Any:
        return self._told({"gfx_activity": board.gfx_activity})

    def amdsmi_get_gpu_vram_usage(self, board: Board) -> Any:
        return self._told({"vram_total": 196_592, "vram_used": 285})

    def amdsmi_get_clock_info(self, board: Board, kind: int) -> Any:
        return self._told({"clk": {0: 2100, 4: 1300}[kind]})

    def amdsmi_get_temp_metric(self, board: Board, kind: int, metric: int) -> Any:
        return self._told({0: board.edge_c, 1: board.hotspot_c}[kind])


@pytest.fixture
def driver(tmp_path: Path) -> Path:
    (tmp_path / "kfd").touch()
    return tmp_path / "kfd"


def opened(
    driver: Path, *boards: Board, visible: Mapping[str, str] | None = None
) -> tuple[AmdProbe, dict[str, Channel]]:
    probe = AmdProbe(FakeAmdsmi(*boards), visible or {}, driver)
    return probe, {c.name: c for c in probe.open()}


def watts_of(channels: Mapping[str, Channel]) -> list[str]:
    """Devices that have a channel of energy or power, by the bus of their address."""
    told = [c.device.split(":")[1] for c in channels.values() if c.tier]
    return list(dict.fromkeys(told))


def test_a_gpu_tells_joules_watts_and_state_in_si_units(driver: Path) -> None:
    probe, channels = opened(driver, Board("aa"))

    values = probe.read()

    assert values == {
        "amdsmi/0000:aa:00.0/energy_count": pytest.approx(30.518),
        "amdsmi/0000:aa:00.0/socket_power": 240.0,
        "amdsmi/0000:aa:00.0/utilization_ratio": pytest.approx(0.93),
        "amdsmi/0000:aa:00.0/memory_used_bytes": 285 * 2**20,
        "amdsmi/0000:aa:00.0/temperature_c": 61.0,
        "amdsmi/0000:aa:00.0/power_cap_w": pytest.approx(750.0),
        "amdsmi/0000:aa:00.0/clock_hz": 2.1e9,
        "amdsmi/0000:aa:00.0/memory_clock_hz": 1.3e9,
    }
    assert set(channels) == set(values)
    assert channels["amdsmi/0000:aa:00.0/energy_count"].tier == "B"
    assert channels["amdsmi/0000:aa:00.0/power_cap_w"].quantity == "limit_w"


def test_a_counter_that_goes_back_is_read_as_it_is(driver: Path) -> None:
    board = Board("aa")
    probe, _ = opened(driver, board)
    before = probe.read()["amdsmi/0000:aa:00.0/energy_count"] or 0
    board.energy = {"power": 1_000_000, "counter_resolution": 15.259}

    after = probe.read()["amdsmi/0000:aa:00.0/energy_count"] or 0

    assert before == pytest.approx(30.518)
    assert after == pytest.approx(15.259)


@pytest.mark.parametrize(
    ("current", "average", "watts"),
    [("N/A", 41, 41.0), (0, 41, 41.0), (0xFFFFFFFF, 41, 41.0), (300, 41, 300.0)],
)
def test_unknown_power_gives_way_to_the_average(
    driver: Path, current: Any, average: Any, watts: float
) -> None:
    power = {"current_socket_power": current, "average_socket_power": average}
    probe, _ = opened(driver, Board("aa", power=power))

    assert probe.read()["amdsmi/0000:aa:00.0/socket_power"] == watts


def test_what_a_gpu_does_not_know_has_no_channel(driver: Path) -> None:
    unknown = {"energy_accumulator": 2**64 - 1, "counter_resolution": 15.3}
    board = Board("aa", energy=unknown, gfx_activity="N/A", hotspot_c=None, edge_c=48)

    probe, channels = opened(driver, board)

    assert "amdsmi/0000:aa:00.0/energy_count" not in channels
    assert "amdsmi/0000:aa:00.0/utilization_ratio" not in channels
    assert probe.read()["amdsmi/0000:aa:00.0/temperature_c"] == 48.0


def test_a_gpu_that_stops_answering_is_missing_not_zero(driver: Path) -> None:
    board = Board("aa")
    probe, _ = opened(driver, board)
    board.energy = None
    board.power = {"current_socket_power": 0, "average_socket_power": 0}

    names = [f"amdsmi/0000:aa:00.0/{what}" for what in ("energy_count", "socket_power")]
    values = probe.read(names)

    assert values == dict.fromkeys(names)


def test_a_gpu_without_any_watts_says_that_it_is_missing(driver: Path) -> None:
    probe, channels = opened(driver, Board("aa", energy=None, power=None))

    channel = channels["amdsmi/0000:aa:00.0/socket_power"]

    assert probe.read()[channel.name] is None
    assert "neither energy nor power" in (channel.note or "")


def mi250(uuid: str, hip_id: int, *, first: bool) -> Board:
    board = Board(uuid, hip_id, market_name="AMD Instinct MI250X / MI250")
    if not first:
        board.energy = {"energy_accumulator": 0, "counter_resolution": 15.259}
        board.power = {"current_socket_power": "N/A", "average_socket_power": 0}
    return board


def test_two_dies_of_a_card_have_one_meter(driver: Path) -> None:
    card = mi250("aa", 0, first=True), mi250("bb", 1, first=False)

    _, channels = opened(driver, *card)

    assert watts_of(channels) == ["aa"]
    assert not channels["amdsmi/0000:aa:00.0/energy_count"].shared
    assert "2 dies" in (channels["amdsmi/0000:aa:00.0/energy_count"].note or "")
    assert "amdsmi/0000:bb:00.0/utilization_ratio" in channels


def test_work_on_the_second_die_is_metered_on_the_first_and_shared(
    driver: Path,
) -> None:
    card = mi250("aa", 0, first=True), mi250("bb", 1, first=False)

    _, channels = opened(driver, *card, visible={"HIP_VISIBLE_DEVICES": "1"})

    assert watts_of(channels) == ["aa"]
    assert channels["amdsmi/0000:aa:00.0/energy_count"].shared
    assert "amdsmi/0000:aa:00.0/utilization_ratio" not in channels


def test_a_partition_has_the_watts_of_its_chip(driver: Path) -> None:
    boards = [Board("aa", 0), Board("ab", 1, partition=1), Board("ba", 2)]

    _, channels = opened(driver, *boards, visible={"HIP_VISIBLE_DEVICES": "1,2"})

    assert watts_of(channels) == ["aa", "ba"]
    assert channels["amdsmi/0000:aa:00.0/socket_power"].shared
    assert not channels["amdsmi/0000:ba:00.0/socket_power"].shared


@pytest.mark.parametrize(
    ("visible", "devices"),
    [
        ({}, ["cc", "bb", "aa"]),
        ({"HIP_VISIBLE_DEVICES": "2,0"}, ["aa", "cc"]),
        ({"ROCR_VISIBLE_DEVICES": "GPU-bb,0"}, ["bb", "cc"]),
        ({"ROCR_VISIBLE_DEVICES": "1,2", "HIP_VISIBLE_DEVICES": "1"}, ["aa"]),
        ({"CUDA_VISIBLE_DEVICES": "0,-1,1"}, ["cc"]),
        ({"HIP_VISIBLE_DEVICES": "1", "CUDA_VISIBLE_DEVICES": "0"}, ["bb"]),
    ],
)
def test_visible_devices_are_metered_in_the_order_of_hip(
    driver: Path, visible: dict[str, str], devices: list[str]
) -> None:
    boards = Board("aa", 2), Board("bb", 1), Board("cc", 0)

    _, channels = opened(driver, *boards, visible=visible)

    assert watts_of(channels) == devices


@pytest.mark.parametrize(
    ("wanted", "missing"),
    [("", 0), ("-1", 0), ("3", 1), ("GPU-zz", 1), ("GPU-", 1), ("\u00b2", 1)],
)
def test_a_device_list_that_fits_nothing_is_an_error(
    driver: Path, wanted: str, missing: int
) -> None:
    boards = Board("aa", 0), Board("bb", 1)

    with pytest.raises(ProbeUnavailable) as caught:
        opened(driver, *boards, visible={"ROCR_VISIBLE_DEVICES": wanted})

    assert caught.value.hint
    assert len(caught.value.missing) == missing


def test_releases_without_newer_functions_count_in_their_own_order(
    driver: Path,
) -> None:
    class OldAmdsmi(FakeAmdsmi):
        def __getattribute__(self, name: str) -> Any:
            if name in ("amdsmi_get_gpu_enumeration_info", "amdsmi_get_gpu_kfd_info"):
                raise AttributeError(name)
            return super().__getattribute__(name)

    probe = AmdProbe(OldAmdsmi(Board("aa", 1), Board("bb", 0)), {}, driver)

    channels = {c.name: c for c in probe.open()}

    assert watts_of(channels) == ["aa", "bb"]


def test_the_library_is_let_go_once(driver: Path) -> None:
    library = FakeAmdsmi(Board("aa"))
    probe = AmdProbe(library, {}, driver)
    probe.close()
    probe.open()

    probe.close()
    probe.close()

    assert library.sessions == 0
    assert probe.read() == {}


def test_without_the_driver_the_library_is_not_imported(tmp_path: Path) -> None:
    with pytest.raises(ProbeUnavailable, match="no AMD GPU driver") as caught:
        AmdProbe(driver=tmp_path / "kfd").open()

    assert caught.value.hint
    assert "amdsmi" not in sys.modules


def test_a_library_that_prints_and_fails_is_quiet_and_has_a_cure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    # As amdsmi 7.0.2 does where libamd_smi.so is missing.
    failing = 'print("Unable to find libamd_smi.so")\n{}["libamd_smi.so"]\n'
    (tmp_path / "amdsmi.py").write_text(failing)
    monkeypatch.syspath_prepend(tmp_path)

    with pytest.raises(ProbeUnavailable, match="Unable to find") as caught:
        imported()

    assert "amd-smi-lib" in caught.value.hint
    assert capsys.readouterr().out == ""
