"""What runs next follows from what is recorded, and from nothing else."""

from pathlib import Path

import pytest

from harness.plan import Plan, PlannedTrial, make_plan
from harness.readings import EnergyTotal, Provenance
from harness.records import TrialRecord, WindowRecord
from harness.schedule import (
    Schedule,
    energy_per_item_j,
    read_addenda,
    read_schedule,
)
from harness.store import RunFolder
from tests.unit.test_plan import simple

ADAPTIVE = "protocol.rounds={min: 3, max: 6, target_ci: 3%}"
OUT = "out of memory: CUDA"


def plan(folder: Path, *settings: str) -> Plan:
    suite = simple(folder, "protocol.rounds=2", *settings)
    return make_plan(suite, "*/infer/fp32/*")


def done(
    trial: PlannedTrial, joules: float = 4.0, reason: str | None = None
) -> TrialRecord:
    total = EnergyTotal(
        energy_j=joules,
        perimeter=("cpu",),
        provenance=Provenance.MEASURED,
        tier="B",
        complete=True,
        error_bound_j=0.0,
        modelled_ratio=0.0,
    )
    window = WindowRecord(
        start_s=0.0, end_s=1.0, duration_s=1.0, items=4, steps=1, steady=True
    )
    return TrialRecord(
        trial=trial.trial,
        key=trial.key,
        round=trial.round,
        status="failed" if reason else "ok",
        reason=reason,
        configuration=trial.configuration,
        window=None if reason else window,
        total=None if reason else total,
    )


def run_all(schedule: Schedule, **joules: list[float]) -> Schedule:
    """Run to the end, with the joules of each round by workload."""
    while (trial := next(schedule.upcoming(), None)) is not None:
        values = joules.get(trial.configuration.workload, [4.0] * 9)
        schedule = schedule.after(done(trial, values[trial.round]))
    return schedule


def test_a_configuration_stops_when_its_interval_is_narrow(tmp_path: Path) -> None:
    noisy = [4.0, 8.0, 2.0, 7.0, 3.0, 9.0]

    ended = run_all(Schedule(plan(tmp_path, ADAPTIVE)), cnn=noisy)

    rounds = dict.fromkeys(("bert", "cnn", "rnn"), 0)
    for record in ended.records:
        rounds[record.configuration.workload] += 1
    assert rounds == {"bert": 3, "cnn": 6, "rnn": 3}
    left = ended.left_out()
    assert len(left) == len(ended.plan.trials) - len(ended.records) == 6
    assert all("within 0.03" in each.reason for each in left)


def test_fixed_rounds_never_stop_early(tmp_path: Path) -> None:
    ended = run_all(Schedule(plan(tmp_path, "protocol.rounds=5")))

    assert len(ended.records) == 15
    assert not ended.left_out()


def test_a_failed_trial_is_tried_once_more_at_the_end(tmp_path: Path) -> None:
    schedule = Schedule(plan(tmp_path))
    first = schedule.plan.trials[0]

    schedule = run_all(schedule.after(done(first, reason="killed")))

    names = [r.trial for r in schedule.records]
    assert names[-1] == f"{first.trial}-again"
    assert schedule.records[-1].round == first.round
    assert schedule.find(names[-1]) is not None
    assert schedule.unmended(frozenset(names)) == 0


def test_a_window_in_which_the_machine_slept_is_measured_again(tmp_path: Path) -> None:
    schedule = Schedule(plan(tmp_path))
    slept = done(schedule.plan.trials[0]).model_copy(update={"status": "invalid"})

    ended = run_all(schedule.after(slept))

    assert ended.records[-1].trial == f"{slept.trial}-again"


def test_a_trial_that_fails_twice_is_not_tried_again(tmp_path: Path) -> None:
    schedule = Schedule(plan(tmp_path, "protocol.rounds=1"))
    while (trial := next(schedule.upcoming(), None)) is not None:
        schedule = schedule.after(done(trial, reason="killed"))

    assert len(schedule.records) == 6
    assert schedule.unmended(frozenset(r.trial for r in schedule.records)) == 6


def test_half_the_batch_joins_the_plan_and_is_linked(tmp_path: Path) -> None:
    schedule = Schedule(plan(tmp_path, "protocol.on_oom=halve_batch"))
    first = schedule.plan.trials[0]

    schedule = schedule.after(done(first, reason=OUT))
    (addendum,) = schedule.missing_addenda()
    joined = Schedule(schedule.plan, (addendum,), schedule.records)

    half = addendum.trials[0].configuration
    assert (half.batch_size, half.halved_from) == (16, first.key)
    assert addendum.replaced_by == first.key.replace("b32", "b16")
    assert not joined.missing_addenda()
    ended = run_all(joined)
    assert [r.key for r in ended.records].count(first.key) == 1
    assert [r.key for r in ended.records].count(half.key) == 2
    assert ended.unmended(frozenset([first.trial])) == 0


def test_a_batch_of_one_is_not_halved(tmp_path: Path) -> None:
    made = plan(tmp_path, "protocol.on_oom=halve_batch", "matrix.batch_size=[1]")

    schedule = Schedule(made).after(done(made.trials[0], reason=OUT))

    assert not schedule.missing_addenda()
    assert schedule.unmended(frozenset([made.trials[0].trial])) == 1


@pytest.mark.parametrize(("policy", "failures"), [("skip", 0), ("fail", 1)])
def test_without_halving_the_rest_of_it_is_left_out(
    tmp_path: Path, policy: str, failures: int
) -> None:
    made = plan(tmp_path, f"protocol.on_oom={policy}")

    ended = run_all(Schedule(made).after(done(made.trials[0], reason=OUT)))

    assert len(ended.records) == 5
    assert ended.left_out()[0].reason == OUT
    assert ended.unmended(frozenset([made.trials[0].trial])) == failures


def test_what_joined_is_read_back_and_a_torn_line_is_derived_again(
    tmp_path: Path,
) -> None:
    made = plan(tmp_path, "protocol.on_oom=halve_batch")
    folder = RunFolder.create(tmp_path / "run")
    folder.append(done(made.trials[0], reason=OUT))
    (addendum,) = read_schedule(folder, made).missing_addenda()
    folder.append_line("addenda.jsonl", addendum.model_dump_json()[:-9])

    assert read_addenda(folder) == ()
    assert read_schedule(folder, made).missing_addenda() == (addendum,)
    folder.append_line("addenda.jsonl", addendum.model_dump_json())
    assert read_addenda(folder) == (addendum,)
    assert not read_schedule(folder, made).missing_addenda()


def test_missing_joules_are_no_value(tmp_path: Path) -> None:
    trial = plan(tmp_path).trials[0]

    assert energy_per_item_j(done(trial)) == 1.0
    assert energy_per_item_j(done(trial, reason="killed")) is None
