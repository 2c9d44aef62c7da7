"""`bench report sustainability` as a user calls it: files, sites, refusals."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from harness.commands.reporting import Target
from harness.commands.sustainability import SiteOptions, assessed, sustainability
from harness.errors import UsageError
from harness.plan import Plan
from harness.store import RunFolder
from tests import sustainability_makers as makers

SITE = """
schema: 1
name: here
place: {place}
ownership: owned
pue: {{value: 1.2, source: own meters}}
hardware:
  - name: box
    match: "*EPYC*"
    embodied_kg_co2e: [{{value: 900, low: 460, high: 2000, source: maker}}]
    lifetime_years: {{value: 4, source: plan}}
"""


def run_folder(
    path: Path, cpu: str = "AMD EPYC 9654", seed: int = 7, **site: Any
) -> Path:
    folder = RunFolder.create(path)
    plan = {
        "suite": "mine",
        "profile": "quick",
        "settings": (),
        "seed": 7,
        "protocol": {"idle_s": makers.IDLE_S},
        "quality": {},
        "site": {"place": "FRA", **site},
        "trials": (),
        "skips": (),
    }
    folder.write("plan.json", Plan.model_validate(plan).model_dump_json())
    folder.write("machine.json", json.dumps({"cpu": cpu, "cores_logical": 2}))
    folder.write("suite.yaml", "schema: 1\n")
    for record in makers.run():
        folder.append(record.model_copy(update={"seed": seed}))
    return path


def site_file(path: Path, place: str = "FRA") -> Path:
    path.write_text(SITE.format(place=place))
    return path


def test_all_formats_go_into_a_folder(tmp_path: Path) -> None:
    run = run_folder(tmp_path / "run")
    given = SiteOptions(site=site_file(tmp_path / "site.yaml"))

    code = sustainability([run], Target(tmp_path / "out", "html,md,json,csv"), given)

    assert code == 0
    found = {path.suffix: path.read_text() for path in (tmp_path / "out").iterdir()}
    assert found.keys() == {".html", ".md", ".json", ".csv"}
    assert all("joulebench report" in text for text in found.values())
    report = json.loads(found[".json"])
    assert report["site"]["name"] == "here"
    assert report["reproducibility"]["runs"][0]["suite"] == "mine"
    sustainability([run], Target(tmp_path / "out", "html,md,json,csv"), given)


def test_the_command_writes_beside_the_run_and_prints_the_path(tmp_path: Path) -> None:
    run = run_folder(tmp_path / "run")
    command = [sys.executable, "-m", "harness", "report", "sustainability", str(run)]

    refused = subprocess.run(command, capture_output=True, text=True, check=False)
    done = subprocess.run(
        [*command, "--assume", "pue=1.54", "--format", "md"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip

    assert refused.returncode == 2
    assert "this machine is a server (AMD EPYC 9654)" in refused.stderr
    assert "--assume pue=1.54" in refused.stderr
    assert done.stdout.splitlines()[-1] == str(run / "sustainability.md")
    text = (run / "sustainability.md").read_text()
    assert "Assumed: pue: 1.54" in text
    assert str(tmp_path) not in text


def test_a_laptop_needs_no_assumption(tmp_path: Path) -> None:
    run = run_folder(tmp_path / "run", cpu="Intel(R) Core(TM) i7-1260P")

    found = assessed([run], SiteOptions())

    assert found.carbon.facility_kwh.value == found.carbon.energy_kwh.value
    assert "a machine outside a data centre" in " ".join(found.assumed)


def test_the_suite_may_name_the_overhead(tmp_path: Path) -> None:
    found = assessed([run_folder(tmp_path / "run", pue=1.3)], SiteOptions())

    assert found.carbon.facility_kwh.value == pytest.approx(
        1.3 * (found.carbon.energy_kwh.value or 0)
    )


def test_hardware_of_another_machine_is_not_charged(tmp_path: Path) -> None:
    run = run_folder(tmp_path / "run", cpu="Intel(R) Core(TM) i7-1260P")

    found = assessed([run], SiteOptions(site=site_file(tmp_path / "site.yaml")))

    assert found.carbon.embodied_g.value is None
    assert "none of the site's hardware" in (found.carbon.embodied_g.reason or "")


def test_another_country_needs_no_other_run(tmp_path: Path) -> None:
    run = run_folder(tmp_path / "run")
    here, there = (
        assessed([run], SiteOptions(site=site_file(tmp_path / f"{place}.yaml", place)))
        for place in ("FRA", "POL")
    )

    assert here.energy == there.energy
    assert here.carbon.embodied_g == there.carbon.embodied_g
    assert (there.carbon.location_g.value or 0) > 5 * (
        here.carbon.location_g.value or 1
    )


def test_runs_of_two_places_need_one_site(tmp_path: Path) -> None:
    runs = [
        run_folder(tmp_path / "one", pue=1.2),
        run_folder(tmp_path / "two", seed=8, place="POL", pue=1.2),
    ]

    with pytest.raises(UsageError, match="several places: FRA, POL"):
        assessed(runs, SiteOptions())
    found = assessed(runs, SiteOptions(site=site_file(tmp_path / "site.yaml")))
    assert found.trials == 2 * len(makers.run())


def test_a_live_intensity_of_the_run_goes_before_the_yearly_mean(
    tmp_path: Path,
) -> None:
    run = run_folder(tmp_path / "run", pue=1.2)
    live = makers.factor(
        "live", 33.0, "g CO2e/kWh", place="FRA", retrieved_utc="2026-11-25T10:00:00Z"
    )
    RunFolder(run).write(
        "factors.json", json.dumps({"intensity": live.model_dump(mode="json")})
    )

    found = assessed([run], SiteOptions())

    assert found.coefficients[0] == live
    assert found.carbon.location_g.value == pytest.approx(
        33 * (found.carbon.facility_kwh.value or 0)
    )


def test_a_report_of_several_runs_needs_a_place_to_go(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="belongs to none of their folders"):
        sustainability([tmp_path, tmp_path], Target(None, None), SiteOptions())


def test_disclosures_go_beside_the_page(tmp_path: Path) -> None:
    run = run_folder(tmp_path / "run")
    site = site_file(tmp_path / "site.yaml")
    out = tmp_path / "out"

    code = sustainability(
        [run], Target(out, None), SiteOptions(site=site, export=("spdx", "codecarbon"))
    )

    assert code == 0
    assert {path.name for path in out.iterdir()} >= {
        "sustainability.html", "spdx.json", "emissions.csv",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("runs", "output", "message"),
    [(2, "out", "one run on one machine"), (1, "page.html", "writes several files")],
)
def test_disclosures_are_of_one_run_and_need_a_folder(
    tmp_path: Path, runs: int, output: str, message: str
) -> None:
    given = SiteOptions(export=("all",))

    with pytest.raises(UsageError, match=message):
        sustainability([tmp_path] * runs, Target(Path(output), None), given)


def test_an_unknown_disclosure_is_refused_before_anything_is_written(
    tmp_path: Path,
) -> None:
    unknown = SiteOptions(export=("spxd",))

    with pytest.raises(UsageError, match=r"'spxd' \(did you mean 'spdx'\?\)"):
        sustainability([tmp_path], Target(tmp_path / "out", None), unknown)
    assert not (tmp_path / "out").exists()


def test_a_run_by_two_names_counts_once(tmp_path: Path) -> None:
    run = run_folder(tmp_path / "run", pue=1.2)
    (tmp_path / "link").symlink_to(run)

    twice = assessed([run, tmp_path / "link", run / ".." / "run"], SiteOptions())

    assert twice.energy.gross_j == assessed([run], SiteOptions()).energy.gross_j


def test_a_copy_of_a_run_is_refused(tmp_path: Path) -> None:
    runs = [run_folder(tmp_path / name, pue=1.2) for name in ("run", "copy")]

    with pytest.raises(UsageError, match="hold the same trial"):
        assessed(runs, SiteOptions())


def test_files_of_others_are_not_replaced_by_disclosures(tmp_path: Path) -> None:
    run = run_folder(tmp_path / "run", pue=1.2)
    out = tmp_path / "out"
    out.mkdir()
    theirs = out / "emissions.csv"
    theirs.write_text("timestamp,project_name\n2026,theirs\n")
    given = SiteOptions(export=("statement", "codecarbon"))

    with pytest.raises(UsageError, match=r"emissions\.csv is there already"):
        sustainability([run], Target(out, None), given)

    assert "theirs" in theirs.read_text()
    assert not (out / "statement.txt").exists()
    assert sustainability([run], Target(out, None, force=True), given) == 0
    assert "theirs" not in theirs.read_text()
    assert sustainability([run], Target(out, None), given) == 0


def test_a_disclosure_is_not_written_through_a_link(tmp_path: Path) -> None:
    run = run_folder(tmp_path / "run", pue=1.2)
    out = tmp_path / "out"
    out.mkdir()
    (out / "statement.txt").symlink_to(tmp_path / "elsewhere")

    sustainability([run], Target(out, None), SiteOptions(export=("statement",)))

    assert not (tmp_path / "elsewhere").exists()
    assert "joulebench" in (out / "statement.txt").read_text()
