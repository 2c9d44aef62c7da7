"""The plan of a run: every trial, its order and its seed, fixed before the first."""

import random
import re
from pathlib import Path

from pydantic import ValidationError

from harness.errors import UsageError
from harness.jobs import Protocol
from harness.matrix import Skipped, expand
from harness.noun import Noun, first_fault
from harness.protocol_keys import weakened
from harness.records import SCHEMA, Configuration, Phase
from harness.scenarios import SCENARIOS
from harness.suite import Location, QualityFloor, Suite

LONGEST_NAME = 120


class PlannedTrial(Noun):
    """One trial to come.

    Attributes:
        trial: Unique in its run and the stem of its files, such as
            `r0-003-bert-infer-fp32-cpu-b32`.
    """

    trial: str
    round: int
    key: str
    configuration: Configuration
    seed: int


class Plan(Noun):
    """What a run will do; `bench resume` reads it instead of the suite.

    Attributes:
        weakened: Keys in which it asks for less than its profile `official` does.
    """

    schema_version: int = SCHEMA
    suite: str
    profile: str
    settings: tuple[str, ...]
    seed: int
    protocol: Protocol
    quality: QualityFloor
    site: Location
    trials: tuple[PlannedTrial, ...]
    skips: tuple[Skipped, ...]
    weakened: tuple[str, ...] = ()

    @property
    def official(self) -> bool:
        """Whether its results may call themselves so."""
        return self.profile == "official" and not self.weakened


def parse_plan(text: str, path: Path) -> Plan:
    """A plan as it was written.

    Raises:
        UsageError: The file holds no plan.
    """
    try:
        return Plan.model_validate_json(text)
    except ValidationError as error:
        place, what = first_fault(error)
        raise UsageError(
            f"{path}: not a plan: {place} {what}".replace("  ", " "),
            hint="the plan is written by `bench run`; the trials beside it are intact",
        ) from error


def make_plan(suite: Suite, only: str | None = None) -> Plan:
    """Rounds that visit every configuration once, each in its own order.

    Training is seeded anew in each round, so that its spread is seen; inference
    loads the one set of reference weights, which has a seed of its own.

    Raises:
        UsageError: The matrix is empty.
    """
    configurations, skipped = expand(suite, only)
    trials: list[PlannedTrial] = []
    for number in range(suite.protocol.rounds):
        order = list(configurations)
        random.Random(f"{suite.seed}-{number}").shuffle(order)  # noqa: S311
        for configuration in order:
            trials.append(planned(configuration, number, len(trials), suite.seed))
    return Plan(
        suite=suite.name,
        profile=suite.profile,
        settings=suite.settings,
        seed=suite.seed,
        protocol=suite.protocol,
        quality=suite.quality,
        site=suite.site,
        trials=tuple(trials),
        skips=skipped,
        weakened=weakened(suite.profile, suite.protocol),
    )


def planned(
    configuration: Configuration, number: int, position: int, seed: int
) -> PlannedTrial:
    """A trial of a round, at its place among all, with the suite's seed."""
    is_training = configuration.phase == Phase.TRAIN
    return PlannedTrial(
        trial=_file_name(f"r{number}-{position:03d}-{configuration.key}"),
        round=number,
        key=configuration.key,
        configuration=configuration,
        seed=seed + number if is_training else seed,
    )


def _file_name(name: str) -> str:
    """A name without anything that a path could mean by it, and not too long."""
    plain = re.sub(r"[^A-Za-z0-9._,-]+", "-", name.replace("=", ""))
    return re.sub(r"\.{2,}", ".", plain)[:LONGEST_NAME].rstrip("-.")


def shortest_s(plan: Plan) -> float:
    """Seconds that idle times, warm-up and windows take at the very least.

    Loading and the fixed work of training come on top; they are not known before.
    """
    each = plan.protocol
    quiet_s = 2 * each.idle_s + each.warmup_min_s
    open_windows = sum(
        SCENARIOS[t.configuration.scenario].windows(each)
        for t in plan.trials
        if t.configuration.phase == Phase.INFER
    )
    return len(plan.trials) * quiet_s + open_windows * each.window_min_s
