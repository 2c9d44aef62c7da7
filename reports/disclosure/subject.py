"""What a disclosure is about, computed once, so that every format says the same.

A disclosure covers configurations, each with its usable rounds named. Energy is that of
the measured windows; setup and evaluations stand beside it. kWh are of the machines:
PUE comes in with the carbon.
"""

from typing import Literal

from pydantic import Field

from harness.ledger import Ledger
from harness.noun import Noun
from harness.readings import Provenance
from harness.records import Configuration, Phase

Stage = Literal["training", "fine-tuning", "inference"]
TOOL = "joulebench"
PER = 1000
"""Items that inference is stated for; training is stated for one."""


class Amounts(Noun):
    """What some work took.

    Attributes:
        kwh: Energy of the machines, without the facility's overhead.
        bound_kwh: How far off the energy can be; None where a round has no bound.
        location_kg: Operational CO2e by the mean grid; None where it is not known.
        market_kg: The same by the contract.
        embodied_kg: CO2e of making the hardware, for the time of the work.
        embodied_low_kg: By the lowest source and the longest life.
        embodied_high_kg: By the highest source and the shortest life.
    """

    duration_s: float
    kwh: float
    bound_kwh: float | None = None
    location_kg: float | None = None
    market_kg: float | None = None
    embodied_kg: float | None = None
    embodied_low_kg: float | None = None
    embodied_high_kg: float | None = None

    def scaled(self, by: float) -> "Amounts":
        """So many times as much of everything."""
        values = self.model_dump()
        known = {
            name: value * by for name, value in values.items() if value is not None
        }
        return Amounts(**values | known)

    @property
    def bound_ratio(self) -> float | None:
        """Error bound over energy."""
        if self.bound_kwh is None or not self.kwh:
            return None
        return self.bound_kwh / self.kwh


class Round(Noun):
    """One usable trial.

    Attributes:
        started_utc: When the trial began, ISO 8601; None where it is not told.
        domains_kwh: Energy by what it was metered on, such as cpu or wall.
        cpu_ratio: How busy the processors were.
        gpu_ratio: How busy the GPUs were.
    """

    trial: str
    number: int
    items: int
    amounts: Amounts
    started_utc: str | None = None
    domains_kwh: dict[str, float] = Field(default_factory=dict)
    cpu_ratio: float | None = None
    gpu_ratio: float | None = None


class Source(Noun):
    """A meter or model that energy comes from."""

    name: str
    domain: str
    provenance: Provenance


class Dataset(Noun):
    """Data that a configuration worked on.

    Attributes:
        kind: What an item is.
        public: Anyone can have it; None where that is not known.
        licence: As far as it was checked, in words.
        uri: Where it is from.
    """

    name: str
    kind: Literal["text", "image", "other"]
    public: bool | None = None
    about: str | None = None
    licence: str | None = None
    uri: str | None = None


class Activity(Noun):
    """One configuration over its usable rounds.

    Attributes:
        whole: All rounds together.
        provenance: The least trusted origin of its energy; None as soon as one is
            unknown.
        modelled_ratio: Share of the energy that no instrument saw.
        complete: Nothing of the perimeter is missing, and it is that of all rounds.
        setup_kwh: Loading and converting, mean of a round; None where one is unknown.
        evaluation_kwh: Examinations in the middle of a training, likewise; not in
            the energy of the work.
        accuracy: Mean over the rounds.
        flop_per_item: Of the fp32 model; three times a forward pass in training.
        left_out: Why other rounds do not count, such as `2 rounds: failed`.
    """

    key: str
    stem: str
    stage: Stage
    configuration: Configuration
    rounds: tuple[Round, ...]
    whole: Amounts
    provenance: Provenance | None
    modelled_ratio: float | None
    complete: bool
    perimeter: tuple[str, ...]
    sources: tuple[Source, ...]
    setup_kwh: float | None = None
    evaluation_kwh: float | None = None
    metric: str | None = None
    accuracy: float | None = None
    scored: int | None = None
    parameters: int | None = None
    scheme: str | None = None
    weights_sha256: str | None = None
    flop_per_item: float | None = None
    dataset: Dataset | None = None
    left_out: str | None = None

    @property
    def items(self) -> int:
        """Items of all rounds."""
        return sum(each.items for each in self.rounds)

    @property
    def trains(self) -> bool:
        """Whether it is a training, of whatever stage."""
        return self.configuration.phase is Phase.TRAIN

    @property
    def units(self) -> int:
        """How many trainings, or items of inference, the whole is."""
        return len(self.rounds) if self.trains else self.items

    @property
    def stated_units(self) -> int:
        """How many of them a disclosure states the amounts of."""
        return 1 if self.trains else PER

    @property
    def stated(self) -> Amounts:
        """One training, mean over the rounds; or a thousand items of inference."""
        return self.whole.scaled(self.stated_units / self.units)

    @property
    def unit_name(self) -> str:
        """What the stated amounts are of."""
        return "training" if self.trains else f"{PER} items of inference"

    @property
    def measured(self) -> bool:
        """All of the energy was seen by an instrument."""
        return self.provenance is Provenance.MEASURED


class Machine(Noun):
    """What ran it, as far as the run says; None is not known.

    Attributes:
        cards: How many of each kind (gpu, tpu) had a meter; a run keeps no names.
        names: What the site calls its hardware.
    """

    cpu: str | None = None
    cores: int | None = None
    memory_bytes: int | None = None
    system: str | None = None
    python: str | None = None
    packages: dict[str, str] = Field(default_factory=dict)
    cards: dict[str, int] = Field(default_factory=dict)
    names: tuple[str, ...] = ()

    @property
    def words(self) -> str | None:
        """Hardware in a line, such as `AMD EPYC, 2 cores, 25 GB`."""
        parts = [*self.names, self.cpu or ""]
        for kind, count in self.cards.items():
            parts.append(f"{count} {kind.upper()}{'' if count == 1 else 's'}")
        if self.cores:
            parts.append(f"{self.cores} cores")
        if self.memory_bytes:
            parts.append(f"{self.memory_bytes / 1e9:.0f} GB of memory")
        return ", ".join(part for part in parts if part) or None


class Subject(Noun):
    """All that the formats may say.

    Attributes:
        suite: Name of what was run; None where no plan is known.
        created_utc: When the disclosure was written, ISO 8601.
        left_out: Configurations without a usable round, with why.
        reasons: Why amounts of carbon are unknown, by the name of the amount.
        digest: Of all the rest.
    """

    suite: str | None
    tool_version: str
    created_utc: str
    machine: Machine
    ledger: Ledger
    activities: tuple[Activity, ...]
    left_out: dict[str, str] = Field(default_factory=dict)
    reasons: dict[str, str] = Field(default_factory=dict)
    digest: str = ""
