"""Zeus beside ours: `ZeusMonitor` over every GPU and package that it finds by itself.

What it says depends on how it reads (zeus 0.16.0). A GPU of the Volta generation or
later is read from the driver's counter, at whatever moment the window begins and ends;
whether there is a counter is inferred from the generation and not asked. An older one
is polled for its power by processes of its own, which keep only readings that differ
from the last: a constant power gives one reading or none in a window, and then 0 J.
Its sum is that of the GPUs; packages and memory stand beside it.
"""

import contextlib
import io
import logging
import warnings
from collections.abc import Callable, Iterator, Mapping
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from harness.crosschecks import Figure
from harness.errors import ProbeUnavailable

WINDOW = "joulebench"
SOC_PARTS = {
    "cpu_total_mj": "cpu",
    "gpu_mj": "gpu",
    "dram_mj": "dram",
    "ane_mj": "ane",
    "cpu_energy_mj": "cpu",
    "gpu_energy_mj": "gpu",
    "total_energy_mj": "module",
}
"""Of a chip's subsystems those that are no part of another one listed."""
FAILURES = (RuntimeError, ValueError, LookupError, OSError, AttributeError, TypeError)
"""What a tool that is not ours raises besides errors of its own."""


class ZeusCheck:
    """One ZeusMonitor for as long as it is open, with Zeus's defaults.

    Args:
        monitor: Makes the monitor; zeus's own by default.
    """

    name = "zeus"

    def __init__(self, monitor: Callable[[], Any] | None = None) -> None:
        self._make = monitor
        self._monitor: Any = None
        self._errors: tuple[type[Exception], ...] = FAILURES
        self._failed: str | None = None

    def open(self) -> None:
        """Let Zeus find its meters.

        Raises:
            ProbeUnavailable: Zeus is not installed, fails, or finds no meter.
        """
        with _silence():
            make = self._make or self._import()
            try:
                monitor = make()
            except self._errors as error:
                raise ProbeUnavailable(
                    f"zeus fails at its start: {_words(error)}",
                    hint="it knows whole GPUs by integers: see CUDA_VISIBLE_DEVICES",
                ) from error
        if not (monitor.gpu_indices or monitor.cpu_indices or monitor.soc_is_present):
            _stop(monitor)
            raise ProbeUnavailable(
                "zeus finds neither a GPU nor a readable RAPL package",
                hint="bench doctor tells what is missing for each meter",
            )
        self._monitor = monitor

    def begin(self) -> None:
        """Begin a window, without waiting for a GPU's queue: the caller has done so."""
        if self._monitor is None:
            raise ProbeUnavailable("zeus is not open", hint="open() before begin()")
        self._failed = None
        with _silence():
            try:
                self._monitor.begin_window(WINDOW, sync_execution=False, restart=True)
            except self._errors as error:
                self._failed = f"zeus cannot begin a window: {_words(error)}"

    def end(self) -> Figure:
        """End the window: Zeus's joules, where it measured any."""
        if self._monitor is None:
            return _nothing("zeus has no window open")
        if self._failed is not None:
            return _nothing(self._failed)
        with _silence():
            try:
                said = self._monitor.end_window(WINDOW, sync_execution=False)
            except self._errors as error:
                return _nothing(f"zeus cannot end the window: {_words(error)}")
        return _figure(said, self._mode())

    def close(self) -> None:
        """Stop the processes in which Zeus polls power."""
        if self._monitor is not None:
            _stop(self._monitor)
        self._monitor = None

    def _import(self) -> Callable[[], Any]:
        try:
            from zeus.exception import ZeusBaseError
            from zeus.monitor import ZeusMonitor
        except ImportError as error:
            raise ProbeUnavailable(
                f"zeus cannot be imported: {error}",
                hint="pip install zeus, in an environment of its own: its wheel brings "
                "packages named tests, docs and examples",
            ) from error
        logging.getLogger("zeus").setLevel(logging.CRITICAL)
        self._errors = (ZeusBaseError, *FAILURES)
        make: Callable[[], Any] = ZeusMonitor
        return make

    def _mode(self) -> str:
        """How it reads each part, as its monitor has it."""
        monitor = self._monitor
        polled = getattr(monitor.power_monitor, "gpu_indices", ())
        modes = []
        if len(polled) < len(monitor.gpu_indices):
            modes.append("gpu: nvml counter")
        if polled:
            modes.append("gpu: polled power")
        if monitor.cpu_indices:
            modes.append("cpu, dram: rapl")
        if monitor.soc_is_present:
            modes.append("soc: the chip's own meters")
        return "; ".join(modes)


def _figure(said: Any, mode: str) -> Figure:
    """Zeus's measurement with the joules found out that are none."""
    stated_j = float(said.total_energy)
    parts = {"gpu": said.gpu_energy, "cpu": said.cpu_energy, "dram": said.dram_energy}
    bad = [
        f"{value_j:g} J for {part} {index}"
        for part, values in parts.items()
        for index, value_j in (values or {}).items()
        if value_j <= 0.0
    ]
    reason = f"zeus reports {', '.join(bad)}" if bad else None
    if not said.gpu_energy:
        reason = "zeus reports 0 J: it adds up GPUs, and found none"
    return Figure(
        tool="zeus",
        version=_version(),
        energy_j=_sum(said.gpu_energy),
        stated_j=stated_j,
        parts={part: _sum(values) for part, values in parts.items()}
        | _soc(said.soc_energy),
        mode=mode,
        reason=reason,
    )


def _sum(values: Mapping[int, float] | None) -> float | None:
    """Joules of several devices; None where one is no joules, or there is none.

    0 J is a counter that did not move or a device that did not answer; less is one
    that was reset, or a wrap that Zeus has not seen yet.
    """
    if not values or min(values.values()) <= 0.0:
        return None
    return sum(values.values())


def _soc(said: Any) -> dict[str, float | None]:
    """Joules of a chip's subsystems, named apart from those of whole devices."""
    fields = {name: getattr(said, name, None) for name in SOC_PARTS}
    return {
        f"soc {SOC_PARTS[name]}": value_mj / 1000.0
        for name, value_mj in fields.items()
        if value_mj
    }


def _nothing(reason: str) -> Figure:
    return Figure(tool="zeus", version=_version(), reason=reason)


def _stop(monitor: Any) -> None:
    if monitor.power_monitor is not None:
        monitor.power_monitor.stop()


def _version() -> str:
    try:
        return version("zeus")
    except PackageNotFoundError:
        return "unknown"


def _words(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"


@contextlib.contextmanager
def _silence() -> Iterator[None]:
    """Keep what Zeus prints and warns of out of our output; its figures say it too."""
    with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
