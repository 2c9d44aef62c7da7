"""Amounts for people: one unit for a figure and its ends, and what to say of none."""

from collections.abc import Sequence
from typing import NamedTuple

from reports.formatting import MISSING, percent, significant
from reports.page.blocks import Table
from reports.sustainability.figures import Figure


class Scale(NamedTuple):
    """Multiples of a unit, the largest first: what to divide by, and the name."""

    sizes: tuple[tuple[float, str], ...]

    def of(self, value: float) -> tuple[float, str]:
        """The largest multiple that the value reaches; the smallest if none."""
        if value == 0:
            return next(size for size in self.sizes if size[0] == 1)
        reached = (s for s in self.sizes if abs(value) >= s[0] * 0.9995)
        return next(reached, self.sizes[-1])


KWH = Scale(((1e3, "MWh"), (1.0, "kWh"), (1e-3, "Wh"), (1e-6, "mWh"), (1e-9, "µWh")))
JOULES = Scale(((1e6, "MJ"), (1e3, "kJ"), (1.0, "J"), (1e-3, "mJ"), (1e-6, "µJ")))
GRAMS = Scale(
    ((1e6, "t CO2e"), (1e3, "kg CO2e"), (1.0, "g CO2e"), (1e-3, "mg CO2e"),
     (1e-6, "µg CO2e"), (1e-9, "ng CO2e"))
)  # fmt: skip
LITRES = Scale(((1e3, "m³"), (1.0, "L"), (1e-3, "mL"), (1e-6, "µL"), (1e-9, "nL")))
SECONDS = Scale(((3600.0, "h"), (60.0, "min"), (1.0, "s"), (1e-3, "ms"), (1e-6, "µs")))
SCALES = {"kWh": KWH, "J": JOULES, "g CO2e": GRAMS, "L": LITRES, "s": SECONDS}
PER_UNIT = {
    "item": (1e6, "million items"),
    "token": (1e6, "million tokens"),
    "FLOP": (1e18, "exaFLOP"),
    "training token": (1e6, "million training tokens"),
    "parameter": (1e9, "billion parameters"),
}
"""Functional units by so many that a figure can be read."""
MILLION = 1e6
MOST_ROWS = 250
"""Of a table: the page shows no more, the JSON and CSV have all."""


def scale_of(figures: Sequence[Figure], by: float = 1.0) -> tuple[float, str]:
    """One multiple for so many figures of one unit, chosen from the largest."""
    unit = figures[0].unit.partition("/")[0] if figures else ""
    values = [abs(figure.value) * by for figure in figures if figure.value is not None]
    return SCALES[unit].of(max(values, default=1.0)) if unit in SCALES else (1.0, unit)


def amount(figure: Figure, by: float = 1.0) -> str:
    """Value with its unit, such as `9.52 Wh`; a dash where it is missing."""
    if figure.value is None:
        return MISSING
    size, name = scale_of([figure], by)
    return f"{significant(figure.value * by / size)} {name}".strip()


def ends(figure: Figure, by: float = 1.0) -> str:
    """`7.76 to 33.0` in the unit of the value; a dash without a range."""
    if figure.value is None or figure.low is None or figure.high is None:
        return MISSING
    size, _ = scale_of([figure], by)
    low, high = (significant(end * by / size) for end in (figure.low, figure.high))
    return f"{low} to {high}"


def told(figure: Figure) -> str:
    """Value, range and what it lacks in one line; the reason where it is missing."""
    if figure.value is None:
        return f"not known: {figure.reason}"
    ranged = ends(figure)
    text = amount(figure) + (f" ({ranged})" if ranged != MISSING else "")
    return f"{text}, without what is not known" if figure.reason else text


def methods(figure: Figure) -> str:
    """How it came to be, such as `modelled x sourced`."""
    return " x ".join(figure.methods) or MISSING


def in_size(value: float | None, size: float, by: float = 1.0) -> str:
    """A value in a given multiple."""
    return significant(None if value is None else value * by / size)


def both(figure: Figure, size: float, by: float = 1.0) -> str:
    """Value and ends in a given multiple, such as `4.93 (1.20 to 6.33)`."""
    text = in_size(figure.value, size, by)
    if figure.value is None or figure.low is None or figure.high is None:
        return text
    return (
        f"{text} ({in_size(figure.low, size, by)} to {in_size(figure.high, size, by)})"
    )


def filled(table: Table) -> Table:
    """The table without columns in which no row says anything."""
    kept = [
        n
        for n in range(len(table.columns))
        if any(row[n] not in ("", MISSING) for row in table.rows)
    ]
    kept = kept or [0]
    return table.model_copy(
        update={
            "columns": tuple(table.columns[n] for n in kept),
            "rows": tuple(tuple(row[n] for n in kept) for row in table.rows),
        }
    )


def share(ratio: float | None) -> str:
    """A share in percent; a dash where it is missing."""
    return MISSING if ratio is None else percent(ratio)
