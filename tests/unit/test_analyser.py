"""An analyser's file beside a trial: columns, clocks, and what cannot be understood."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from harness.analyser import beside, read_analyser, to_monotonic
from harness.commands.recompute import AnalyserOptions, recompute
from harness.errors import UsageError
from harness.series import Series
from harness.store import RunFolder
from harness.traces import read_recording, write_recording
from tests.fakes import channel
from tests.system.test_runs import bench, write_suite

NOON_S = 1_795_000_000


ISO = ("2026-11-18T11:06:40Z", "2026-11-18T11:06:41Z")
"""Noon, and a second later."""


def written(folder: Path, text: str, encoding: str = "utf-8") -> Path:
    path = folder / "wt310.csv"
    path.write_bytes(text.encode(encoding))
    return path


@pytest.mark.parametrize(
    "text",
    [
        f"t,P\n{NOON_S},100\n{NOON_S + 1},110.5\n",
        f"Time;Power\n{NOON_S}000;100\n{NOON_S + 1}000;110.5\n",
        "timestamp\tWatts\n2026-11-18T11:06:40Z\t100\n2026-11-18T12:06:41+01:00\t110.5\n",
        f"t;P\n{NOON_S},0;100,0\n{NOON_S + 1},0;110,5\n",
        f"t;P\r\n{NOON_S};100\r\n{NOON_S + 1};110.5\r\n",
        f"\ufefft,P\n{NOON_S},100\n{NOON_S + 1},110.5\n",
        f" Time , Power \n {ISO[0]} , 100 \n {ISO[1]} , 110.5 \n",
        f"t,P\n{NOON_S}000000,100\n{NOON_S + 1}000000,110.5\n",
        f"t,P\n{NOON_S}000000000,100\n{NOON_S + 1}000000000,110.5\n",
        f"Power,Time,\n100,{ISO[0]},\n110.5,{ISO[1]},\n",
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
    "text",
    [
        f"t,P\ns,W\n{NOON_S},100\n{NOON_S + 1},110.5\nsum,210.5\n",
        f"t,P\n,W\n{ISO[0]},100\n{ISO[1]},110.5\n,210.5\n",
        f"t,P\n{ISO[0]},100\n{ISO[1]},110.5\n3600,210.5\n\n",
        f"t,P\n{NOON_S},100\n{NOON_S + 1},110.5\n{ISO[1]},9\n\n",
    ],
)
def test_units_sums_and_times_of_another_kind_are_dropped(
    tmp_path: Path, text: str
) -> None:
    found = read_analyser(written(tmp_path, text))

    assert found.watts.tolist() == [100.0, 110.5]
    assert found.utc_ns.tolist() == [NOON_S * 10**9, (NOON_S + 1) * 10**9]
    assert found.dropped == 2


def test_a_file_of_an_older_program_is_latin_1(tmp_path: Path) -> None:
    text = f"t;P;Temp °C\n{NOON_S};100;20\n{NOON_S + 1};110,5;20\n"

    found = read_analyser(written(tmp_path, text, "latin-1"), power_column="Temp °C")

    assert found.watts.tolist() == [20.0, 20.0]


@pytest.mark.parametrize(
    ("cells", "line"),
    [
        (("2026-11-18T11:06:40", "2026-11-18T11:06:41"), 2),
        ((ISO[0], "2026-11-18T11:06:41"), 3),
        (("", "2026-11-18 11:06:41.5"), 3),
        (("2026-11-18", ISO[1]), 2),
    ],
)
def test_a_time_without_a_zone_is_refused_wherever_it_stands(
    tmp_path: Path, cells: tuple[str, str], line: int
) -> None:
    path = written(tmp_path, f"t,P\n{cells[0]},1\n{cells[1]},2\n")

    with pytest.raises(UsageError, match=rf"csv:{line}: '.*' has no time zone") as told:
        read_analyser(path)

    assert "epoch seconds" in told.value.hint


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le"])
def test_utf_16_is_refused_with_the_cure(tmp_path: Path, encoding: str) -> None:
    path = written(tmp_path, f"t,P\n{NOON_S},1\n{NOON_S + 1},2\n", encoding)

    with pytest.raises(UsageError, match="UTF-16") as told:
        read_analyser(path)

    assert "UTF-8" in told.value.hint


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"none\.csv: cannot be read"):
        read_analyser(tmp_path / "none.csv")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a,b\n1,2\n", "none of its columns is known: a, b"),
        ("t,P\n2026-11-24T10:00:00,5\n2026-11-24T10:00:01,5\n", "csv:2: .* time zone"),
        (f"t,P\n{NOON_S + 5},1\n{NOON_S},2\n", "csv:3: goes back in time"),
        (f"t,P\n{NOON_S},1\n1e300,2\n", "csv:3: goes back in time"),
        ("t,P\n0.1,1\n0.2,1\n", "no seconds of the epoch"),
        (f"t,P\n{NOON_S},1\n", "fewer than two readings"),
        ("t,P\nyesterday,1\nnow-ish,2\n", "csv:2: no time in column 't': 'yesterday'"),
        ("t,P\n,1\n,2\n", "csv:2: no time in column 't'"),
        ("t,P\n", "no time in column 't'"),
        (f"t,P\n{ISO[0]},-\n{ISO[1]},-\n", "fewer than two readings in column 'P'"),
        (f't,P\n{NOON_S},"999"\n{NOON_S + 1},"1,234"\n', "csv:3: '1,234' may be"),
        (f't,P\n{NOON_S},"1,234.5"\n{NOON_S + 1},2\n', "csv:2: '1,234.5' may be"),
        (f"t;P\n{NOON_S};999,5\n{NOON_S + 1};1.234,5\n", "csv:3: '1.234,5' may be"),
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


def test_a_clock_that_was_stepped_while_the_trial_ran_places_nothing() -> None:
    noon_ns, ten_s = NOON_S * 10**9, 10**10
    stepped = [(noon_ns, 0), (noon_ns + ten_s + 2 * 10**9, ten_s)]

    with pytest.raises(UsageError, match=r"time was set .*, by 2 s") as told:
        to_monotonic(np.array([noon_ns]), stepped)

    assert "NTP" in told.value.hint


def test_a_clock_set_back_by_more_than_the_trial_took_is_said_to_be_set() -> None:
    noon_ns, ten_s = NOON_S * 10**9, 10**10

    with pytest.raises(UsageError, match=r"time was set .*, by 3.6e\+03 s"):
        to_monotonic(
            np.array([noon_ns]), [(noon_ns, 0), (noon_ns - 359 * ten_s, ten_s)]
        )


@pytest.mark.parametrize("option", ["--align", "--offset=1", "--power-column=P"])
def test_how_to_read_a_file_that_is_not_named_is_a_usage_error(
    tmp_path: Path, option: str
) -> None:
    code, _, told = bench("recompute", tmp_path, option)

    assert code == 2
    assert "--analyser CSV" in told


def test_a_clock_that_was_slewed_for_an_hour_is_no_step() -> None:
    noon_ns, hour = NOON_S * 10**9, 3600 * 10**9
    slewed = hour + hour // 2000

    found = to_monotonic(
        np.array([noon_ns, noon_ns + slewed]), [(noon_ns, 7), (noon_ns + slewed, hour)]
    )

    assert found.tolist() == [7, hour]


@pytest.mark.parametrize("clocks", [(), ((5, 5),), ((5, 5), (5, 9)), ((5, 5), (4, 9))])
def test_a_trace_that_does_not_keep_the_time_places_nothing(
    clocks: tuple[tuple[int, int], ...],
) -> None:
    with pytest.raises(UsageError, match="does not keep what time it was"):
        to_monotonic(np.array([5]), clocks)


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


def test_a_run_finds_the_offset_of_the_walls_clock(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "run"
    bench(
        "run", write_suite(tmp_path, "work", window="700 ms", timeout="60 s"), "-o", run
    )
    (before,) = RunFolder(run).records().records
    trace = RunFolder(run).trace_path(before.trial)
    recording = read_recording(trace)
    (utc_ns, mono_ns), _ = recording.clocks
    since_ns = np.arange(-40 * 10**9, 40 * 10**9, 10**8)
    loads_w = np.where(since_ns < -25 * 10**9, 300.0, 100.0)
    gpu = channel("gpu/power_w", domain="gpu", device="g", kind="gauge")
    own = {gpu.name: Series(mono_ns + since_ns, loads_w)}
    write_recording(trace, replace(recording, channels=(gpu,), trace=own))
    times_s = (utc_ns + since_ns) / 1e9 - 7.5
    lines = "".join(
        f"{t:.3f},{60 + w}\n" for t, w in zip(times_s, loads_w, strict=True)
    )
    options = AnalyserOptions(written(tmp_path, "t,P\n" + lines), align=True)

    code = recompute(run, options, write=True, as_json=True)

    told = capsys.readouterr().err
    (after,) = RunFolder(run).records().records
    assert code == 0
    assert "+7.5 s added to its time: there it goes with gpu (measured)" in told
    assert after.total is not None
    assert after.window is not None
    assert after.total.energy_j == pytest.approx(160 * after.window.duration_s)
    (wall,) = (c for c in read_recording(trace).channels if c.domain == "wall")
    assert (wall.note or "").endswith("wt310.csv, +7.5 s")
    assert recompute(run, options, write=False, as_json=True) == 0
