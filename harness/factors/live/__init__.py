"""Carbon intensity of a grid as a web service tells it now: one file a source.

Addresses stand in these files alone: a suite names a source, never a host. Access
tokens come from the environment and go to that host only.
"""

from typing import Protocol

from harness.factor import Factor

UNIT = "g CO2e/kWh"
MOMENT = "of one moment: a grid changes by the hour, and this is no yearly mean"


class LiveIntensity(Protocol):
    """A web service that knows how clean a grid is now."""

    def zone(self, place: str, named: str | None = None) -> str:
        """What the service calls a place.

        Args:
            place: Our code, such as GBR or USA-CA.
            named: The user's word for what the service calls it.

        Raises:
            UsageError: The service is not known to cover the place.
        """
        ...

    def intensity(self, place: str, named: str | None = None) -> Factor:
        """Carbon intensity of the grid now, in g CO2e/kWh.

        Raises:
            UsageError: The service is not known to cover the place, or there is no
                token for it.
            FactorUnavailable: It cannot be asked, or tells nothing believable.
        """
        ...
