"""The probe of hwmon on fake trees: each chip, a mix, sleep, broken content."""

import errno
import os
from collections.abc import Mapping
from pathlib import Path

import pytest

from harness.errors import ProbeUnavailable
from harness.perimeter import HELD, WHOLES, total
from harness.probes.hwmon import HwmonProbe
from harness.probes.hwmon_chips import RAILS
from harness.readings import Channel, EnergyReading

Chip = Mapping[str, object]
PCI = "0000:03:00.0"
DOMAINS = {*WHOLES, *(part for parts in HELD.values() for part in parts)}
DESCRIPTORS = Path("/proc/self/fd")
AGX_ORIN: Chip = {
    "in1_label": "VDD_GPU_SOC",
    "in1_input": 19_000,
    "curr1_input": 400,
    "in2_label": "VDD_CPU_CV",
    "in2_input": 19_000,
    "curr2_input": 100,
    "in3_label": "VIN_SYS_5V0",
    "in3_input": 5_000,
    "curr3_input": 900,
    "in4_input": 800,
    "in7_label": "sum of shunt voltages",
    "in7_input": 2800,
    "curr4_input": 1400,
    "update_interval": 20,
}


def write(folder: Path, attributes: Chip) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, value in attributes.items():
        (folder / name).write_text(f"{value}\n")


def chip(root: Path, driver: str, address: str, attributes: Chip) -> Path:
    """One more chip, with a link to its device as the kernel has it."""
    folder = root / "hwmon" / f"hwmon{len(list((root / 'hwmon').glob('*')))}"
    device = root / "devices" / address
    device.mkdir(parents=True, exist_ok=True)
    write(folder, {"name": driver, **attributes})
    (folder / "device").symlink_to(device)
    return folder


def grace(root: Path, number: int, told: str, power_uw: int) -> Path:
    """An ACPI meter as older kernels have it: attributes with its device."""
    folder = chip(root, "", f"ACPI000D:0{number}", {})
    (folder / "name").unlink()
    meter = {
        "name": "power_meter",
        "power1_oem_info": told,
        "power1_average": power_uw,
        "power1_average_interval": 50,
        "power1_is_battery": 0,
    }
    write(folder / "device", meter)
    return folder


def on(root: Path) -> HwmonProbe:
    return HwmonProbe(root / "hwmon", root / "i2c")


def described(root: Path) -> dict[str, Channel]:
    """What a new probe describes, by device."""
    probe = on(root)
    channels = probe.open()
    probe.close()
    return {channel.device: channel for channel in channels}


def values(root: Path) -> dict[str, float | None]:
    """What a new probe reads, by device."""
    probe = on(root)
    channels = probe.open()
    read = probe.read()
    probe.close()
    return {channel.device: read[channel.name] for channel in channels}


def watts_in_total(root: Path) -> float | None:
    """What a second of these powers, or of these joules, adds up to."""
    read = values(root)
    readings = [
        EnergyReading(
            domain=channel.domain,
            device=device,
            energy_j=read[device],
            method="integral",
            source=channel.source,
            provenance=channel.provenance,
            tier=channel.tier,
            inside=channel.inside,
        )
        for device, channel in described(root).items()
    ]
    return total(readings).energy_j


def descriptors() -> set[str]:
    return {path.name for path in DESCRIPTORS.iterdir()}


class SleepyReader:
    """`os.pread` of files of which some answer with an error."""

    def __init__(self, code: int) -> None:
        self.code = code
        self.asleep: list[Path] = []

    def __call__(self, file: int, size: int, offset: int) -> bytes:
        read = os.fstat(file)
        if any(os.path.samestat(path.stat(), read) for path in self.asleep):
            raise OSError(self.code, os.strerror(self.code))
        return os.pread(file, size, offset)


def test_an_amd_gpu_tells_its_mean_power(tmp_path: Path) -> None:
    attributes = {"power1_average": 37_000_000, "power1_input": 40_000_000}
    chip(tmp_path, "amdgpu", PCI, attributes)

    channel = described(tmp_path)[PCI]

    assert values(tmp_path) == {PCI: 37.0}
    assert (channel.domain, channel.quantity, channel.tier) == ("gpu", "power_w", "C")
    assert channel.kind == "gauge"
    assert channel.inside is None
    assert "mean" in (channel.note or "")


def test_an_amd_gpu_without_a_mean_tells_the_power_of_the_moment(
    tmp_path: Path,
) -> None:
    chip(tmp_path, "amdgpu", PCI, {"power1_input": 40_000_000})

    channel = described(tmp_path)[PCI]

    assert values(tmp_path) == {PCI: 40.0}
    assert channel.note is None


def test_an_apu_stands_for_its_package_and_not_for_a_gpu(tmp_path: Path) -> None:
    attributes = {"in1_label": "vddnb", "power1_input": 25_000_000}
    chip(tmp_path, "amdgpu", "0000:c4:00.0", attributes)

    channel = described(tmp_path)["0000:c4:00.0"]

    assert (channel.domain, channel.inside) == ("cpu", "package-0")
    assert "whole package" in (channel.note or "")


def test_the_second_die_of_an_amd_card_is_not_a_gpu_without_power(
    tmp_path: Path,
) -> None:
    chip(tmp_path, "amdgpu", "0000:c1:00.0", {"power1_average": 90_000_000})
    chip(tmp_path, "amdgpu", "0000:c6:00.0", {"power1_average": 0})

    assert values(tmp_path) == {"0000:c1:00.0": 90.0}


@pytest.mark.parametrize("code", [errno.EPERM, errno.EBUSY, errno.ENODATA])
def test_a_gpu_that_goes_to_sleep_and_wakes_up_is_silent_meanwhile(
    tmp_path: Path, code: int
) -> None:
    folder = chip(tmp_path, "amdgpu", PCI, {"power1_average": 30_000_000})
    reader = SleepyReader(code)
    probe = HwmonProbe(tmp_path / "hwmon", tmp_path / "i2c", reader)
    (name,) = (channel.name for channel in probe.open())

    before = probe.read()
    reader.asleep = [folder / "power1_average"]
    asleep = probe.read()
    reader.asleep = []
    after = probe.read()
    probe.close()

    assert (before, asleep, after) == ({name: 30.0}, {name: None}, {name: 30.0})


def test_a_gpu_that_sleeps_when_the_probe_opens_is_kept(tmp_path: Path) -> None:
    folder = chip(tmp_path, "amdgpu", PCI, {"power1_input": 30_000_000})
    reader = SleepyReader(errno.EPERM)
    reader.asleep = [folder / "power1_input"]
    probe = HwmonProbe(tmp_path / "hwmon", tmp_path / "i2c", reader)

    (channel,) = probe.open()
    asleep = probe.read()
    reader.asleep = []
    awake = probe.read()
    probe.close()

    assert (asleep, awake) == ({channel.name: None}, {channel.name: 30.0})


def test_an_error_that_the_driver_prints_as_a_number_is_no_power(
    tmp_path: Path,
) -> None:
    folder = chip(tmp_path, "amdgpu", PCI, {"power1_input": 30_000_000})
    probe = on(tmp_path)
    (channel,) = probe.open()
    write(folder, {"power1_input": 2**32 - errno.EINVAL})

    read = probe.read()
    probe.close()

    assert read == {channel.name: None}


def test_joules_pass_the_number_that_is_no_power(tmp_path: Path) -> None:
    chip(tmp_path, "xe", PCI, {"energy1_input": 2**32 - errno.EINVAL})

    assert values(tmp_path) == {PCI: pytest.approx(4294.967274)}


def test_a_probe_that_is_opened_again_sees_what_is_there_now(tmp_path: Path) -> None:
    chip(tmp_path, "xe", PCI, {"energy1_input": 1})
    gone = chip(tmp_path, "amdgpu", "0000:04:00.0", {"power1_input": 30_000_000})
    probe = on(tmp_path)
    before = [channel.device for channel in probe.open()]
    (gone / "power1_input").unlink()

    after = [channel.device for channel in probe.open()]
    probe.close()

    assert (before, after) == (["0000:04:00.0", PCI], [PCI])


def test_an_intel_card_contains_its_package(tmp_path: Path) -> None:
    attributes = {
        "energy1_label": "card",
        "energy1_input": 5_000_000,
        "energy2_label": "pkg",
        "energy2_input": 3_000_000,
        "power1_max": 190_000_000,
    }
    chip(tmp_path, "xe", PCI, attributes)

    channels = described(tmp_path)

    assert values(tmp_path) == {PCI: 5.0, f"{PCI}/pkg": 3.0}
    assert channels[PCI].inside is None
    assert channels[f"{PCI}/pkg"].inside == PCI
    assert watts_in_total(tmp_path) == 5.0
    for channel in channels.values():
        assert (channel.domain, channel.kind, channel.tier) == ("gpu", "counter", "B")
        assert channel.wraps_at_j is None


def test_an_intel_card_contains_its_tiles(tmp_path: Path) -> None:
    chip(tmp_path, "i915", PCI, {"energy1_input": 9_000_000})
    chip(tmp_path, "i915_gt0", PCI, {"energy1_input": 4_000_000})
    chip(tmp_path, "i915_gt1", PCI, {"energy1_input": 3_000_000})

    channels = described(tmp_path)

    assert values(tmp_path) == {PCI: 9.0, f"{PCI}/gt0": 4.0, f"{PCI}/gt1": 3.0}
    assert {c.inside for c in channels.values()} == {None, PCI}


def test_amd_sockets_have_the_names_that_rapl_has_for_them(tmp_path: Path) -> None:
    attributes = {
        "energy1_label": "Ecore000",
        "energy1_input": 1_000_000,
        "energy65_label": "Esocket0",
        "energy65_input": 7_000_000,
        "energy66_label": "Esocket1",
        "energy66_input": 8_000_000,
    }
    chip(tmp_path, "amd_energy", "amd_energy.0", attributes)

    channel = described(tmp_path)["package-1"]

    assert values(tmp_path) == {"package-0": 7.0, "package-1": 8.0}
    assert (channel.domain, channel.kind, channel.tier) == ("cpu", "counter", "B")
    assert channel.update_period_s == 0.001


def test_counters_that_may_not_be_read_are_missing_with_a_cure(tmp_path: Path) -> None:
    attributes = {"energy2_label": "Esocket0", "energy2_input": 7_000_000}
    folder = chip(tmp_path, "amd_energy", "amd_energy.0", attributes)
    reader = SleepyReader(errno.EACCES)
    reader.asleep = [folder / "energy2_input"]
    probe = HwmonProbe(tmp_path / "hwmon", tmp_path / "i2c", reader)

    with pytest.raises(ProbeUnavailable) as caught:
        probe.open()

    assert "energy2_input" in caught.value.message
    assert "chmod a+r" in caught.value.hint
    (missing,) = caught.value.missing
    assert (missing.domain, missing.device) == ("cpu", "package-0")
    assert "chmod a+r" in (missing.note or "")


def test_a_grace_module_holds_its_socket_and_the_socket_its_rails(
    tmp_path: Path,
) -> None:
    grace(tmp_path, 0, "Module Power Socket 0", 600_000_000)
    grace(tmp_path, 1, "Grace Power Socket 0", 120_000_000)
    grace(tmp_path, 2, "CPU Power Socket 0", 70_000_000)
    grace(tmp_path, 3, "SysIO Power Socket 0", 20_000_000)

    channels = described(tmp_path)
    told = {c.device: (c.domain, c.inside) for c in channels.values()}

    assert told == {
        "module-0": ("module", None),
        "grace-0": ("socket", "module-0"),
        "package-0": ("cpu", "grace-0"),
        "sysio-0": ("other", "grace-0"),
    }
    assert values(tmp_path)["module-0"] == watts_in_total(tmp_path) == 600.0
    for channel in channels.values():
        assert (channel.tier, channel.averaging_s) == ("C", 0.05)
        assert channel.update_period_s == 0.05


def test_a_grace_socket_does_not_stand_for_a_gpu(tmp_path: Path) -> None:
    grace(tmp_path, 0, "Grace Power Socket 0", 120_000_000)
    grace(tmp_path, 1, "CPU Power Socket 0", 70_000_000)
    chip(tmp_path, "xe", PCI, {"energy1_input": 300_000_000})

    assert watts_in_total(tmp_path) == 120.0 + 300.0


def test_two_grace_sockets_are_two_devices(tmp_path: Path) -> None:
    grace(tmp_path, 0, "Grace Power Socket 0", 120_000_000)
    grace(tmp_path, 1, "Grace Power Socket 1", 130_000_000)

    assert values(tmp_path) == {"grace-0": 120.0, "grace-1": 130.0}


def test_a_grace_meter_that_does_not_know_says_nothing(tmp_path: Path) -> None:
    grace(tmp_path, 0, "CPU Power Socket 0", 0xFFFFFFFF * 1000)

    assert values(tmp_path) == {"package-0": None}


@pytest.mark.parametrize("told", ["", "Meter measures total domain"])
def test_a_meter_of_no_part_is_the_whole_machine(tmp_path: Path, told: str) -> None:
    attributes = {
        "power1_oem_info": told,
        "power1_average": 250_000_000,
        "power1_average_interval": 1000,
    }
    chip(tmp_path, "power_meter", "ACPI000D:00", attributes)

    channel = described(tmp_path)["power_meter"]

    assert values(tmp_path) == {"power_meter": 250.0}
    assert (channel.domain, channel.inside) == ("psys", None)
    assert (channel.averaging_s, channel.update_period_s) == (1.0, 1.0)


@pytest.mark.parametrize(
    "attributes",
    [
        {"power1_oem_info": "Total CPU Energy In uJ socket 0"},
        {"power1_oem_info": "Chipthrot DDR Throttle (samples x1000) socket 0"},
        {"power1_is_battery": 1},
    ],
)
def test_a_meter_of_something_else_is_not_the_machine(
    tmp_path: Path, attributes: Chip
) -> None:
    whole = {"power1_average": 250_000_000, **attributes}
    chip(tmp_path, "power_meter", "ACPI000D:00", whole)

    with pytest.raises(ProbeUnavailable):
        on(tmp_path).open()


def test_a_meter_without_an_interval_has_no_period(tmp_path: Path) -> None:
    chip(tmp_path, "power_meter", "ACPI000D:00", {"power1_average": 1_000_000})

    channel = described(tmp_path)["power_meter"]

    assert (channel.averaging_s, channel.update_period_s) == (0.0, None)


def test_a_jetson_rail_is_voltage_times_current(tmp_path: Path) -> None:
    chip(tmp_path, "ina3221", "1-0040", AGX_ORIN)
    memory = {
        "in1_label": "NC",
        "in1_input": 0,
        "curr1_input": 0,
        "in2_label": "VDDQ_VDD2_1V8AO",
        "in2_input": 5_000,
        "curr2_input": 200,
    }
    chip(tmp_path, "ina3221", "1-0041", memory)

    channels = described(tmp_path)
    told = {c.device: (c.domain, c.inside) for c in channels.values()}

    assert told == {
        "VDD_GPU_SOC": ("gpu", None),
        "VDD_CPU_CV": ("cpu", None),
        "VIN_SYS_5V0": ("other", None),
        "VDDQ_VDD2_1V8AO": ("dram", "VIN_SYS_5V0"),
    }
    assert values(tmp_path) == pytest.approx(
        {
            "VDD_GPU_SOC": 7.6,
            "VDD_CPU_CV": 1.9,
            "VIN_SYS_5V0": 4.5,
            "VDDQ_VDD2_1V8AO": 1.0,
        }
    )
    assert watts_in_total(tmp_path) == pytest.approx(7.6 + 1.9 + 4.5)
    assert channels["VDD_GPU_SOC"].averaging_s == pytest.approx(0.02)


def test_the_input_of_a_jetson_holds_its_other_rails(tmp_path: Path) -> None:
    attributes = {
        "in1_label": "VDD_IN",
        "in1_input": 5_000,
        "curr1_input": 1_500,
        "in2_label": "VDD_CPU_GPU_CV",
        "in2_input": 5_000,
        "curr2_input": 400,
        "in3_label": "VDD_SOC",
        "in3_input": 5_000,
        "curr3_input": 300,
    }
    chip(tmp_path, "ina3221", "1-0040", attributes)

    channels = described(tmp_path)
    told = {c.device: (c.domain, c.inside) for c in channels.values()}

    assert told == {
        "VDD_IN": ("soc", None),
        "VDD_CPU_GPU_CV": ("cpu", "VDD_IN"),
        "VDD_SOC": ("other", "VDD_IN"),
    }
    assert values(tmp_path)["VDD_IN"] == pytest.approx(7.5)
    assert watts_in_total(tmp_path) == pytest.approx(7.5)


def test_the_old_jetson_driver_tells_milliwatts(tmp_path: Path) -> None:
    folder = tmp_path / "i2c" / "ina3221x" / "6-0040" / "iio:device0"
    attributes = {
        "rail_name_0": "POM_5V_IN",
        "in_power0_input": 2875,
        "rail_name_1": "POM_5V_GPU",
        "in_power1_input": 1125,
        "rail_name_2": "POM_5V_CPU",
        "in_power2_input": 500,
    }
    write(folder, attributes)

    channels = described(tmp_path)

    assert values(tmp_path) == {
        "POM_5V_IN": 2.875,
        "POM_5V_GPU": 1.125,
        "POM_5V_CPU": 0.5,
    }
    assert channels["POM_5V_IN"].domain == "soc"
    assert channels["POM_5V_GPU"].inside == "POM_5V_IN"


def test_a_rail_that_is_off_draws_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "i2c" / "ina3221x" / "1-0040" / "iio:device0"
    write(folder, {"rail_name_0": "GPU", "in_power0_input": 0})

    assert values(tmp_path) == {"GPU": 0.0}


def test_a_rail_whose_current_cannot_be_read_is_missing(tmp_path: Path) -> None:
    folder = chip(tmp_path, "ina3221", "1-0040", AGX_ORIN)
    probe = on(tmp_path)
    names = [channel.name for channel in probe.open()]
    write(folder, {"curr1_input": "nan"})

    read = probe.read()
    probe.close()

    silent = [name for name in names if read[name] is None]
    assert silent == ["hwmon.ina3221/VDD_GPU_SOC/power_w"]


def test_every_rail_is_of_a_known_domain_and_inside_a_known_rail() -> None:
    for domain, inside in RAILS.values():
        assert domain in DOMAINS
        assert inside is None or RAILS[inside][1] is None


def test_processors_tell_their_temperature_as_a_state(tmp_path: Path) -> None:
    intel = {
        "temp1_label": "Package id 1",
        "temp1_input": 52_000,
        "temp2_label": "Core 0",
        "temp2_input": 50_000,
    }
    amd = {"temp1_label": "Tctl", "temp1_input": 61_125}
    offset = {**amd, "temp2_label": "Tdie", "temp2_input": 41_125}
    chip(tmp_path, "coretemp", "coretemp.1", intel)
    chip(tmp_path, "k10temp", "0000:00:18.3", amd)
    chip(tmp_path, "k10temp", "0000:00:19.3", offset)

    channels = described(tmp_path)

    assert values(tmp_path) == {
        "package-1": 52.0,
        "0000:00:18.3": 61.125,
        "0000:00:19.3": 41.125,
    }
    for channel in channels.values():
        assert (channel.domain, channel.what) == ("cpu", "temperature")
        assert (channel.quantity, channel.tier) == ("celsius", None)
        assert channel.read_every_s == 1.0


def test_a_machine_is_read_as_a_whole_or_by_name(tmp_path: Path) -> None:
    chip(tmp_path, "nvme", "nvme0", {"temp1_input": 40_000})
    chip(tmp_path, "acpitz", "thermal_zone0", {"temp1_input": 30_000})
    chip(tmp_path, "BAT0", "PNP0C0A:00", {"power1_input": 9_000_000})
    heat = {"temp1_label": "Package id 0", "temp1_input": 45_000}
    chip(tmp_path, "coretemp", "coretemp.0", heat)
    chip(tmp_path, "amdgpu", PCI, {"power1_average": 30_000_000})
    chip(tmp_path, "xe", "0000:04:00.0", {"energy1_input": 2_000_000})
    chip(tmp_path, "power_meter", "ACPI000D:00", {"power1_average": 99_000_000})
    probe = on(tmp_path)
    names = [channel.name for channel in probe.open()]

    everything = probe.read()
    some = probe.read([f"hwmon.amdgpu/{PCI}/power_w", "another probe's"])
    probe.close()

    assert everything == {
        f"hwmon.amdgpu/{PCI}/power_w": 30.0,
        "hwmon.coretemp/package-0/temperature_c": 45.0,
        "hwmon.power_meter/power_meter/power_w": 99.0,
        "hwmon.xe/0000:04:00.0/energy_j": 2.0,
    }
    assert names == list(everything)
    assert some == {f"hwmon.amdgpu/{PCI}/power_w": 30.0}


def test_the_order_of_chips_does_not_change_what_is_taken(tmp_path: Path) -> None:
    chip(tmp_path, "power_meter", "ACPI000D:01", {"power1_average": 2_000_000})
    chip(tmp_path, "power_meter", "ACPI000D:00", {"power1_average": 1_000_000})

    assert values(tmp_path) == {"power_meter": 1.0}


@pytest.mark.parametrize("content", ["", "N/A", "-", "1.5", "\x00\xff"])
def test_broken_content_is_no_reading(tmp_path: Path, content: str) -> None:
    folder = chip(tmp_path, "amdgpu", PCI, {"power1_average": 30_000_000})
    probe = on(tmp_path)
    (channel,) = probe.open()
    (folder / "power1_average").write_text(content)

    read = probe.read()
    probe.close()

    assert read == {channel.name: None}


def test_a_sensor_that_is_broken_at_first_is_left_out(tmp_path: Path) -> None:
    chip(tmp_path, "amdgpu", PCI, {"power1_average": "broken"})
    chip(tmp_path, "xe", "0000:04:00.0", {"energy1_input": 2_000_000})

    assert values(tmp_path) == {"0000:04:00.0": 2.0}


def test_nothing_to_read_is_told_with_what_could_be_there(tmp_path: Path) -> None:
    chip(tmp_path, "nvme", "nvme0", {"temp1_input": 40_000})
    chip(tmp_path, "amdgpu", PCI, {"temp1_input": 40_000})

    with pytest.raises(ProbeUnavailable) as caught:
        on(tmp_path).open()
    with pytest.raises(ProbeUnavailable):
        on(tmp_path / "no such folder").open()

    assert "no sensor" in caught.value.message
    assert "amd_energy" in caught.value.hint


@pytest.mark.skipif(not DESCRIPTORS.is_dir(), reason="only Linux lists them")
def test_no_file_stays_open(tmp_path: Path) -> None:
    chip(tmp_path, "ina3221", "1-0040", AGX_ORIN)
    chip(tmp_path, "amdgpu", PCI, {"power1_average": "broken"})
    before = descriptors()
    probe = on(tmp_path)
    probe.close()
    probe.open()
    probe.open()

    during = descriptors()
    probe.close()
    probe.close()

    assert len(during) == len(before) + 6
    assert descriptors() == before
    assert probe.read() == {}
