"""Carbon intensity of a zone by Electricity Maps, with the user's token.

API v3, `GET /v3/carbon-intensity/latest?zone=FR`, header `auth-token`: answers `zone`,
`carbonIntensity` in g CO2e/kWh, `datetime`, `emissionFactorType`, `isEstimated`,
`estimationMethod`. The free plan holds one zone.
"""

import os
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from harness.errors import EvidenceError, UsageError
from harness.factor import Factor
from harness.factors import asking

NAME = "Electricity Maps"
BASE = "https://api.electricitymaps.com"
TOKEN = "ELECTRICITY_MAPS_TOKEN"  # noqa: S105 (the name of a variable)
HINT = "site: {place: FRA, intensity: electricity-maps, zone: FR}"


def fetch(
    place: str,
    zone: str | None = None,
    *,
    base: str = BASE,
    environ: Mapping[str, str] = os.environ,
) -> Factor:
    """Intensity of the latest hour, of consumption, by life cycle unless it says else.

    Raises:
        UsageError: No zone or no token was given.
        EvidenceError: It does not answer, or nothing that can be believed.
    """
    if zone is None:
        raise UsageError(f"{NAME}: its zone of {place} is not named", hint=HINT)
    token = asking.secret(NAME, TOKEN, environ)
    request = asking.Request(
        NAME,
        f"{base}/v3/carbon-intensity/latest",
        params={"zone": zone},
        headers={"auth-token": token},
        secret=TOKEN,
    )
    data = asking.answer(request)
    told = asking.dug(NAME, data, "zone")
    if told != zone:
        raise EvidenceError(f"{NAME}: answers for {str(told)[:40]!r}, not for {zone!r}")
    at = asking.moment(NAME, asking.dug(NAME, data, "datetime"))
    value = asking.believed(NAME, asking.dug(NAME, data, "carbonIntensity"))
    return Factor(
        name=f"grid intensity {place}",
        value=value,
        unit="g CO2e/kWh",
        year=at.year,
        source=f"{NAME} API v3, zone {zone}, {at:%Y-%m-%dT%H:%MZ}",
        licence="terms of your Electricity Maps plan",
        place=place,
        retrieved_utc=datetime.now(UTC).isoformat(timespec="seconds"),
        caveats=_caveats(data),
    )


def _caveats(data: Mapping[str, Any]) -> tuple[str, ...]:
    kind = data.get("emissionFactorType")
    estimated = data.get("isEstimated")
    method = data.get("estimationMethod")
    found = [f"emission factors: {asking.words(kind)}"] if kind else []
    if estimated:
        found.append(f"estimated, not measured ({asking.words(method)})")
    return tuple(found)
