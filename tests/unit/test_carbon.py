"""Grams from joules, with place, year and source."""

import pytest

from harness.carbon import emissions, intensity
from harness.errors import UsageError


def test_a_known_place_has_value_year_and_source() -> None:
    factor = intensity("FRA")

    assert factor.value == pytest.approx(56.039)
    assert factor.year == 2023
    assert "Our World in Data" in factor.source


@pytest.mark.parametrize("place", ["FRX", "fra", "", "world", "France"])
def test_an_unknown_place_is_an_error_never_the_worlds_mean(place: str) -> None:
    with pytest.raises(UsageError, match="no grid intensity"):
        intensity(place)


def test_a_countrys_name_suggests_its_code() -> None:
    with pytest.raises(UsageError, match="'FRA'"):
        intensity("France")


def test_a_two_letter_code_suggests_the_three_letter_one() -> None:
    with pytest.raises(UsageError, match="'GBR'"):
        intensity("GB")


def test_one_kilowatt_hour_emits_the_intensity_times_pue() -> None:
    carbon = emissions(3_600_000.0, intensity("FRA"), 1.5)

    assert carbon.co2e_g == pytest.approx(56.039 * 1.5)
    assert (carbon.place, carbon.year) == ("FRA", 2023)


def test_unknown_joules_emit_an_unknown_amount() -> None:
    carbon = emissions(None, intensity("FRA"), 1.0)

    assert carbon.co2e_g is None
    assert carbon.reason


def test_no_place_is_no_carbon_with_a_reason() -> None:
    assert "names no place" in (emissions(1.0, None, 1.0).reason or "")
