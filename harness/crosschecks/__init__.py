"""What other tools say of the same window: their figure beside ours, never its source.

A cross-check wraps one tool, as its makers mean it to be used. It holds what the tool
holds: globals, threads, processes, loggers. `harness.crosschecks.apart` therefore runs
it in a process of its own, whose cost is then known and which need not be this Python.
"""

from typing import Protocol

from pydantic import Field

from harness.noun import Noun


class Figure(Noun):
    """What a tool said of one window, and what of it can be taken for a measurement.

    A tool that knows no missing value says 0 J where it measured nothing, and less than
    that over a reset: that is a None here, with the reason, and stays to be read in
    `stated_j`.

    Attributes:
        tool: Name of the tool's package.
        version: Its version.
        energy_j: Sum in joules as the tool adds it up; None when a part of that sum is
            missing.
        stated_j: The same sum as the tool stated it, zeros and all.
        parts: Joules by domain (gpu, cpu, dram, soc); None for a domain that the tool
            names and has nothing for.
        mode: How the tool says that it got them.
        cpu_s: Processor seconds of the process that ran the tool, over the window and
            with the processes that it started; None when it shared its process.
        reason: Why there is no figure, or what is missing from it.
    """

    tool: str
    version: str
    energy_j: float | None = None
    stated_j: float | None = None
    parts: dict[str, float | None] = Field(default_factory=dict)
    mode: str = ""
    cpu_s: float | None = None
    reason: str | None = None


class CrossCheck(Protocol):
    """Another tool that measures the windows which we measure."""

    name: str

    def open(self) -> None:
        """Load the tool and let it find its meters.

        Raises:
            ProbeUnavailable: It is not installed, or finds nothing to read.
        """
        ...

    def begin(self) -> None:
        """Begin a window; what fails here is the reason in the Figure of `end`."""
        ...

    def end(self) -> Figure:
        """End the window; None with a reason where the tool has nothing to say."""
        ...

    def close(self) -> None:
        """Let the tool go; harmless when it was never opened, and when repeated."""
        ...
