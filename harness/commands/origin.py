"""Machine and method of runs, in words: from machine.json, plan.json, suite.yaml."""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from harness.plan import Plan
from reports.formatting import percent
from reports.ranking_page.material import Origin

SHA_LETTERS = 12
MOST_BYTES = 2**60
"""No machine has more; a number beyond is a fault of the file."""


def origin(paths: Sequence[Path], plans: Sequence[Plan | None]) -> Origin:
    """What the runs share is said once, what differs is said of each."""
    machines = [_facts(path / "machine.json") for path in paths]
    known = [plan for plan in plans if plan is not None]
    suites = dict.fromkeys(plan.suite for plan in known)
    return Origin(
        suite=", ".join(suites) or paths[0].name,
        machine=_merged(map(_machine, machines)),
        method=_merged(
            (*_method(plan), *_suite(path))
            for path, plan in zip(paths, plans, strict=True)
            if plan is not None
        ),
    )


def _merged(
    each: Iterable[Iterable[tuple[str, str]]],
) -> tuple[tuple[str, str], ...]:
    """One line a name; values that differ stand one after the other."""
    found: dict[str, dict[str, None]] = {}
    for pairs in each:
        for name, value in pairs:
            found.setdefault(name, {})[value] = None
    return tuple((name, "; ".join(values)) for name, values in found.items())


def _facts(path: Path) -> Mapping[str, Any]:
    """An object of JSON; an empty one where there is none."""
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _machine(facts: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """What is known of a machine; texts of others, whatever they are."""
    cpu = facts.get("cpu", "unknown machine")
    cores = facts.get("cores_logical")
    yield "processor", f"{cpu} ({cores} cores)" if cores else str(cpu)
    gpus = facts.get("gpus")
    if isinstance(gpus, list) and gpus:
        yield "accelerators", ", ".join(map(str, gpus))
    memory_bytes = facts.get("memory_bytes")
    if isinstance(memory_bytes, (int, float)) and 0 < memory_bytes < MOST_BYTES:
        yield "memory", f"{memory_bytes / 2**30:.0f} GiB"
    yield "system", str(facts.get("system", "unknown"))
    yield "Python", str(facts.get("python", "unknown"))
    packages = facts.get("packages")
    if isinstance(packages, dict):
        yield "packages", ", ".join(f"{name} {packages[name]}" for name in packages)
    if "joulebench" in facts:
        yield "measured by", f"joulebench {facts['joulebench']}"


def _method(plan: Plan) -> Iterator[tuple[str, str]]:
    """Protocol, profile, seed and floor of a plan."""
    asked = plan.protocol
    yield "suite", plan.suite
    official = "" if plan.official else ", not an official result"
    yield "profile", f"{plan.profile}{official}"
    yield "seed", str(plan.seed)
    if plan.settings:
        yield "settings", ", ".join(plan.settings)
    rounds = f"{asked.rounds}"
    if asked.target_ci_ratio is not None:
        rounds = f"{asked.rounds_min} to {rounds}, until the 95 % interval is within "
        rounds += f"± {percent(asked.target_ci_ratio)}"
    yield "rounds", f"{rounds}; each visits every configuration once, shuffled"
    yield "window", f"{asked.window_min_s:g} s or more"
    warmup = f"{asked.warmup_min_s:g} to {asked.warmup_max_s:g} s"
    yield "warm-up", f"{warmup}, until steps are steady; outside the window"
    yield "idle", f"{asked.idle_s:g} s before and after, the model loaded"
    if plan.weakened:
        yield "weaker than official", ", ".join(plan.weakened)
    place = plan.site.place or "not given"
    yield "place", f"{place}, PUE {plan.site.pue:g}"


def _suite(path: Path) -> Iterator[tuple[str, str]]:
    """Digest of the suite file, so that two runs of one suite can be told."""
    try:
        text = (path / "suite.yaml").read_bytes()
    except OSError:
        return
    yield "suite.yaml", f"SHA-256 {hashlib.sha256(text).hexdigest()[:SHA_LETTERS]}…"
