"""Carbon Intensity API of the National Energy System Operator, for Great Britain.

carbon-intensity.github.io/api-definitions (version 2.0.0): `GET /intensity` without a
key answers the current half hour, `data[0].from`, `.to` and `.intensity.forecast`,
`.actual` in g CO2/kWh; `actual` is null before the half hour has been settled. The
definitions state the licence CC BY 4.0. Its home page, carbonintensity.org.uk:
emissions of generation only, imports and grid losses included. Read in documentation;
not tried against the service itself.
"""

from collections.abc import Callable
from datetime import UTC, datetime

from harness.factor import Factor
from harness.factors.live import MOMENT, UNIT
from harness.factors.live.answer import Answer, stamp
from harness.factors.live.web import LATER, Host, Question, ask
from harness.factors.live.zones import refused

NAME = "UK Carbon Intensity"
URL = "https://api.carbonintensity.org.uk"
DIRECT = (
    "emissions of generation alone, not of the life cycle of plants and fuels: lower "
    "than tables of life-cycle factors"
)
ZONES = {"GBR": "Great Britain"}


class UkCarbonIntensity:
    """The half hour of now; what was metered where it is known, else the forecast.

    Args:
        url: Another address, for tests.
        now: Tells the time.
        timeout_s: For the whole question.
    """

    def __init__(
        self,
        url: str = URL,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        timeout_s: float = 15.0,
    ) -> None:
        self._host = Host(NAME, url, LATER, LATER, timeout_s)
        self._now = now

    def zone(self, place: str, named: str | None = None) -> str:
        """The only zone there is.

        Raises:
            UsageError: Any place but GBR as a whole.
        """
        if place not in ZONES or named is not None:
            raise refused(NAME, named or place, "it covers GBR alone, as a whole")
        return ZONES[place]

    def intensity(self, place: str, named: str | None = None) -> Factor:
        """Mean intensity of the current half hour.

        Raises:
            UsageError: The place is not GBR.
            FactorUnavailable: It cannot be asked, or tells nothing believable.
        """
        zone = self.zone(place, named)
        question = Question("/intensity", headers={"Accept": "application/json"})
        answer = ask(self._host, question)
        now = self._now()
        start = answer.time("data", 0, "from", now=now)
        kind = "forecast" if _open(answer) else "actual"
        caveats = [
            DIRECT,
            MOMENT,
            "Great Britain without Northern Ireland",
        ]
        if kind == "forecast":
            caveats.append("a forecast: the half hour is not settled yet")
        return Factor(
            name=f"grid intensity {place}",
            value=answer.intensity_g_per_kwh("data", 0, "intensity", kind),
            unit=UNIT,
            year=start.year,
            source=f"{NAME} API v2, {zone}, {kind} of {stamp(start)}",
            licence="CC BY 4.0 (National Energy System Operator)",
            place=place,
            retrieved_utc=now.isoformat(timespec="seconds"),
            caveats=tuple(caveats),
        )


def _open(answer: Answer) -> bool:
    """Whether the half hour has no metered value yet."""
    return answer.find("data", 0, "intensity", "actual") is None
