"""Marginal intensity of a region by WattTime, with the user's account.

API v3: `GET /login` with name and password answers a `token` of 30 minutes;
`GET /v3/forecast?region=&signal_type=co2_moer` answers `data[0].value`
and `.point_time`, and `meta.units`, `lbs_co2_per_mwh`. MOER is of the plants that
answer to more load: it is no mean, and is never used as one. Without a plan only the
region CAISO_NORTH answers.
"""

import os
from collections.abc import Mapping
from datetime import UTC, datetime

from harness.errors import EvidenceError, UsageError
from harness.factor import Factor
from harness.factors import asking
from harness.factors.codecarbon_grid import LB_PER_MWH_IN_G_PER_KWH

NAME = "WattTime"
BASE = "https://api.watttime.org"
USER, PASSWORD = "WATTTIME_USERNAME", "WATTTIME_PASSWORD"
SIGNAL = "co2_moer"
UNITS = "lbs_co2_per_mwh"
MOST_LB_PER_MWH = 7_000.0
HINT = "site: {place: USA-CA, marginal: watttime, zone: CAISO_NORTH}"


def fetch(
    place: str,
    zone: str | None = None,
    *,
    base: str = BASE,
    environ: Mapping[str, str] = os.environ,
) -> Factor:
    """Marginal intensity now.

    Raises:
        UsageError: No region or no account was given.
        EvidenceError: It does not answer, or nothing that can be believed.
    """
    if zone is None:
        raise UsageError(f"{NAME}: its region of {place} is not named", hint=HINT)
    account = tuple(asking.secret(NAME, name, environ) for name in (USER, PASSWORD))
    secrets = f"{USER} and {PASSWORD}"
    login = asking.Request(
        NAME, f"{base}/login", basic=(account[0], account[1]), secret=secrets
    )
    token = asking.dug(NAME, asking.answer(login), "token")
    if not (isinstance(token, str) and token.isascii() and token.isprintable()):
        raise EvidenceError(f"{NAME}: answers no token")
    asked = {"region": zone, "signal_type": SIGNAL}
    request = asking.Request(
        NAME, f"{base}/v3/forecast", params=asked, bearer=token, secret=secrets
    )
    data = asking.answer(request)
    units = asking.dug(NAME, data, "meta", "units")
    if units != UNITS:
        raise EvidenceError(f"{NAME}: answers in {str(units)[:40]!r}, not in {UNITS}")
    at = asking.moment(NAME, asking.dug(NAME, data, "data", 0, "point_time"))
    pounds = asking.dug(NAME, data, "data", 0, "value")
    value = asking.believed(NAME, pounds, low=0.0, high=MOST_LB_PER_MWH)
    return Factor(
        name=f"marginal intensity {place}",
        value=value * LB_PER_MWH_IN_G_PER_KWH,
        unit="g CO2/kWh",
        year=at.year,
        source=f"{NAME} API v3, {SIGNAL}, region {zone}, {at:%Y-%m-%dT%H:%MZ}",
        licence="terms of your WattTime plan",
        place=place,
        marginal=True,
        retrieved_utc=datetime.now(UTC).isoformat(timespec="seconds"),
        caveats=("marginal (MOER): not a mean, never summed or compared with one",),
    )
