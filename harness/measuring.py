"""`bench measure`: the joules of any command, between two edge readings."""

import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from harness import energy
from harness.carbon import emissions
from harness.clock import Clock, SystemClock
from harness.errors import UsageError
from harness.metering import MeterClient, start_meter
from harness.records import (
    Carbon,
    Channel,
    Doubt,
    EnergyReading,
    EnergyTotal,
    Factor,
    Span,
    Trace,
)
from harness.registry import PROBES
from harness.traces import read_trace

SHORT_S = 1.0
OBSERVE_S = 1.0


@dataclass(frozen=True)
class MeasureReport:
    """What a command used."""

    command: tuple[str, ...]
    exit_code: int
    span: Span
    energy: tuple[EnergyReading, ...]
    total: EnergyTotal
    carbon: Carbon
    doubts: tuple[Doubt, ...]

    def to_dict(self) -> dict[str, Any]:
        """The contract's JSON."""
        return {
            "command": list(self.command),
            "exit_code": self.exit_code,
            "window": {
                "start_s": self.span.start_ns / 1e9,
                "end_s": self.span.end_ns / 1e9,
                "duration_s": self.span.duration_s,
            },
            "energy": [reading.model_dump(mode="json") for reading in self.energy],
            "total": self.total.model_dump(mode="json"),
            "carbon": self.carbon.model_dump(mode="json"),
            "doubts": [doubt.model_dump(mode="json") for doubt in self.doubts],
        }


def measure(command: Sequence[str], factor: Factor | None) -> MeasureReport:
    """Run a command to its end under every meter that answers.

    Raises:
        UsageError: The command cannot be started.
    """
    with start_meter(list(PROBES)) as meter, tempfile.TemporaryDirectory() as folder:
        channels, _ = meter.describe()
        meter.begin("measure")
        start_ns = meter.edge()
        exit_code = _run(command)
        span = Span(name="window", start_ns=start_ns, end_ns=meter.edge())
        path = Path(folder) / "trace.parquet"
        meter.end(path)
        trace = read_trace(path)
    readings = energy.account(channels, trace, span)
    total = energy.total(readings)
    return MeasureReport(
        command=tuple(command),
        exit_code=exit_code,
        span=span,
        energy=readings,
        total=total,
        carbon=emissions(total.energy_j, factor, 1.0),
        doubts=_doubts(span, total),
    )


def _run(command: Sequence[str]) -> int:
    """Exit code of the command; 128 + n where signal n ended it."""
    try:
        code = subprocess.run(command, check=False).returncode
    except (FileNotFoundError, PermissionError, NotADirectoryError) as error:
        raise UsageError(
            f"{command[0]}: cannot be run: {error.strerror}",
            hint="bench measure -- COMMAND with its arguments",
        ) from error
    return code if code >= 0 else 128 - code


def _doubts(span: Span, total: EnergyTotal) -> tuple[Doubt, ...]:
    found = []
    if span.duration_s < SHORT_S:
        found.append(
            Doubt(
                code="short-window",
                message=f"the command ran for {span.duration_s:.2f} s",
                remedy="repeat its work until it runs for 10 s or more",
            )
        )
    if total.modelled_ratio:
        found.append(
            Doubt(
                code="modelled",
                message=f"{total.modelled_ratio:.0%} of the joules are modelled",
                remedy="bench doctor shows which meters could be read",
            )
        )
    return tuple(found)


def sentences(report: MeasureReport, items: int | None) -> list[str]:
    """The result in words."""
    lines = [f"{report.span.duration_s:.3g} s, exit code {report.exit_code}"]
    joules = report.total.energy_j
    if joules is None:
        lines.append(f"total: not measured: {report.total.reason}")
    else:
        mark = report.total.provenance
        within = " + ".join(report.total.perimeter)
        lines.append(f"total: {joules:.4g} J ({mark}; {within})")
        if items:
            lines.append(f"per item: {joules / items:.4g} J over {items} items")
        if report.carbon.co2e_g is not None:
            lines.append(
                f"carbon: {report.carbon.co2e_g:.3g} g CO2e "
                f"({report.carbon.place}, {report.carbon.year})"
            )
    lines += [f"doubt: {d.message}; {d.remedy}" for d in report.doubts]
    return lines


def update_periods(
    meter: MeterClient, channels: Sequence[Channel], clock: Clock | None = None
) -> Mapping[str, float | None]:
    """How often each channel's value changed while watched for a second."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "trace.parquet"
        meter.begin("doctor")
        (clock or SystemClock()).sleep(OBSERVE_S)
        meter.end(path)
        trace = read_trace(path)
    return {channel.name: _period_s(trace, channel.name) for channel in channels}


def _period_s(trace: Trace, name: str) -> float | None:
    """Mean time between changes in seconds; None with fewer than two changes."""
    samples = trace.get(name, [])
    changes = [
        after.time_ns
        for before, after in pairwise(samples)
        if before.value != after.value
    ]
    if len(changes) < 2:
        return None
    return (changes[-1] - changes[0]) / 1e9 / (len(changes) - 1)
