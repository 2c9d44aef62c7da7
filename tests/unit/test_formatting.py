import pytest

from reports.formatting import (
    energy,
    percent,
    printable,
    scale_for,
    significant,
    times,
    with_spread,
)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.1514, "0.151"),
        (5.554, "5.55"),
        (0.0023, "0.00230"),
        (9.999, "10.0"),
        (12345.0, "12300"),
        (0.0, "0"),
        (None, "-"),
        (float("inf"), "-"),
        (1.234e-9, "1.23e-09"),
    ],
)
def test_three_digits_matter(value: float | None, text: str) -> None:
    assert significant(value) == text


def test_a_spread_has_the_decimals_of_its_value() -> None:
    assert with_spread(0.151, 0.0042) == "0.151 ± 0.004"
    assert with_spread(0.151, None) == "0.151"


def test_a_small_spread_is_not_written_as_zero() -> None:
    assert with_spread(0.151, 0.00004) == "0.151 ± 0.00004"


def test_the_unit_suits_the_largest_entry() -> None:
    assert scale_for([0.000002, 0.012, None]) == (1e-3, "m")
    assert scale_for([0.9999]) == (1.0, "")
    assert scale_for([]) == (1.0, "")
    assert energy(0.0000421) == "42.1 uJ"
    assert energy(None) == "-"


def test_ratios_and_shares_are_said_in_words() -> None:
    assert times(8.31) == "8.3 times"
    assert percent(0.99) == "99 %"


def test_text_of_others_cannot_steer_a_terminal() -> None:
    assert printable("a\x1b[31m\nb") == "a [31m b"
