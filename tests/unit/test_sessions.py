"""The control at both ends of a session tells whether the machine has drifted."""

from pathlib import Path

import pytest

from harness import sessions
from harness.schedule import LeftOut
from harness.store import RunFolder
from tests.unit.test_schedule import done, plan


@pytest.mark.parametrize(
    ("last_j", "warned"),
    [(4.02, None), (4.08, "drifted by +2.0%"), (3.8, "not valid"), (4.5, "not valid")],
)
def test_drift_is_reported_and_invalidates(
    tmp_path: Path, last_j: float, warned: str | None
) -> None:
    trial = plan(tmp_path).trials[0]
    folder = RunFolder.create(tmp_path / "run")

    facts = sessions.drift(done(trial, 4.0), done(trial, last_j))
    sessions.note(folder, "control", **facts)

    said = [each.message for each in sessions.drifted(folder)]
    assert len(said) == (warned is not None)
    assert warned is None or warned in said[0]


def test_a_control_without_joules_says_why(tmp_path: Path) -> None:
    trial = plan(tmp_path).trials[0]

    facts = sessions.drift(done(trial), done(trial, reason="killed"))

    assert facts["drift_ratio"] is None
    assert "killed" in facts["reason"]


def test_idle_is_the_coolest_start_of_any_session(tmp_path: Path) -> None:
    folder = RunFolder.create(tmp_path / "run")
    sessions.note(folder, "started", temperatures_c={"cpu": 41.0, "gone": 10.0})
    folder.append_line(sessions.SESSIONS, "[1]")
    folder.append_line(sessions.SESSIONS, '{"torn')

    found = sessions.idle_temperatures_c({"cpu": 55.0}, sessions.events(folder))

    assert found == {"cpu": 41.0}


def test_what_was_left_out_is_kept_by_name(tmp_path: Path) -> None:
    folder = RunFolder.create(tmp_path / "run")

    sessions.ended(folder, [LeftOut("r4-a", "a", "narrow")], trials=3)

    (event,) = sessions.events(folder)
    assert event["left_out"] == [{"trial": "r4-a", "key": "a", "reason": "narrow"}]
