"""Carries out a plan: prepares, meters, runs trial after trial, stores each one."""

import fcntl
import json
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path  # noqa: TC003 (a plain import reads better)
from typing import Any

from harness import assembly, environment, registry
from harness.carbon import intensity
from harness.contracts import Card, Executor, Observer
from harness.errors import UsageError
from harness.jobs import Job, Raw
from harness.metering import MeterClient, start_meter
from harness.plan import Plan, PlannedTrial
from harness.readings import Channel
from harness.records import (
    PLAIN_RUNTIME,
    PLAIN_SCENARIO,
    Configuration,
    Factor,
    MeterCost,
    Phase,
    TrialRecord,
)
from harness.store import RunFolder
from harness.traces import read_recording

NEEDED_WEIGHTS = "workloads.weights:needed_weights"
CACHE = "workloads.sources:cache_dir"


@dataclass
class Run:
    """The parts of a run in progress."""

    plan: Plan
    folder: RunFolder
    executor: Executor
    meter: MeterClient
    observer: Observer
    factor: Factor | None
    channels: Sequence[Channel] = ()
    cards: dict[str, Card] = field(default_factory=dict)


def run_plan(
    plan: Plan, folder: RunFolder, executor: Executor, observer: Observer
) -> int:
    """Run the trials of a plan that have no record yet.

    Returns:
        Number of trials whose record says that they failed.

    Raises:
        UsageError: Another process is running the same folder.
    """
    finished = {record.trial for record in folder.records().records}
    pending = [trial for trial in plan.trials if trial.trial not in finished]
    if not pending:
        return 0
    factor = intensity(plan.site.place) if plan.site.place else None
    with ExitStack() as stack:
        stack.enter_context(_locked(folder))
        meter = stack.enter_context(start_meter(list(registry.PROBES)))
        stack.callback(executor.close)
        stack.callback(observer.run_finished)
        channels, unavailable = meter.describe()
        run = Run(plan, folder, executor, meter, observer, factor, channels)
        run.cards.update(registry.cards())
        facts = environment.describe(channels, [list(row) for row in unavailable])
        folder.write("machine.json", json.dumps(facts, indent=1))
        observer.run_started(len(plan.trials), len(plan.trials) - len(pending))
        _prepare(run, pending)
        return sum(_trial(run, planned).status == "failed" for planned in pending)


@contextmanager
def _locked(folder: RunFolder) -> Iterator[None]:
    """Keep a second process out of the folder."""
    with (folder.path / ".lock").open("w") as file:
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
    cache = registry.load(CACHE)()
    needed_weights = registry.load(NEEDED_WEIGHTS)
    for planned in pending:
        configuration = planned.configuration
        card = run.cards[configuration.workload]
        if configuration.phase == Phase.INFER and Phase.TRAIN in card.phases:
            for path, precision in needed_weights(card, configuration, cache).items():
                asked = {"precision": precision, "runtime": PLAIN_RUNTIME}
                asked["scenario"] = PLAIN_SCENARIO
                wanted.setdefault(path, configuration.model_copy(update=asked))
    for path, configuration in wanted.items():
        if not path.exists():
            _prepare_one(run, configuration, path.stem[:12])


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
    with (run.folder.path / "preparations.jsonl").open("a") as file:
        file.write(json.dumps(line) + "\n")


def _preload(run: Run, configuration: Configuration) -> tuple[str, ...]:
    return run.cards[configuration.workload].preload


def _trial(run: Run, planned: PlannedTrial) -> TrialRecord:
    """Run one trial and store its record before anything else happens."""
    run.observer.trial_started(planned.key, planned.round)
    preload = _preload(run, planned.configuration)
    run.executor.warm_up(preload)
    started_utc = datetime.now(UTC).isoformat(timespec="seconds")
    meter_s, supervisor_s = run.meter.cpu_s(), time.process_time()
    started_s = time.monotonic()
    path = run.folder.trace_path(planned.trial)
    run.meter.begin(path, trial=planned.trial, started_utc=started_utc)
    outcome = run.executor.run(_job(run, planned), preload, _relay(run))
    run.meter.end()
    cost = MeterCost(
        cpu_s=run.meter.cpu_s() - meter_s,
        supervisor_cpu_s=time.process_time() - supervisor_s,
        duration_s=time.monotonic() - started_s,
    )
    raw = Raw(outcome=outcome, meter=cost, started_utc=started_utc, factor=run.factor)
    run.folder.write_raw(planned.trial, raw)
    recording = read_recording(path)
    record = assembly.assemble(
        planned, raw, run.plan, recording.channels, recording.trace
    )
    run.folder.append(record)
    run.observer.trial_finished(record)
    return record


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
