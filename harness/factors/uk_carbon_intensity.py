"""Carbon intensity of Great Britain, by half hours, without any token.

Carbon Intensity API v2 (api.carbonintensity.org.uk), National Energy System Operator:
`/intensity` answers `data[0].intensity.forecast` and `.actual` in g CO2/kWh; `actual`
is null while the half hour is open.
"""

from datetime import UTC, datetime

from harness.errors import UsageError
from harness.factor import Factor
from harness.factors import asking

NAME = "UK Carbon Intensity"
BASE = "https://api.carbonintensity.org.uk"
PLACE = "GBR"
CAVEATS = (
    "CO2 of generation alone, no life cycle",
    "Great Britain without Northern Ireland",
)


def fetch(place: str, zone: str | None = None, *, base: str = BASE) -> Factor:
    """Intensity of the running half hour.

    Raises:
        UsageError: Of any place but GBR.
        EvidenceError: It does not answer, or nothing that can be believed.
    """
    if place != PLACE or zone is not None:
        raise UsageError(
            f"{NAME}: knows the place GBR as a whole, not {zone or place!r}",
            hint="site: {place: GBR, intensity: uk-carbon-intensity}",
        )
    data = asking.answer(asking.Request(NAME, f"{base}/intensity"))
    row = asking.dug(NAME, data, "data", 0)
    begun = asking.moment(NAME, asking.dug(NAME, row, "from"))
    told = asking.dug(NAME, row, "intensity")
    actual = told.get("actual") if isinstance(told, dict) else None
    word = "forecast" if actual is None else "actual"
    value = asking.believed(NAME, asking.dug(NAME, told, word))
    return Factor(
        name=f"grid intensity {place}",
        value=value,
        unit="g CO2e/kWh",
        year=begun.year,
        source=f"{NAME} API v2, {word} of the half hour from {begun:%Y-%m-%dT%H:%MZ}",
        licence="CC BY 4.0",
        place=place,
        retrieved_utc=datetime.now(UTC).isoformat(timespec="seconds"),
        caveats=CAVEATS,
    )
