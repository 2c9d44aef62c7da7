"""Electricity Maps: mean life-cycle intensity of what a zone consumes.

app.electricitymaps.com/docs and its API reference: `GET /v4/carbon-intensity/latest`
with `zone`, `emissionFactorType`, `temporalGranularity` and the header `auth-token`
answers `zone`, `carbonIntensity` (g CO2eq/kWh), `datetime`, `emissionFactorType`,
`isEstimated`, `estimationMethod` at the root. Without a known zone it would take that
of the caller's address: `disableCallerLookup` forbids it; the zone told is compared.
Terms of 24 March 2026: free for personal and academic use, commercial use needs a
subscription, the source is to be named. Zones of countries are two-letter codes; which
countries have only parts (the United States, Japan) is not listed here: the service
says so when it is asked. Read in documentation and clients; not tried with a token.
"""

from collections.abc import Callable
from datetime import UTC, datetime

from harness.factor import Factor
from harness.factors.live import MOMENT, UNIT
from harness.factors.live.access import secret
from harness.factors.live.answer import Answer, plain, stamp
from harness.factors.live.web import Host, Question, ask
from harness.factors.live.zones import refused, two_letters

NAME = "Electricity Maps"
URL = "https://api.electricitymaps.com"
VARIABLE = "ELECTRICITY_MAPS_API_KEY"
PORTAL = "a key of app.electricitymaps.com; a free one is for one zone"


class ElectricityMaps:
    """The latest hour of a country or of a zone that is named.

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
        access = f"is {VARIABLE} right, and good for this zone? {PORTAL}"
        coverage = "it may know only parts of this country: name one as site.zone"
        self._host = Host(NAME, url, access, coverage, timeout_s)
        self._now = now

    def zone(self, place: str, named: str | None = None) -> str:
        """The zone that was named, else the two-letter code of a country.

        Raises:
            UsageError: The place is not a country, and no zone is named.
        """
        found = named or two_letters(place)
        if found is None:
            raise refused(NAME, place, "name one of its zones as site.zone")
        return found

    def intensity(self, place: str, named: str | None = None) -> Factor:
        """Mean intensity of the latest hour.

        Raises:
            UsageError: There is no zone, or no key.
            FactorUnavailable: It cannot be asked, or tells nothing believable.
        """
        zone = self.zone(place, named)
        answer = ask(
            self._host,
            Question(
                "/v4/carbon-intensity/latest",
                query={
                    "zone": zone,
                    "emissionFactorType": "lifecycle",
                    "temporalGranularity": "hourly",
                    "disableCallerLookup": "true",
                },
                headers={"auth-token": secret(NAME, VARIABLE, PORTAL)},
            ),
        )
        answer.expect(zone, "zone")
        answer.expect("lifecycle", "emissionFactorType")
        now = self._now()
        hour = answer.time("datetime", now=now)
        return Factor(
            name=f"grid intensity {place}",
            value=answer.intensity_g_per_kwh("carbonIntensity"),
            unit=UNIT,
            year=hour.year,
            source=f"{NAME} API v4, {zone}, hour of {stamp(hour)}",
            licence="terms of ElectricityMaps.com: personal and academic use are free, "
            "commercial use needs a subscription",
            place=place,
            retrieved_utc=now.isoformat(timespec="seconds"),
            caveats=_caveats(answer, zone),
        )


def _caveats(answer: Answer, zone: str) -> tuple[str, ...]:
    found = [MOMENT]
    if answer.find("isEstimated") is not False:
        method = answer.find("estimationMethod")
        how = f" ({plain(method)})" if isinstance(method, str) else ""
        found.append(f"estimated by {NAME}, not measured{how}")
    if zone == "GB":
        found.append("Great Britain without Northern Ireland")
    return tuple(found)
