"""`bench measure` and `bench doctor`."""

from collections.abc import Sequence

from rich.markup import escape

from harness import measuring, registry
from harness.carbon import intensity
from harness.commands.console import out, print_json, table
from harness.metering import start_meter


def measure(
    command: Sequence[str], items: int | None, place: str | None, *, as_json: bool
) -> int:
    """Run a command under all meters; its exit code is passed on."""
    factor = intensity(place) if place else None
    report = measuring.measure(command, factor)
    if as_json:
        print_json(report.to_dict())
        return report.exit_code
    shown = table("domain", "energy", "how", "source")
    for reading in report.energy:
        joules = (
            reading.reason if reading.energy_j is None else f"{reading.energy_j:.4g} J"
        )
        shown.add_row(
            escape(f"{reading.domain} {reading.device}"),
            escape(str(joules)),
            f"{reading.provenance}, tier {reading.tier or '-'}",
            escape(reading.source),
        )
    out().print(shown)
    for line in measuring.sentences(report, items):
        out().print(line, markup=False, highlight=False, soft_wrap=True)
    return report.exit_code


def doctor(*, as_json: bool) -> int:
    """Meters that answer, and the cure for those that do not."""
    with start_meter(list(registry.PROBES)) as meter:
        channels, unavailable = meter.describe()
        periods = measuring.update_periods(meter, channels)
    devices = {
        name: registry.create("device", registry.BACKENDS, name).unavailable()
        for name in registry.BACKENDS
    }
    if as_json:
        print_json(
            {
                "channels": [
                    c.model_dump(mode="json") | {"measured_period_s": periods[c.name]}
                    for c in channels
                ],
                "unavailable": [
                    {"probe": name, "reason": reason, "cure": cure}
                    for name, reason, cure in unavailable
                ],
                "devices": devices,
            }
        )
        return 0
    shown = table("meter", "quantity", "how", "tier", "updates every")
    for channel in channels:
        period_s = periods[channel.name]
        shown.add_row(
            escape(channel.name),
            channel.quantity,
            channel.provenance,
            channel.tier or "-",
            "not seen to change" if period_s is None else f"{period_s * 1000:.0f} ms",
        )
    out().print(shown)
    for name, reason, cure in unavailable:
        out().print(f"not available: {name}: {reason}", markup=False, soft_wrap=True)
        if cure:
            out().print(f"    cure: {cure}", markup=False, soft_wrap=True)
    for name, fault in devices.items():
        out().print(f"device {name}: {fault or 'ready'}", markup=False, soft_wrap=True)
    return 0
