"""Every place to run takes a job to its outcome, whatever happens in between."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.contracts import Executor
from harness.jobs import Job, Protocol
from harness.records import Configuration, Phase
from harness.registry import EXECUTORS, create


@pytest.fixture(params=sorted(EXECUTORS))
def executor(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Executor]:
    root = Path(__file__).parents[2]
    path = os.pathsep.join((str(root / "tests" / "plugins"), str(root)))
    monkeypatch.setenv("PYTHONPATH", path)
    made: Executor = create("executor", EXECUTORS, request.param)
    yield made
    made.close()


def job(folder: Path, what: str, timeout_s: float = 30.0) -> Job:
    (folder / "logs").mkdir(exist_ok=True)
    (folder / "outcomes").mkdir(exist_ok=True)
    asked = Configuration(
        workload="trouble",
        phase=Phase.INFER,
        precision="fp32",
        device="cpu",
        batch_size=4,
        options={"what": what},
    )
    return Job(
        trial=f"one-{what}",
        configuration=asked,
        protocol=Protocol(
            warmup_min_s=0.0, window_min_s=0.05, idle_s=0.0, timeout_s=timeout_s
        ),
        seed=7,
        folder=str(folder),
    )


def test_a_job_comes_to_its_outcome(executor: Executor, tmp_path: Path) -> None:
    events: list[dict[str, Any]] = []
    executor.warm_up(())
    executor.warm_up(())

    outcome = executor.run(job(tmp_path, "work"), (), events.append)

    assert outcome.status == "ok"
    assert outcome.trial == "one-work"
    assert outcome.items > 0
    assert {event["stage"] for event in events} >= {"load", "window"}


@pytest.mark.parametrize("what", ["raise", "exit", "kill", "hang"])
def test_a_failing_job_has_a_reason_and_the_next_one_runs(
    executor: Executor, tmp_path: Path, what: str
) -> None:
    failed = executor.run(job(tmp_path, what, timeout_s=1.0), (), lambda event: None)
    after = executor.run(job(tmp_path, "work"), (), lambda event: None)

    assert failed.status == "failed"
    assert failed.reason
    assert after.status == "ok"


def test_it_may_be_closed_twice(executor: Executor, tmp_path: Path) -> None:
    executor.run(job(tmp_path, "skip"), (), lambda event: None)
    executor.close()
    executor.close()
