"""Across groups nothing is ranked: only ratios to each group's own fp32 reference."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from harness.noun import Noun
from harness.records import PLAIN_RUNTIME
from harness.stats import geometric_mean
from reports.rows import Row


class Across(Noun):
    """One way to run, over all groups of a phase that were measured alike.

    Attributes:
        measured: Phase, device, perimeter and tier that the groups share.
        name: Precision, run time and batch size.
        groups: How many groups; each of them holds it behind its gate.
        energy_vs_reference: J/item over that of fp32, the geometric mean over groups.
        score_vs_reference: Accuracy per joule over that of fp32, in the same way.
    """

    measured: str
    name: str
    groups: int
    energy_vs_reference: float
    score_vs_reference: float


def across(sets: Mapping[str, Sequence[Sequence[Row]]]) -> tuple[Across, ...]:
    """Ratios of what passed the gate in every group of its set, the best first.

    Args:
        sets: Rows of each group by what the groups share.
    """
    found = []
    for measured, groups in sorted(sets.items()):
        if len(groups) > 1:
            found += sorted(
                _complete(measured, groups),
                key=lambda x: (-x.score_vs_reference, x.name),
            )
    return tuple(found)


def _complete(measured: str, groups: Sequence[Sequence[Row]]) -> Iterable[Across]:
    """Means of the ways that each of the groups has exactly once."""
    energies: dict[str, list[float]] = defaultdict(list)
    scores: dict[str, list[float]] = defaultdict(list)
    for rows in groups:
        by_key = {row.key: row for row in rows}
        for row in rows:
            reference = by_key.get(row.reference or "")
            ratio = row.energy_vs_reference
            ours = row.accuracy_per_j.value
            theirs = reference.accuracy_per_j.value if reference else None
            if row.eligible and ratio and ours and theirs:
                energies[_name(row)].append(ratio)
                scores[_name(row)].append(ours / theirs)
    for name, ratios in energies.items():
        energy, score = geometric_mean(ratios), geometric_mean(scores[name])
        if len(ratios) == len(groups) and energy and score:
            yield Across(
                measured=measured,
                name=name,
                groups=len(groups),
                energy_vs_reference=energy,
                score_vs_reference=score,
            )


def _name(row: Row) -> str:
    """What a row is apart from its workload and options."""
    asked = row.configuration
    runtime = "" if asked.runtime == PLAIN_RUNTIME else f" {asked.runtime}"
    return f"{asked.precision}{runtime} b{asked.batch_size}"
