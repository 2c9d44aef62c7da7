"""Carries out a plan: prepares, meters, runs trial after trial, stores each one."""

import fcntl
import json
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from harness import assembly, environment, inputs, quiet, registry, sessions
from harness.clock import SystemClock
from harness.contracts import Card, Executor, Observer
from harness.errors import BenchError, StorageError, UsageError
from harness.factor import Factor
from harness.frozen_factors import freeze
from harness.jobs import Job, Raw
from harness.metering import MeterClient, start_meter
from harness.plan import Plan, PlannedTrial
from harness.plan import planned as planned_trial
from harness.records import (
    PLAIN_RUNTIME,
    PLAIN_SCENARIO,
    Configuration,
    MeterCost,
    Phase,
    TrialRecord,
)
from harness.schedule import ADDENDA, Schedule, read_schedule
from harness.store import RunFolder
from harness.traces import read_recording

NEEDED_WEIGHTS = "workloads.weights:needed_weights"
CACHE = "workloads.sources:cache_dir"
CONTROL_BATCH = 32
LEAST_ROOM_BYTES = 20_000_000


@dataclass
class Run:
    """The parts of a run in progress."""

    schedule: Schedule
    folder: RunFolder
    executor: Executor
    meter: MeterClient
    observer: Observer
    factor: Factor | None
    idle_c: dict[str, float] = field(default_factory=dict)
    cards: dict[str, Card] = field(default_factory=dict)

    @property
    def plan(self) -> Plan:
        """What was planned before the first trial."""
        return self.schedule.plan


def run_plan(
    plan: Plan, folder: RunFolder, executor: Executor, observer: Observer
) -> int:
    """Run the trials of a plan that have no record yet, and are still needed.

    Returns:
        Number of trials of this session that failed, and were not made good.

    Raises:
        UsageError: Another process is running the same folder.
        StorageError: The folder cannot be written any more.
    """
    if _is_finished(read_schedule(folder, plan)):
        return 0
    with ExitStack() as stack:
        stack.enter_context(_locked(folder))
        schedule = read_schedule(folder, plan)  # as it is now that nobody else writes
        if _is_finished(schedule):
            return 0
        factor = freeze(folder, plan.site).intensity
        meter = stack.enter_context(start_meter(list(registry.PROBES)))
        stack.callback(executor.close)
        stack.callback(observer.run_finished)
        run = Run(schedule, folder, executor, meter, observer, factor)
        run.cards.update(registry.cards())
        _begin(run)
        return _session(run)


def _is_finished(schedule: Schedule) -> bool:
    return not schedule.missing_addenda() and not any(schedule.upcoming())


def _begin(run: Run) -> None:
    """Keep what the machine is, and how warm it is while nothing has run yet."""
    channels, unavailable = run.meter.describe()
    facts = environment.describe(channels, [list(row) for row in unavailable])
    run.folder.write("machine.json", json.dumps(facts, indent=1))
    now_c = run.meter.moment().temperatures_c
    run.idle_c.update(sessions.idle_temperatures_c(now_c, sessions.events(run.folder)))
    utc = datetime.now(UTC).isoformat(timespec="seconds")
    sessions.note(run.folder, "started", utc=utc, temperatures_c=now_c)


def _session(run: Run) -> int:
    """All trials that are needed, between two of the control."""
    done = len(run.schedule.records)
    run.observer.run_started(len(run.schedule.trials), done)
    pending = list(run.schedule.upcoming())
    inputs.keep_or_check(run.folder, [p.configuration for p in pending])
    control = control_trial(run.plan)
    _prepare(run, [*pending, *([control] if control else [])])
    first = _control(run, control, "first")
    while (planned := _next(run)) is not None:
        record = _trial(run, planned)
        run.folder.append(record)
        run.schedule = run.schedule.after(record)
        run.observer.trial_finished(record)
    last = _control(run, control, "last")
    if first and last:
        sessions.note(run.folder, "control", **sessions.drift(first, last))
    ran = frozenset(record.trial for record in run.schedule.records[done:])
    left = run.schedule.left_out()
    if left:
        run.observer.left_out(len(left), left[-1].reason)
    sessions.ended(
        run.folder, left, trials=len(ran), supervisor_cpu_s=time.process_time()
    )
    return run.schedule.unmended(ran)


def _next(run: Run) -> PlannedTrial | None:
    """The trial that comes next; what ran out of memory joins at half the batch."""
    for addendum in run.schedule.missing_addenda():
        run.folder.append_line(ADDENDA, addendum.model_dump_json())
        addenda = (*run.schedule.addenda, addendum)
        run.schedule = replace(run.schedule, addenda=addenda)
        _prepare(run, addendum.trials)
    return next(run.schedule.upcoming(), None)


def control_trial(plan: Plan) -> PlannedTrial | None:
    """One fixed small configuration on the suite's first device; None without."""
    name = plan.protocol.control
    if name is None or not plan.trials:
        return None
    configuration = Configuration(
        workload=name,
        phase=Phase.INFER,
        precision="fp32",
        device=plan.trials[0].configuration.device,
        batch_size=CONTROL_BATCH,
        options=registry.cards()[name].values({}),
    )
    return planned_trial(configuration, 0, 0, plan.seed)


def _control(run: Run, planned: PlannedTrial | None, end: str) -> TrialRecord | None:
    """Run the control at one end of the session; its records stand apart."""
    if planned is None:
        return None
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S")
    named = planned.model_copy(update={"trial": f"control-{stamp}-{end}"})
    record = _trial(run, named)
    run.folder.append_line(sessions.CONTROLS, record.to_json())
    return record


@contextmanager
def _locked(folder: RunFolder) -> Iterator[None]:
    """Keep a second process out of the folder."""
    with folder.writing():
        lock = (folder.path / ".lock").open("w")
    with lock as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise UsageError(
                f"{folder.path}: another process is running this folder",
                hint="wait for it, or stop it",
            ) from error
        yield


def _prepare(run: Run, pending: Sequence[PlannedTrial]) -> None:
    """Fetch data and train the weights that trials will load, references first."""
    wanted: dict[Path, Configuration] = {}
    for configuration in {
        p.configuration.key: p.configuration for p in pending
    }.values():
        for path, precision in _needed(run, configuration).items():
            asked = {"precision": precision, "runtime": PLAIN_RUNTIME}
            asked["scenario"] = PLAIN_SCENARIO
            wanted.setdefault(path, configuration.model_copy(update=asked))
    for path, configuration in wanted.items():
        if not path.exists():
            _prepare_one(run, configuration, path.stem[:12])


def _needed(run: Run, configuration: Configuration) -> Mapping[Path, str]:
    """Weights of a configuration; what is at fault is left for its trials to report."""
    card = run.cards[configuration.workload]
    if configuration.phase != Phase.INFER or Phase.TRAIN not in card.phases:
        return {}
    try:
        needed: Mapping[Path, str] = registry.load(NEEDED_WEIGHTS)(
            card, configuration, registry.load(CACHE)()
        )
    except BenchError:
        return {}
    return needed


def _prepare_one(run: Run, configuration: Configuration, name: str) -> None:
    """Train one set of weights; a failure is left for the trials to report."""
    what = f"training {configuration.workload} {configuration.precision}"
    run.observer.preparing(f"{what} (once, then cached)")
    job = Job(
        trial=f"prepare-{configuration.workload}-{name}",
        configuration=configuration,
        protocol=run.plan.protocol,
        seed=run.plan.seed,
        folder=str(run.folder.path),
        prepare_only=True,
    )
    started_s = time.monotonic()
    outcome = run.executor.run(job, _preload(run, configuration), lambda _: None)
    line = {
        "key": configuration.key,
        "status": outcome.status,
        "reason": outcome.reason,
        "duration_s": time.monotonic() - started_s,
    }
    run.folder.append_line("preparations.jsonl", json.dumps(line))


def _preload(run: Run, configuration: Configuration) -> tuple[str, ...]:
    return run.cards[configuration.workload].preload


def _trial(run: Run, planned: PlannedTrial) -> TrialRecord:
    """Run one trial; its record, and all that it is derived from on disk."""
    _check_room(run.folder)
    run.observer.trial_started(planned.key, planned.round)
    preload = _preload(run, planned.configuration)
    run.executor.warm_up(preload)
    before = quiet.wait(run.meter, run.plan.protocol, run.idle_c, SystemClock())
    started_utc = datetime.now(UTC).isoformat(timespec="seconds")
    meter_s, supervisor_s = run.meter.cpu_s(), time.process_time()
    started_s = time.monotonic()
    path = run.folder.trace_path(planned.trial)
    with _recording(run, path, trial=planned.trial, started_utc=started_utc):
        outcome = run.executor.run(_job(run, planned), preload, _relay(run))
    cost = MeterCost(
        cpu_s=run.meter.cpu_s() - meter_s,
        supervisor_cpu_s=time.process_time() - supervisor_s,
        duration_s=time.monotonic() - started_s,
    )
    raw = Raw(
        outcome=outcome,
        meter=cost,
        started_utc=started_utc,
        factor=run.factor,
        before=before,
    )
    run.folder.write_raw(planned.trial, raw)
    recording = read_recording(path)
    return assembly.assemble(
        planned, raw, run.plan, recording.channels, recording.trace
    )


@contextmanager
def _recording(run: Run, path: Path, **facts: str) -> Iterator[None]:
    """The meter keeps a trace of the block.

    Raises:
        StorageError: It could not; what is finished stays.
    """
    try:
        run.meter.begin(path, **facts)
        yield
        run.meter.end()
    except BenchError as error:
        raise StorageError(
            f"{path}: the meter process did not record: {error.message}",
            hint=f"finished trials are kept: bench resume {run.folder.path}",
        ) from error


def _check_room(folder: RunFolder) -> None:
    """A trial whose files do not fit would be lost.

    Raises:
        StorageError: The disk is nearly full.
    """
    with folder.writing():
        free_bytes = shutil.disk_usage(folder.path).free
    if free_bytes < LEAST_ROOM_BYTES:
        raise StorageError(
            f"{folder.path}: {free_bytes / 1e6:.0f} MB are free on its disk, and a "
            f"trial may need {LEAST_ROOM_BYTES / 1e6:.0f} MB",
            hint=f"finished trials are kept; free some: bench resume {folder.path}",
        )


def _job(run: Run, planned: PlannedTrial) -> Job:
    return Job(
        trial=planned.trial,
        configuration=planned.configuration,
        protocol=run.plan.protocol,
        seed=planned.seed,
        folder=str(run.folder.path),
        meter=str(run.meter.path),
        round=planned.round,
    )


def _relay(run: Run) -> Any:
    """Pass a worker's progress on, with the watts of that moment."""

    def on_event(event: dict[str, Any]) -> None:
        if event["event"] == "progress":
            power_w = run.meter.watts()
            run.observer.stage(event["stage"], event["fraction"], power_w)

    return on_event
