import json
import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest

from harness.commands import calibrating, gating
from harness.errors import UsageError
from harness.plan import make_plan
from harness.store import RunFolder
from harness.suite import load_suite
from tests.unit.test_gate import NEAR, rounds

MACHINE = {
    "cpu": "EPYC",
    "cores_logical": 4,
    "packages": {"torch": "2.13", "numpy": "2"},
}


def stored(folder: Path, joules: Sequence[float], **machine: object) -> Path:
    """A run folder as `bench run` leaves it."""
    made = RunFolder.create(folder)
    made.write("machine.json", json.dumps(MACHINE | machine))
    made.write("plan.json", make_plan(load_suite("quick", [])).model_dump_json())
    for record in rounds(joules):
        made.append(record)
    return folder


def asked(baseline: Path, candidate: Path, **given: object) -> gating.Asked:
    plain = gating.Asked(
        baseline=baseline,
        candidate=candidate,
        anchor=None,
        policy=None,
        strict=False,
        require_sensor=False,
        paired=False,
        as_json=False,
        annotations=False,
        files={},
    )
    return plain._replace(**given)  # type: ignore[arg-type]


@pytest.mark.parametrize(("factor", "code"), [(1.0, 0), (1.3, 1)])
def test_the_exit_code_is_the_verdict(tmp_path: Path, factor: float, code: int) -> None:
    old = stored(tmp_path / "a", NEAR)
    new = stored(tmp_path / "b", [j * factor for j in NEAR])

    assert gating.gate(asked(old, new)) == code


def test_json_alone_is_on_standard_output(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    old, new = (stored(tmp_path / name, NEAR) for name in "ab")

    gating.gate(asked(old, new, as_json=True, annotations=True))

    assert json.loads(capsys.readouterr().out)["verdict"] == "equivalent"


def test_every_file_that_was_asked_for_is_written(tmp_path: Path) -> None:
    old, new = (stored(tmp_path / name, NEAR) for name in "ab")
    names = ("markdown", "junit", "metrics", "smaller-is-better")
    files = {name: tmp_path / name for name in names}

    gating.gate(asked(old, new, files=files, anchor=old))

    assert all(path.read_text() for path in files.values())


@pytest.mark.parametrize(
    ("machine", "said"),
    [
        ({"cpu": "Xeon"}, "processor: EPYC in the baseline, Xeon in the candidate"),
        ({"packages": {"torch": "2.14"}}, "torch: 2.13 in the baseline, 2.14"),
        ({"gpus": [{"name": "L4", "power_limit_w": "72"}]}, "GPUs: none in the"),
        ({"governor": "powersave"}, None),
        ({"packages": {"torch": "2.13", "numpy": "2", "codecarbon": "4"}}, None),
    ],
)
def test_a_machine_that_differs_is_named(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    machine: dict[str, object],
    said: str | None,
) -> None:
    old = stored(tmp_path / "a", NEAR)
    new = stored(tmp_path / "b", NEAR, **machine)

    code = gating.gate(asked(old, new, as_json=True))

    found = json.loads(capsys.readouterr().out)
    assert code == (4 if said else 0)
    assert said is None or said in found["rows"][0]["reason"]


def test_a_run_that_does_not_tell_its_machine_is_refused(tmp_path: Path) -> None:
    old, new = (stored(tmp_path / name, NEAR) for name in "ab")
    (new / "machine.json").unlink()

    with pytest.raises(UsageError, match=r"machine\.json"):
        gating.gate(asked(old, new))


def test_calibration_holds_a_run_against_itself(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = stored(tmp_path / "a", NEAR * 2)

    code = calibrating.calibrate([str(run)], None, None, 10, as_json=True)

    (row,) = json.loads(capsys.readouterr().out)["rows"]
    assert code == 0
    assert (row["rounds"], row["verdict"]) == (5, "equivalent")
    assert row["spread_ratio"] == pytest.approx(0.007, abs=0.001)
    assert row["advised_rounds"] == 5
    assert 1 < row["minimal_detectable_ratio"] < 1.03
    assert row["false_alarm_ratio"] == 0.0


def test_calibration_without_a_spread_is_exit_4(tmp_path: Path) -> None:
    run = stored(tmp_path / "a", NEAR[:3])

    assert calibrating.calibrate([str(run)], None, None, 10, as_json=False) == 4


def test_runs_of_two_machines_are_not_calibrated_together(tmp_path: Path) -> None:
    runs = [stored(tmp_path / "a", NEAR), stored(tmp_path / "b", NEAR, cpu="Xeon")]

    with pytest.raises(UsageError, match="not made like"):
        calibrating.calibrate([str(r) for r in runs], None, None, 10, as_json=True)


def test_a_run_is_not_held_against_itself(tmp_path: Path) -> None:
    run = stored(tmp_path / "a", NEAR)
    copy = shutil.copytree(run, tmp_path / "copy")

    for other in (run, copy):
        with pytest.raises(UsageError, match="the same run"):
            gating.gate(asked(run, other))


@pytest.mark.parametrize("broken", [5, "x", ["x"], {"a": 1}, None])
def test_a_description_of_any_shape_can_be_read(tmp_path: Path, broken: object) -> None:
    facts = dict.fromkeys(("packages", "gpus", "channels", "cpu_flags"), broken)
    old, new = (stored(tmp_path / name, NEAR, **facts) for name in "ab")

    assert gating.gate(asked(old, new)) == 0
