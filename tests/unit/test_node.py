"""One meter process a node: who may attach, where it answers, what a fork may do."""

import asyncio
import os
import socket
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from harness import node
from harness.errors import BenchError, EvidenceError, UsageError
from harness.meter import Meter
from harness.metering import MeterClient, start_meter

PROBES = ["host", "codecarbon"]
LIST = "CUDA_VISIBLE_DEVICES"


def in_a_fork(work: Callable[[], None]) -> str:
    """What a fork of this process raised, or nothing."""
    ours, theirs = os.pipe()
    if (pid := os.fork()) == 0:
        told = ""
        try:
            work()
        except BaseException as error:  # noqa: BLE001 (told to the parent)
            told = f"{type(error).__name__}: {error}"
        finally:
            os.write(theirs, told.encode())
            os._exit(0)
    os.close(theirs)
    os.waitpid(pid, 0)
    with os.fdopen(ours) as pipe:
        return pipe.read()


def test_another_device_list_than_the_running_meter_has_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(LIST, "0")
    with start_meter(["host", "nvml"]):
        monkeypatch.setenv(LIST, "1")
        refused = pytest.raises(EvidenceError, match=f"{LIST}=0; here it is {LIST}=1")
        with refused, start_meter(["nvml"]):
            pass
        monkeypatch.delenv(LIST)
        with pytest.raises(EvidenceError, match=f"no {LIST}"), start_meter(["nvml"]):
            pass
        with start_meter(["host"]) as other:  # reads no device of that list
            assert other.edge() > 0


def test_another_meters_file_than_the_running_meter_has_is_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with start_meter(["host", "external"]):
        file = tmp_path / "meters.yaml"
        file.write_text(
            "schema: 1\nmeters:\n  - {name: a, kind: csv, path: /no/such.csv}\n"
        )
        monkeypatch.setenv("JOULEBENCH_METERS", str(file))
        refused = pytest.raises(EvidenceError, match="meters file=")
        with refused, start_meter(["external"]):
            pass


def test_a_guest_is_told_of_its_own_probes_only() -> None:
    with Meter(probes=PROBES), Meter(probes=["host"]) as guest:
        time.sleep(0.05)
    with Meter(probes=["host"]) as alone:
        time.sleep(0.05)

    assert guest.reading.energy == alone.reading.energy == ()
    assert guest.reading.total == alone.reading.total
    assert guest.reading.energy_j is None


def test_the_channels_of_a_guest_are_those_of_its_probes() -> None:
    with start_meter(PROBES) as owner:
        guest = MeterClient(owner.path, ["host"])
        channels, _ = guest.describe()
        whole, _ = owner.describe()
        guest.close()

    assert {c.name.partition("/")[0] for c in channels} == {"host"}
    assert len(whole) > len(channels)


def test_every_job_of_a_node_finds_the_same_lock(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv(node.FOLDER_VARIABLE)
    before = node.lock_path()
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)

    assert node.lock_path() == before


def test_a_deep_temporary_folder_does_not_matter(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    deep = tmp_path / ("x" * 120)
    deep.mkdir()
    monkeypatch.setenv("TMPDIR", str(deep))
    monkeypatch.setattr("tempfile.tempdir", None)

    with start_meter(["host"]) as meter:
        assert meter.edge() > 0


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere it is a file")
def test_a_running_meter_leaves_no_file_that_could_be_cleaned_away() -> None:
    with start_meter(["host"]) as meter:
        assert meter.path.startswith(node.UNFILED)


@pytest.mark.parametrize("kind", ["file", "name"])
def test_an_address_with_and_without_a_file_takes_calls(
    tmp_path: Path, kind: str
) -> None:
    address = str(tmp_path / "s" / "meter") if kind == "file" else node.new_address()
    with node.listening(address) as listener, node.connect(address) as client:
        there, _ = listener.accept()
        with there:
            client.sendall(b"?")
            assert there.recv(1) == b"?"
            assert node.is_own(there)

    assert not (tmp_path / "s").exists()
    with pytest.raises(BenchError, match="does not answer"):
        node.connect(address)


def test_another_users_call_is_known_by_the_kernel(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ours, theirs = socket.socketpair(socket.AF_UNIX)
    monkeypatch.setattr("os.geteuid", lambda: 123456)
    with ours, theirs:
        assert not node.is_own(ours)


def test_a_vanished_address_is_named() -> None:
    with pytest.raises(BenchError, match="at @joulebench-gone does not answer"):
        MeterClient("@joulebench-gone")


def test_a_folder_that_may_not_be_written_is_said(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    real = os.open

    def refuse(path: Path, flags: int, mode: int = 0o777) -> int:
        if flags & os.O_CREAT:
            raise PermissionError(13, "Permission denied")
        return real(path, flags, mode)

    monkeypatch.setenv(node.FOLDER_VARIABLE, str(tmp_path))
    monkeypatch.setattr("os.open", refuse)
    with pytest.raises(UsageError, match="Permission denied"):
        node.check()


def test_an_unknown_probe_is_a_usage_error_before_anything_starts() -> None:
    with pytest.raises(UsageError, match="unknown probe 'nvm'"), start_meter(["nvm"]):
        pass


def test_a_meters_file_that_is_named_and_missing_is_a_usage_error(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("JOULEBENCH_METERS", str(tmp_path / "none.yaml"))
    refused = pytest.raises(UsageError, match=r"none\.yaml: there is no such file")
    with refused, start_meter(["external"]):
        pass


def test_a_running_meter_cannot_be_entered_again() -> None:
    meter = Meter(probes=PROBES)
    with meter:
        with pytest.raises(BenchError, match="running already"), meter:
            pass
        with meter.window("after"):
            time.sleep(0.02)
    with meter:
        time.sleep(0.02)

    assert meter.windows["after"][0].duration_s >= 0.02
    assert meter.reading.energy_j is not None


def test_a_recursive_call_is_measured_to_its_end() -> None:
    meter = Meter(probes=PROBES)

    @meter
    def work(depth: int) -> None:
        time.sleep(0.05)
        if depth:
            with meter.window("inner"):
                work(depth - 1)
        time.sleep(0.05)

    work(2)

    assert meter.reading.duration_s >= 0.3
    assert len(meter.windows["inner"]) == 2


def test_calls_in_threads_are_measured_each() -> None:
    meter = Meter(probes=PROBES)
    seen: dict[float, float] = {}

    @meter
    def work(duration_s: float) -> None:
        time.sleep(duration_s)

    def follow(duration_s: float) -> None:
        work(duration_s)
        seen[duration_s] = meter.reading.duration_s

    threads = [threading.Thread(target=follow, args=(s,)) for s in (0.1, 0.7)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert seen[0.1] >= 0.1
    assert seen[0.7] >= 0.7


def test_a_coroutine_is_measured_to_its_end() -> None:
    meter = Meter(probes=PROBES)

    @meter
    async def work() -> str:
        await asyncio.sleep(0.2)
        return "done"

    assert asyncio.run(work()) == "done"
    assert meter.reading.duration_s >= 0.2


def test_a_generator_cannot_be_decorated() -> None:
    def work() -> object:
        yield 1

    with pytest.raises(BenchError, match="work is a generator"):
        Meter(probes=PROBES)(work)


def test_a_fork_may_not_use_the_meter_and_does_not_harm_it() -> None:
    with Meter(probes=PROBES) as meter:

        def use() -> None:
            with meter.window("fork"):
                pass

        def leave() -> None:
            meter.__exit__(None, None, None)

        assert "before a fork" in in_a_fork(use)
        assert in_a_fork(leave) == ""
        with meter.window("parent"):
            time.sleep(0.05)

    assert meter.windows["parent"][0].duration_s >= 0.05
    assert meter.reading.energy_j is not None


def test_a_fork_can_have_a_meter_of_its_own() -> None:
    def use() -> None:
        with Meter(probes=PROBES) as own:
            time.sleep(0.02)
        assert own.reading.duration_s >= 0.02

    with Meter(probes=PROBES):
        assert in_a_fork(use) == ""


def test_a_fork_that_lives_on_does_not_keep_the_meter() -> None:
    release, hold = os.pipe()
    with start_meter(PROBES) as meter:
        pid = os.fork()
        if pid == 0:
            os.close(hold)
            os.read(release, 1)
            os._exit(0)
        address, left_s = meter.path, time.monotonic()
    took_s = time.monotonic() - left_s

    with pytest.raises(BenchError, match="does not answer"):
        node.connect(address)
    os.close(hold)
    os.waitpid(pid, 0)
    assert took_s < 1.5
