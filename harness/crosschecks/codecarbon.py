"""CodeCarbon beside ours: one offline tracker, one of its tasks for each window.

In a task it reads counters at both ends and samples all other power each second;
`measure_power_secs`, left at its default of 15 s, plays no part there (its version
3.3.2). Nothing is written, sent or locked, and what its configuration file or the
environment would change of the joules is put back to the defaults.

It never says that a part is missing: without RAPL the processor is a model by load,
memory is always a rule of thumb by size, and a GPU that it cannot read is 0 J.
"""

import logging
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from harness.crosschecks import Figure
from harness.errors import ProbeUnavailable
from harness.units import JOULES_PER_KWH

MEASURE_POWER_S = 15.0
FAILURES = (RuntimeError, ValueError, LookupError, OSError, AttributeError, TypeError)
"""What a tool that is not ours raises; it swallows errors and is then half built."""


class CodeCarbonCheck:
    """A tracker in its mode `machine`, and a task of it for each window.

    Args:
        tracker: Makes the tracker; CodeCarbon's offline one by default.
    """

    name = "codecarbon"

    def __init__(self, tracker: Callable[[], Any] | None = None) -> None:
        self._make = tracker
        self._tracker: Any = None
        self._count = 0
        self._task: str | None = None
        self._failed: str | None = None
        self._mode = ""
        self._gpus = 0

    def open(self) -> None:
        """Let CodeCarbon find the hardware, and run an empty task once.

        The first task loads tables for its emissions, which would be part of a window.

        Raises:
            ProbeUnavailable: CodeCarbon is not installed, or gives up at its start.
        """
        make = self._make or _import()
        try:
            tracker = make()
            hardware = tracker.get_detected_hardware()
            tracker.start_task("warm-up")
            tracker.stop_task("warm-up")
        except FAILURES as error:
            raise ProbeUnavailable(
                f"codecarbon fails at its start: {_words(error)}",
                hint="run `codecarbon monitor` to see what it says itself",
            ) from error
        self._tracker = tracker
        self._gpus = int(hardware.get("gpu_count") or 0)
        self._mode = _mode(tracker, self._gpus)

    def begin(self) -> None:
        """Begin a window as a task of the tracker."""
        if self._tracker is None:
            raise ProbeUnavailable(
                "codecarbon is not open", hint="open() before begin()"
            )
        self._count += 1
        self._task, self._failed = f"window {self._count}", None
        try:
            self._tracker.start_task(self._task)
        except FAILURES as error:
            self._failed = f"codecarbon cannot begin a task: {_words(error)}"

    def end(self) -> Figure:
        """End the window: what the task consumed, in joules."""
        task, self._task = self._task, None
        if task is None or self._tracker is None:
            return self._nothing("codecarbon has no window open")
        if self._failed is not None:
            return self._nothing(self._failed)
        try:
            return self._figure(self._tracker.stop_task(task))
        except FAILURES as error:
            return self._nothing(f"codecarbon cannot end the task: {_words(error)}")

    def close(self) -> None:
        """Stop the tracker and its threads."""
        if self._tracker is not None:
            self._tracker.stop()
        self._tracker = None

    def _figure(self, said: Any) -> Figure:
        parts = {
            "gpu": said.gpu_energy * JOULES_PER_KWH or None,
            "cpu": said.cpu_energy * JOULES_PER_KWH or None,
            "dram": said.ram_energy * JOULES_PER_KWH or None,
        }
        wanted = {"cpu", "dram"} | ({"gpu"} if self._gpus else set())
        empty = sorted(part for part in wanted if parts[part] is None)
        stated_j = said.energy_consumed * JOULES_PER_KWH
        return Figure(
            tool="codecarbon",
            version=_version(),
            energy_j=None if empty else stated_j,
            stated_j=stated_j,
            parts=parts,
            mode=self._mode,
            reason=f"codecarbon reports 0 J for {', '.join(empty)}" if empty else None,
        )

    def _nothing(self, reason: str) -> Figure:
        return Figure(
            tool="codecarbon", version=_version(), mode=self._mode, reason=reason
        )


def _import() -> Callable[[], Any]:
    """Makes a tracker of the installed package that says and writes nothing."""
    try:
        from codecarbon import OfflineEmissionsTracker
    except ImportError as error:
        raise ProbeUnavailable(
            f"codecarbon cannot be imported: {error}",
            hint="pip install 'codecarbon>=3.3'",
        ) from error
    logging.getLogger("codecarbon").setLevel(logging.CRITICAL)
    return lambda: OfflineEmissionsTracker(
        country_iso_code="FRA",
        force_carbon_intensity_g_co2e_kwh=0.0,  # emissions are not asked for
        electricitymaps_api_token=None,
        emissions_endpoint=None,
        output_methods=[],
        log_level="critical",
        allow_multiple_runs=True,
        tracking_mode="machine",
        measure_power_secs=MEASURE_POWER_S,
        gpu_ids=None,
        force_cpu_power=None,
        force_ram_power=None,
        force_mode_cpu_load=False,
        rapl_include_dram=False,
        rapl_prefer_psys=False,
        pue=1.0,
        wue=0.0,
    )


def _mode(tracker: Any, gpus: int) -> str:
    """How it gets each part, in its own words where it keeps them."""
    # Only its log and this private list tell a counter of the processor from a model.
    hardware = getattr(tracker, "_hardware", ())
    modes = [getattr(part, "_mode", None) for part in hardware]
    cpu = next((mode for mode in modes if mode), "unknown")
    words = [f"cpu: {cpu}", "dram: constant by size"]
    if gpus:
        words.insert(0, "gpu: counter, or power each second")
    return "; ".join(words)


def _version() -> str:
    try:
        return version("codecarbon")
    except PackageNotFoundError:
        return "unknown"


def _words(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"
