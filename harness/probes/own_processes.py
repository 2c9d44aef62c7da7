"""Which processes are our own work, and which are somebody else's.

Our own are those of the command that was typed: whoever started the meter process, what
started that in the same session below the shell, and all that these started.
"""

import os
from collections.abc import Iterable
from pathlib import Path

HOST_NAMESPACE = "pid:[4026531836]"
"""The machine's own process numbers (Linux, include/linux/proc_ns.h)."""
LONGEST_CHAIN = 1000


class OwnProcesses:
    """Tells our own processes from others by the tree in /proc."""

    def __init__(self, proc: Path = Path("/proc"), starter: int | None = None) -> None:
        """Name the roots.

        Args:
            proc: Where the kernel tells who started whom.
            starter: Who started the meter process; by default the process's parent.
        """
        self._proc = proc
        self._root = self._top(os.getppid() if starter is None else starter)
        self._own: set[int] = set()

    def foreign(self, pids: Iterable[int]) -> float | None:
        """How many are not ours; None where numbers are those of another namespace."""
        others = [pid for pid in pids if not self._is_own(pid)]
        if self._is_confined() and any(self._facts(pid) is None for pid in others):
            return None
        return float(len(others))

    def _is_own(self, pid: int) -> bool:
        """Whether it comes from our root; what once did still does when that ends."""
        chain: list[int] = []
        while pid > 0 and len(chain) < LONGEST_CHAIN:
            chain.append(pid)
            if pid == self._root or pid in self._own:
                self._own.update(chain)
                return True
            facts = self._facts(pid)
            pid = facts[0] if facts else 0
        return False

    def _top(self, pid: int) -> int:
        """The first process of the command: the topmost below its session's leader."""
        session = (self._facts(pid) or (0, 0))[1]
        for _ in range(LONGEST_CHAIN):
            parent = (self._facts(pid) or (0, 0))[0]
            above = self._facts(parent)
            if above is None or above[1] != session or parent == session:
                break
            pid = parent
        return pid

    def _facts(self, pid: int) -> tuple[int, int] | None:
        """Parent and session of a process; None where it cannot be seen."""
        try:
            text = (self._proc / str(pid) / "stat").read_text(errors="replace")
            _, parent, _, session = text.rpartition(")")[2].split()[:4]
            return int(parent), int(session)
        except (OSError, ValueError):
            return None

    def _is_confined(self) -> bool:
        """Whether this process sees a container's numbers, and NVML the machine's."""
        try:
            return str((self._proc / "self/ns/pid").readlink()) != HOST_NAMESPACE
        except OSError:
            return False
