"""The policy of a gate: what it tolerates, for all configurations or for some."""

from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from pydantic import Field

from harness.noun import Noun
from harness.yaml_source import read_source, read_table, table_schema
from reports.gating.policy_keys import policy_table


class Limits(Noun):
    """What is tolerated of one configuration.

    Attributes:
        delta: Relative change of joules or of a proxy.
        accuracy_drop: Absolute loss of accuracy, in [0, 1].
        min_rounds: Of each run; with fewer nothing is judged.
        floors: Absolute change by the name of the measure, in its unit.
    """

    delta: float = 0.1
    accuracy_drop: float = 0.005
    min_rounds: int = 5
    floors: dict[str, float] = Field(default_factory=dict)


class Override(Noun):
    """Other limits for the configurations whose key matches.

    Attributes:
        key: Pattern of the keys.
        metric: Pattern of the measures.
        changes: Fields of Limits.
    """

    key: str
    metric: str = "*"
    changes: dict[str, Any] = Field(default_factory=dict)


class Policy(Noun):
    """What a gate tolerates.

    Attributes:
        alpha: Chance of any false verdict in a gate of unchanged code.
        ignore: Facts of the surroundings that may differ, such as `torch`.
        overrides: In their order; the last that matches wins.
    """

    limits: Limits = Limits()
    alpha: float = 0.05
    ignore: tuple[str, ...] = ()
    overrides: tuple[Override, ...] = ()

    def of(self, key: str, metric: str) -> Limits:
        """Limits of a measure of a configuration."""
        found = self.limits
        for each in self.overrides:
            if fnmatchcase(key, each.key) and fnmatchcase(metric, each.metric):
                changes = dict(each.changes)
                if "floors" in changes:
                    changes["floors"] = found.floors | changes["floors"]
                found = found.model_copy(update=changes)
        return found


def load_policy(path: Path) -> Policy:
    """The policy behind a path.

    Raises:
        UsageError: The file is at fault; the message names every fault with its
            file, line and path.
    """
    source = read_source(path)
    found = read_table(source, (), source.data, policy_table())
    source.raise_faults()
    limits = {name: found[name] for name in Limits.model_fields if name in found}
    overrides = [
        Override(
            key=each["key"],
            metric=each.get("metric", "*"),
            changes={n: each[n] for n in Limits.model_fields if n in each},
        )
        for each in found.get("overrides", ())
    ]
    rest = {name: found[name] for name in ("alpha", "ignore") if name in found}
    return Policy(limits=Limits(**limits), overrides=tuple(overrides), **rest)


def policy_schema() -> dict[str, Any]:
    """JSON Schema of a policy file."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "joulebench gate policy",
        **table_schema(policy_table()),
    }
