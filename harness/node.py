"""One meter process a node: who holds the lock, and whether we may attach to it.

The lock is a file that the meter process keeps locked as long as it lives; it names the
process, the boot and the socket. A second one attaches if it is the same user's, else
it refuses: joules of one node are counted once.
"""

import contextlib
import fcntl
import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from harness.errors import EvidenceError, UsageError

FOLDER_VARIABLE = "JOULEBENCH_RUNTIME_DIR"
BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


@dataclass(frozen=True)
class Holder:
    """The meter process of this node.

    Attributes:
        boot: Which start of which machine it belongs to.
        socket: Where it answers.
        probes: What it reads.
    """

    pid: int
    boot: str
    socket: str
    probes: tuple[str, ...]


def boot() -> str:
    """Identity of this start of this machine; its host name where Linux gives none."""
    try:
        return BOOT_ID.read_text(encoding="ascii").strip()
    except OSError:
        return os.uname().nodename


def lock_path() -> Path:
    """The node's lock file."""
    folder = os.environ.get(FOLDER_VARIABLE) or tempfile.gettempdir()
    return Path(folder) / "joulebench-meter.lock"


@contextmanager
def hold(holder: Holder) -> Iterator[bool]:
    """Hold the node's lock while the block runs; False where another process does."""
    descriptor = _open_lock()
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        with contextlib.suppress(OSError):  # another user's file: locked, not named
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, json.dumps(asdict(holder)).encode(), 0)
        yield True
    finally:
        os.close(descriptor)


def attachable(probes: tuple[str, ...]) -> Holder:
    """The node's meter process, if this process may use it.

    Raises:
        EvidenceError: It is another user's, of another start, or reads other meters.
    """
    descriptor = _open_lock()
    try:
        own = os.fstat(descriptor).st_uid == os.getuid()
        text = os.pread(descriptor, 65536, 0)
    finally:
        os.close(descriptor)
    holder = _parse(text)
    if own and holder and holder.boot == boot() and set(probes) <= set(holder.probes):
        return holder
    who = f"process {holder.pid}" if holder else "a process of another user"
    raise EvidenceError(
        f"{who} is metering this node already ({lock_path()})",
        hint="one meter process a node, so that joules are counted once: wait for it, "
        "or run as the same user with the same meters to attach to it",
    )


def check() -> None:
    """See that the lock file can be opened.

    Raises:
        UsageError: It cannot, and the message says why.
    """
    os.close(_open_lock())


def _open_lock() -> int:
    """The lock file; one of another user is opened for reading, to wait for it."""
    path, flags = lock_path(), os.O_CLOEXEC | os.O_NOFOLLOW
    try:
        try:
            return os.open(path, os.O_RDWR | os.O_CREAT | flags, 0o644)
        except PermissionError:
            return os.open(path, os.O_RDONLY | flags)
    except OSError as error:
        raise UsageError(
            f"{path}: the node's lock file cannot be opened: {error.strerror}",
            hint=f"{FOLDER_VARIABLE} names a folder that this user may write to",
        ) from error


def _parse(text: bytes) -> Holder | None:
    try:
        fields = json.loads(text)
        return Holder(**(fields | {"probes": tuple(fields["probes"])}))
    except (ValueError, TypeError, KeyError):
        return None
