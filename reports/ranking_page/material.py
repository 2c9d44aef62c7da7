"""What a ranking page is made of, read before anything is written."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from harness.noun import Noun
from harness.records import TrialRecord
from reports.ranking import Group, Ranking
from reports.rows import Row, unusable
from reports.words import short_names


class Origin(Noun):
    """Where the runs come from, in pairs of words that are ready to print.

    Attributes:
        machine: Processor, memory, system, packages.
        method: Protocol, profile, seeds, floor.
    """

    suite: str
    machine: tuple[tuple[str, str], ...] = ()
    method: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Material:
    """A ranking with the records behind it.

    Attributes:
        folders: The run folder of each record.
        faults: What could not be read, a sentence each.
    """

    ranking: Ranking
    records: Sequence[TrialRecord]
    folders: Sequence[Path]
    origin: Origin
    faults: Sequence[str] = ()

    @cached_property
    def _by_key(self) -> dict[str, list[tuple[TrialRecord, Path]]]:
        found: dict[str, list[tuple[TrialRecord, Path]]] = defaultdict(list)
        for record, folder in zip(self.records, self.folders, strict=True):
            if not unusable(record):
                found[record.key].append((record, folder))
        return found

    @cached_property
    def _names(self) -> dict[int, dict[str, str]]:
        return {id(group): short_names(group.rows) for group in self.ranking.groups}

    def names(self, group: Group) -> dict[str, str]:
        """What tells the rows of one of its groups apart, by key."""
        return self._names[id(group)]

    def trials(self, group: Group, row: Row) -> list[tuple[TrialRecord, Path]]:
        """Usable trials of a row, of the group's perimeter, with their folders."""
        return [
            (record, folder)
            for record, folder in self._by_key.get(row.key, [])
            if record.total and set(record.total.perimeter) <= set(group.perimeter)
        ]
