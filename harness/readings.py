"""What meters report: channels, intervals, and the joules of a window.

Units are the last word of a name. Missing is None with a reason beside it, never 0.
"""

from enum import StrEnum
from typing import Literal

from harness.noun import Noun


class Quantity(StrEnum):
    """What a channel reports."""

    ENERGY_J = "energy_j"
    POWER_W = "power_w"
    RATIO = "ratio"
    BYTES = "bytes"
    CELSIUS = "celsius"
    SECONDS = "seconds"
    HERTZ = "hertz"
    COUNT = "count"
    FLAGS = "flags"
    LIMIT_W = "limit_w"


class Provenance(StrEnum):
    """How a number came to be."""

    MEASURED = "measured"
    MODELLED = "modelled"
    ASSUMED = "assumed"


class Channel(Noun):
    """One quantity that a probe reports for one device.

    Attributes:
        name: Unique in a run, such as `rapl.powercap/package-0/energy_j`.
        domain: cpu, dram, gpu, tpu, soc, psys or host.
        device: Stable identity (a UUID, a zone name), never an index.
        kind: A counter only grows and wraps; a gauge goes up and down.
        source: Which reader, such as `nvml.total_energy`.
        tier: A wall meter, B counter, C integrated power, D model, E constant.
        update_period_s: Nominal period of the source; None when unknown.
        wraps_at_j: Range of a counter; None when it does not wrap.
        inside: Device whose perimeter contains this one, such as `package-0`.
        relative_error: Calibration error of the source as a ratio.
        what: What a channel of state tells, such as `temperature` or `throttle`.
        averaging_s: A gauge's value is the mean over so many seconds before it.
        observed_ratio: Share of the time that a part-time sensor looks at.
        ceiling_w: More than this is a fault of the source, not a reading.
        read_every_s: A slow channel need not be read more often than this.
    """

    name: str
    domain: str
    device: str
    quantity: Quantity
    kind: Literal["counter", "gauge"]
    provenance: Provenance
    source: str
    tier: Literal["A", "B", "C", "D", "E"] | None = None
    update_period_s: float | None = None
    wraps_at_j: float | None = None
    inside: str | None = None
    shared: bool = False
    relative_error: float | None = None
    what: str = ""
    averaging_s: float = 0.0
    observed_ratio: float = 1.0
    ceiling_w: float | None = None
    read_every_s: float | None = None
    note: str | None = None


class Span(Noun):
    """A named interval of the run clock, between two edge readings."""

    name: str
    start_ns: int
    end_ns: int

    @property
    def duration_s(self) -> float:
        """Length in seconds."""
        return (self.end_ns - self.start_ns) / 1e9


class EnergyReading(Noun):
    """Energy of one domain of one device over one window.

    Attributes:
        updates: Changes of the source's value that were seen inside the window.
        coverage_ratio: Share of the window that the readings cover.
        relative_bound_j: How far off the joules can be against another window of the
            same source (edges, resolution, aliasing).
        error_bound_j: The same with the source's calibration: against the truth.
        observed_ratio: Share of the time that its sensor looks at.
        gaps: Intervals of the window without a plausible reading.
        reason: Why there are no joules, or what a better source failed at.
    """

    domain: str
    device: str
    energy_j: float | None
    method: Literal["counter", "integral", "model", "constant", "none"]
    source: str
    provenance: Provenance
    tier: Literal["A", "B", "C", "D", "E"] | None
    update_period_s: float | None = None
    updates: int = 0
    coverage_ratio: float = 0.0
    relative_bound_j: float | None = None
    error_bound_j: float | None = None
    inside: str | None = None
    shared: bool = False
    observed_ratio: float = 1.0
    wraps: int = 0
    resets: int = 0
    gaps: int = 0
    reason: str | None = None


class EnergyTotal(Noun):
    """Sum over outermost disjoint perimeters."""

    energy_j: float | None
    perimeter: tuple[str, ...]
    provenance: Provenance | None
    tier: str | None
    complete: bool
    error_bound_j: float | None
    modelled_ratio: float | None
    relative_bound_j: float | None = None
    reason: str | None = None
