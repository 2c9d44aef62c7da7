"""Verdicts on simulated rounds of many configurations, with and without moderation.

Part of the page of `tests.bench.ranking_truth`. Only joules are simulated: each round
has an effect of its own that all configurations share.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from reports.differences import holm, p_values
from reports.evidence import Evidence
from reports.pairs import ALPHA, better_counts
from reports.rows import Row, row_of, tried
from tests.unit.test_ranking import trial

Array = np.ndarray[Any, Any]
SIZES = (6, 23)
ROUNDS = (3, 5, 10)
ROUND_SPREAD = 0.05
SPREADS: dict[str, tuple[float, ...]] = {
    "2 %": (0.02,),
    "1 or 3 %": (0.01, 0.03),
    "0.5 or 5 %": (0.005, 0.05),
}
"""Of each configuration's own rounds, in turn."""
ROWS: list[Row] = [row_of(tried([trial(f"p{k}", 1.0)])) for k in range(max(SIZES))]


def moderated(scores: Array) -> tuple[int, int]:
    """How many pairs are told apart, and how many fall behind the first.

    By the project's own tests.
    """
    evidence = {
        row.key: Evidence(
            rounds=tuple(("", number) for number in range(len(own))),
            cost_j=tuple(np.exp(-own)),
            item_j=tuple(np.exp(-own)),
            item_s=(1.0,) * len(own),
            accuracies=(1.0,) * len(own),
            n=1,
            answers=None,
        )
        for row, own in zip(ROWS, scores, strict=False)
    }
    counts = better_counts(ROWS[: len(scores)], evidence, "energy")
    assert counts is not None
    return sum(counts[0]), counts[1][0]


def alone(scores: Array) -> tuple[int, int]:
    """The same where each pair knows its own spread only."""
    one, two = np.triu_indices(len(scores), 1)
    difference = scores[one] - scores[two]
    count = difference.shape[1]
    variance = difference.var(axis=1, ddof=1) / count
    freedom = np.full(len(one), count - 1.0)
    zero = np.zeros(len(one))
    p = p_values(difference.mean(axis=1), [(variance, freedom)], zero)
    shown = holm(p) < ALPHA
    return int(shown.sum()), int(
        shown[(one == 0) & (difference.mean(axis=1) > 0)].sum()
    )


TESTS: tuple[Callable[[Array], tuple[int, int]], ...] = (alone, moderated)


def scores_of(spread: str, size: int, rounds: int, seed: int) -> Array:
    """[size, rounds] logarithms of the metric of equal configurations."""
    random = np.random.default_rng([seed, size, rounds])
    own = np.resize(SPREADS[spread], size)[:, None]
    shared = random.normal(0.0, ROUND_SPREAD, rounds)
    return np.asarray(random.normal(0.0, 1.0, (size, rounds)) * own + shared)


def families(repeats: int) -> list[str]:
    """How often any of many equals is called better."""
    lines = [
        "| configurations | spread of each | rounds | spreads alone | moderated |",
        "|--:|--:|--:|--:|--:|",
    ]
    for size in SIZES:
        for spread in SPREADS:
            for rounds in ROUNDS:
                wrong = np.zeros(2)
                for seed in range(repeats):
                    scores = scores_of(spread, size, rounds, seed)
                    wrong += [test(scores)[0] > 0 for test in TESTS]
                cells = " | ".join(f"{each * 100:.1f} %" for each in wrong / repeats)
                head = f"{size} | {spread} | {rounds}"
                lines.append(f"| {head} | {cells} |")
    return lines


def power(repeats: int) -> list[str]:
    """Of the pairs with the one that is truly better, the share that is shown."""
    lines = [
        "| configurations | factor | spreads alone | moderated |",
        "|--:|--:|--:|--:|",
    ]
    for size in SIZES:
        for factor in (1.1, 1.2, 1.5, 4.5):
            found = np.zeros(2)
            for seed in range(repeats):
                scores = scores_of("2 %", size, 3, seed)
                scores[0] += np.log(factor)
                found += [test(scores)[1] for test in TESTS]
            shares = found / repeats / (size - 1)
            cells = " | ".join(f"{each * 100:.1f} %" for each in shares)
            lines.append(f"| {size} | {factor} | {cells} |")
    return lines
