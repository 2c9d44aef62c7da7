"""How many trials tell a true 5 % apart: sequential against fixed n, by simulation.

`make sequential` writes docs/measured/sequential.md; a few seconds.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from harness.sequential import interval, is_narrow
from harness.stats import log_t_interval

PAGE = Path(__file__).parents[2] / "docs" / "measured" / "sequential.md"
SPREADS = (0.005, 0.01, 0.02, 0.03)
GAIN = 0.05
TARGET = 0.02
FIRST, LAST = 3, 16
PAIRS = 2000
POWER = 0.9


@dataclass(frozen=True)
class Row:
    """One spread of J/item between rounds, as a ratio."""

    spread_ratio: float
    fixed: int
    sequential: float
    told_apart: float
    coverage: float

    @property
    def saved_ratio(self) -> float:
        """Share of the joules saved against a fixed number planned for the worst."""
        return 1 - self.sequential / worst_fixed()


def stops(values: NDArray[np.float64]) -> int:
    """Rounds after which a configuration stops."""
    for n in range(FIRST, LAST):
        if is_narrow(values[:n].tolist(), TARGET, FIRST, LAST):
            return n
    return LAST


def draws(spread: float) -> NDArray[np.float64]:
    """J/item [pairs, 2, rounds]: the second configuration uses 5 % less."""
    generator = np.random.default_rng(round(spread * 1e4))
    noise = generator.normal(0.0, spread, (PAIRS, 2, 40))
    noise[:, 1] += np.log(1 - GAIN)
    found: NDArray[np.float64] = np.exp(noise)
    return found


def fixed_rounds(spread: float) -> int:
    """Fewest rounds of which 90 % of the pairs have intervals that do not meet."""
    pairs = draws(spread)
    for n in range(2, pairs.shape[2]):
        apart = 0
        for first, second in pairs[:400, :, :n].tolist():
            a, b = log_t_interval(first), log_t_interval(second)
            apart += a is not None and b is not None and b[1] < a[0]
        if apart >= POWER * 400:
            return n
    return int(pairs.shape[2])


def worst_fixed() -> int:
    """Rounds of a plan that does not know the spread beforehand."""
    return max(fixed_rounds(spread) for spread in SPREADS)


def row(spread: float) -> Row:
    """Simulate all pairs of one spread."""
    rounds = apart = covered = 0
    for first, second in draws(spread):
        n, m = stops(first), stops(second)
        a = interval(first[:n].tolist(), FIRST, LAST)
        b = interval(second[:m].tolist(), FIRST, LAST)
        assert a is not None
        assert b is not None
        rounds += n + m
        apart += b[1] < a[0]
        covered += a[0] <= 1.0 <= a[1]
    return Row(
        spread_ratio=spread,
        fixed=fixed_rounds(spread),
        sequential=rounds / PAIRS / 2,
        told_apart=apart / PAIRS,
        coverage=covered / PAIRS,
    )


HEAD = """\
# Trials that tell a true 5 % apart

Simulated by `make sequential`: {pairs} pairs of configurations whose J/item differ by
{gain:.0%}, log-normal between rounds, under
`rounds: {{min: {first}, max: {last}, target_ci: {target:.0%}}}`.
*Fixed n* is the fewest rounds with which {power:.0%} of the pairs have 95 % intervals
that do not meet, for one who knows the spread beforehand. *Saved* is against the
{worst} rounds of one who does not, and plans for the largest spread.

| spread of J/item | fixed n | mean n | told apart | interval holds the truth | saved |
|--:|--:|--:|--:|--:|--:|
"""
FOOT = """
Each look uses one higher level, so that the interval that one stops with keeps 95 %
(harness/sequential.py). *Fixed n* has plain intervals; both ask that the two do not
meet.
"""


def page(rows: list[Row]) -> str:
    """The result in Markdown."""
    head = HEAD.format(
        pairs=PAIRS,
        gain=GAIN,
        first=FIRST,
        last=LAST,
        target=TARGET,
        power=POWER,
        worst=worst_fixed(),
    )
    lines = [
        f"| {r.spread_ratio:.1%} | {r.fixed} | {r.sequential:.1f} | {r.told_apart:.0%} "
        f"| {r.coverage:.1%} | {r.saved_ratio:.0%} |\n"
        for r in rows
    ]
    return head + "".join(lines) + FOOT


if __name__ == "__main__":
    PAGE.write_text(page([row(spread) for spread in SPREADS]), encoding="utf-8")
