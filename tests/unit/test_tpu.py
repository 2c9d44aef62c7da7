"""TPUs tell how busy they are; their watts are a model, or missing with a reason."""

import socket
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from harness.contracts import Probe
from harness.energy import account
from harness.errors import ProbeUnavailable
from harness.perimeter import total
from harness.probes.tpu import PUBLISHED, TpuProbe, stated_watts
from harness.readings import Channel, Span
from tests.tpu_server import DUTY, MEMORY, FakeLibtpu, serving

V3, V4, V5E, V7X = "0x0027", "0x005e", "0x0063", "0x0076"
GIB = 2**30


def machine(root: Path, device: str, functions: Mapping[str, int]) -> Path:
    """A PCI bus with TPU functions by address, and a network card."""
    bus = root / "bus" / "pci" / "devices"
    for address, group in functions.items():
        folder = bus / address
        folder.mkdir(parents=True)
        (folder / "vendor").write_text("0x1ae0\n")
        (folder / "device").write_text(device + "\n")
        (folder / "subsystem_device").write_text("0x004f\n")
        (root / "groups" / str(group)).mkdir(parents=True, exist_ok=True)
        (folder / "iommu_group").symlink_to(root / "groups" / str(group))
    card = bus / "0000:00:03.0"
    card.mkdir(parents=True)
    (card / "vendor").write_text("0x1af4\n")
    return root


@pytest.fixture
def v4(tmp_path: Path) -> Path:
    return machine(tmp_path, V4, {"0000:00:05.0": 0, "0000:00:04.0": 1})


@pytest.fixture
def libtpu() -> FakeLibtpu:
    return FakeLibtpu({DUTY: [50.0, 0.0], MEMORY: [3 * GIB, GIB]})


@pytest.fixture
def address(libtpu: FakeLibtpu) -> Iterator[str]:
    with serving(libtpu) as where:
        yield where


def powers(probe: Probe) -> list[Channel]:
    return [c for c in probe.open() if c.quantity == "power_w"]


def test_each_chip_tells_its_duty_cycle_and_memory(v4: Path, address: str) -> None:
    probe = TpuProbe(address, v4, {})

    channels = {c.name: c for c in probe.open()}
    values = probe.read()
    probe.close()

    assert values["tpu/0000:00:05/utilization_ratio"] == 0.5
    assert values["tpu/0000:00:04/utilization_ratio"] == 0.0
    assert values["tpu/0000:00:05/memory_used_bytes"] == 3 * GIB
    assert channels["tpu/0000:00:05/memory_used_bytes"].what == "memory_used"
    assert set(values) == set(channels)


def test_published_power_and_the_duty_cycle_give_modelled_watts(
    v4: Path, address: str
) -> None:
    probe = TpuProbe(address, v4, {})

    busy, idle = powers(probe)
    values = probe.read([busy.name, idle.name])
    probe.close()

    assert values == {busy.name: 141.0, idle.name: 90.0}
    assert (busy.provenance, busy.tier, busy.device) == (
        "modelled", "D", "tpu-0000:00:05",
    )  # fmt: skip
    assert busy.relative_error == pytest.approx(0.3)
    assert "90 W to 192 W" in (busy.note or "")


def test_two_cores_share_the_chip_and_its_duty_cycle(
    tmp_path: Path, libtpu: FakeLibtpu, address: str
) -> None:
    root = machine(tmp_path, V3, {"0000:00:04.0": 0, "0000:00:05.0": 1})
    libtpu.metrics[MEMORY] = [GIB, 2 * GIB, 4 * GIB, 8 * GIB]
    probe = TpuProbe(address, root, {})
    probe.open()

    values = probe.read()
    probe.close()

    assert values["tpu/0000:00:04/memory_used_bytes"] == 3 * GIB
    assert values["tpu/0000:00:05/memory_used_bytes"] == 12 * GIB
    assert values["tpu/0000:00:04/model_power_w"] == PUBLISHED["v3"].at(0.5)


def test_functions_of_one_address_are_one_chip(tmp_path: Path, address: str) -> None:
    root = machine(tmp_path, V7X, {"0000:00:04.0": 0, "0000:00:04.1": 1})
    probe = TpuProbe(address, root, {})
    probe.open()

    values = probe.read()
    probe.close()

    assert values["tpu/0000:00:04/utilization_ratio"] == 0.25
    assert values["tpu/0000:00:04/memory_used_bytes"] == 4 * GIB


def test_a_chip_without_published_power_makes_the_total_incomplete(
    tmp_path: Path, address: str
) -> None:
    probe = TpuProbe(address, machine(tmp_path, V5E, {"0000:00:04.0": 0}), {})

    channels = probe.open()
    values = probe.read()
    probe.close()
    spent = total(account(channels, {}, Span(name="w", start_ns=0, end_ns=10**9)))

    assert values["tpu/0000:00:04/power_w"] is None
    assert spent.energy_j is None
    assert not spent.complete
    assert "Google publishes none for v5e" in (spent.reason or "")


def test_the_user_may_state_the_watts_of_a_chip(tmp_path: Path, address: str) -> None:
    root = machine(tmp_path, V5E, {"0000:00:04.0": 0, "0000:00:05.0": 1})
    probe = TpuProbe(address, root, {"JOULEBENCH_TPU_WATTS": "60, 220"})

    channel = powers(probe)[0]
    watts = probe.read()[channel.name]
    probe.close()

    assert watts == 140.0
    assert channel.relative_error == pytest.approx(80 / 140)
    assert "JOULEBENCH_TPU_WATTS" in (channel.note or "")


@pytest.mark.parametrize("stated", ["200", "a,b", "200,60", "-1,60", "nan,60", "1,2,3"])
def test_watts_that_are_not_two_rising_numbers_are_refused(stated: str) -> None:
    with pytest.raises(ProbeUnavailable, match="JOULEBENCH_TPU_WATTS") as caught:
        stated_watts({"JOULEBENCH_TPU_WATTS": stated})

    assert "idle,max" in caught.value.hint


@pytest.mark.parametrize(("unit", "told"), [("watts", 145.0), ("milliwatts", 145_000)])
def test_a_metric_of_power_is_taken_up_as_a_measurement(
    v4: Path, libtpu: FakeLibtpu, address: str, unit: str, told: float
) -> None:
    libtpu.metrics[f"tpu.runtime.chip.power.{unit}"] = [told, told]
    probe = TpuProbe(address, v4, {})

    first, second = powers(probe)
    values = probe.read([first.name])
    probe.close()

    assert (first.provenance, first.tier) == ("measured", "C")
    assert first.device != second.device
    assert values == {first.name: pytest.approx(145.0)}


def test_power_of_an_unknown_unit_is_not_guessed_at(
    v4: Path, libtpu: FakeLibtpu, address: str
) -> None:
    libtpu.metrics["tpu.runtime.chip.power.level"] = [3, 3]
    probe = TpuProbe(address, v4, {})

    tiers = {channel.tier for channel in powers(probe)}
    probe.close()

    assert tiers == {"D"}


def test_power_that_comes_with_the_program_is_found_then(
    tmp_path: Path, libtpu: FakeLibtpu, address: str
) -> None:
    probe = TpuProbe(
        address, machine(tmp_path, V5E, {"0000:00:04.0": 0, "0000:00:05.0": 1}), {}
    )
    name = powers(probe)[0].name
    before = probe.read([name])[name]
    libtpu.metrics["tpu.runtime.chip.power.watts"] = [101.0, 102.0]

    after = probe.read([name])[name]
    probe.close()

    assert (before, after) == (None, 101.0)


def test_before_a_program_runs_nothing_is_read(v4: Path, libtpu: FakeLibtpu) -> None:
    with socket.create_server(("localhost", 0)) as free:
        port = free.getsockname()[1]
    probe = TpuProbe(f"localhost:{port}", v4, {})
    channels = probe.open()

    before = probe.read()
    with serving(libtpu, f"localhost:{port}"):
        until = time.monotonic() + 5
        while None in (after := probe.read()).values() and time.monotonic() < until:
            time.sleep(0.02)
    gone = probe.read()
    probe.close()

    assert before == gone == dict.fromkeys(c.name for c in channels)
    assert after["tpu/0000:00:05/model_power_w"] == 141.0


def test_values_that_do_not_fit_the_chips_are_missing(
    v4: Path, libtpu: FakeLibtpu, address: str
) -> None:
    libtpu.metrics[DUTY] = [50.0, 50.0, 50.0]
    del libtpu.metrics[MEMORY]
    probe = TpuProbe(address, v4, {})
    probe.open()

    values = probe.read()
    probe.close()

    assert set(values.values()) == {None}


def test_only_the_metrics_that_are_wanted_are_asked_for(
    v4: Path, libtpu: FakeLibtpu, address: str
) -> None:
    probe = TpuProbe(address, v4, {})
    probe.open()
    libtpu.asked.clear()

    values = probe.read(["tpu/0000:00:05/utilization_ratio"])
    probe.close()

    assert list(values) == ["tpu/0000:00:05/utilization_ratio"]
    assert libtpu.asked == [DUTY]


def test_a_machine_without_tpu_says_so(tmp_path: Path) -> None:
    with pytest.raises(ProbeUnavailable, match="no TPU") as caught:
        TpuProbe(sys=tmp_path).open()

    assert caught.value.hint
