"""One test at a time is metered on a node, and the workers of pytest-xdist keep quiet.

Two lock files: tests without joules share the room, one with joules has it alone. Who
waits for it alone holds the door, so that no stream of others keeps it waiting.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager

from harness import node


@contextmanager
def alone() -> Iterator[None]:
    """No other test of this user's runs on this node with joules, nor any worker's."""
    with _locked("door", fcntl.LOCK_EX), _locked("room", fcntl.LOCK_EX):
        yield


@contextmanager
def beside() -> Iterator[None]:
    """No test with joules runs on this node meanwhile."""
    with _locked("door", fcntl.LOCK_SH):
        pass
    with _locked("room", fcntl.LOCK_SH):
        yield


@contextmanager
def _locked(name: str, how: int) -> Iterator[None]:
    """Hold a lock file; where none can be opened, the meter says so, too."""
    path = node.lock_path().with_name(f"joulebench-tests-{os.getuid()}-{name}.lock")
    flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
    try:
        descriptor = os.open(path, flags, 0o600)
    except OSError:
        yield
        return
    try:
        fcntl.flock(descriptor, how)
        yield
    finally:
        fcntl.flock(descriptor, fcntl.LOCK_UN)  # also for forks that hold a copy
        os.close(descriptor)
