"""Samples, traces and the meter process."""

from pathlib import Path

import pytest

from harness.errors import BenchError
from harness.metering import start_meter
from harness.sampler import Sampler
from harness.traces import read_trace, write_trace
from tests.fakes import FakeClock, ScriptedProbe, channel, samples


def test_an_edge_reads_every_probe_at_one_instant() -> None:
    clock = FakeClock()
    probe = ScriptedProbe(channel(), lambda: clock.time_ns / 1e9 * 50)
    sampler = Sampler([probe], clock)
    sampler.open()

    clock.advance(2.0)
    time_ns = sampler.edge()

    assert sampler.trace() == {"meter/energy_j": samples((2, 100))}
    assert time_ns == 2_000_000_000


def test_a_failed_read_leaves_no_sample() -> None:
    sampler = Sampler([ScriptedProbe(channel(), lambda: None)], FakeClock())
    sampler.open()

    sampler.edge()

    assert sampler.trace() == {"meter/energy_j": []}


def test_watts_of_a_counter_are_its_slope() -> None:
    clock = FakeClock()
    sampler = Sampler(
        [ScriptedProbe(channel(), lambda: clock.time_ns / 1e9 * 50)], clock
    )
    sampler.open()
    assert sampler.watts() is None

    for _ in range(3):
        sampler.edge()
        clock.advance(0.1)

    assert sampler.watts() == pytest.approx(50)


def test_closing_the_sampler_closes_its_probes() -> None:
    probe = ScriptedProbe(channel(), lambda: 1.0)
    sampler = Sampler([probe], FakeClock())
    sampler.open()

    sampler.close()

    assert not probe.is_open


def test_a_trace_comes_back_as_it_was_written(tmp_path: Path) -> None:
    trace = {"a": samples((0, 1.5), (1, 2.5)), "b": samples((0.5, 7))}

    write_trace(tmp_path / "t.parquet", trace)

    assert read_trace(tmp_path / "t.parquet") == trace
    assert [p.name for p in tmp_path.iterdir()] == ["t.parquet"]


@pytest.mark.parametrize("content", [None, b"", b"PAR1 and nothing else"])
def test_a_broken_trace_is_said_with_its_path(
    tmp_path: Path, content: bytes | None
) -> None:
    path = tmp_path / "t.parquet"
    if content is not None:
        path.write_bytes(content)

    with pytest.raises(BenchError, match=r"t\.parquet"):
        read_trace(path)


def test_the_meter_process_answers_and_writes_the_trace(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    with start_meter(["host", "rapl"], period_s=0.05) as meter:
        channels, unavailable = meter.describe()
        meter.begin("t")
        first, last = meter.edge(), meter.edge()
        meter.end(path)
        cpu_s = meter.cpu_s()

    trace = read_trace(path)
    assert last > first
    assert {first, last} <= {s.time_ns for s in trace["host/cpu_total_s"]}
    assert {c.name for c in channels} >= {"host/cpu_busy_s"}
    assert all(reason for _, reason, _ in unavailable)
    assert cpu_s > 0


def test_a_meter_that_cannot_write_says_so_and_goes_on(tmp_path: Path) -> None:
    with start_meter(["host"]) as meter:
        meter.begin("t")
        with pytest.raises(BenchError, match="meter process failed"):
            meter.end(tmp_path / "no" / "such" / "folder" / "t.parquet")

        assert meter.edge() > 0
