"""Rankings of simulated runs whose truth is known: do intervals and verdicts hold?

`make ranking-truth` writes docs/measured/ranking.md. Joules have noise of their own and
an effect of each round that all configurations share; answers are right or wrong by
the item, those of one configuration like the reference's but for a few items.
"""

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from harness.outcomes import Answers, Outcomes
from harness.records import TrialRecord
from reports.comparing import compare
from reports.noninferiority import proves_share
from reports.ranking import rank
from reports.rows import Row
from tests.bench.spread_truth import families, power
from tests.unit.test_ranking import trial

Array = np.ndarray[Any, Any]
PAGE = Path(__file__).parents[2] / "docs" / "measured" / "ranking.md"
ITEMS = 1000
ACCURACY = 0.8
SPREAD = 0.03
ROUND_SPREAD = 0.05
ROUNDS = (3, 5, 10)
GATES = 4000


class Truth(NamedTuple):
    """One simulated configuration.

    Attributes:
        item_j: Joules of an item.
        flips: Chance that an item is answered otherwise than by the reference, where
            that was right, and where it was wrong.
    """

    item_j: float
    flips: tuple[float, float] = (0.0, 0.0)

    @property
    def accuracy(self) -> float:
        """Over all the items there could be."""
        return ACCURACY * (1 - self.flips[0]) + (1 - ACCURACY) * self.flips[1]


class Simulated(Outcomes):
    """Answers of trials that nobody ran."""

    def __init__(self, correct: dict[str, Array]) -> None:
        super().__init__()
        self._correct = correct

    def read(self, record: TrialRecord) -> Answers:
        correct = self._correct[record.key]
        return Answers(np.arange(len(correct)), correct, None)


TEMPLATES = [trial("fp32" if not k else f"p{k}", 1.0, n=ITEMS) for k in range(16)]


def simulated(
    truths: Sequence[Truth], rounds: int, random: np.random.Generator
) -> tuple[list[TrialRecord], Simulated]:
    """Trials of some configurations; the first is the reference."""
    base = random.random(ITEMS) < ACCURACY
    shared = random.normal(0.0, ROUND_SPREAD, rounds)
    records, correct = [], {}
    for truth, template in zip(truths, TEMPLATES, strict=False):
        flip = random.random(ITEMS) < np.where(base, *truth.flips)
        answers = base ^ flip
        correct[template.key] = answers.astype(np.float32)
        noise = random.normal(0.0, SPREAD, rounds) + shared
        for number, joules in enumerate(truth.item_j * 100 * np.exp(noise)):
            records.append(_record(template, number, float(joules), answers.mean()))
    return records, Simulated(correct)


def _record(
    template: TrialRecord, number: int, energy_j: float, accuracy: float
) -> TrialRecord:
    total, quality = template.total, template.quality
    assert total is not None
    assert quality is not None
    change = {
        "trial": f"{template.key}#{number}",
        "round": number,
        "total": total.model_copy(update={"energy_j": energy_j}),
        "quality": quality.model_copy(update={"accuracy": float(accuracy)}),
    }
    return template.model_copy(update=change)


def ranked(
    truths: Sequence[Truth], rounds: int, seeds: Iterator[int]
) -> Iterator[list[Row]]:
    """Rankings of one truth, over and over; rows in the order of the truths."""
    for seed in seeds:
        records, outcomes = simulated(truths, rounds, np.random.default_rng(seed))
        (group,) = rank(records, outcomes=outcomes, floor=0.9).groups
        by_key = {row.key: row for row in group.rows}
        yield [by_key[template.key] for template in TEMPLATES[: len(truths)]]


def covers(interval: Any, truth: float) -> bool:
    """Whether the truth lies inside."""
    return bool(interval.low <= truth <= interval.high)


def naive_covers(joules: Array, truth: float, random: np.random.Generator) -> bool:
    """The same of a bootstrap that draws rounds with replacement."""
    drawn = random.choice(joules, (1000, len(joules))).mean(axis=1)
    low, high = np.quantile(drawn, (0.025, 0.975))
    return bool(low <= truth <= high)


def coverage(repeats: int) -> list[str]:
    """How often 95 % intervals hold the truth."""
    truths = [Truth(1.0), Truth(0.8, (0.02, 0.05)), Truth(0.5, (0.04, 0.08))]
    lines = [
        "| rounds | J/item | accuracy | accuracy per joule | J/item, naive bootstrap |",
        "|--:|--:|--:|--:|--:|",
    ]
    for rounds in ROUNDS:
        hits = np.zeros(4)
        random = np.random.default_rng(rounds)
        for rows in ranked(truths, rounds, iter(range(repeats))):
            for row, truth in zip(rows, truths, strict=True):
                score = truth.accuracy / truth.item_j
                noise = random.normal(0, np.hypot(SPREAD, ROUND_SPREAD), rounds)
                hits += (
                    covers(row.energy_per_item_j, truth.item_j),
                    covers(row.accuracy, truth.accuracy),
                    covers(row.accuracy_per_j, score),
                    naive_covers(noise, 0.0, random),
                )
        shares = hits / repeats / len(truths)
        lines.append(f"| {rounds} | " + " | ".join(map(share, shares)) + " |")
    return lines


def share(value: float) -> str:
    """In percent, with one decimal."""
    return f"{value * 100:.1f} %"


def false_verdicts(repeats: int) -> list[str]:
    """How often any of a family of equals is called better."""
    equal = [Truth(1.0, (0.02, 0.08))] * 6
    equal[0] = Truth(1.0)
    lines = [
        "| rounds | any false rank among 6 equals | any false outcome of `compare` |",
        "|--:|--:|--:|",
    ]
    for rounds in ROUNDS:
        wrong = sum(
            any((row.rank_high or 6) < 6 for row in rows)
            for rows in ranked(equal, rounds, iter(range(repeats)))
        )
        false = 0
        for seed in range(repeats):
            one, two = (
                simulated(equal, rounds, np.random.default_rng([seed, run]))
                for run in range(2)
            )
            rows = compare((one[0], two[0]), (one[1], two[1])).rows
            false += any(row.outcome in {"better", "worse"} for row in rows)
        lines.append(
            f"| {rounds} | {share(wrong / repeats)} | {share(false / repeats)} |"
        )
    return lines


def orders(repeats: int) -> list[str]:
    """How often the true order of four is found, and how often a wrong one is said."""
    truths = [Truth(1.05**k) for k in range(4)]
    lines = [
        "| rounds | single runs in order | means in order | all told apart | false |",
        "|--:|--:|--:|--:|--:|",
    ]
    for rounds in (3, 4, 5, 7, 10, 15, 20):
        right, apart, false = 0, 0, 0
        for rows in ranked(truths, rounds, iter(range(repeats))):
            places = [row.place for row in rows]
            right += places == [1, 2, 3, 4]
            apart += [row.rank for row in rows] == [1, 2, 3, 4]
            false += any(
                not (row.rank_low or 1) <= place <= (row.rank_high or 4)
                for place, row in enumerate(rows, 1)
            )
        cells = (singles(truths, repeats), right / repeats)
        lines.append(
            f"| {rounds} | "
            + " | ".join(map(share, (*cells, apart / repeats, false / repeats)))
            + " |"
        )
    return lines


def singles(truths: Sequence[Truth], repeats: int) -> float:
    """Share of single runs, each at a time of its own, in the true order."""
    random = np.random.default_rng(1)
    spread = np.hypot(SPREAD, ROUND_SPREAD)
    logs = np.log([truth.item_j for truth in truths])
    drawn = logs + random.normal(0.0, spread, (repeats, len(truths)))
    return float((np.diff(drawn, axis=1) > 0).all(axis=1).mean())


def gate_size(repeats: int) -> list[str]:
    """How often the gate calls exactly the floor proven, and equal answers."""
    lines = [
        "| items | answers changed | proven at the floor | at equal accuracy |",
        "|--:|--:|--:|--:|",
    ]
    random = np.random.default_rng(5)
    for n in (500, 1000, 5000, 20000):
        for changed in (0.01, 0.05, 0.15):
            shares = []
            for accuracy in (0.99 * ACCURACY, ACCURACY):
                lost = (changed + ACCURACY - accuracy) / 2
                gained = max(0.0, (changed - ACCURACY + accuracy) / 2)
                cells = (ACCURACY - lost, gained, lost, 1 - ACCURACY - gained)
                counts = random.multinomial(n, cells, repeats)
                shares.append(sum(map(proven, counts)) / repeats)
            lines.append(
                f"| {n} | {changed:.0%} | " + " | ".join(map(share, shares)) + " |"
            )
    return lines


def proven(counts: Array) -> bool:
    """The gate's verdict on so many (both, gained, lost, neither)."""
    ours = np.repeat([1.0, 1.0, 0.0, 0.0], counts)
    theirs = np.repeat([1.0, 0.0, 1.0, 0.0], counts)
    return proves_share((ours, theirs), 0.99, ((), ()))


def page(repeats: int) -> str:
    """The whole page in Markdown."""
    few = repeats * 3 // 10
    setting = (
        f"{ITEMS} items, {ACCURACY:.0%} right; joules differ by {SPREAD:.0%} from trial"
        f" to trial and by {ROUND_SPREAD:.0%} from round to round, which all"
        f" configurations share. {repeats} simulated runs for each line of the"
        f" coverage, {few} for verdicts and orders, {GATES} for the gate."
    )
    sections = [
        ("# What the ranking's intervals and verdicts are worth", [setting]),
        (
            "## Coverage of the 95 % intervals: 93 to 97 % is asked for",
            coverage(repeats),
        ),
        ("## False verdicts: at most 5 % over the family", false_verdicts(few)),
        ("## The order of four configurations, 5 % apart", orders(few)),
        (
            f"## Moderated spreads: {2 * repeats} groups of equals, false at most 5 %",
            families(2 * repeats),
        ),
        (
            "## One of a group better, 3 rounds that spread 2 %: pairs shown",
            power(repeats),
        ),
        (
            "## The gate at 99 % of the reference: at most 5 % at the floor",
            gate_size(GATES),
        ),
    ]
    text = "\n\n".join(f"{title}\n\n" + "\n".join(body) for title, body in sections)
    return f"{text}\n\nMade by `make ranking-truth`.\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=1000)
    parser.add_argument("--output", type=Path, default=PAGE)
    given = parser.parse_args()
    text = page(given.repeats)
    given.output.write_text(text, encoding="utf-8")
    sys.stdout.write(text)


if __name__ == "__main__":
    main()
