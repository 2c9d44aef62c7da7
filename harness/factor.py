"""Numbers that nobody measured here, with where they come from."""

from typing import Annotated

from pydantic import Field

from harness.noun import Noun

Amount = Annotated[float, Field(ge=0, allow_inf_nan=False)]
"""Finite and not negative: a file that says else is refused on reading."""


class Factor(Noun):
    """A number that we did not measure, with where it comes from.

    Attributes:
        name: What it is, such as `grid intensity FRA`.
        unit: Of the value and its range, such as `g CO2e/kWh`.
        low: Lower end of what its source, or several sources, hold possible.
        high: Upper end.
        year: That the number describes; None where its source names none.
        licence: Of the source.
        place: Where it holds: a code such as `FRA` or `USA-CA`; None if anywhere.
        package: Distribution that ships the number; None if the user's or fetched.
        package_version: Of that distribution.
        assumed: The user, or nobody, vouches for it: no source was named.
        marginal: Of the power plants that answer to more load, not of all: never to be
            summed or compared with a mean.
        retrieved_utc: When a live source was asked.
        caveats: What its source says against it, a sentence each.
    """

    name: str
    value: Amount
    unit: str
    year: int | None
    source: str
    licence: str
    low: Amount | None = None
    high: Amount | None = None
    place: str | None = None
    package: str | None = None
    package_version: str | None = None
    assumed: bool = False
    marginal: bool = False
    retrieved_utc: str | None = None
    caveats: tuple[str, ...] = ()

    @property
    def bounds(self) -> tuple[float, float]:
        """Lowest and highest value held possible; the value itself without a range."""
        low = self.value if self.low is None else self.low
        high = self.value if self.high is None else self.high
        return low, high
