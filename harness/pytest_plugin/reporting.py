"""What was measured, in all workers: into files, and onto the terminal."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from harness.pytest_plugin import storage, table
from harness.pytest_plugin.options import Options
from harness.pytest_plugin.results import Machine, Result


class Report:
    """The results of a session.

    Args:
        told: What the reports of tests carried: `result`, `machine` and `outcome`; of
            a test that ran again the last.
    """

    def __init__(self, told: Sequence[Mapping[str, Any]]) -> None:
        results: dict[str, Result] = {}
        self._machines: dict[str, Machine | None] = {}
        for each in told:
            found = Result.model_validate(each["result"])
            results[found.nodeid] = found.model_copy(
                update={"outcome": each["outcome"]}
            )
            machine = each["machine"]
            self._machines[found.nodeid] = (
                Machine.model_validate(machine) if machine else None
            )
        self.results = _named_apart(tuple(results.values()))

    def write(self, options: Options, root: Path) -> list[str]:
        """Write what was asked for.

        Args:
            options: What was asked for.
            root: Where the commit is asked for.

        Returns:
            Sentences that say where.

        Raises:
            OSError: A file cannot be written.
        """
        lines: list[str] = []
        if not (options.json_path or options.save or options.autosave):
            return lines
        commit = storage.commit(root)
        machines = {m.name: m for m in self._machines.values() if m}
        if options.json_path:
            one = next(iter(machines.values())) if len(machines) == 1 else None
            storage.write(options.json_path, storage.record(one, self.results, commit))
            lines.append(f"energy written to {options.json_path}")
        for name in (options.save, _stamp(commit) if options.autosave else None):
            if name:
                lines += self._saved(options.folder, machines, commit, name)
        return lines

    def _saved(
        self,
        folder: Path,
        machines: Mapping[str, Machine],
        commit: str | None,
        name: str,
    ) -> list[str]:
        """Keep tests that passed: a regression is no baseline."""
        lines = []
        for machine in machines.values():
            tests = [
                r.model_copy(update={"verdict": None})
                for r in self.results
                if r.outcome == "passed" and r.energy_j is not None
                if self._machines[r.nodeid] == machine
            ]
            if tests:
                content = storage.record(machine, tests, commit)
                lines.append(f"energy kept in {storage.save(folder, content, name)}")
        return lines or [f"energy not kept as {name}: no test that passed has joules"]

    def show(self, terminal: pytest.TerminalReporter, options: Options) -> None:
        """Write the table with what belongs to it."""
        count = len(self.results)
        terminal.write_sep("-", f"energy: {count} test{'s' if count != 1 else ''}")
        for line in table.lines(self.results, options.columns, options.sort):
            terminal.write_line(_printable(line))
        for line in table.sentences(self.results):
            is_grave = line.startswith(("energy NOT", "inconclusive"))
            terminal.write_line(_printable(line), yellow=is_grave)


def _printable(line: str) -> str:
    """A file of results may hold anything: no control characters on a terminal."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in line)


def _named_apart(results: Sequence[Result]) -> tuple[Result, ...]:
    """Tests of one name are called by their whole id."""
    counts = Counter(r.name for r in results)
    return tuple(
        r if counts[r.name] == 1 else r.model_copy(update={"name": r.nodeid})
        for r in results
    )


def _stamp(commit: str | None) -> str:
    now = datetime.now(UTC)
    return f"{commit or 'unversioned'}_{now:%Y%m%d_%H%M%S}"
