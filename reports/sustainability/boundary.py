"""What the figures are of and what they are not: the boundary sheet of the report."""

from collections.abc import Iterable, Mapping, Sequence

from harness.ledger_nouns import Ledger
from harness.noun import Noun
from harness.readings import EnergyReading
from harness.records import Phase, TrialRecord
from reports.sustainability.facts import RunFacts
from reports.sustainability.rates import why
from reports.sustainability.sci import EFFECTIVE, GROSS, STAGES, Persona

NAMES = {
    "cpu": "Processor",
    "dram": "Memory (DRAM)",
    "gpu": "Graphics cards",
    "tpu": "Tensor processing units",
    "psys": "Platform (psys)",
    "soc": "Board (SoC)",
    "socket": "Socket",
    "module": "Superchip",
    "wall": "Machine, at the wall",
}
BEYOND = (
    ("Network and storage outside the machine", "no meter of the run reaches it"),
    ("Fans, disks, power supply and mainboard", "no meter at the wall"),
    ("Displays and clients of the people who ask", "outside the machine"),
    ("Collecting and labelling data", "not part of the run"),
    ("Retirement and recycling", "no factor of the ledger covers it"),
)


class Part(Noun):
    """A component inside or outside the boundary, with why or how."""

    component: str
    included: bool
    how: str


class Role(Noun):
    """A part of the run with its persona and lifecycle stage of SCI for AI."""

    phase: Phase
    persona: Persona
    stage: str
    trials: int


class Boundary(Noun):
    """The boundary sheet.

    Attributes:
        idle: How idle energy is treated.
    """

    roles: tuple[Role, ...]
    parts: tuple[Part, ...]
    idle: tuple[str, ...]


def boundary(
    records: Sequence[TrialRecord], ledger: Ledger, runs: Sequence[RunFacts]
) -> Boundary:
    """What the joules, grams and litres of some trials cover."""
    readings = _readings(records)
    return Boundary(
        roles=tuple(_roles(records)),
        parts=(
            *_metered(readings),
            *_missing(readings, runs),
            *_beyond(readings),
            *_site(ledger),
        ),
        idle=(
            f"Gross: {GROSS}. Rankings and SCI are of gross energy.",
            f"Net (effective): {EFFECTIVE}. It stands beside the gross figure.",
        ),
    )


def _roles(records: Sequence[TrialRecord]) -> Iterable[Role]:
    personas: dict[Phase, Persona] = {
        Phase.INFER: "consumer",
        Phase.TRAIN: "provider",
    }
    for phase, persona in personas.items():
        count = sum(record.configuration.phase is phase for record in records)
        if count:
            yield Role(
                phase=phase, persona=persona, stage=STAGES[persona], trials=count
            )


def _readings(records: Sequence[TrialRecord]) -> dict[str, EnergyReading]:
    """One reading a domain, with joules where any has them."""
    found: dict[str, EnergyReading] = {}
    for record in records:
        for reading in record.energy:
            known = found.get(reading.domain)
            if known is None or (known.energy_j is None and reading.energy_j):
                found[reading.domain] = reading
    return found


def _metered(readings: Mapping[str, EnergyReading]) -> Iterable[Part]:
    for domain, reading in sorted(readings.items()):
        name = NAMES.get(domain, domain)
        if reading.energy_j is None:
            why_not = reading.reason or "its meter gave no joules"
            yield Part(component=name, included=False, how=why_not)
            continue
        how = f"{reading.provenance.value}, by {reading.source}, tier {reading.tier}"
        if reading.method == "constant":
            how += "; no sensor: a constant"
        if reading.shared:
            how += "; shared with others on the machine"
        yield Part(component=name, included=True, how=how)


def _missing(
    readings: Mapping[str, EnergyReading], runs: Sequence[RunFacts]
) -> Iterable[Part]:
    """Memory without any reading, and meters that did not answer."""
    if "dram" not in readings and not readings.keys() & {"wall", "module", "socket"}:
        no_sensor = "no DRAM sensor, and no model of it"
        yield Part(component=NAMES["dram"], included=False, how=no_sensor)
    probes = dict.fromkeys(each.probe for run in runs for each in run.unavailable)
    if probes and not any(r.provenance == "measured" for r in readings.values()):
        why_not = f"none answered ({', '.join(probes)}); `bench doctor` says why"
        yield Part(component="Instruments", included=False, how=why_not)


def _beyond(readings: Mapping[str, EnergyReading]) -> Iterable[Part]:
    """What is never inside, and what only a meter at the wall sees."""
    for component, reason in BEYOND:
        if component.startswith("Fans") and "wall" in readings:
            yield Part(
                component=component, included=True, how="by the meter at the wall"
            )
        else:
            yield Part(component=component, included=False, how=reason)


def _site(ledger: Ledger) -> Iterable[Part]:
    """Cooling and distribution, making of the hardware, water."""
    pue = ledger.pue
    overhead = "Cooling and power distribution of the facility"
    if pue is None:
        yield Part(component=overhead, included=False, how=why(ledger, "pue"))
    elif pue.value == 1:
        how = "PUE 1: no facility overhead included"
        yield Part(component=overhead, included=False, how=how)
    else:
        how = f"PUE {pue.value:g}, {pue.source}"
        yield Part(component=overhead, included=True, how=how)
    making = "Making of the hardware (embodied carbon)"
    if ledger.hardware:
        names = ", ".join(f"{h.count} x {h.name}" for h in ledger.hardware)
        yield Part(component=making, included=True, how=f"{names}, by time of use")
    else:
        yield Part(component=making, included=False, how=why(ledger, "hardware"))
    for name, text in (("wue", "Water on-site"), ("source_water", "Water of the grid")):
        factor = getattr(ledger, name)
        how = (
            f"{factor.value:g} L/kWh, {factor.source}" if factor else why(ledger, name)
        )
        yield Part(component=text, included=factor is not None, how=how)
