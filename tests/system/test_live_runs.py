"""A run asks its live source once, and never again: not in a resume, not later."""

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path

import pytest

from harness.store import RunFolder
from tests.meter_servers import Answer, serving
from tests.meter_servers import json as answered
from tests.system.test_runs import bench, write_suite

LIVE = "site: {place: GBR, pue: 1.2, intensity: trouble-grid%s}"
NOBODY = "http://127.0.0.1:9"


def grid(asked: list[str], g_per_kwh: float) -> Callable[..., Answer]:
    def answers(path: str, _: Mapping[str, str]) -> Answer:
        asked.append(path)
        start = datetime.now(UTC).strftime("%Y-%m-%dT%H:%MZ")
        told = {"forecast": 300, "actual": g_per_kwh}
        return answered(json.dumps({"data": [{"from": start, "intensity": told}]}))

    return answers


def suite_of(folder: Path, what: str, site: str, **more: object) -> Path:
    path = write_suite(folder, what, window="100 ms", **more)  # type: ignore[arg-type]
    path.write_text(path.read_text().replace("site: {place: FRA}", site))
    return path


def test_what_a_run_began_with_is_used_when_the_service_is_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    suite = suite_of(tmp_path, "[work]", LIVE % "", rounds=2)
    folder, asked = RunFolder(tmp_path / "run"), list[str]()
    with serving(grid(asked, 149.0)) as url:
        monkeypatch.setenv("TROUBLE_GRID_URL", url)
        code, out, err = bench("run", suite, "-o", folder.path)
    assert code == 0, err
    assert len(asked) == 1
    frozen = json.loads(folder.read("factors.json"))
    assert frozen["intensity"]["value"] == 149.0
    assert "actual of" in frozen["intensity"]["source"]
    assert "149 g CO2e/kWh, GBR" in out

    monkeypatch.setenv("TROUBLE_GRID_URL", NOBODY)
    lines = (folder.path / "trials.jsonl").read_text().splitlines()
    (folder.path / "trials.jsonl").write_text(f"{lines[0]}\n")  # as if killed
    code, _, err = bench("resume", folder.path)

    assert code == 0, err
    records = folder.records().records
    assert len(records) == 2
    for record in records:
        assert record.carbon is not None
        assert record.total is not None
        assert record.carbon.intensity_g_per_kwh == 149.0
        if record.total.energy_j is not None:
            expected = record.total.energy_j / 3.6e6 * 149.0 * 1.2
            assert record.carbon.co2e_g == pytest.approx(expected)
    code, out, err = bench("recompute", folder.path)
    assert code == 0, err
    assert "2 of 2 records came out byte for byte" in out


def test_a_service_that_fails_is_told_before_anything_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    suite = suite_of(tmp_path, "[work]", LIVE % "")
    monkeypatch.setenv("TROUBLE_GRID_URL", NOBODY)

    code, out, err = bench("run", suite, "-o", tmp_path / "run")

    assert code == 3
    assert out == ""
    assert "UK Carbon Intensity: cannot be reached" in err
    assert not (tmp_path / "run").exists()


def test_a_yearly_mean_takes_its_place_only_where_the_suite_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    suite = suite_of(tmp_path, "[work]", LIVE % ", fallback: yearly-mean")
    monkeypatch.setenv("TROUBLE_GRID_URL", NOBODY)

    code, out, err = bench("run", suite, "-o", tmp_path / "run")

    assert code == 0, err
    assert "a yearly mean stands in for the live intensity: UK Carbon" in err
    frozen = json.loads((tmp_path / "run" / "factors.json").read_text())
    assert "cannot be reached" in frozen["fallback_reason"]
    assert frozen["intensity"]["caveats"][-1].startswith("in place of trouble-grid")
    assert "Our World in Data" in out


def test_a_command_is_measured_with_a_live_intensity(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with serving(grid([], 149.0)) as url:
        monkeypatch.setenv("TROUBLE_GRID_URL", url)
        live = ("--place", "GBR", "--intensity", "trouble-grid")
        code, out, err = bench("measure", *live, "--json", "--", "true")

    assert code == 0, err
    carbon = json.loads(out)["carbon"]
    assert carbon["intensity_g_per_kwh"] == 149.0
    assert "UK Carbon Intensity API v2" in carbon["source"]
