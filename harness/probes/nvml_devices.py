"""Which NVIDIA GPUs the work can use: every form of CUDA_VISIBLE_DEVICES.

A name that fits no device is an error here, although CUDA itself would cut the list
there without a word: metering other devices than those that work is worse than none.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from harness.errors import ProbeUnavailable

NOTHING = ("", "-1", "NoDevFiles")
"""Entries that end the list, for CUDA too."""
CURE = "nvidia-smi -L lists them"


@dataclass(frozen=True)
class Board:
    """A GPU as NVML lists it, in the order of the PCI bus.

    Attributes:
        name: Its model; empty where it does not answer.
        slices: UUIDs of its MIG slices; empty where MIG is off.
    """

    uuid: str
    name: str
    slices: tuple[str, ...] = ()


def visible(
    wanted: str | None, order: str | None, boards: Sequence[Board]
) -> Mapping[str, str | None]:
    """The boards to meter: UUIDs with the reason why one is shared, else None.

    A slice has the watts of its board, so its board is metered, and shared.

    Args:
        wanted: CUDA_VISIBLE_DEVICES; None where it is not set.
        order: CUDA_DEVICE_ORDER; None where it is not set.
        boards: All boards of the machine.

    Raises:
        ProbeUnavailable: An entry fits no board, or several, or is there twice.
    """
    if wanted is None:
        return {b.uuid: "MIG is on" if b.slices else None for b in boards}
    found: dict[str, str | None] = {}
    for entry in (part.strip() for part in wanted.split(",")):
        if entry in NOTHING:
            break
        board, part = _board_of(entry, order, boards)
        if board.uuid in found and not part:
            raise ProbeUnavailable(
                f"CUDA_VISIBLE_DEVICES names {board.uuid} twice",
                hint="CUDA refuses such a list, too: name each device once",
            )
        found[board.uuid] = part or ("MIG is on" if board.slices else None)
    return found


def _board_of(
    entry: str, order: str | None, boards: Sequence[Board]
) -> tuple[Board, str | None]:
    """The board behind an entry, and which slice of it, where it is one."""
    if entry.startswith("MIG-"):
        return _board_of_slice(entry, boards), f"the work runs on its slice {entry}"
    if re.fullmatch(r"[+-]?[0-9]+", entry):
        return _board_of_number(int(entry), order, boards), None
    near = [board for board in boards if board.uuid.startswith(entry)]
    if len(near) == 1:
        return near[0], None
    number = f"{len(near)} of" if near else "none of"
    raise ProbeUnavailable(
        f"CUDA_VISIBLE_DEVICES names {entry!r}, which fits {number} the "
        f"{len(boards)} GPUs",
        hint=CURE,
    )


def _board_of_number(number: int, order: str | None, boards: Sequence[Board]) -> Board:
    if not 0 <= number < len(boards):
        raise ProbeUnavailable(
            f"CUDA_VISIBLE_DEVICES names {number}, but there are {len(boards)} GPUs",
            hint=f"numbers begin at 0; {CURE}",
        )
    if (
        len({board.name for board in boards if board.name}) > 1
        and order != "PCI_BUS_ID"
    ):
        raise ProbeUnavailable(
            f"CUDA_VISIBLE_DEVICES names {number}, but the GPUs are of several models",
            hint="CUDA numbers the fastest first, NVML by the bus: set "
            "CUDA_DEVICE_ORDER=PCI_BUS_ID, or name the GPU by its UUID",
        )
    return boards[number]


def _board_of_slice(entry: str, boards: Sequence[Board]) -> Board:
    """`MIG-<UUID>` (prefixes, too), and `MIG-GPU-<UUID>/<gi>/<ci>` of old drivers."""
    old = entry.removeprefix("MIG-").partition("/")[0]
    near = [
        board
        for board in boards
        if any(part.startswith(entry) for part in board.slices)
        or (old.startswith("GPU-") and board.uuid.startswith(old))
    ]
    if len(near) == 1:
        return near[0]
    raise ProbeUnavailable(
        f"CUDA_VISIBLE_DEVICES names the slice {entry}, which no GPU has", hint=CURE
    )
