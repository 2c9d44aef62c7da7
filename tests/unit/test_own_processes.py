"""Whose processes are on the GPU."""

import os
from pathlib import Path

import pytest

from harness.probes.own_processes import HOST_NAMESPACE, OwnProcesses

TREE = {
    1: (0, 1),
    50: (1, 50),  # a shell
    60: (50, 50),  # the launcher that was typed
    61: (60, 50),  # a rank, which started the meter
    62: (60, 50),  # another rank
    63: (61, 63),  # what the rank started, in a session of its own
    90: (1, 90),  # somebody else
}
"""Parent and session of each process."""


@pytest.fixture
def proc(tmp_path: Path) -> Path:
    for pid, (parent, session) in TREE.items():
        (tmp_path / str(pid)).mkdir()
        line = f"{pid} (python (x) 3) S {parent} 60 {session} 0"
        (tmp_path / str(pid) / "stat").write_text(line)
    namespace(tmp_path, HOST_NAMESPACE)
    return tmp_path


def namespace(proc: Path, name: str) -> None:
    link = proc / "self/ns/pid"
    link.parent.mkdir(parents=True, exist_ok=True)
    link.unlink(missing_ok=True)
    link.symlink_to(name)


def test_all_of_the_command_is_ours_and_the_rest_is_not(proc: Path) -> None:
    own = OwnProcesses(proc, starter=61)

    assert own.foreign([60, 61, 62, 63]) == 0
    assert own.foreign([50, 63, 90]) == 2
    assert own.foreign([]) == 0


def test_a_process_that_was_ours_stays_ours_when_its_parent_has_ended(
    proc: Path,
) -> None:
    own = OwnProcesses(proc, starter=61)
    own.foreign([63])

    (proc / "63/stat").write_text("63 (python) S 1 60 63 0")

    assert own.foreign([63]) == 0


def test_a_process_that_hides_is_not_ours(proc: Path) -> None:
    assert OwnProcesses(proc, starter=61).foreign([4711]) == 1


def test_in_a_container_an_unknown_number_may_be_our_own(proc: Path) -> None:
    namespace(proc, "pid:[4026532999]")
    own = OwnProcesses(proc, starter=61)

    assert own.foreign([61, 4711]) is None
    assert own.foreign([61, 90]) == 1


def test_this_very_process_is_its_own() -> None:
    assert OwnProcesses().foreign([os.getpid()]) == 0
