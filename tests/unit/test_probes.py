"""Meters read what is there and say why where nothing is."""

import os
from pathlib import Path

import pytest

from harness.errors import ProbeUnavailable
from harness.probes.rapl import RaplProbe


def zone(
    root: Path, folder: str, name: str, energy_uj: str, range_uj: str = "0"
) -> Path:
    path = root / folder
    path.mkdir(parents=True)
    (path / "name").write_text(name + "\n")
    (path / "energy_uj").write_text(energy_uj + "\n")
    (path / "max_energy_range_uj").write_text(range_uj + "\n")
    return path


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    zone(tmp_path, "intel-rapl:0", "package-0", "5000000", "262143328850")
    zone(tmp_path, "intel-rapl:0:0", "core", "1000000")
    zone(tmp_path, "intel-rapl:0:1", "dram", "2000000", "65712999613")
    zone(tmp_path, "intel-rapl:1", "package-1", "7000000")
    zone(tmp_path, "intel-rapl:2", "psys", "90000000")
    zone(tmp_path, "intel-rapl-mmio:0", "package-0", "5000000")
    return tmp_path


def test_zones_are_known_by_name_and_twins_are_dropped(tree: Path) -> None:
    probe = RaplProbe(tree)

    channels = {c.device: c for c in probe.open()}
    probe.close()

    assert set(channels) == {
        "package-0", "package-0/core", "package-0/dram", "package-1", "psys",
    }  # fmt: skip
    assert channels["package-0"].wraps_at_j == pytest.approx(262_143.32885)
    assert channels["package-1"].wraps_at_j is None
    assert channels["package-0/core"].inside == "package-0"
    assert channels["package-0/dram"].inside is None
    assert channels["psys"].domain == "psys"


def test_a_zone_is_read_again_after_it_moved(tree: Path) -> None:
    probe = RaplProbe(tree)
    probe.open()
    (tree / "intel-rapl:0" / "energy_uj").write_text("6500000\n")

    values = probe.read()
    probe.close()

    assert values["rapl.powercap/package-0/energy_j"] == 6.5


def test_a_zone_without_digits_is_missing_not_zero(tree: Path) -> None:
    probe = RaplProbe(tree)
    probe.open()
    (tree / "intel-rapl:0" / "energy_uj").write_text("\n")

    values = probe.read()
    probe.close()

    assert values["rapl.powercap/package-0/energy_j"] is None


def test_a_machine_without_powercap_says_so(tmp_path: Path) -> None:
    with pytest.raises(ProbeUnavailable, match="no RAPL zones"):
        RaplProbe(tmp_path / "nowhere").open()


def test_unreadable_counters_come_with_the_cure(tmp_path: Path) -> None:
    zone(tmp_path, "intel-rapl:0", "package-0", "not a number")

    with pytest.raises(ProbeUnavailable, match="cannot be read") as caught:
        RaplProbe(tmp_path).open()

    assert "chmod" in caught.value.hint


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every file")
def test_a_denied_counter_comes_with_the_cure(tree: Path) -> None:
    for path in tree.glob("*/energy_uj"):
        path.chmod(0)

    with pytest.raises(ProbeUnavailable, match="Permission denied"):
        RaplProbe(tree).open()
