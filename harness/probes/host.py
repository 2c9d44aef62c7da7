"""How busy the host is: processor time and memory, by psutil."""

from collections.abc import Mapping, Sequence

from harness.records import Channel, Provenance, Quantity

BUSY = "host/cpu_busy_s"
TOTAL = "host/cpu_total_s"
MEMORY = "host/memory_used_bytes"


class HostProbe:
    """Busy and total seconds of all cores as counters, memory as a gauge."""

    name = "host"

    def open(self) -> Sequence[Channel]:
        """Describe the channels; psutil is always there."""
        return (
            _channel(BUSY, Quantity.SECONDS, "counter"),
            _channel(TOTAL, Quantity.SECONDS, "counter"),
            _channel(MEMORY, Quantity.BYTES, "gauge"),
        )

    def read(self) -> Mapping[str, float | None]:
        """Processor seconds since boot, and memory in use in bytes."""
        import psutil

        times = psutil.cpu_times()
        # Linux counts guest time in user and nice time already.
        guest_s = getattr(times, "guest", 0.0) + getattr(times, "guest_nice", 0.0)
        total_s = sum(times) - guest_s
        idle_s = times.idle + getattr(times, "iowait", 0.0)
        memory = psutil.virtual_memory()
        return {BUSY: total_s - idle_s, TOTAL: total_s, MEMORY: float(memory.used)}

    def close(self) -> None:
        """Nothing to let go of."""


def _channel(name: str, quantity: Quantity, kind: str) -> Channel:
    return Channel(
        name=name,
        domain="host",
        device="host",
        quantity=quantity,
        kind="counter" if kind == "counter" else "gauge",
        provenance=Provenance.MEASURED,
        source="psutil",
        update_period_s=0.01,
    )
