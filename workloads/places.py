"""Where users' files and checkpoints are, by what a suite says; nothing is opened."""

import re
from collections.abc import Mapping
from pathlib import Path

from harness.errors import BenchError
from harness.near import nearest
from harness.records import OptionValue

NAMED = ("minilm-l6",)
"""Checkpoints that come from a pinned package."""
HUB = "hf:"
HUB_NAME = r"[A-Za-z0-9][\w.-]*(?:/[\w.-]+)?(?:@[\w.-]+)?"


def own_path(options: Mapping[str, OptionValue]) -> Path | None:
    """The file or folder that the option `data` names, None without one.

    Raises:
        BenchError: There is no such file or folder.
    """
    text = str(options.get("data", ""))
    return existing(text, "data") if text else None


def existing(text: str, option: str) -> Path:
    """A path that is there.

    Raises:
        BenchError: It is not.
    """
    path = Path(text).expanduser()
    if path.exists():
        return path
    if path.is_symlink():
        raise BenchError(
            f"{option}: {path}: a link to nothing", hint="mend the link, or name a file"
        )
    there = path.parent.is_dir()
    beside = [p.name for p in path.parent.iterdir()] if there else []
    relative = f"it begins where bench is started, in {Path.cwd()}"
    raise BenchError(
        f"{option}: {path}: no such file or folder{nearest(path.name, beside)}",
        hint="mend the path in the suite" if path.is_absolute() else relative,
    )


def checkpoint_place(name: str) -> Path | str:
    """The folder of a checkpoint, or its name: one of NAMED, or one on the hub.

    Raises:
        BenchError: It is neither.
    """
    if name in NAMED:
        return name
    place = name.removeprefix(HUB)
    if place == name or not place:
        raise BenchError(
            f"checkpoint: {name!r} is not known{nearest(name, list(NAMED))}",
            hint=f"one of {', '.join(NAMED)}, or {HUB}NAME for the hub, or "
            f"{HUB}/FOLDER for a folder",
        )
    if place.startswith(("/", "./", "../", "~")) or Path(place).is_dir():
        return existing(place, "checkpoint")
    if not re.fullmatch(HUB_NAME, place):
        raise BenchError(
            f"checkpoint: {place!r} is no name on the hub",
            hint=f"write {HUB}OWNER/NAME, {HUB}OWNER/NAME@REVISION or {HUB}/FOLDER",
        )
    return place


def missing(options: Mapping[str, OptionValue]) -> str | None:
    """What a suite names that is not here, with the cure; None where all is."""
    try:
        own_path(options)
        if options.get("checkpoint"):
            checkpoint_place(str(options["checkpoint"]))
    except BenchError as error:
        return error.told()
    except (OSError, RuntimeError, ValueError) as error:  # no home, a folder of others
        return f"a path cannot be looked up: {error}"
    return None
