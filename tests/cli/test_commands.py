"""Commands as a user runs them: exit codes, plain messages, JSON and nothing else."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from harness import sessions
from harness.plan import make_plan
from harness.registry import PROBES
from harness.store import RunFolder
from harness.suite import load_suite
from tests.makers import record
from tests.unit.test_ranking import trial

INTERVALS = ("energy_per_item_j", "accuracy_per_j")


def bench(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-P", "-m", "harness", *arguments],
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
        timeout=120,
    )


def test_a_broken_suite_names_every_fault_and_exits_2(tmp_path: Path) -> None:
    suite = tmp_path / "suite.yaml"
    suite.write_text(
        "schema: 1\nname: x\nmatrix:\n  workload: [brt]\n  phase: [infer]\n"
        "  precision: [fp33]\n  device: [cpu]\n  batch_size: [0]\n"
    )

    done = bench("plan", str(suite))

    assert done.returncode == 2
    assert f"{suite}:4: matrix.workload[0]" in done.stderr
    assert "'bert'" in done.stderr
    assert f"{suite}:6: matrix.precision[0]" in done.stderr
    assert f"{suite}:8: matrix.batch_size[0]" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["run", "no-such-suite"], 2, "no-such-suite"),
        (["rank", "nowhere"], 2, "no such run folder"),
        (["compare", "nowhere", "nowhere"], 2, "no such run folder"),
        (["resume", "nowhere"], 2, "plan.json"),
        (["list", "workload"], 2, "workloads"),
        (["schema", "sute"], 2, "suite"),
        (["data", "fetch", "mnist"], 2, "mnist-5k"),
        (["factors", "show", "FRX"], 2, "FRX"),
        (["factors", "show"], 2, "no place is named"),
        (["factors", "show", "--site", "no.yaml"], 2, "cannot be read"),
        (["factors", "show", "FRA", "--lock", "no.lock"], 2, "cannot be read"),
        (["factors", "lock"], 2, "no place is named"),
        (["factors", "lock", "FRA", "-o", "/no/where"], 2, "cannot be written"),
        (["measure", "--", "/no/such/program"], 2, "cannot be run"),
        (["measure", "--place", "FRX", "--", "true"], 2, "FRX"),
        (["run", "quick", "--executor", "slrm"], 2, "slrm"),
        (["run"], 2, "SUITE"),
    ],
)
def test_bad_input_is_a_sentence_and_exit_2(
    arguments: list[str], code: int, words: str
) -> None:
    done = bench(*arguments)

    assert done.returncode == code
    assert words in done.stderr
    assert "Traceback" not in done.stderr


def test_ranking_a_run_without_trials_exits_4(tmp_path: Path) -> None:
    RunFolder.create(tmp_path / "run")

    assert bench("rank", str(tmp_path / "run")).returncode == 4


def test_ranking_json_is_json_and_nothing_else(tmp_path: Path) -> None:
    folder = RunFolder.create(tmp_path / "run")
    folder.append(record("r0-000"))

    done = bench("rank", str(folder.path), "--json")

    assert done.returncode == 0
    assert json.loads(done.stdout)["groups"][0]["rows"][0]["rank"] is None


def run_of(path: Path, joules: float, **given: Any) -> str:
    """A run folder of four rounds of one configuration."""
    folder = RunFolder.create(path)
    for number in range(4):
        spent = joules + number / 10
        folder.append(trial("fp32", spent, round=number, n=100_000, **given))
    return str(folder.path)


@pytest.mark.parametrize(("drift_ratio", "rank"), [(0.02, 1), (-0.05, None)])
def test_a_session_that_drifted_too_far_has_no_ranks(
    tmp_path: Path, drift_ratio: float, rank: int | None
) -> None:
    path = run_of(tmp_path / "run", 50.0)
    sessions.note(RunFolder(Path(path)), "control", drift_ratio=drift_ratio)

    found = json.loads(bench("rank", path, "--json").stdout)

    (group,) = found["groups"]
    assert [row["rank"] for row in group["rows"]] == [rank]
    assert [row["place"] for row in group["rows"]] == [1]
    assert f"drifted by {drift_ratio:+.1%}" in found["warnings"][0]
    assert ("Nothing is ranked" in group["sentence"]) == (rank is None)


def test_compare_says_what_changed_and_exits_0(tmp_path: Path) -> None:
    first, second = run_of(tmp_path / "a", 50.0), run_of(tmp_path / "b", 40.0)

    shown, as_json = (
        bench("compare", first, second),
        bench("compare", first, second, "--json"),
    )

    assert shown.returncode == as_json.returncode == 0
    assert "1 better, 0 worse, 0 no difference shown" in shown.stdout
    assert json.loads(as_json.stdout)["rows"][0]["outcome"] == "better"


@pytest.mark.parametrize(("drift_ratio", "code"), [(0.02, 0), (-0.05, 4)])
def test_compare_gives_no_outcomes_where_a_session_drifted_too_far(
    tmp_path: Path, drift_ratio: float, code: int
) -> None:
    first, second = run_of(tmp_path / "a", 50.0), run_of(tmp_path / "b", 40.0)
    sessions.note(RunFolder(Path(second)), "control", drift_ratio=drift_ratio)

    done = bench("compare", first, second, "--json")
    shown = bench("compare", first, second).stdout

    found = json.loads(done.stdout)
    (row,) = found["rows"]
    assert done.returncode == code
    assert (row["outcome"], row["p"] is None) == (
        ("not comparable", True) if code else ("better", False)
    )
    assert row["energy_ratio"]["value"] == pytest.approx(0.8, abs=0.01)
    assert f"drifted by {drift_ratio:+.1%}" in found["notes"][0]
    assert "x0.80" in shown
    assert f"drifted by {drift_ratio:+.1%}" in " ".join(shown.split())


def test_rounds_that_end_at_a_target_have_wider_intervals(tmp_path: Path) -> None:
    path = run_of(tmp_path / "run", 50.0)
    suite = load_suite("quick", ["protocol.rounds={min: 3, max: 8, target_ci: 3%}"])
    plain, looked = bench("rank", path, "--json"), Path(path) / "plan.json"
    looked.write_text(make_plan(suite, "cnn/*").model_dump_json())

    after = bench("rank", path, "--json")
    compared = bench("compare", path, path, "--json")

    def only(done: subprocess.CompletedProcess[str]) -> Any:
        (group,) = [g for g in json.loads(done.stdout)["groups"] if g["tier"]]
        return group

    ours, theirs = only(after)["rows"][0], only(plain)["rows"][0]
    assert (theirs["looks"], ours["looks"]) == (1, 6)
    wider = {name: ours[name]["high"] - ours[name]["low"] for name in INTERVALS}
    usual = {name: theirs[name]["high"] - theirs[name]["low"] for name in INTERVALS}
    assert all(wider[name] > 1.1 * usual[name] for name in INTERVALS)
    assert "intervals corrected for 6 looks" in str(only(after)["notes"])
    assert json.loads(compared.stdout)["notes"] == ["intervals corrected for 6 looks"]


def test_compare_of_what_cannot_be_compared_exits_4(tmp_path: Path) -> None:
    first = run_of(tmp_path / "a", 50.0)
    second = run_of(tmp_path / "b", 40.0, tier="D")

    done = bench("compare", first, second)

    assert done.returncode == 4
    assert "tiers differ: B against D" in done.stdout


def test_two_output_formats_are_refused(tmp_path: Path) -> None:
    assert bench("rank", str(tmp_path), "--json", "--csv").returncode == 2


@pytest.mark.parametrize("what", ["suite", "trial", "site"])
def test_schemas_are_json_schemas(what: str) -> None:
    assert json.loads(bench("schema", what).stdout)["type"] == "object"


@pytest.mark.parametrize(
    "what",
    ["workloads", "precisions", "scenarios", "probes", "devices", "suites", "factors"],
)
def test_lists_have_members(what: str) -> None:
    done = bench("list", what, "--json")

    assert json.loads(done.stdout)


def test_a_factor_keeps_its_old_fields_on_top_of_all_that_is_known() -> None:
    done = bench("factors", "show", "FRA", "--json")

    found = json.loads(done.stdout)
    assert (found["value"], found["year"], found["unit"]) == (
        56.039,
        2023,
        "g CO2e/kWh",
    )
    second = found["factors"][1]
    assert second["package"] == "ecologits"
    assert second["difference_ratio"] == pytest.approx(41.44 / 56.039 - 1)


def test_locked_factors_are_shown_as_they_were_locked(tmp_path: Path) -> None:
    target = tmp_path / "factors.lock"
    site = "configs/sites/example.yaml"

    locked = bench("factors", "lock", "USA-CA", "--site", site, "-o", str(target))
    shown = bench("factors", "show", "--site", site, "--lock", str(target), "--json")

    assert locked.stdout.strip() == str(target)
    assert shown.returncode == 0
    assert json.loads(shown.stdout)["value"] == 56.039
    assert "price of electricity" in shown.stdout


def test_a_live_source_without_its_token_stops_before_anything_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("ELECTRICITY_MAPS_API_KEY", raising=False)
    site = "site={place: GBR, intensity: electricity-maps, zone: GB}"

    done = bench("run", "quick", "--set", site, "-o", str(tmp_path / "run"))

    assert done.returncode == 2
    assert "ELECTRICITY_MAPS_API_KEY is not set" in done.stderr
    assert not (tmp_path / "run" / "machine.json").exists()


def test_measure_passes_the_exit_code_on_and_prints_only_json() -> None:
    script = "import sys, time; time.sleep(0.3); print('hello'); sys.exit(7)"

    done = bench("measure", "--json", "--", sys.executable, "-c", script)

    report = json.loads(done.stdout)
    assert done.returncode == report["exit_code"] == 7
    assert "hello" in done.stderr
    assert report["window"]["duration_s"] >= 0.3
    assert report["total"]["energy_j"] > 0
    assert report["status"] == "ok"


def test_measure_compares_commands_and_exports_what_it_shows(tmp_path: Path) -> None:
    wait = [sys.executable, "-S", "-c", "import time; time.sleep({})"]
    short, long = ([*wait[:3], wait[3].format(s)] for s in (0.05, 0.4))
    files = [f"--export-{kind}={tmp_path / kind}" for kind in ("json", "markdown")]

    done = bench(
        "measure", "--repeat=3", "--warmup=1", "--items=10", *files,
        "--", *short, "--vs", *long,
    )  # fmt: skip

    report = json.loads((tmp_path / "json").read_text())
    (compared,) = report["comparison"]
    rows = (tmp_path / "markdown").read_text().splitlines()
    assert done.returncode == 0
    assert [c["repeat"]["n"] for c in report["commands"]] == [3, 3]
    assert compared["verdict"] == "more"
    assert 1 < compared["ratio"]["low"] < compared["ratio"]["value"]
    assert rows[2].startswith(f"| `{sys.executable}")
    assert "the joules of" in rows[-1]
    assert rows[-1] in done.stdout


def test_a_command_that_fails_is_not_repeated() -> None:
    done = bench("measure", "--json", "--repeat=5", "--", "false")

    assert done.returncode == 1
    assert json.loads(done.stdout)["repeat"]["n"] == 1


@pytest.mark.parametrize("words", [["--", "true", "--vs"], ["--", "no-such-command"]])
def test_a_command_that_cannot_be_run_is_a_usage_error(words: list[str]) -> None:
    done = bench("measure", *words)

    assert done.returncode == 2
    assert "COMMAND" in done.stderr


def test_doctor_says_of_every_meter_whether_it_answers() -> None:
    report = json.loads(bench("doctor", "--json").stdout)

    silent = {each["probe"] for each in report["unavailable"]}
    assert report["channels"]
    assert all(each["reason"] for each in report["unavailable"])
    assert {"cpu", "cuda"} == set(report["devices"])
    assert silent <= set(PROBES) - {"host", "codecarbon"}
    assert report["would_report"]["total"]["energy_j"] > 0
    assert all("measured_period_s" in each for each in report["channels"])


def test_an_interrupt_is_exit_130_without_a_traceback(tmp_path: Path) -> None:
    code = (
        "import os, signal, sys; from harness import cli\n"
        "sys.argv = ['bench', 'measure', '--', sys.executable, '-c',"
        " 'import os, signal; os.kill(os.getppid(), signal.SIGINT);"
        " import time; time.sleep(5)']\n"
        "cli.main()"
    )

    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )

    assert done.returncode == 130
    assert "Traceback" not in done.stderr
