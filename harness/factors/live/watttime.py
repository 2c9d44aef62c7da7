"""WattTime: marginal intensity, of the plants that answer to one more kilowatt-hour.

docs.watttime.org (API v3): `GET /login` with basic authentication answers a `token` for
30 minutes; `GET /v3/forecast` with `region`, `signal_type=co2_moer`, `horizon_hours=0`
and `Authorization: Bearer` answers `data[0].value`, `.point_time` and `meta.region`,
`.signal_type`, `.units` (`lbs_co2_per_mwh`), `.model.date`, `.warnings`; its guide from
v2 names that first point of the forecast as the value of now. Without a subscription
only the region CAISO_NORTH is told; 429 above 3,000 questions in 5 minutes, 100 logins.
A mean, `co2_aoer`, is told for the past alone, and is not asked for here. Regions that
are whole countries are those of the Green Software Foundation's table of cloud regions
(column `wt-region-id`); others must be named. Not tried with an account.
"""

from collections.abc import Callable
from datetime import UTC, datetime

from harness.factor import Factor
from harness.factors.live import MOMENT, UNIT
from harness.factors.live.access import secret
from harness.factors.live.answer import Answer, plain, stamp
from harness.factors.live.web import Host, Question, ask
from harness.factors.live.zones import refused

NAME = "WattTime"
URL = "https://api.watttime.org"
USER, PASSWORD = "WATTTIME_USER", "WATTTIME_PASSWORD"
ACCOUNT = "an account of watttime.org whose plan covers the region"
SIGNAL = "co2_moer"
UNITS = "lbs_co2_per_mwh"
G_PER_KWH_OF_LB_PER_MWH = 0.45359237
"""A pound is 453.59237 g, a megawatt-hour 1,000 kWh."""
MARGINAL = (
    "marginal: of the plants that answer to more load, not the mean of the grid; not "
    "to be summed or compared with a mean"
)
MOST_WARNINGS = 3
REGIONS = {
    "ARE": "ARE",
    "BEL": "BE",
    "BHR": "BHR",
    "BRA": "BRA",
    "CHE": "CH",
    "CHL": "CHL",
    "CHN": "CHN",
    "DEU": "DE",
    "ESP": "ES",
    "FIN": "FI",
    "FRA": "FR",
    "GBR": "UK",
    "HKG": "HKG",
    "IDN": "IDN",
    "IND": "IND",
    "IRL": "IE",
    "ISR": "ISR",
    "ITA": "IT",
    "KOR": "KOR",
    "NLD": "NL",
    "POL": "PL",
    "SAU": "SAU",
    "SGP": "SGP",
    "SWE": "SE",
    "TWN": "TWN",
    "ZAF": "ZAF",
}


class WattTimeMarginal:
    """The marginal operating emissions rate of now.

    Args:
        url: Another address, for tests.
        now: Tells the time.
        timeout_s: For each of the two questions.
    """

    def __init__(
        self,
        url: str = URL,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        timeout_s: float = 15.0,
    ) -> None:
        access = f"are {USER} and {PASSWORD} right? {ACCOUNT}"
        self._host = Host(NAME, url, access, ACCOUNT, timeout_s)
        self._now = now

    def zone(self, place: str, named: str | None = None) -> str:
        """The region that was named, else that of a country.

        Raises:
            UsageError: It is not known to be one region, and none is named.
        """
        found = named or REGIONS.get(place)
        if found is None:
            raise refused(NAME, place, "name one of its regions as site.zone")
        return found

    def intensity(self, place: str, named: str | None = None) -> Factor:
        """Marginal intensity of now.

        Raises:
            UsageError: There is no region, or no account.
            FactorUnavailable: It cannot be asked, or tells nothing believable.
        """
        region = self.zone(place, named)
        query = {"region": region, "signal_type": SIGNAL, "horizon_hours": "0"}
        headers = {"Authorization": f"Bearer {self._token()}"}
        answer = ask(self._host, Question("/v3/forecast", query, headers))
        answer.expect(region, "meta", "region")
        answer.expect(SIGNAL, "meta", "signal_type")
        answer.expect(UNITS, "meta", "units")
        now = self._now()
        moment = answer.time("data", 0, "point_time", now=now)
        model = answer.find("meta", "model", "date")
        of_model = f", model of {plain(model)}" if isinstance(model, str) else ""
        value = answer.intensity_g_per_kwh(
            "data", 0, "value", g_per_kwh_of_unit=G_PER_KWH_OF_LB_PER_MWH
        )
        return Factor(
            name=f"marginal grid intensity {place}",
            value=value,
            unit=UNIT,
            year=moment.year,
            source=f"{NAME} API v3, marginal ({SIGNAL}), {region}, "
            f"{stamp(moment)}{of_model}",
            licence="proprietary, by the plan of the account (watttime.org)",
            place=place,
            marginal=True,
            retrieved_utc=now.isoformat(timespec="seconds"),
            caveats=(
                MARGINAL,
                MOMENT,
                "CO2 alone, without other greenhouse gases",
                *_warnings(answer),
            ),
        )

    def _token(self) -> str:
        user = secret(NAME, USER, ACCOUNT)
        password = secret(NAME, PASSWORD, ACCOUNT)
        answer = ask(self._host, Question("/login", login=(user, password)))
        token = answer.find("token")
        if isinstance(token, str) and token.isascii() and token.isprintable() and token:
            return token
        raise answer.fault("it holds no token")


def _warnings(answer: Answer) -> tuple[str, ...]:
    told = answer.find("meta", "warnings")
    messages = [
        warning.get("message")
        for warning in (told if isinstance(told, list) else [])[:MOST_WARNINGS]
        if isinstance(warning, dict)
    ]
    return tuple(f"{NAME}: {plain(m)}" for m in messages if isinstance(m, str))
