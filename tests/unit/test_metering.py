"""Samples, ticks, traces, and the meter process of a node."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from harness import node
from harness.errors import BenchError, EvidenceError, UsageError
from harness.meter import Meter
from harness.metering import MeterClient, start_meter
from harness.readings import Channel
from harness.sampler import KEEP_S, Sampler
from harness.series import Series, Times, Values
from harness.traces import Recording, Spool, read_recording, write_recording
from tests.fakes import FakeClock, ScriptedProbe, channel, samples

PROBES = ["host", "codecarbon"]


class Kept:
    """A recorder that remembers."""

    def __init__(self) -> None:
        self.times_ns: list[int] = []

    def append(self, times_ns: Times, indexes: Times, values: Values) -> None:
        self.times_ns += times_ns.tolist()


def sampler_of(clock: FakeClock, described: Channel | None = None) -> Sampler:
    """A sampler of one counter of 50 W that ticks with its period."""
    made = described or channel()
    period_ns = round((made.update_period_s or 1e-9) * 1e9)

    def value() -> float:
        return clock.time_ns // period_ns * period_ns / 1e9 * 50

    sampler = Sampler([ScriptedProbe(made, value)], clock)
    sampler.open()
    return sampler


def test_an_edge_reads_every_probe_at_one_instant() -> None:
    clock = FakeClock()
    sampler = sampler_of(clock)

    clock.advance(2.0)
    time_ns = sampler.edge()

    assert sampler.trace() == {"meter/energy_j": samples((2, 100))}
    assert time_ns == 2_000_000_000


@pytest.mark.parametrize("value", [None, float("nan"), float("inf")])
def test_a_failed_read_leaves_no_sample(value: float | None) -> None:
    sampler = Sampler([ScriptedProbe(channel(), lambda: value)], FakeClock())
    sampler.open()

    sampler.edge()

    assert sampler.trace() == {"meter/energy_j": samples()}


def test_an_aligned_edge_waits_for_the_tick() -> None:
    clock = FakeClock(now_ns=1_030_000_000)
    sampler = sampler_of(clock, channel(period_s=0.1))

    time_ns = sampler.edge(aligned=True)

    assert 1_100_000_000 <= time_ns <= 1_102_000_000


def test_an_aligned_edge_does_not_wait_for_ever() -> None:
    clock = FakeClock()
    frozen = ScriptedProbe(channel(period_s=0.1), lambda: 7.0)
    sampler = Sampler([frozen], clock)
    sampler.open()

    time_ns = sampler.edge(aligned=True)

    assert 0.2e9 <= time_ns <= 0.3e9


@pytest.mark.parametrize("period_s", [0.001, 2.0, None])
def test_quick_and_very_slow_counters_are_not_waited_for(
    period_s: float | None,
) -> None:
    clock = FakeClock(now_ns=500_000)
    sampler = sampler_of(clock, channel(period_s=period_s))

    assert sampler.edge(aligned=True) == 500_000


def test_the_update_period_is_learnt_from_the_counter() -> None:
    clock = FakeClock()

    def value() -> float:
        return clock.time_ns // 20_000_000

    sampler = Sampler([ScriptedProbe(channel(period_s=0.1), value)], clock)
    sampler.open(learn_s=0.35)

    assert sampler.channels[0].update_period_s == pytest.approx(0.02, abs=0.002)


def test_a_slow_channel_is_read_at_its_own_pace() -> None:
    clock = FakeClock()
    slow = channel("slow").model_copy(update={"read_every_s": 1.0, "kind": "gauge"})
    sampler = sampler_of(clock, slow)

    for _ in range(31):
        sampler.edge()
        clock.advance(0.1)

    assert len(sampler.trace()["slow"]) == 4


def test_what_a_slow_counter_grew_by_is_known_at_each_edge() -> None:
    clock = FakeClock()
    slow = channel("slow").model_copy(update={"read_every_s": 1.0})
    sampler = sampler_of(clock, slow)

    edges_ns = []
    for _ in range(3):
        clock.advance(0.1)
        edges_ns.append(sampler.edge())

    assert sampler.trace()["slow"].times_ns.tolist() == edges_ns


def test_recorders_get_every_sample_once_and_memory_is_bounded() -> None:
    clock = FakeClock()
    sampler = sampler_of(clock)
    kept = Kept()
    sampler.edge()
    sampler.record(kept)

    expected = []
    for _ in range(1000):
        clock.advance(0.5)
        expected.append(sampler.edge())
        sampler.flush()
    sampler.release(kept)
    clock.advance(0.5)
    sampler.edge()

    held = sampler.trace()["meter/energy_j"]
    assert kept.times_ns == expected
    assert len(held) <= 2 * KEEP_S + 3


class Full:
    """A recorder whose disk is full."""

    def append(self, times_ns: Times, indexes: Times, values: Values) -> None:
        raise OSError(28, "No space left on device")


def test_a_full_disk_is_told_at_the_end_and_sampling_goes_on() -> None:
    clock = FakeClock()
    sampler = sampler_of(clock)
    full, kept = Full(), Kept()
    sampler.record(full)
    sampler.record(kept)

    for _ in range(3):
        clock.advance(1.0)
        sampler.edge()
        sampler.flush()

    assert len(kept.times_ns) == 3
    with pytest.raises(OSError, match="No space left"):
        sampler.release(full)


def test_an_open_window_keeps_its_samples() -> None:
    clock = FakeClock()
    sampler = sampler_of(clock)
    start_ns = sampler.edge()
    sampler.keep_from(start_ns)

    for _ in range(300):
        clock.advance(1.0)
        sampler.edge()
        sampler.flush()
    held = len(sampler.trace()["meter/energy_j"])
    sampler.forget(start_ns)
    clock.advance(1.0)
    sampler.edge()
    sampler.flush()

    assert held == 301
    assert len(sampler.trace()["meter/energy_j"]) < 70


def test_closing_the_sampler_closes_its_probes() -> None:
    probe = ScriptedProbe(channel(), lambda: 1.0)
    sampler = Sampler([probe], FakeClock())
    sampler.open()

    sampler.close()

    assert not probe.is_open


def recording() -> Recording:
    return Recording(
        channels=(channel("a"), channel("b")),
        trace={"a": samples((0, 1.5), (1, 2.5)), "b": samples((0.5, 7))},
        clocks=((10, 1), (20, 11)),
        facts={"machine": "a test"},
    )


def test_a_trace_comes_back_as_it_was_written(tmp_path: Path) -> None:
    write_recording(tmp_path / "t.parquet", recording())

    assert read_recording(tmp_path / "t.parquet") == recording()
    assert [p.name for p in tmp_path.iterdir()] == ["t.parquet"]


@pytest.mark.parametrize("torn_bytes", [0, 1, 100])
def test_a_killed_recording_is_readable_up_to_its_last_batch(
    tmp_path: Path, torn_bytes: int
) -> None:
    spool = Spool(tmp_path / "t.parquet", (channel("a"),), {})
    for second in range(3):
        part = samples((second, second + 0.5))
        spool.append(part.times_ns, part.times_ns * 0, part.values)
    (left,) = tmp_path.iterdir()
    content = left.read_bytes()
    spool.finish(())
    (tmp_path / "t.parquet").unlink()
    left.write_bytes(content[: len(content) - torn_bytes])

    trace = read_recording(tmp_path / "t.parquet").trace["a"]

    whole = Series.of([0, 10**9, 2 * 10**9], [0.5, 1.5, 2.5])
    assert trace == (whole if not torn_bytes else whole.cut(0, 10**9))


@pytest.mark.parametrize("content", [None, b"", b"PAR1 and nothing else"])
def test_a_broken_trace_is_said_with_its_path(
    tmp_path: Path, content: bytes | None
) -> None:
    path = tmp_path / "t.parquet"
    if content is not None:
        path.write_bytes(content)

    with pytest.raises(BenchError, match=r"t\.parquet"):
        read_recording(path)


def test_the_meter_process_answers_and_writes_the_trace(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    with start_meter(["host", "rapl"], period_s=0.05) as meter:
        channels, unavailable = meter.describe()
        meter.begin(path, trial="t")
        first, last = meter.edge(), meter.edge()
        meter.end()
        cpu_s = meter.cpu_s()

    kept = read_recording(path)
    assert last > first
    assert {first, last} <= set(kept.trace["host/cpu_total_s"].times_ns.tolist())
    assert kept.channels == channels
    assert (kept.facts or {})["trial"] == "t"
    assert kept.clocks[0][1] <= first <= last <= kept.clocks[1][1]
    assert {c.name for c in channels} >= {"host/cpu_busy_s"}
    assert all(reason for _, reason, _ in unavailable)
    assert cpu_s > 0


def test_a_meter_that_cannot_write_says_so_and_goes_on(tmp_path: Path) -> None:
    with start_meter(["host"]) as meter:
        with pytest.raises(BenchError, match="meter process failed"):
            meter.begin(tmp_path / "no" / "such" / "folder" / "t.parquet")

        assert meter.edge() > 0


def test_a_second_meter_of_the_node_attaches() -> None:
    with Meter(probes=PROBES) as first, Meter(probes=PROBES) as second:
        with first.window("a") as one, second.window("a") as two:
            time.sleep(0.05)
        paths = {first.meter_path, second.meter_path}

    assert len(paths) == 1
    assert one.reading.node == two.reading.node


def test_the_meter_outlives_the_one_that_started_it_while_it_is_used() -> None:
    with start_meter(PROBES) as owner:
        guest = MeterClient(owner.path)
        guest.edge()

    assert guest.edge() > 0
    guest.close()
    with start_meter(PROBES) as again:
        assert again.edge() > 0


def test_other_meters_than_those_that_run_are_refused() -> None:
    refused = pytest.raises(EvidenceError, match="metering this node already")

    with start_meter(["host"]), refused, start_meter(PROBES):
        pass


@pytest.mark.parametrize("trouble", ["missing", "link", "folder"])
def test_a_lock_that_cannot_be_opened_is_said_with_its_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, trouble: str
) -> None:
    folder = tmp_path / "node"
    if trouble != "missing":
        folder.mkdir()
    if trouble == "link":
        (folder / "joulebench-meter.lock").symlink_to("/etc/hostname")
    if trouble == "folder":
        (folder / "joulebench-meter.lock").mkdir()
    monkeypatch.setenv(node.FOLDER_VARIABLE, str(folder))

    refused = pytest.raises(UsageError, match=r"joulebench-meter\.lock")
    with refused, start_meter(["host"]):
        pass


@pytest.mark.parametrize("left", ["", "not json", '{"pid": 1}'])
def test_what_a_dead_process_left_in_the_lock_does_not_matter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, left: str
) -> None:
    (tmp_path / "joulebench-meter.lock").write_text(left)
    monkeypatch.setenv(node.FOLDER_VARIABLE, str(tmp_path))

    with start_meter(["host"]) as meter:
        assert meter.edge() > 0


def test_the_lock_of_a_meter_that_was_killed_is_free_again() -> None:
    with start_meter(["host"]) as meter:
        os.kill(node.attachable(("host",), {}).pid, signal.SIGKILL)
        with pytest.raises(BenchError, match="has gone"):
            meter.edge()

    with start_meter(["host"]) as meter:
        assert meter.edge() > 0


def test_the_public_meter_reads_windows_and_the_whole() -> None:
    with Meter(probes=PROBES) as meter:
        for number in range(3):
            with meter.window("epoch") as window:
                time.sleep(0.11)
            assert window.reading.duration_s >= 0.11, number

    inner_j = [reading.energy_j for reading in meter.windows["epoch"]]
    assert len(inner_j) == 3
    assert meter.reading.energy_j is not None
    assert meter.reading.energy_j >= sum(j or 0.0 for j in inner_j)
    assert meter.reading.doubts


def test_each_call_of_a_decorated_function_is_measured() -> None:
    meter = Meter(probes=PROBES)

    @meter
    def work() -> str:
        time.sleep(0.06)
        return "done"

    assert work() == "done"
    assert meter.reading.energy_j is not None
    assert meter.reading.duration_s >= 0.06


def test_a_reading_before_its_end_is_an_error_not_a_number() -> None:
    early = pytest.raises(BenchError, match="has not ended")
    with Meter(probes=PROBES) as meter:
        with meter.window("w") as window, early:
            _ = window.reading
        with pytest.raises(BenchError, match="has not ended"):
            _ = meter.reading

    with pytest.raises(BenchError, match="not running"), meter.window("late"):
        pass


def test_windows_in_threads_take_turns() -> None:
    with Meter(probes=PROBES) as meter:

        def work(name: str) -> None:
            for _ in range(5):
                with meter.window(name):
                    time.sleep(0.01)

        threads = [threading.Thread(target=work, args=(name,)) for name in "abcd"]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    found = [reading for name in "abcd" for reading in meter.windows[name]]
    assert len(found) == 20
    assert all(reading.duration_s >= 0.01 for reading in found)


def test_what_went_wrong_inside_a_window_is_what_is_told() -> None:
    with Meter(probes=PROBES) as meter:
        with pytest.raises(ZeroDivisionError), meter.window("w") as window:
            raise ZeroDivisionError
        with meter.window("next") as after:
            time.sleep(0.02)

    assert window.reading.energy_j is not None
    assert after.reading.duration_s >= 0.02


def test_a_killed_meter_is_an_error_not_a_number() -> None:
    gone = pytest.raises(BenchError, match="has gone")

    with gone, Meter(probes=PROBES):
        os.kill(node.attachable(PROBES, {}).pid, signal.SIGKILL)


def test_an_interrupted_question_leaves_no_answer_to_the_next() -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        with start_meter(PROBES) as meter:
            signal.setitimer(signal.ITIMER_REAL, 0.2)
            with pytest.raises(KeyboardInterrupt):
                meter.periods(1.0)
            with pytest.raises(BenchError, match="interrupted"):
                meter.edge()
    finally:
        signal.signal(signal.SIGALRM, before)


def test_the_public_meter_loads_neither_torch_nor_pandas() -> None:
    code = (
        "import sys; from harness import Meter\n"
        "heavy = {'torch', 'pandas', 'pyarrow', 'codecarbon'} & set(sys.modules)\n"
        "sys.exit(', '.join(heavy) or None)"
    )

    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stderr
