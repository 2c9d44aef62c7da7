"""A live source of tests: the British service's protocol at an address of the test."""

import os

from harness.factors.live.uk_carbon_intensity import UkCarbonIntensity


class TroubleGrid(UkCarbonIntensity):
    """Asks the loopback server that a test has started."""

    def __init__(self) -> None:
        super().__init__(os.environ["TROUBLE_GRID_URL"], timeout_s=5.0)
