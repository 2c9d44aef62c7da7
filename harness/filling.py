"""When an open window is full: by time, by items, and by what the meters have seen."""

from dataclasses import dataclass

from harness.contracts import EdgeMeter
from harness.jobs import Protocol
from harness.readings import Span

ASK_PERIOD_S = 0.5
SHORTEST_CAP_S = 60.0
CAP = 4.0
"""A window waits for updates up to so many times its least length."""


@dataclass
class Filling:
    """Whether an open window is full: long enough, of enough items and updates."""

    protocol: Protocol
    meter: EdgeMeter
    start_ns: int
    ask_s: float = 0.0

    def is_full(self, items: int, elapsed_s: float) -> bool:
        """Ask the meter at most twice a second, and only when all else is met."""
        asked = self.protocol
        if elapsed_s < max(asked.window_min_s, self.ask_s):
            return False
        if items < asked.window_items:
            return False
        if not asked.window_updates or elapsed_s >= longest_wait_s(asked):
            return True
        seen = self.meter.updates(self.start_ns)
        if seen is None or seen >= asked.window_updates:
            return True  # a model has no updates to wait for
        left = asked.window_updates - seen
        expected_s = left * elapsed_s / seen if seen else ASK_PERIOD_S
        self.ask_s = min(
            elapsed_s + max(ASK_PERIOD_S, expected_s), longest_wait_s(asked)
        )
        return False


def lasting_s(protocol: Protocol, meter: EdgeMeter, span: Span) -> float:
    """Length of a window that is drawn beforehand, such that it has its updates.

    They come as they did in a span before it; where none came, it waits as long as a
    window may.

    Args:
        protocol: What is asked for.
        meter: Of the trial.
        span: What was worked at full load before the window.
    """
    least_s = protocol.window_min_s
    seen = meter.updates(span.start_ns) if protocol.window_updates else None
    if seen is None:
        return least_s  # a model has no updates to wait for
    longest_s = longest_wait_s(protocol)
    if not seen:
        return longest_s
    return min(
        max(least_s, protocol.window_updates * span.duration_s / seen), longest_s
    )


def longest_wait_s(protocol: Protocol) -> float:
    """Length at which a window waits for no more updates."""
    if protocol.window_max_s is not None:
        return protocol.window_max_s
    return max(SHORTEST_CAP_S, CAP * protocol.window_min_s)
