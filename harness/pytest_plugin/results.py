"""What is kept of tests: their joules, where these come from, and the verdict."""

from typing import Any, Literal

from pydantic import Field

from harness.noun import Noun
from harness.readings import Provenance
from harness.records import Doubt

SCHEMA = 1
Outcome = Literal[
    "regressed", "improved", "equivalent", "inconclusive", "not-comparable"
]


class Round(Noun):
    """One window with the calls in it.

    Attributes:
        energy_j: Of the window; None as in the test's own `reason`.
        window_s: From edge to edge; it ends with the meters' next tick.
        busy_s: Of the calls.
    """

    energy_j: float | None
    relative_bound_j: float | None = None
    window_s: float
    busy_s: float
    iterations: int


class Verdict(Noun):
    """A test against what was kept of it.

    Attributes:
        ratio: Joules over the baseline's; by item where both have items.
        detectable: A ratio from here on would have been a regression.
        limit_ratio: What was allowed; None where there was no limit.
        reason: Why nothing was compared, or shown.
    """

    outcome: Outcome
    baseline: str | None = None
    ratio: float | None = None
    low: float | None = None
    high: float | None = None
    detectable: float | None = None
    limit_ratio: float | None = None
    reason: str | None = None

    @property
    def is_checked(self) -> bool:
        """Whether joules were compared at all."""
        return self.outcome != "not-comparable"


class Result(Noun):
    """Joules of one call in a test.

    Attributes:
        energy_j: Geometric mean of the rounds; None where `reason` says why.
        energy_low_j: 95 % interval over the rounds, from three on.
        power_w: Mean power of the typical round.
        duration_s: Of one call.
        perimeter: What the joules are of; what is only modelled is left out where an
            instrument measured anything.
        left_out: Domains that were only modelled beside it.
        outcome: Of the test: passed or failed.
    """

    nodeid: str
    name: str
    rounds: tuple[Round, ...] = ()
    energy_j: float | None = None
    energy_low_j: float | None = None
    energy_high_j: float | None = None
    power_w: float | None = None
    duration_s: float | None = None
    perimeter: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()
    provenance: Provenance | None = None
    tier: str | None = None
    complete: bool = False
    reason: str | None = None
    items: int | None = None
    accuracy: float | None = None
    extra_info: dict[str, Any] = Field(default_factory=dict)
    doubts: tuple[Doubt, ...] = ()
    verdict: Verdict | None = None
    outcome: str | None = None

    @property
    def is_measured(self) -> bool:
        """Whether an instrument said all of these joules."""
        return self.energy_j is not None and self.provenance is Provenance.MEASURED

    @property
    def energy_per_item_j(self) -> float | None:
        """Joules of one item."""
        if self.energy_j is None or not self.items:
            return None
        return self.energy_j / self.items


class Machine(Noun):
    """What must agree before two results are compared.

    Attributes:
        name: Short, and the folder of its results.
        facts: Processor, devices, sources of joules and the like.
    """

    name: str
    facts: dict[str, str]

    def unlike(self, other: "Machine") -> str | None:
        """In which fact another one differs; None where it does not."""
        for fact in dict.fromkeys((*self.facts, *other.facts)):
            here, there = self.facts.get(fact), other.facts.get(fact)
            if here != there:
                return f"its {fact} is {there or 'unknown'}, here {here or 'unknown'}"
        return None


class Record(Noun):
    """A file of results: of one machine, as kept or as `--energy-json` writes it."""

    schema_: int = Field(default=SCHEMA, alias="schema")
    joulebench: str
    utc: str
    commit: str | None = None
    machine: Machine | None = None
    tests: tuple[Result, ...] = ()
