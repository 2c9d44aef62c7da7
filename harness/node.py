"""One meter process a node: who holds the lock, where it answers, who may attach to it.

The lock is a file that the meter process keeps locked as long as it lives; it names the
process, the boot, its address and what it was started to read. A second one attaches if
it is the same user's and would read the same, else it refuses: joules of one node are
counted once.

On Linux the address is a name without a file: no cleaner of temporary folders takes it
away, and no folder is too deep for it. Who calls is asked of the kernel.
"""

import contextlib
import fcntl
import json
import os
import secrets
import shutil
import socket
import struct
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from harness.errors import BenchError, EvidenceError, UsageError

FOLDER_VARIABLE = "JOULEBENCH_RUNTIME_DIR"
FOLDER = "/tmp"  # noqa: S108 (one place for all users, whatever TMPDIR a job has)
BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
UNFILED = "@"
"""Begins an address without a file, as `ss` shows it."""
PEER = struct.Struct("iII")
"""Linux' struct ucred: process, user, group."""
View = Mapping[str, str | None]
"""What decides what the meters read, such as a device list; None if not set."""


@dataclass(frozen=True)
class Holder:
    """The meter process of this node.

    Attributes:
        boot: Which start of which machine it belongs to.
        address: Where it answers.
        probes: What it reads.
        view: What decided which devices it reads.
    """

    pid: int
    boot: str
    address: str
    probes: tuple[str, ...]
    view: View


def boot() -> str:
    """Identity of this start of this machine; its host name where Linux gives none."""
    try:
        return BOOT_ID.read_text(encoding="ascii").strip()
    except OSError:
        return os.uname().nodename


def lock_path() -> Path:
    """The node's lock file."""
    return Path(os.environ.get(FOLDER_VARIABLE) or FOLDER) / "joulebench-meter.lock"


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


def attachable(probes: Sequence[str], view: View) -> Holder:
    """The node's meter process, if this process may use it.

    Args:
        probes: What is to be read.
        view: What decides which of it.

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
    if not own or holder is None or holder.boot != boot():
        who, why = (
            f"process {holder.pid}" if holder else "a process of another user",
            "",
        )
    else:
        who, why = f"process {holder.pid}", _unlike(holder, probes, view)
        if not why:
            return holder
    raise EvidenceError(
        f"{who} is metering this node already ({lock_path()}){why}",
        hint="one meter process a node, so that joules are counted once: wait for it, "
        "or run as the same user with the same meters and devices to attach to it",
    )


def _unlike(holder: Holder, probes: Sequence[str], view: View) -> str:
    """In what the node's process reads other things than are wanted; else nothing."""
    if missing := [name for name in probes if name not in holder.probes]:
        return f", without {', '.join(missing)}"
    for name, wanted in view.items():
        found = holder.view.get(name)
        if found != wanted:
            there, here = (_stated(name, value) for value in (found, wanted))
            return f", with {there}; here it is {here}"
    return ""


def _stated(name: str, value: str | None) -> str:
    return f"no {name}" if value is None else f"{name}={value}"


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
            if not path.exists():
                raise
            return os.open(path, os.O_RDONLY | flags)
    except OSError as error:
        raise UsageError(
            f"{path}: the node's lock file cannot be opened: {error.strerror}",
            hint=f"{FOLDER_VARIABLE} names a folder that this user may write to",
        ) from error


def _parse(text: bytes) -> Holder | None:
    try:
        fields = json.loads(text)
        holder = Holder(**(fields | {"probes": tuple(fields["probes"])}))
    except (ValueError, TypeError, KeyError):
        return None
    return holder if isinstance(holder.view, dict) else None


def new_address() -> str:
    """Where a meter process will answer."""
    name = f"joulebench-{secrets.token_hex(8)}"
    return f"{UNFILED}{name}" if sys.platform == "linux" else f"{FOLDER}/{name}/meter"


@contextmanager
def listening(address: str) -> Iterator[socket.socket]:
    """A socket that takes calls at an address while the block runs."""
    folder = None if address.startswith(UNFILED) else Path(address).parent
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        if folder:
            folder.mkdir(mode=0o700)
        try:
            listener.bind(_name(address))
            listener.listen()
            yield listener
        finally:
            if folder:
                shutil.rmtree(folder, ignore_errors=True)


def connect(address: str) -> socket.socket:
    """A connection to the meter process.

    Raises:
        BenchError: Nobody answers there, or another user does.
    """
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        connection.connect(_name(address))
        if is_own(connection):
            return connection
        why = "it is another user's"
    except OSError as error:
        why = error.strerror or str(error)
    connection.close()
    raise BenchError(
        f"the meter process at {address} does not answer: {why}",
        hint="it has ended, or its socket was removed: start again",
    )


def is_own(connection: socket.socket) -> bool:
    """Whether the other end is this user's; a file is guarded by its folder."""
    if sys.platform != "linux":
        return True
    said = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, PEER.size)
    _, user, _ = PEER.unpack(said)
    return bool(user == os.geteuid())


def _name(address: str) -> str:
    return f"\0{address[1:]}" if address.startswith(UNFILED) else address
