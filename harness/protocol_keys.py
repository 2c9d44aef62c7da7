"""The `protocol` of a suite: its profiles, its keys, and what makes it official."""

import re
from collections.abc import Mapping
from typing import Any

from harness.jobs import Protocol
from harness.scenarios import SCENARIOS
from harness.yaml_source import Key, duration_s, one_of, quantity, shown, whole

PROFILES: Mapping[str, Protocol] = {
    "quick": Protocol(
        rounds=3, warmup_min_s=0.5, warmup_max_s=3.0, window_min_s=3.0, idle_s=0.5
    ),
    "standard": Protocol(
        rounds=3,
        rounds_min=3,
        warmup_min_s=2.0,
        warmup_max_s=30.0,
        window_min_s=15.0,
        window_updates=100,
        cooldown_max_s=30.0,
        load_wait_s=30.0,
        idle_s=5.0,
    ),
    "official": Protocol(
        rounds=5,
        rounds_min=5,
        warmup_min_s=5.0,
        warmup_max_s=60.0,
        window_min_s=60.0,
        window_updates=100,
        cooldown_max_s=120.0,
        load_wait_s=120.0,
        idle_s=30.0,
        control="cnn",
    ),
}
CONTROL = "cnn"
"""Small, trained in seconds, and shipped with its data."""
AT_LEAST: Mapping[str, str] = {
    "rounds_min": "rounds",
    "warmup_min_s": "warmup.min",
    "warmup_max_s": "warmup.max",
    "window_min_s": "window.min",
    "window_updates": "window.min_updates",
    "cooldown_max_s": "cooldown.max",
    "load_wait_s": "load.wait",
    "idle_s": "idle",
}
"""Fields that may only grow where a protocol is to stay official, by their keys."""
AT_MOST: Mapping[str, str] = {
    "cooldown_band_c": "cooldown.band",
    "load_max_ratio": "load.max",
}
ON_OOM = ("halve_batch", "skip", "fail")
DURATION = {"type": "string", "pattern": r"^\s*\d+(\.\d+)?\s*(ms|s|min|h)\s*$"}
PERCENT = r"^\s*\d{1,3}(\.\d+)?\s*%\s*$"
DEGREES = r"^\s*\d+(\.\d+)?\s*C\s*$"
COUNT = {"type": "integer", "minimum": 1}
MOST_ROUNDS = 1000


def protocol_table(workloads: list[str]) -> dict[str, Key]:
    """What may stand under `protocol`.

    Args:
        workloads: Names of what may be the control.
    """
    duration, some_time = Key(duration_s, DURATION), Key(_some_time_s, DURATION)
    percent = Key(_share, {"type": "string", "pattern": PERCENT})
    degrees = Key(_degrees_c, {"type": "string", "pattern": DEGREES})
    count = Key(whole(1, 10**9), COUNT)
    rounds = Key(whole(1, MOST_ROUNDS), {**COUNT, "maximum": MOST_ROUNDS})
    span = {"min": rounds, "max": rounds, "target_ci": percent}
    return {
        "rounds": Key(rounds.parse, rounds.schema, table=span),
        "warmup": Key(table={"min": duration, "max": duration}),
        "window": Key(
            table={
                "min": some_time,
                "items": count,
                "min_updates": count,
                "max": some_time,
            }
        ),
        "cooldown": Key(table={"max": duration, "band": degrees}),
        "load": Key(table={"wait": duration, "max": percent}),
        "idle": duration,
        "timeout": some_time,
        "scenario": Key(
            table={n: Key(table=s.keys) for n, s in SCENARIOS.items() if s.keys}
        ),
        "on_oom": Key(one_of(ON_OOM), {"enum": list(ON_OOM)}),
        "control": Key(
            _control(workloads), {"anyOf": [{"type": "boolean"}, {"enum": workloads}]}
        ),
    }


def protocol_of(
    profile: str, given: Mapping[str, Any]
) -> tuple[Protocol, dict[str, str]]:
    """The profile's protocol with what a suite gives, and faults by key."""
    parts = {k: given.get(k, {}) for k in ("warmup", "window", "cooldown", "load")}
    named = {
        **_rounds(given.get("rounds")),
        "warmup_min_s": parts["warmup"].get("min"),
        "warmup_max_s": parts["warmup"].get("max"),
        "window_min_s": parts["window"].get("min"),
        "window_items": parts["window"].get("items"),
        "window_updates": parts["window"].get("min_updates"),
        "window_max_s": parts["window"].get("max"),
        "cooldown_max_s": parts["cooldown"].get("max"),
        "cooldown_band_c": parts["cooldown"].get("band"),
        "load_wait_s": parts["load"].get("wait"),
        "load_max_ratio": parts["load"].get("max"),
        "idle_s": given.get("idle"),
        "timeout_s": given.get("timeout"),
        "scenario": given.get("scenario"),
        "on_oom": given.get("on_oom"),
    }
    known = {name: value for name, value in named.items() if value is not None}
    if "control" in given:
        known["control"] = given["control"]
    made = PROFILES[profile].model_copy(update=known)
    return made, _faults(made)


def _rounds(given: Any) -> dict[str, Any]:
    if not isinstance(given, dict):
        return {"rounds": given, "rounds_min": given}
    low = given.get("min", 3)
    return {
        "rounds_min": low,
        "rounds": given.get("max", max(10, low)),
        "target_ci_ratio": given.get("target_ci", 0.03),
    }


def _faults(made: Protocol) -> dict[str, str]:
    found = {}
    if made.warmup_min_s > made.warmup_max_s:
        found["warmup"] = (
            f"min {made.warmup_min_s:g} s is longer than max {made.warmup_max_s:g} s"
        )
    if made.rounds_min > made.rounds:
        found["rounds"] = f"min {made.rounds_min} is more than max {made.rounds}"
    if made.window_max_s is not None and made.window_max_s < made.window_min_s:
        found["window"] = (
            f"min {made.window_min_s:g} s is longer than max {made.window_max_s:g} s"
        )
    return found


def weakened(profile: str, made: Protocol) -> tuple[str, ...]:
    """Keys in which a protocol asks for less than the profile `official` does.

    None of a profile that never claims to be official.
    """
    if profile != "official":
        return ()
    asked = PROFILES["official"]
    less = [key for f, key in AT_LEAST.items() if getattr(made, f) < getattr(asked, f)]
    more = [key for f, key in AT_MOST.items() if getattr(made, f) > getattr(asked, f)]
    other = ["control"] if made.control != asked.control else []
    return (*less, *more, *other)


def _some_time_s(value: Any) -> float:
    """A duration that is not nothing."""
    found = duration_s(value)
    if found <= 0:
        raise ValueError(f"{shown(value)} must be longer than nothing")
    return found


def _share(value: Any) -> float:
    """Ratio of `3%`."""
    if not isinstance(value, str) or not re.match(PERCENT, value):
        raise ValueError(f"{shown(value)} is not a share such as '3%'")
    found = quantity(value, {"%": 0.01}, "a share such as '3%'")
    if not 0 < found <= 1:
        raise ValueError(f"{shown(value)} must be above 0 % and at most 100 %")
    return found


def _degrees_c(value: Any) -> float:
    return quantity(value, {"C": 1.0}, "a difference in temperature such as '3 C'")


def _control(workloads: list[str]) -> Any:
    def parse(value: Any) -> str | None:
        if isinstance(value, bool):
            return CONTROL if value else None
        return one_of(workloads)(value)

    return parse
