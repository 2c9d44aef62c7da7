"""Codes of countries as web services write them."""

from harness.errors import UsageError


def two_letters(place: str) -> str | None:
    """ISO 3166 alpha-2 code of an alpha-3 code, FR of FRA; None of anything else."""
    import pycountry

    country = pycountry.countries.get(alpha_3=place)
    if country is None or country.alpha_3 != place:  # it takes any case of letters
        return None
    code: str = country.alpha_2
    return code


def refused(service: str, place: str, hint: str) -> UsageError:
    """A place that a service is not asked for."""
    return UsageError(f"{service} is not known to cover the place {place!r}", hint=hint)
