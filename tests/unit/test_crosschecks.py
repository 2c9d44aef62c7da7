"""Other tools' figures: their zeros are no measurements, and their faults are told."""

import importlib.util
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from harness.crosschecks import Figure
from harness.crosschecks.apart import Apart
from harness.crosschecks.codecarbon import CodeCarbonCheck
from harness.crosschecks.zeus import ZeusCheck
from harness.errors import BenchError, ProbeUnavailable

HAS_ZEUS = importlib.util.find_spec("zeus") is not None


class Monitor:
    """As much of a ZeusMonitor as the adapter uses, with joules told beforehand."""

    def __init__(self, gpus: dict[int, float], **parts: Any) -> None:
        self.gpu_indices = list(gpus)
        self.cpu_indices = list(parts.get("cpu") or {})
        self.soc_is_present = "soc" in parts
        self.power_monitor = parts.get("polled")
        self.said = SimpleNamespace(
            gpu_energy=gpus,
            cpu_energy=parts.get("cpu"),
            dram_energy=parts.get("dram"),
            soc_energy=parts.get("soc"),
            total_energy=sum(gpus.values()),
        )
        self.fault: Exception | None = None
        self.begun: list[dict[str, Any]] = []

    def begin_window(self, key: str, **options: Any) -> None:
        self.begun.append(options)
        if self.fault:
            raise self.fault

    def end_window(self, key: str, **options: Any) -> Any:
        sys.stdout.write("zeus talks")
        return self.said


class Polled:
    """Zeus's poller of power for GPUs without a counter."""

    def __init__(self, gpu_indices: list[int]) -> None:
        self.gpu_indices = gpu_indices
        self.stopped = False

    def stop(self) -> None:
        self.stopped = True


class Tracker:
    """As much of a CodeCarbon tracker as the adapter uses; consumption in kWh."""

    def __init__(self, gpus: int = 0, **kwh: float) -> None:
        self.gpus = gpus
        self.kwh = {"cpu_energy": 0.0, "gpu_energy": 0.0, "ram_energy": 0.0, **kwh}
        self.tasks: list[str] = []
        self.fault: Exception | None = None
        self.stopped = False

    def get_detected_hardware(self) -> dict[str, Any]:
        return {"gpu_count": self.gpus}

    def start_task(self, name: str) -> None:
        if self.fault:
            raise self.fault
        self.tasks.append(name)

    def stop_task(self, name: str) -> Any:
        assert self.tasks[-1] == name
        return SimpleNamespace(**self.kwh, energy_consumed=sum(self.kwh.values()))

    def stop(self) -> None:
        self.stopped = True


def zeus_figure(monitor: Monitor) -> Figure:
    check = ZeusCheck(lambda: monitor)
    check.open()
    check.begin()
    figure = check.end()
    check.close()
    return figure


def codecarbon_figure(tracker: Tracker) -> Figure:
    check = CodeCarbonCheck(lambda: tracker)
    check.open()
    check.begin()
    figure = check.end()
    check.close()
    return figure


def test_zeus_adds_up_its_gpus_and_keeps_packages_beside_them() -> None:
    monitor = Monitor({0: 100.0, 1: 50.0}, cpu={0: 20.0, 1: 22.0}, dram={0: 3.0})

    figure = zeus_figure(monitor)

    assert figure.energy_j == figure.stated_j == 150.0
    assert figure.parts == {"gpu": 150.0, "cpu": 42.0, "dram": 3.0}
    assert figure.mode == "gpu: nvml counter; cpu, dram: rapl"
    assert figure.reason is None


def test_zeus_is_not_asked_to_wait_for_a_framework() -> None:
    monitor = Monitor({0: 1.0})

    zeus_figure(monitor)

    assert monitor.begun == [{"sync_execution": False, "restart": True}]


def test_a_zero_of_zeus_is_missing_and_stays_readable() -> None:
    polled = Polled([1])
    monitor = Monitor({0: 100.0, 1: 0.0}, polled=polled)

    figure = zeus_figure(monitor)

    assert figure.energy_j is None
    assert figure.stated_j == 100.0
    assert figure.parts["gpu"] is None
    assert figure.reason == "zeus reports 0 J for gpu 1"
    assert figure.mode == "gpu: nvml counter; gpu: polled power"
    assert polled.stopped


def test_negative_joules_of_zeus_are_none() -> None:
    figure = zeus_figure(Monitor({0: -180.0, 1: 400.0}, cpu={0: -261_838.0}))

    assert (figure.energy_j, figure.stated_j) == (None, 220.0)
    assert figure.parts["cpu"] is None
    assert figure.reason == "zeus reports -180 J for gpu 0, -261838 J for cpu 0"


def test_zeus_without_a_gpu_has_no_sum() -> None:
    figure = zeus_figure(Monitor({}, cpu={0: 20.0}))

    assert (figure.energy_j, figure.stated_j) == (None, 0.0)
    assert figure.parts["cpu"] == 20.0
    assert figure.reason == "zeus reports 0 J: it adds up GPUs, and found none"


def test_a_chip_says_its_subsystems_in_joules() -> None:
    soc = SimpleNamespace(cpu_total_mj=1500, gpu_mj=2500, gpu_sram_mj=9, dram_mj=None)

    figure = zeus_figure(Monitor({}, soc=soc))

    assert figure.parts["soc cpu"] == 1.5
    assert figure.parts["soc gpu"] == 2.5
    assert "soc dram" not in figure.parts


def test_what_zeus_fails_at_is_the_reason() -> None:
    monitor = Monitor({0: 1.0})
    check = ZeusCheck(lambda: monitor)
    check.open()
    monitor.fault = KeyError(0)

    check.begin()
    figure = check.end()

    assert figure.energy_j is figure.stated_j is None
    assert figure.reason == "zeus cannot begin a window: KeyError: 0"


def test_zeus_without_meters_is_unavailable() -> None:
    check = ZeusCheck(lambda: Monitor({}))

    with pytest.raises(ProbeUnavailable, match="neither a GPU nor"):
        check.open()


def test_zeus_that_cannot_start_is_unavailable_with_its_words() -> None:
    def start() -> Monitor:
        raise ValueError("invalid literal for int(): 'MIG-1'")

    with pytest.raises(ProbeUnavailable, match="MIG-1"):
        ZeusCheck(start).open()


def test_zeus_prints_nothing_into_our_output(
    capsys: pytest.CaptureFixture[str],
) -> None:
    zeus_figure(Monitor({0: 1.0}))

    assert capsys.readouterr().out == ""


@pytest.mark.skipif(HAS_ZEUS, reason="zeus is installed here")
def test_zeus_that_is_not_installed_comes_with_the_cure() -> None:
    with pytest.raises(ProbeUnavailable) as caught:
        ZeusCheck().open()

    assert "pip install zeus" in caught.value.hint


def test_codecarbons_kilowatt_hours_are_joules() -> None:
    tracker = Tracker(gpus=1, cpu_energy=1e-6, gpu_energy=2e-6, ram_energy=5e-7)

    figure = codecarbon_figure(tracker)

    assert figure.energy_j == figure.stated_j == pytest.approx(12.6, rel=1e-12)
    assert figure.parts == pytest.approx({"cpu": 3.6, "gpu": 7.2, "dram": 1.8})
    assert figure.reason is None
    assert tracker.stopped


def test_a_gpu_that_codecarbon_sees_and_cannot_read_is_missing() -> None:
    tracker = Tracker(gpus=1, cpu_energy=1e-6, ram_energy=1e-6)

    figure = codecarbon_figure(tracker)

    assert figure.energy_j is None
    assert figure.stated_j == pytest.approx(7.2)
    assert figure.parts["gpu"] is None
    assert figure.reason == "codecarbon reports 0 J for gpu"


def test_a_machine_without_gpus_misses_none() -> None:
    figure = codecarbon_figure(Tracker(cpu_energy=1e-6, ram_energy=1e-6))

    assert figure.energy_j == pytest.approx(7.2)
    assert figure.parts["gpu"] is None


def test_every_window_is_a_task_of_its_own() -> None:
    tracker = Tracker(cpu_energy=1e-6, ram_energy=1e-6)
    check = CodeCarbonCheck(lambda: tracker)
    check.open()

    for _ in range(2):
        check.begin()
        check.end()

    assert tracker.tasks == ["warm-up", "window 1", "window 2"]


def test_what_codecarbon_fails_at_is_the_reason() -> None:
    tracker = Tracker()
    check = CodeCarbonCheck(lambda: tracker)
    check.open()
    tracker.fault = OSError("no such counter")

    check.begin()
    figure = check.end()

    assert figure.stated_j is None
    assert figure.reason is not None
    assert "no such counter" in figure.reason


def test_codecarbon_that_is_half_built_is_unavailable() -> None:
    with pytest.raises(ProbeUnavailable, match="AttributeError"):
        CodeCarbonCheck(SimpleNamespace).open()


@pytest.mark.parametrize("check", [ZeusCheck(), CodeCarbonCheck(), Apart("zeus")])
def test_a_check_that_was_never_opened_closes_and_cannot_begin(check: Any) -> None:
    check.close()

    with pytest.raises(BenchError):
        check.begin()


def test_an_end_without_a_begin_has_a_reason() -> None:
    tracker = Tracker()
    check = CodeCarbonCheck(lambda: tracker)
    check.open()

    figure = check.end()

    assert figure.reason == "codecarbon has no window open"


def test_the_real_codecarbon_measures_a_window_silently(
    capfd: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    check = CodeCarbonCheck()
    check.open()

    check.begin()
    figure = check.end()
    check.close()

    assert figure.stated_j is not None
    assert figure.stated_j > 0.0
    assert figure.mode.startswith("cpu: ") or "; cpu: " in figure.mode
    assert list(tmp_path.iterdir()) == []
    assert capfd.readouterr() == ("", "")


def tool(tmp_path: Path, *answers: str) -> Apart:
    """A process that gives these answers, one for each line it is sent."""
    script = tmp_path / "python"
    lines = "".join(f"read -r _; echo '{answer}'\n" for answer in answers)
    script.write_text(f"#!/bin/sh\n{lines}read -r _\n")
    script.chmod(0o755)
    return Apart("zeus", str(script))


def test_a_tool_apart_answers_with_its_figure_and_its_cost(tmp_path: Path) -> None:
    said = Figure(tool="zeus", version="0.16.0", energy_j=5.0, stated_j=5.0)
    apart = tool(
        tmp_path,
        '{"value": null}',
        '{"value": null}',
        f'{{"value": {said.model_dump_json()}}}',
    )
    apart.open()

    apart.begin()
    figure = apart.end()
    apart.close()

    assert figure.cpu_s is not None
    assert figure.cpu_s >= 0.0
    assert figure.model_copy(update={"cpu_s": None}) == said


def test_a_tool_that_is_missing_apart_is_unavailable_with_its_cure(
    tmp_path: Path,
) -> None:
    apart = tool(tmp_path, '{"error": "not installed", "hint": "pip install zeus"}')

    with pytest.raises(ProbeUnavailable) as caught:
        apart.open()

    assert caught.value.message == "not installed"
    assert caught.value.hint == "pip install zeus"


def test_a_process_that_ends_is_a_figure_with_a_reason(tmp_path: Path) -> None:
    script = tmp_path / "python"
    script.write_text(
        "#!/bin/sh\n"
        "read -r _; echo '{\"value\": null}'\n"
        "read -r _; echo '{\"value\": null}'\n"
        "read -r _\n"
    )
    script.chmod(0o755)
    apart = Apart("zeus", str(script))
    apart.open()
    apart.begin()

    figure = apart.end()
    apart.close()

    assert figure.energy_j is figure.stated_j is None
    assert figure.reason == "the process that ran zeus has ended"


def test_an_interpreter_that_is_not_there_is_unavailable(tmp_path: Path) -> None:
    with pytest.raises(ProbeUnavailable, match="cannot start"):
        Apart("zeus", str(tmp_path / "nowhere")).open()


def test_codecarbon_apart_is_the_real_one() -> None:
    apart = Apart("codecarbon", sys.executable)
    apart.open()

    apart.begin()
    figure = apart.end()
    apart.close()

    assert figure.tool == "codecarbon"
    assert figure.stated_j is not None
    assert figure.stated_j > 0.0
