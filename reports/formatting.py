"""How numbers are written for people: three digits, one unit, no false zeros."""

import math
from collections.abc import Iterable

SCALES = ((1e6, "M"), (1e3, "k"), (1.0, ""), (1e-3, "m"), (1e-6, "u"), (1e-9, "n"))
MISSING = "-"


def significant(value: float | None, digits: int = 3) -> str:
    """Value with so many significant digits; a dash where it is missing."""
    if value is None or not math.isfinite(value):
        return MISSING
    if value == 0:
        return "0"
    rounded = float(f"{value:.{digits - 1}e}")
    exponent = math.floor(math.log10(abs(rounded)))
    if not -6 < exponent < 9:
        return f"{value:.{digits - 1}e}"
    return f"{rounded:.{max(0, digits - 1 - exponent)}f}"


def with_spread(value: float | None, half: float | None) -> str:
    """Value and half-width of its interval with the same decimals."""
    text = significant(value)
    if half is None or text == MISSING or not math.isfinite(half):
        return text
    decimals = len(text.partition(".")[2]) if "e" not in text else 0
    spread = f"{half:.{decimals}f}"
    if half > 0 and float(spread) == 0:
        spread = significant(half, 1)
    return f"{text} ± {spread}"


def scale_for(values: Iterable[float | None]) -> tuple[float, str]:
    """Factor and prefix of the one unit that suits the largest of the values.

    Returns:
        (size, prefix): divide by size and write the prefix before the unit.
    """
    known = [abs(v) for v in values if v is not None and math.isfinite(v)]
    largest = max(known, default=1.0)
    if largest == 0:
        return 1.0, ""
    for size, prefix in SCALES:
        if float(f"{largest:.2e}") >= size:
            return size, prefix
    return SCALES[-1]


def energy(energy_j: float | None) -> str:
    """Joules in the unit that suits them, such as `151 mJ`."""
    if energy_j is None or not math.isfinite(energy_j):
        return MISSING
    size, prefix = scale_for([energy_j])
    return f"{significant(energy_j / size)} {prefix}J"


def times(ratio: float) -> str:
    """A ratio of two magnitudes in words, such as `8.3 times`."""
    return f"{significant(ratio, 2 if ratio >= 2 else 3)} times"


def percent(ratio: float) -> str:
    """A share in percent with up to three digits, such as `12.5 %`."""
    return f"{ratio * 100:.3g} %"


def unformulated(text: str) -> str:
    """Text that no spreadsheet takes for a formula (OWASP, CSV injection)."""
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text


def printable(text: str) -> str:
    """Text of others on one line, without characters that steer a terminal."""
    return "".join(c if c.isprintable() else " " for c in text).strip()
