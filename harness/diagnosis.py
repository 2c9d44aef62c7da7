"""What `bench doctor` finds: every source, and what a run here would report."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from harness import registry
from harness.clock import Clock, SystemClock
from harness.meter import Reading, reading_of
from harness.metering import start_meter
from harness.readings import Channel

OBSERVE_S = 2.0


@dataclass(frozen=True)
class Diagnosis:
    """The meters of this machine.

    Attributes:
        channels: What the probes that answer report, with update periods as measured.
        periods: Seconds between changes of each source of joules, as measured now;
            None where it was not seen to change twice.
        unavailable: (probe, reason, cure) of the others.
        reading: What a window of two seconds reported.
        devices: Why a device family cannot be used, by its name; None where it can.
        meter_cpu_ratio: Processor time of the meter over the time that it was watched.
    """

    channels: tuple[Channel, ...]
    periods: Mapping[str, float | None]
    unavailable: list[tuple[str, str, str]]
    reading: Reading
    devices: Mapping[str, str | None]
    meter_cpu_ratio: float


def diagnose(clock: Clock | None = None) -> Diagnosis:
    """Watch every meter for two seconds."""
    clock = clock or SystemClock()
    with start_meter(list(registry.PROBES)) as meter:
        channels, unavailable = meter.describe()
        start_ns = meter.open_window()
        cpu_s = meter.cpu_s()
        clock.sleep(OBSERVE_S)
        cpu_s = meter.cpu_s() - cpu_s
        measured = meter.close_window(start_ns)
        periods = meter.periods(OBSERVE_S)
    devices = {
        name: registry.create("device", registry.BACKENDS, name).unavailable()
        for name in registry.BACKENDS
    }
    reading = reading_of("doctor", measured)
    return Diagnosis(
        channels=channels,
        periods=periods,
        unavailable=unavailable,
        reading=reading,
        devices=devices,
        meter_cpu_ratio=cpu_s / OBSERVE_S,
    )


def to_dict(found: Diagnosis) -> dict[str, Any]:
    """Plain data for `--json`."""
    reading = found.reading
    return {
        "channels": [
            channel.model_dump(mode="json")
            | {"measured_period_s": found.periods.get(channel.name)}
            for channel in found.channels
        ],
        "unavailable": [
            {"probe": name, "reason": reason, "cure": cure}
            for name, reason, cure in found.unavailable
        ],
        "would_report": {
            "energy": [r.model_dump(mode="json") for r in reading.energy],
            "total": reading.total.model_dump(mode="json"),
            "power_w": reading.power_w,
            "doubts": [doubt.model_dump(mode="json") for doubt in reading.doubts],
        },
        "meter_cpu_ratio": found.meter_cpu_ratio,
        "devices": dict(found.devices),
    }
