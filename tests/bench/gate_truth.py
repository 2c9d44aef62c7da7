"""The gate on simulated rounds whose truth is known: false alarms, and what it catches.

`make gate-truth` writes docs/measured/gate.md. Joules are log-normal; each cell is a
share of gates that fail, beside what projects usually do: one run, or two means, and
an alarm above 5 %.
"""

import math
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from reports.gating.rule import Margin, as_family, of_rounds, verdict

Array = np.ndarray[Any, Any]
PAGE = Path(__file__).parents[2] / "docs" / "measured" / "gate.md"
TRIALS = 1500
FAMILIES = 300
FAMILY = 20
CELLS = ((0.01, 5), (0.03, 5), (0.08, 5), (0.08, 10))
DELTA = 0.05
HEAD = """# The gate, measured

Share of gates that fail on simulated log-normal joules, delta 5 %, alpha 5 %: what is
usual and the gate's own code without a change, then the gate with one ({trials} gates a
cell, seeded; `make gate-truth`). A change of exactly delta is caught by any such rule
about half of the time.

| spread, n a side | one run > 5 % | means > 5 % | the gate | +10 % | +20 % |
|---|--:|--:|--:|--:|--:|
"""
Rule = Callable[[Array, Array], bool]


def one_run(baseline: Array, candidate: Array) -> bool:
    """The first run of each."""
    return bool(candidate[0] > baseline[0] * (1 + DELTA))


def means(baseline: Array, candidate: Array) -> bool:
    """Means of all runs."""
    return bool(candidate.mean() > baseline.mean() * (1 + DELTA))


def gate(baseline: Array, candidate: Array) -> bool:
    """The gate's rule on one row."""
    (found,) = as_family([of_rounds(baseline.tolist(), candidate.tolist())], 0.05)
    return verdict(found, 1.0, Margin(DELTA)) == "regressed"


def drawn(rng: np.random.Generator, spread: float, shape: Sequence[int]) -> Array:
    """Log-normal joules of a coefficient of variation."""
    scale = math.sqrt(math.log1p(spread**2))
    return np.exp(rng.normal(0.0, scale, shape))


def rate(rule: Rule, spread: float, rounds: int, ratio: float) -> float:
    """Share of gates that fail."""
    rng = np.random.default_rng(7)
    sides = drawn(rng, spread, (TRIALS, 2, rounds))
    return sum(rule(old, ratio * new) for old, new in sides) / TRIALS


def any_false(spread: float, rounds: int) -> float:
    """Share of gates of many unchanged rows in which any row fails."""
    rng = np.random.default_rng(8)
    failed = 0
    for _ in range(FAMILIES):
        sides = drawn(rng, spread, (FAMILY, 2, rounds))
        family = [of_rounds(old.tolist(), new.tolist()) for old, new in sides]
        found = as_family(family, 0.05)
        failed += any(verdict(f, 1.0, Margin(DELTA)) == "regressed" for f in found)
    return failed / FAMILIES


def main() -> None:
    """Write the page."""
    text = HEAD.format(trials=TRIALS)
    for spread, rounds in CELLS:
        usual = [rate(rule, spread, rounds, 1.0) for rule in (one_run, means)]
        ours = [rate(gate, spread, rounds, ratio) for ratio in (1.0, 1.1, 1.2)]
        cells = " | ".join(f"{share:.1%}" for share in usual + ours)
        text += f"| {spread:.0%}, {rounds} | {cells} |\n"
        sys.stderr.write(f"{spread:.0%}, {rounds}: {cells}\n")
    false = any_false(0.08, 5)
    text += (
        f"\nOf gates of {FAMILY} unchanged rows at 8 % and 5 rounds, {false:.1%} have "
        f"any false regression ({FAMILIES} gates).\n"
    )
    PAGE.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
