"""An analyser's file beside a trial: columns, clocks, and what cannot be understood."""

import json
from pathlib import Path

import numpy as np
import pytest

from harness.analyser import beside, read_analyser
from harness.commands.recompute import AnalyserOptions, recompute
from harness.errors import UsageError
from harness.store import RunFolder
from tests.system.test_runs import bench, write_suite

NOON_S = 1_795_000_000


def written(folder: Path, text: str) -> Path:
    path = folder / "wt310.csv"
    path.write_text(text)
    return path


@pytest.mark.parametrize(
    "text",
    [
        f"t,P\n{NOON_S},100\n{NOON_S + 1},110.5\n",
        f"Time;Power\n{NOON_S}000;100\n{NOON_S + 1}000;110.5\n",
        "timestamp\tWatts\n2026-11-18T11:06:40Z\t100\n2026-11-18T12:06:41+01:00\t110.5\n",
    ],
)
def test_times_and_columns_of_several_makers_are_understood(
    tmp_path: Path, text: str
) -> None:
    found = read_analyser(written(tmp_path, text))

    assert found.watts.tolist() == [100.0, 110.5]
    assert np.diff(found.utc_ns).tolist() == [10**9]
    assert found.utc_ns[0] == NOON_S * 10**9


def test_lines_without_a_number_and_repeated_ones_are_dropped_and_counted(
    tmp_path: Path,
) -> None:
    lines = [f"{NOON_S},1", f"{NOON_S + 1},-- --", f"{NOON_S + 2},3", f"{NOON_S + 2},3"]

    found = read_analyser(written(tmp_path, "t,P\n" + "\n".join(lines) + "\n"))

    assert found.watts.tolist() == [1.0, 3.0]
    assert found.dropped == 2


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a,b\n1,2\n", "none of its columns is known: a, b"),
        ("t,P\n2026-11-24T10:00:00,5\n2026-11-24T10:00:01,5\n", "csv:2: .* time zone"),
        (f"t,P\n{NOON_S + 5},1\n{NOON_S},2\n", "csv:3: goes back in time"),
        ("t,P\n0.1,1\n0.2,1\n", "no seconds of the epoch"),
        (f"t,P\n{NOON_S},1\n", "fewer than two readings"),
        ("t,P\nyesterday,1\nnow-ish,2\n", "not a time"),
        ("", "cannot be read"),
    ],
)
def test_what_cannot_be_understood_is_said_with_its_place(
    tmp_path: Path, text: str, words: str
) -> None:
    with pytest.raises(UsageError, match=words):
        read_analyser(written(tmp_path, text))


def test_a_column_that_is_not_there_is_said_with_those_that_are(tmp_path: Path) -> None:
    path = written(tmp_path, f"t,P\n{NOON_S},1\n{NOON_S + 1},2\n")

    with pytest.raises(UsageError, match="no column 'Q'; it has t, P"):
        read_analyser(path, power_column="Q")


def test_instants_follow_both_clocks_of_the_trace(tmp_path: Path) -> None:
    lines = "".join(f"{NOON_S + k},{100 + k}\n" for k in range(20))
    found = read_analyser(written(tmp_path, "t,P\n" + lines))
    start, slow = NOON_S * 10**9, 10 * 10**9 + 10**6  # UTC was slewed by 1 ms in 10 s

    channel, series = beside(found, [(start, 5_000), (start + slow, 5_000 + 10**10)])

    assert (channel.domain, channel.tier) == ("wall", "A")
    assert channel.update_period_s == pytest.approx(1.0, rel=1e-3)
    at = int(np.flatnonzero(series.values == 105.0)[0])
    assert series.times_ns[at] == pytest.approx(5_000 + 5e9 * 1e10 / slow, abs=2)


def test_an_analyser_that_did_not_run_then_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path, f"t,P\n{NOON_S},1\n{NOON_S + 1},2\n")
    late = (NOON_S + 3600) * 10**9

    with pytest.raises(UsageError, match="no readings of the time") as caught:
        beside(read_analyser(path), [(late, 0), (late + 10**10, 10**10)])

    assert "--offset" in caught.value.hint


def test_a_run_takes_the_walls_joules_in(tmp_path: Path) -> None:
    run = tmp_path / "run"
    bench(
        "run", write_suite(tmp_path, "work", window="700 ms", timeout="60 s"), "-o", run
    )
    (before,) = RunFolder(run).records().records
    begin = np.datetime64(before.started_utc[:19], "ns").astype(int) / 1e9
    steps = np.arange(begin - 30, begin + 90, 0.1)
    lines = "".join(f"{t:.3f},250\n" for t in steps)
    options = AnalyserOptions(written(tmp_path, "t,P\n" + lines))

    code = recompute(run, options, write=True, as_json=True)

    (after,) = RunFolder(run).records().records
    assert code == 0
    assert after.total is not None
    assert after.window is not None
    assert after.total.perimeter == ("wall",)
    assert after.total.tier == "A"
    assert after.total.energy_j == pytest.approx(250 * after.window.duration_s)
    kept = [
        json.loads(x) for x in (run / "trials.before.jsonl").read_text().splitlines()
    ]
    assert kept[0]["total"]["perimeter"] == list(
        before.total.perimeter if before.total else ()
    )
    assert recompute(run, None, write=False, as_json=True) == 0
