"""The real pynvml over a scripted library: its fields, device lists and faults."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from harness.errors import ProbeUnavailable
from harness.probes.nvml import NvmlProbe
from harness.probes.own_processes import OwnProcesses
from harness.readings import Channel
from tests.nvml_stub import (
    AMPERE,
    GPU_IS_LOST,
    NOT_SUPPORTED,
    VOLTA,
    Gpu,
    NvmlStub,
    has_compiler,
)

pytestmark = pytest.mark.skipif(not has_compiler(), reason="gcc builds the stub")
A, B = "GPU-aaaaaaaa-0000", "GPU-bbbbbbbb-0000"
TWO = (Gpu(uuid=A), Gpu(uuid=B))
SLICED = Gpu(uuid=A, mig=True, slices=("MIG-1111-2222", "MIG-3333-4444"))
NEVER = 1e9


@contextmanager
def opened(probe: NvmlProbe) -> Iterator[dict[str, Channel]]:
    try:
        yield {channel.name.split("/", 1)[1]: channel for channel in probe.open()}
    finally:
        probe.close()


def at(nvml: NvmlStub, seconds: float) -> None:
    nvml.set_now(round(seconds * 1e9))


def test_a_gpu_tells_joules_watts_and_its_state(nvml: NvmlStub) -> None:
    gpu = Gpu(uuid=A, curve=((0.0, 100.0), (5.0, 300.0)), processes=(4711,), gpm=True)
    nvml.install(gpu)
    at(nvml, 10.0)
    probe = NvmlProbe()

    with opened(probe):
        first = probe.read()
        at(nvml, 12.04)
        second = probe.read()

    grown = [second[f"nvml/{A}/total_energy"], first[f"nvml/{A}/total_energy"]]
    assert grown[0] is not None
    assert grown[1] is not None
    assert grown[0] - grown[1] == pytest.approx(gpu.energy_j(10.0, 12.0))
    assert {name.rpartition("/")[2]: value for name, value in second.items()} == {
        "total_energy": grown[0],
        "power_instant": 300.0,
        "power_average": 300.0,
        "utilization_ratio": 0.93,
        "memory_used_bytes": 2.0**31,
        "temperature_c": 55.0,
        "sm_clock_hz": 1.98e9,
        "memory_clock_hz": 2.619e9,
        "throttle_reasons": 0.0,
        "power_limit_w": 700.0,
        "processes": 1.0,
        "sm_active_ratio": 0.8,
        "tensor_active_ratio": 0.5,
        "dram_active_ratio": 0.25,
    }


def test_the_work_itself_is_no_foreign_process(nvml: NvmlStub, tmp_path: Path) -> None:
    for pid, parent in ((61, 1), (63, 61), (90, 1)):
        (tmp_path / str(pid)).mkdir()
        (tmp_path / str(pid) / "stat").write_text(f"{pid} (python) S {parent} 1 {pid}")
    nvml.install(Gpu(uuid=A, processes=(61, 63, 90)))
    at(nvml, 1.0)
    probe = NvmlProbe(own=OwnProcesses(tmp_path, starter=61))
    name = f"nvml/{A}/processes"

    with opened(probe):
        assert probe.read([name]) == {name: 1.0}


def test_the_first_reading_of_gpm_is_missing_not_zero(nvml: NvmlStub) -> None:
    nvml.install(Gpu(uuid=A, gpm=True))
    at(nvml, 1.0)
    probe = NvmlProbe()

    with opened(probe):
        values = probe.read([f"nvml/{A}/sm_active_ratio"])

    assert values == {f"nvml/{A}/sm_active_ratio": None}


def test_only_what_is_asked_for_is_read(nvml: NvmlStub) -> None:
    nvml.install(*TWO)
    at(nvml, 1.0)
    probe = NvmlProbe()
    name = f"nvml/{B}/power_instant"

    with opened(probe):
        assert probe.read([name]) == {name: 200.0}


@pytest.mark.parametrize(
    ("gpu", "what", "averaging_s", "observed"),
    [
        (Gpu(uuid=A), "power_average", 1.0, 1.0),
        (Gpu(uuid=A), "power_instant", 0.0, 0.25),
        (Gpu(uuid=A, instant=False, average=False), "power_usage", 1.0, 1.0),
        (
            Gpu(uuid=A, name="NVIDIA A100", architecture=AMPERE, capability=(8, 0),
                instant=False, average=False, usage_average=False),
            "power_usage", 0.0, 0.25,
        ),
        (
            Gpu(uuid=A, name="RTX 3090", architecture=AMPERE, capability=(8, 6),
                instant=False, average=False),
            "power_usage", 1.0, 1.0,
        ),
        (
            Gpu(uuid=A, name="Tesla V100", architecture=VOLTA, capability=(7, 0),
                instant=False, average=False, usage_average=False),
            "power_usage", 0.0, 0.5,
        ),
    ],
)  # fmt: skip
def test_what_a_power_reading_stands_for_depends_on_the_generation(
    nvml: NvmlStub, gpu: Gpu, what: str, averaging_s: float, observed: float
) -> None:
    nvml.install(gpu)
    at(nvml, 5.0)

    with opened(NvmlProbe()) as channels:
        channel = channels[f"{A}/{what}"]

    assert (channel.averaging_s, channel.observed_ratio) == (averaging_s, observed)
    assert channel.ceiling_w == 1400.0
    assert (channel.tier, channel.relative_error) == ("C", 0.05)


def test_a_board_without_a_counter_has_no_counter_channel(nvml: NvmlStub) -> None:
    nvml.install(Gpu(uuid=A, counter=False))
    at(nvml, 5.0)

    with opened(NvmlProbe()) as channels:
        assert f"{A}/total_energy" not in channels
        assert f"{A}/power_average" in channels


@pytest.mark.parametrize("code", [NOT_SUPPORTED, GPU_IS_LOST, 999])
def test_a_gpu_that_stops_answering_is_missing_and_may_come_back(
    nvml: NvmlStub, code: int
) -> None:
    nvml.install(Gpu(uuid=A, errors=(("*", 2.0, 3.0, code),), gpm=True), Gpu(uuid=B))
    probe = NvmlProbe()
    at(nvml, 1.0)

    with opened(probe):
        probe.read()
        at(nvml, 2.5)
        lost = probe.read()
        at(nvml, 3.5)
        back = probe.read()

    mine = {n: v for n, v in lost.items() if A in n and "active" not in n}
    assert set(mine.values()) == {None}
    assert all(value is not None for name, value in lost.items() if B in name)
    assert all(back[name] is not None for name in mine)


def test_one_failing_quantity_takes_no_other_with_it(nvml: NvmlStub) -> None:
    nvml.install(Gpu(uuid=A, errors=(("average", 2.0, NEVER, NOT_SUPPORTED),)))
    probe = NvmlProbe()
    at(nvml, 1.0)

    with opened(probe):
        at(nvml, 2.5)
        values = probe.read()

    missing = [name for name, value in values.items() if value is None]
    assert missing == [f"nvml/{A}/power_average"]


def test_absurd_powers_come_through_as_they_are_read(nvml: NvmlStub) -> None:
    nvml.install(Gpu(uuid=A, powers=((2.0, 3.0, 0), (3.0, 4.0, 4_000_000_000))))
    probe = NvmlProbe()
    name = f"nvml/{A}/power_instant"
    at(nvml, 1.0)

    with opened(probe):
        found = []
        for seconds in (1.5, 2.5, 3.5):
            at(nvml, seconds)
            found.append(probe.read([name])[name])

    assert found == [200.0, 0.0, 4_000_000.0]


def test_a_superchip_has_its_module_around_it_and_its_memory_inside(
    nvml: NvmlStub,
) -> None:
    name = "NVIDIA GH200 480GB"
    nvml.install(Gpu(uuid=A, name=name, module_w=150.0, memory_share=0.2))
    at(nvml, 5.0)
    probe = NvmlProbe()

    with opened(probe) as channels:
        values = probe.read()

    module, memory = channels[f"{A}/module_power"], channels[f"{A}/memory_power"]
    assert (module.domain, module.inside) == ("module", None)
    assert channels[f"{A}/total_energy"].inside == module.device
    assert (memory.domain, memory.inside) == ("gpu_memory", A)
    assert values[f"nvml/{A}/module_power"] == 350.0
    assert values[f"nvml/{A}/memory_power"] == 40.0


def test_another_board_that_answers_the_scope_has_no_module(nvml: NvmlStub) -> None:
    nvml.install(Gpu(uuid=A, module_w=0.0))
    at(nvml, 5.0)

    with opened(NvmlProbe()) as channels:
        assert not [name for name in channels if "module" in name]


@pytest.mark.parametrize(
    ("visible", "uuids"),
    [
        (None, [A, B]),
        ("1", [B]),
        (" 1 , 0 ", [B, A]),
        ("GPU-bbbb", [B]),
        (f"{A},{B}", [A, B]),
        ("0,-1,1", [A]),
        ("0,,1", [A]),
        ("0,NoDevFiles", [A]),
    ],
)
def test_visible_devices_are_metered_and_no_others(
    nvml: NvmlStub, visible: str | None, uuids: list[str]
) -> None:
    nvml.install(*TWO)

    with opened(NvmlProbe(visible=visible)) as channels:
        found = dict.fromkeys(channel.device for channel in channels.values())

    assert list(found) == uuids


@pytest.mark.parametrize(
    ("visible", "words"),
    [
        ("", "no NVIDIA GPU is visible"),
        ("-1", "no NVIDIA GPU is visible"),
        ("2", "names 2, but there are 2 GPUs"),
        ("-2", "names -2"),
        ("GPU-cccc", "fits none of the 2"),
        ("GPU-", "fits 2 of the 2"),
        ("0,0", "twice"),
        (f"0,{A}", "twice"),
        ("MIG-9999", "which no GPU has"),
        ("cuda:0", "fits none of the 2"),
        ("--1", "fits none of the 2"),
        ("+-1", "fits none of the 2"),
        ("\u00b2", "fits none of the 2"),
    ],
)
def test_a_device_list_that_fits_nothing_is_an_error_with_a_cure(
    nvml: NvmlStub, visible: str, words: str
) -> None:
    nvml.install(*TWO)

    with pytest.raises(ProbeUnavailable, match=words) as caught:
        NvmlProbe(visible=visible).open()

    assert caught.value.hint


def test_numbers_of_unlike_gpus_need_the_order_of_the_bus(nvml: NvmlStub) -> None:
    nvml.install(Gpu(uuid=A), Gpu(uuid=B, name="NVIDIA T400"))

    with pytest.raises(ProbeUnavailable, match="several models") as caught:
        NvmlProbe(visible="1").open()
    with opened(NvmlProbe(visible="1", order="PCI_BUS_ID")) as channels:
        assert {channel.device for channel in channels.values()} == {B}

    assert "PCI_BUS_ID" in caught.value.hint


@pytest.mark.parametrize(
    "visible",
    [None, "0", "MIG-3333", "MIG-1111-2222,MIG-3333-4444", f"MIG-{A}/1/0"],
)
def test_a_slice_has_the_watts_of_its_board_and_says_that_they_are_shared(
    nvml: NvmlStub, visible: str | None
) -> None:
    nvml.install(SLICED, Gpu(uuid=B))
    at(nvml, 1.0)

    with opened(NvmlProbe(visible=visible)) as channels:
        mine = channels[f"{A}/total_energy"]
        others = [c for c in channels.values() if c.device == B and c.shared]

    assert mine.shared
    assert "MIG" in (mine.note or "")
    assert not others


def test_a_jetson_answers_nothing_and_the_cure_names_its_own_sensor(
    nvml: NvmlStub,
) -> None:
    nvml.install(Gpu(uuid=A, counter=False, instant=False, average=False), mute=True)

    with pytest.raises(ProbeUnavailable, match="neither energy nor power") as caught:
        NvmlProbe().open()

    assert "hwmon" in caught.value.hint


def test_a_silent_gpu_beside_others_is_missing_and_said(nvml: NvmlStub) -> None:
    silent = Gpu(
        uuid=B, counter=False, errors=(("fields", 0, NEVER, 3), ("power", 0, NEVER, 3))
    )
    nvml.install(Gpu(uuid=A), silent)
    at(nvml, 1.0)
    probe = NvmlProbe()

    with opened(probe) as channels:
        values = probe.read()

    assert "neither energy nor power" in (channels[f"{B}/power_usage"].note or "")
    assert values[f"nvml/{B}/power_usage"] is None


@pytest.mark.parametrize(
    ("code", "words", "missing"),
    [(9, "Driver Not Loaded", 0), (12, "Shared Library", 0), (18, "mismatch", 1)],
)
def test_a_driver_that_does_not_answer_is_missing_and_none_is_not(
    nvml: NvmlStub, code: int, words: str, missing: int
) -> None:
    nvml.install(init_error=code)

    with pytest.raises(ProbeUnavailable, match=words) as caught:
        NvmlProbe().open()

    assert len(caught.value.missing) == missing


LOST = Gpu(uuid=B, errors=(("*", 0.0, NEVER, GPU_IS_LOST),))


def test_a_gpu_that_was_lost_before_says_so_and_takes_no_other_along(
    nvml: NvmlStub,
) -> None:
    nvml.install(Gpu(uuid=A), LOST)
    at(nvml, 1.0)

    with opened(NvmlProbe()) as channels:
        notes = [c.note for c in channels.values() if c.note and "lost" in c.note]

    assert f"{A}/total_energy" in channels
    assert len(notes) == 1


def test_the_only_gpu_was_lost_and_that_is_said(nvml: NvmlStub) -> None:
    nvml.install(LOST)
    at(nvml, 1.0)

    with opened(NvmlProbe()) as channels:
        (channel,) = [c for c in channels.values() if c.tier]

    assert "lost" in (channel.note or "")
    assert "reset" in (channel.note or "")


def test_a_handle_that_is_refused_takes_no_other_along(
    nvml: NvmlStub, monkeypatch: pytest.MonkeyPatch
) -> None:
    import pynvml

    real = pynvml.nvmlDeviceGetHandleByIndex

    def refused(index: int) -> object:
        if index == 0:
            raise pynvml.NVMLError(GPU_IS_LOST)
        return real(index)

    monkeypatch.setattr(pynvml, "nvmlDeviceGetHandleByIndex", refused)
    nvml.install(*TWO)
    at(nvml, 1.0)

    with opened(NvmlProbe()) as channels:
        devices = {c.device: c.note for c in channels.values() if c.tier}
    with opened(NvmlProbe(visible="1")) as channels:
        narrowed = {c.device for c in channels.values()}

    assert set(devices) == {"GPU 0", B}
    assert "lost" in (devices["GPU 0"] or "")
    assert narrowed == {B}


def test_other_processes_find_the_stub_by_the_library_path(nvml: NvmlStub) -> None:
    code = (
        "from codecarbon.core.gpu_nvidia import NvidiaGPUDevice as G\n"
        "import pynvml as n; n.nvmlInit()\n"
        "gpu = G(handle=n.nvmlDeviceGetHandleByIndex(0), gpu_index=0)\n"
        "print(gpu._get_power_usage(), n.nvmlDeviceGetUUID(gpu.handle))"
    )

    done = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | nvml.environment([Gpu(uuid=A)]),
        capture_output=True,
        text=True,
        check=True,
    )

    assert done.stdout.split() == ["200.0", A]
