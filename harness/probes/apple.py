"""Apple silicon: the processor's own energy model, by zeus-apple-silicon.

The counters of IOReport's group "Energy Model" are in joules and look like a meter, but
Apple's powermetrics(1) calls its figures estimated, and zeus-apple-silicon takes them
to come from utilisation, frequency and voltage: modelled, tier D. Processor, GPU,
memory and neural engine stand beside each other. Whether the GPU's figure holds that of
its memory (SRAM) is not documented; it is taken to, so that nothing counts twice.
"""

import sys
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from harness.errors import ProbeUnavailable
from harness.readings import Channel, Provenance, Quantity

MILLI = 1e-3
MODEL_ERROR = 0.4
"""Apple states no accuracy; the project's default for models."""
PARTS: Mapping[str, tuple[str, str | None]] = {
    "cpu_total_mj": ("cpu", None),
    "gpu_mj": ("gpu", None),
    "gpu_sram_mj": ("gpu", "apple-gpu"),
    "dram_mj": ("dram", None),
    "ane_mj": ("other", None),
}
"""Field of the library: domain, and the device that contains it."""


class AppleProbe:
    """Modelled energy of the parts of an Apple chip."""

    name = "apple"

    def __init__(self, library: Any = None, platform: str = sys.platform) -> None:
        """Name the roots.

        Args:
            library: A module with zeus_apple_silicon's classes; that one by default.
            platform: What sys.platform says.
        """
        self._library = library
        self._platform = platform
        self._monitor: Any = None
        self._fields: dict[str, str] = {}

    def open(self) -> Sequence[Channel]:
        """Subscribe to the energy model and take what it answers.

        Raises:
            ProbeUnavailable: Not a Mac, no library, or a chip without the model.
        """
        self.close()
        if self._platform != "darwin":
            raise ProbeUnavailable("not a Mac", hint="Apple silicon is needed")
        if self._library is None:
            self._library = imported()
        try:
            self._monitor = self._library.AppleEnergyMonitor()
            told = self._monitor.get_cumulative_energy()
        except (RuntimeError, AttributeError) as error:
            raise ProbeUnavailable(
                f"the energy model does not answer: {error}",
                hint="Apple silicon and zeus-apple-silicon >= 1.1 are needed",
            ) from error
        fields = [f for f in PARTS if getattr(told, f, None) is not None]
        found = [_channel(field) for field in fields]
        self._fields = {c.name: f for c, f in zip(found, fields, strict=True)}
        if not found:
            raise ProbeUnavailable(
                "the energy model tells nothing of this chip",
                hint="pip install --upgrade zeus-apple-silicon",
            )
        return found

    def read(self, names: Collection[str] | None = None) -> Mapping[str, float | None]:
        """Joules since an instant that stays the same while the probe is open."""
        wanted = [n for n in self._fields if names is None or n in names]
        if not wanted:
            return {}
        try:
            told = self._monitor.get_cumulative_energy()
        except RuntimeError:
            return dict.fromkeys(wanted)
        return {name: _joules(getattr(told, self._fields[name])) for name in wanted}

    def close(self) -> None:
        """Let the subscription go."""
        self._monitor = None
        self._fields = {}


def imported() -> Any:
    """The library.

    Raises:
        ProbeUnavailable: It is not installed.
    """
    try:
        import zeus_apple_silicon
    except ImportError as error:
        raise ProbeUnavailable(
            f"zeus-apple-silicon cannot be imported: {error}",
            hint="pip install 'joulebench[apple]'",
        ) from error
    return zeus_apple_silicon


def _joules(energy_mj: int | None) -> float | None:
    return None if energy_mj is None else energy_mj * MILLI


def _channel(field: str) -> Channel:
    domain, inside = PARTS[field]
    part = field.removesuffix("_mj").removesuffix("_total")
    return Channel(
        name=f"apple/{part}/energy_j",
        domain=domain,
        device=f"apple-{part.replace('_', '-')}",
        quantity=Quantity.ENERGY_J,
        kind="counter",
        provenance=Provenance.MODELLED,
        source=f"apple.{field}",
        tier="D",
        inside=inside,
        relative_error=MODEL_ERROR,
        note="Apple's energy model (IOReport), not an instrument",
    )
