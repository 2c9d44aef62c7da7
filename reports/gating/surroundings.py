"""Whether two runs were made alike: what must agree, and which fact does not."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from harness.errors import UsageError
from harness.inputs import FILE as INPUTS
from harness.inputs import Inputs
from harness.noun import Noun
from harness.plan import Plan

FACTS = {
    "cpu": "processor",
    "cores_logical": "cores",
    "cpu_flags": "instruction sets",
    "governor": "frequency governor",
    "python": "Python",
}
"""Of machine.json, with the words of a message."""
UNWEIGHED = ("codecarbon", "ecologits", "nvidia-ml-py")
"""Packages that change no work and no sensor."""
FREE = {"rounds", "rounds_min", "target_ci_ratio", "timeout_s", "on_oom", "control"}
"""Keys of a protocol that change how many trials there are, not what one is."""


class Surroundings(Noun):
    """What a run was made with.

    Attributes:
        facts: Words of each known fact by its name.
        cores: Logical ones.
    """

    facts: dict[str, str]
    cores: int | None = None


def of_run(path: Path) -> Surroundings:
    """What a run folder tells of its machine and its plan.

    Raises:
        UsageError: Neither can be read.
    """
    machine = _machine(path / "machine.json")
    facts = {
        words: _words(machine[key])
        for key, words in FACTS.items()
        if machine.get(key) is not None
    }
    packages = machine.get("packages")
    for name, version in sorted(packages.items()) if isinstance(packages, dict) else ():
        if name not in UNWEIGHED:
            facts[name] = str(version or "not installed")
    facts |= _gpus(machine.get("gpus"))
    facts["sensors"] = _sensors(machine.get("channels"))
    facts |= _asked(path / "plan.json") | _data(path / INPUTS)
    cores = machine.get("cores_logical")
    return Surroundings(facts=facts, cores=cores if isinstance(cores, int) else None)


def differing(
    baseline: Surroundings, candidate: Surroundings, ignored: Sequence[str] = ()
) -> list[str]:
    """One sentence for each fact that both know and that differs."""
    ours, theirs = baseline.facts, candidate.facts
    return [
        f"{name}: {ours[name]} in the baseline, {theirs[name]} in the candidate"
        for name in ours
        if name in theirs and name not in ignored and ours[name] != theirs[name]
    ]


def unknown(baseline: Surroundings, candidate: Surroundings) -> list[str]:
    """Facts that one of the runs does not tell."""
    return sorted(baseline.facts.keys() ^ candidate.facts.keys())


def _machine(path: Path) -> Mapping[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise UsageError(
            f"{path}: cannot be read: {error}",
            hint="without it nobody can say that both runs are of one machine",
        ) from error
    if not isinstance(found, dict):
        raise UsageError(f"{path}: no description of a machine")
    return found


def _words(value: Any) -> str:
    if isinstance(value, list):
        return " ".join(sorted(str(each) for each in value)) or "none"
    return str(value)


def _dicts(listed: Any) -> list[dict[str, Any]]:
    """Members of a list in a file of others that can be read."""
    members = listed if isinstance(listed, list) else []
    return [each for each in members if isinstance(each, dict)]


def _gpus(listed: Any) -> dict[str, str]:
    """Boards by name and power limit, without their UUIDs."""
    boards = _dicts(listed)
    found = {"GPUs": " + ".join(sorted(str(b.get("name")) for b in boards)) or "none"}
    for key, words in (("driver", "GPU driver"), ("power_limit_w", "GPU power limit")):
        told = {str(board[key]) for board in boards if board.get(key)}
        if told:
            found[words] = " + ".join(sorted(told))
    return found


def _sensors(channels: Any) -> str:
    """Sources of joules with their tier."""
    found = {
        f"{each.get('domain')} by {each.get('source')} (tier {each.get('tier')})"
        for each in _dicts(channels)
        if each.get("quantity") in ("energy_j", "power_w")
    }
    return ", ".join(sorted(found)) or "none"


def _data(path: Path) -> dict[str, str]:
    """Digest of each file of the user's that the run read."""
    try:
        read = Inputs.model_validate_json(path.read_bytes())
    except (OSError, ValidationError):
        return {}
    return {f"data {name}": digest[:12] for name, digest in read.sha256.items()}


def _asked(path: Path) -> dict[str, str]:
    """What a plan asks of every trial."""
    try:
        made = Plan.model_validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        raise UsageError(
            f"{path}: cannot be read as a plan",
            hint="without it nobody can say that both runs were asked for the same",
        ) from error
    protocol = made.protocol.model_dump(mode="json")
    kept = {f"protocol.{k}": str(v) for k, v in protocol.items() if k not in FREE}
    return {"suite": made.suite, "seed": str(made.seed), **kept}
