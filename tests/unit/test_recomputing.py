"""A run derived again: the same byte for byte, or what differs and why."""

import json
from pathlib import Path

import pytest

from harness.commands.recompute import recompute
from harness.errors import NothingMeasured, UsageError
from harness.recomputing import BACKUP
from harness.recomputing import recompute as derive
from harness.store import RunFolder
from tests.system.test_runs import bench, write_suite


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run of three trials, one of which failed twice."""
    folder = tmp_path_factory.mktemp("made")
    suite = write_suite(folder, "[work, raise, skip]", window="300 ms", timeout="60 s")
    bench("run", suite, "-o", folder / "run")
    return folder / "run"


@pytest.fixture
def run(made: Path, tmp_path: Path) -> Path:
    target = tmp_path / "run"
    for path in made.rglob("*"):
        if path.is_file():
            copy = target / path.relative_to(made)
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes(path.read_bytes())
    return target


def work(run: Path) -> str:
    records = RunFolder(run).records().records
    return next(r.trial for r in records if r.status == "ok")


def test_an_untouched_run_comes_out_byte_for_byte(
    run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = (run / "trials.jsonl").read_bytes()

    code = recompute(run, None, write=True, as_json=False)

    assert code == 0
    assert "4 of 4 records came out byte for byte" in capsys.readouterr().out
    assert (run / "trials.jsonl").read_bytes() == before
    assert not (run / BACKUP).exists()


def tamper(run: Path) -> None:
    path = run / "trials.jsonl"
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    for line in lines:
        if line["status"] == "ok":
            line["total"]["energy_j"] /= 2
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))


def test_a_tampered_joule_is_found_named_and_put_right(
    run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    true = next(
        r.total for r in RunFolder(run).records().records if r.trial == work(run)
    )
    tamper(run)

    checked = recompute(run, None, write=False, as_json=False)
    told = capsys.readouterr().out
    written = recompute(run, None, write=True, as_json=False)

    mended = {r.trial: r.total for r in RunFolder(run).records().records}
    assert (checked, written) == (1, 0)
    assert "differs in total" in told
    assert mended[work(run)] == true
    assert (run / BACKUP).exists()


def test_the_lines_before_are_never_overwritten(run: Path) -> None:
    tamper(run)
    recompute(run, None, write=True, as_json=True)
    tamper(run)

    with pytest.raises(UsageError, match="is there already"):
        recompute(run, None, write=True, as_json=True)


@pytest.mark.parametrize(
    ("lost", "words"),
    [("traces/{}.parquet", "trace"), ("outcomes/{}.json", "outcomes")],
)
def test_what_is_missing_is_a_reason_and_the_rest_goes_on(
    run: Path, lost: str, words: str
) -> None:
    (run / lost.format(work(run))).unlink()

    results = list(derive(RunFolder(run)))

    reasons = {r.stored.trial: r.reason for r in results}
    assert len(results) == 4
    assert words in str(reasons[work(run)])
    assert sum(reason is not None for reason in reasons.values()) == 1


def test_a_torn_trace_is_a_reason(run: Path) -> None:
    path = run / "traces" / f"{work(run)}.parquet"
    path.write_bytes(path.read_bytes()[:500])

    reasons = [r.reason for r in derive(RunFolder(run)) if r.reason]

    assert len(reasons) == 1
    assert "cannot be read" in reasons[0]


@pytest.mark.parametrize("plan", ["{}", "", "[1"])
def test_a_broken_plan_is_said_with_its_path(tmp_path: Path, plan: str) -> None:
    folder = RunFolder.create(tmp_path / "run")
    folder.write("plan.json", plan)

    with pytest.raises(UsageError, match=r"plan\.json"):
        recompute(folder.path, None, write=False, as_json=False)


def test_a_run_without_trials_has_nothing_to_derive(run: Path) -> None:
    (run / "trials.jsonl").unlink()

    with pytest.raises(NothingMeasured):
        recompute(run, None, write=False, as_json=False)
