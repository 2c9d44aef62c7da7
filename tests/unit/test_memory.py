"""What failed for want of memory is told from what failed otherwise."""

from pathlib import Path

import pytest

from harness.executors.local import exit_reason
from harness.memory import is_out_of_memory, kernel_kills


class OutOfMemoryError(RuntimeError):
    """As torch names its own."""


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (MemoryError(), True),
        (OutOfMemoryError("x"), True),
        (RuntimeError("CUDA out of memory. Tried to allocate"), True),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: 8 TB"), True),
        (OSError(12, "Cannot allocate memory"), True),
        (RuntimeError("shapes do not match"), False),
        (ValueError("out of memory"), False),
    ],
)
def test_errors_of_memory(error: BaseException, expected: bool) -> None:  # noqa: FBT001
    assert is_out_of_memory(error) is expected


def tree(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


def test_kills_are_those_of_our_group_else_of_the_machine(tmp_path: Path) -> None:
    machine = {"proc/vmstat": "pgfault 5\noom_kill 7\n"}
    group = {
        "proc/self/cgroup": "0::/a/b\n",
        "sys/fs/cgroup/a/b/memory.events": "low 0\noom 1\noom_kill 2\n",
    }

    assert kernel_kills(tree(tmp_path / "none", {})) == 0
    assert kernel_kills(tree(tmp_path / "machine", machine)) == 7
    assert kernel_kills(tree(tmp_path / "group", machine | group)) == 2


def test_a_kill_by_the_kernel_is_named() -> None:
    assert exit_reason(-9, by_kernel=True).startswith("out of memory")
    assert "SIGKILL" in exit_reason(-9)
    assert "SIGSEGV" in exit_reason(-11, by_kernel=True)
