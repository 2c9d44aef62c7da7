"""Which channels of a probe are read now: all quick ones, and slow ones in turn."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from harness.contracts import Probe
from harness.readings import Channel
from harness.units import NS_PER_S


@dataclass
class OpenProbe:
    """An open probe with its channels, and when the slow ones are due again.

    Attributes:
        quick: Channels that are read each time.
        at_edges: Those, and slow counters: what they grew by lies between two edges.
        pauses_ns: The least time between two readings of the others.
        due_ns: When those may be read again.
    """

    probe: Probe
    quick: frozenset[str]
    at_edges: frozenset[str]
    pauses_ns: dict[str, int]
    due_ns: dict[str, int]

    @classmethod
    def of(
        cls, probe: Probe, channels: Sequence[Channel], period_s: float
    ) -> "OpenProbe":
        """A probe that is read every `period_s` seconds, with what it described."""
        pauses_ns = {
            c.name: round((c.read_every_s - period_s / 2) * NS_PER_S)
            for c in channels
            if c.read_every_s
        }
        quick = frozenset(c.name for c in channels if c.name not in pauses_ns)
        at_edges = quick.union(c.name for c in channels if c.kind == "counter")
        return cls(probe, quick, at_edges, pauses_ns, dict.fromkeys(pauses_ns, 0))

    def due(self, time_ns: int, *, is_edge: bool) -> frozenset[str]:
        """Channels whose own pace allows another reading now; they count as read."""
        slow = [name for name, due_ns in self.due_ns.items() if time_ns >= due_ns]
        for name in slow:
            self.due_ns[name] = time_ns + self.pauses_ns[name]
        always = self.at_edges if is_edge else self.quick
        return always.union(slow) if slow else always

    def among(self, names: Collection[str]) -> frozenset[str]:
        """Its channels among these."""
        mine = [n for n in names if n in self.quick or n in self.pauses_ns]
        return frozenset(mine)
