"""Whether it was for want of memory that something failed or was killed."""

import re
from pathlib import Path

WORDS = (
    "out of memory",
    "can't allocate memory",
    "cannot allocate memory",
    "alloc_failed",
    "bad_alloc",
)
"""What libraries write where they raise no error of their own."""


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that host or device memory was used up."""
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return True
    text = str(error).lower()
    return isinstance(error, (RuntimeError, OSError)) and any(w in text for w in WORDS)


def kernel_kills(root: Path = Path("/")) -> int:
    """How many processes the kernel has killed so far for want of memory.

    Of our control group where it counts, of the whole machine else; 0 where neither
    can be read.
    """
    group = _read(root / "proc/self/cgroup")
    found = re.search(r"^0::/(.*)$", group, re.MULTILINE)
    folders = [root / "sys/fs/cgroup" / found[1]] if found else []
    for folder in (*folders, root / "sys/fs/cgroup"):
        counted = re.search(
            r"^oom_kill (\d+)$", _read(folder / "memory.events"), re.MULTILINE
        )
        if counted:
            return int(counted[1])
    counted = re.search(r"^oom_kill (\d+)$", _read(root / "proc/vmstat"), re.MULTILINE)
    return int(counted[1]) if counted else 0


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
