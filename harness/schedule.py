"""Which trial comes next: pure functions over the plan and what is recorded.

Nothing is remembered between trials, so that a run that is killed and resumed takes the
same decisions as one that is not.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property

from pydantic import ValidationError

from harness.noun import Noun
from harness.plan import Plan, PlannedTrial, planned
from harness.records import TrialRecord
from harness.sequential import is_narrow
from harness.store import RunFolder

ADDENDA = "addenda.jsonl"
OUT_OF_MEMORY = "out of memory"
"""How the reason of a trial begins that had too little of it."""
AGAIN = "-again"
"""How the name of a trial ends that repeats a failed one."""


class Addendum(Noun):
    """A configuration that joined a run after its plan was written.

    Attributes:
        key: What ran out of memory.
        replaced_by: The same at half the batch.
        trials: Those of the new configuration; none where the plan has it already.
    """

    key: str
    replaced_by: str
    reason: str
    trials: tuple[PlannedTrial, ...]


@dataclass(frozen=True)
class LeftOut:
    """A planned trial that is not needed any more."""

    trial: str
    key: str
    reason: str


@dataclass(frozen=True)
class Schedule:
    """A plan and what has come of it so far."""

    plan: Plan
    addenda: tuple[Addendum, ...] = ()
    records: tuple[TrialRecord, ...] = ()

    def after(self, record: TrialRecord) -> "Schedule":
        """With one more record."""
        return replace(self, records=(*self.records, record))

    @cached_property
    def trials(self) -> tuple[PlannedTrial, ...]:
        """All that are planned, round by round; those that joined end their round."""
        joined = [trial for addendum in self.addenda for trial in addendum.trials]
        return tuple(sorted((*self.plan.trials, *joined), key=lambda t: t.round))

    @cached_property
    def _of_key(self) -> dict[str, list[TrialRecord]]:
        found: dict[str, list[TrialRecord]] = {}
        for record in self.records:
            found.setdefault(record.key, []).append(record)
        return found

    @cached_property
    def _finished(self) -> frozenset[str]:
        return frozenset(record.trial for record in self.records)

    def upcoming(self) -> Iterator[PlannedTrial]:
        """What is still to run, as far as it is known now; failed ones come last."""
        for trial in self.trials:
            if trial.trial not in self._finished and not self.needless(trial):
                yield trial
        for record in self.records:
            if again := self._again(record):
                yield again

    def left_out(self) -> tuple[LeftOut, ...]:
        """Planned trials that will not run, with the reason."""
        missing = [t for t in self.trials if t.trial not in self._finished]
        said = [(t, self.needless(t)) for t in missing]
        return tuple(LeftOut(t.trial, t.key, why) for t, why in said if why)

    def needless(self, trial: PlannedTrial) -> str | None:
        """Why a trial need not run; None when it must."""
        done = self._of_key.get(trial.key, ())
        for record in done:
            if ran_out(record):
                return record.reason
        protocol = self.plan.protocol
        target = protocol.target_ci_ratio
        if target is None:
            return None
        values = [v for r in done if (v := energy_per_item_j(r)) is not None]
        if is_narrow(values, target, protocol.rounds_min, protocol.rounds):
            return f"the interval of J/item is within {target:.3g} after {len(values)}"
        return None

    def missing_addenda(self) -> tuple[Addendum, ...]:
        """What must join the plan because something ran out of memory."""
        if self.plan.protocol.on_oom != "halve_batch":
            return ()
        known = {addendum.key for addendum in self.addenda}
        out = {r.key: r for r in self.records if ran_out(r) and r.key not in known}
        halves = [self._halved(record) for record in out.values()]
        return tuple(half for half in halves if half)

    def find(self, name: str) -> PlannedTrial | None:
        """The trial of this name, planned, joined or repeated."""
        plain = name.removesuffix(AGAIN)
        for trial in self.trials:
            if trial.trial in (name, plain):
                return trial.model_copy(update={"trial": name})
        return None

    def unmended(self, names: frozenset[str]) -> int:
        """How many of these trials failed, and were not made good by another."""
        good = {r.trial for r in self.records if r.status != "failed"}
        replaced = {addendum.key for addendum in self.addenda}
        may_lack = self.plan.protocol.on_oom == "skip"
        failed = [r for r in self.records if r.trial in names and r.status == "failed"]
        return sum(
            f"{r.trial}{AGAIN}" not in good
            and not (ran_out(r) and (may_lack or r.key in replaced))
            for r in failed
        )

    def _again(self, record: TrialRecord) -> PlannedTrial | None:
        """One more try for what failed, or whose window was invalid."""
        name = f"{record.trial}{AGAIN}"
        if record.status not in ("failed", "invalid") or record.trial.endswith(AGAIN):
            return None
        trial = self.find(record.trial)
        if name in self._finished or trial is None or self.needless(trial):
            return None
        return trial.model_copy(update={"trial": name})

    def _halved(self, record: TrialRecord) -> Addendum | None:
        """The configuration at half the batch; None below a batch of one."""
        size = record.configuration.batch_size // 2
        if size < 1:
            return None
        update = {"batch_size": size, "halved_from": record.key}
        half = record.configuration.model_copy(update=update)
        is_known = any(trial.key == half.key for trial in self.trials)
        start, seed = len(self.trials), self.plan.seed
        numbers = () if is_known else range(self.plan.protocol.rounds)
        trials = tuple(planned(half, n, start + n, seed) for n in numbers)
        return Addendum(
            key=record.key,
            replaced_by=half.key,
            reason=record.reason or OUT_OF_MEMORY,
            trials=trials,
        )


def ran_out(record: TrialRecord) -> bool:
    """Whether a trial failed for want of memory."""
    return record.status == "failed" and (record.reason or "").startswith(OUT_OF_MEMORY)


def energy_per_item_j(record: TrialRecord) -> float | None:
    """Joules of one item of a window; None where they could not be had."""
    if record.status != "ok" or record.total is None or record.window is None:
        return None
    if record.total.energy_j is None or record.window.items < 1:
        return None
    return record.total.energy_j / record.window.items


def read_addenda(folder: RunFolder) -> tuple[Addendum, ...]:
    """What joined a run; a torn line is left out, and is derived again."""
    found = {}
    for line in folder.lines(ADDENDA):
        try:
            addendum = Addendum.model_validate_json(line)
        except ValidationError:
            continue
        found[addendum.key] = addendum
    return tuple(found.values())


def read_schedule(folder: RunFolder, plan: Plan) -> Schedule:
    """A run as it stands."""
    return Schedule(plan, read_addenda(folder), folder.records().records)
