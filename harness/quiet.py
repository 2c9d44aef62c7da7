"""Before a trial: wait until the machine is as cool as idle, and nobody else works."""

from collections.abc import Callable, Mapping
from typing import Protocol as Interface

from harness.clock import Clock
from harness.jobs import Protocol
from harness.metering import Moment
from harness.records import Before
from harness.units import seconds

LOOK_S = 1.0
"""Between two looks the supervisor sleeps."""
NO_SENSOR = "no temperature sensor answers"


class Watched(Interface):
    """What tells of the machine as it is now."""

    def moment(self) -> Moment:
        """Temperatures and load."""
        ...


def wait(
    meter: Watched, protocol: Protocol, idle_c: Mapping[str, float], clock: Clock
) -> Before | None:
    """Wait for a quiet machine, at most as long as the protocol says.

    Args:
        meter: Tells temperatures and load.
        protocol: Limits and longest waits.
        idle_c: Temperature of each sensor at the start of the run.
        clock: Source of time and of waiting.

    Returns:
        What was waited for; None where the protocol waits for nothing.
    """
    if not protocol.load_wait_s and not protocol.cooldown_max_s:
        return None
    load_s, now = _until(
        meter, clock, protocol.load_wait_s, lambda m: not _busy(m, protocol)
    )
    cool_s, now = _until(
        meter, clock, protocol.cooldown_max_s, lambda m: not _warm(m, protocol, idle_c)
    )
    unmet = []
    if protocol.load_wait_s:
        unmet += _busy(now, protocol)
    if protocol.cooldown_max_s:
        unmet += _warm(now, protocol, idle_c)
    return Before(
        cooldown_s=cool_s,
        load_wait_s=load_s,
        above_idle_c=_above_c(now, idle_c),
        foreign_cpu_ratio=now.cpu_ratio,
        foreign_gpu_ratio=now.gpu_ratio,
        unmet=tuple(unmet),
        reason=None if now.temperatures_c else NO_SENSOR,
    )


def _until(
    meter: Watched, clock: Clock, longest_s: float, is_quiet: Callable[[Moment], bool]
) -> tuple[float, Moment]:
    """Look until it is quiet or the time is over; how long it took, and the last look.

    The last second or so before the first look may have been our own work.
    """
    started_ns = clock.now_ns()
    while True:
        now = meter.moment()
        waited_s = seconds(clock.now_ns() - started_ns)
        if waited_s >= longest_s or is_quiet(now):
            return waited_s, now
        clock.sleep(min(LOOK_S, longest_s - waited_s))


def _busy(now: Moment, protocol: Protocol) -> list[str]:
    """What of the machine others use beyond the limit."""
    shares = (("the cores", now.cpu_ratio), ("a GPU", now.gpu_ratio))
    return [
        f"others used {share:.0%} of {what}"
        for what, share in shares
        if share is not None and share > protocol.load_max_ratio
    ]


def _warm(now: Moment, protocol: Protocol, idle_c: Mapping[str, float]) -> list[str]:
    above_c = _above_c(now, idle_c)
    if above_c is None or above_c <= protocol.cooldown_band_c:
        return []
    return [f"a sensor was {above_c:.0f} C above idle"]


def _above_c(now: Moment, idle_c: Mapping[str, float]) -> float | None:
    """How far the warmest sensor is above its idle temperature; None without one."""
    rises_c = [c - idle_c[s] for s, c in now.temperatures_c.items() if s in idle_c]
    return max(rises_c, default=None)
