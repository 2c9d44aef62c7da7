"""Fakes that behave like the real thing: a clock and a scripted meter."""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Literal

from harness.readings import Channel, Provenance, Quantity, Span
from harness.series import Series


class FakeClock:
    """Time that only `advance` and `sleep` move."""

    def __init__(self, now_ns: int = 0) -> None:
        self.time_ns = now_ns

    def now_ns(self) -> int:
        return self.time_ns

    def sleep(self, duration_s: float) -> None:
        self.advance(duration_s)

    def advance(self, duration_s: float) -> None:
        self.time_ns += round(duration_s * 1e9)


def channel(  # noqa: PLR0913 (a test names what it cares about)
    name: str = "meter/energy_j",
    *,
    domain: str = "cpu",
    device: str = "package-0",
    kind: Literal["counter", "gauge"] = "counter",
    provenance: Provenance = Provenance.MEASURED,
    tier: Literal["A", "B", "C", "D", "E"] = "B",
    wraps_at_j: float | None = None,
    inside: str | None = None,
    period_s: float | None = None,
) -> Channel:
    return Channel(
        name=name,
        domain=domain,
        device=device,
        quantity=Quantity.ENERGY_J if kind == "counter" else Quantity.POWER_W,
        kind=kind,
        provenance=provenance,
        source="fake",
        tier=tier,
        wraps_at_j=wraps_at_j,
        inside=inside,
        update_period_s=period_s,
    )


def samples(*points: tuple[float, float]) -> Series:
    """Samples from (seconds, value)."""
    return Series.of([round(t * 1e9) for t, _ in points], [v for _, v in points])


def span(start_s: float, end_s: float) -> Span:
    return Span(name="window", start_ns=round(start_s * 1e9), end_ns=round(end_s * 1e9))


class ScriptedProbe:
    """A probe whose value is a function of the clock; None is a failed read."""

    name = "scripted"

    def __init__(self, described: Channel, value: Callable[[], float | None]) -> None:
        self.described = described
        self.value = value
        self.is_open = False

    def open(self) -> Sequence[Channel]:
        self.is_open = True
        return (self.described,)

    def read(self, names: Collection[str] | None = None) -> Mapping[str, float | None]:
        if names is not None and self.described.name not in names:
            return {}
        return {self.described.name: self.value()}

    def close(self) -> None:
        self.is_open = False
