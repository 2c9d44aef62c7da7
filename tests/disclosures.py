"""Trials, machines and ledgers to disclose."""

from datetime import UTC, datetime
from typing import Any

from harness.factor import Factor
from harness.ledger import Hardware, Ledger
from harness.readings import EnergyReading, EnergyTotal, Provenance
from harness.records import (
    Configuration,
    ModelFacts,
    OptionValue,
    Performance,
    Phase,
    Quality,
    Setup,
    TrialRecord,
    Utilization,
    WindowRecord,
)
from reports.disclosure import Subject, subject_of

NOW = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)
MACHINE = {
    "cpu": "AMD EPYC 9654",
    "cores_logical": 192,
    "cores_physical": 96,
    "memory_bytes": 137_438_953_472,
    "system": "Linux-6.1",
    "python": "3.11.7",
    "packages": {"torch": "2.13.0", "torchao": None},
}
OPTIONS: dict[str, OptionValue] = {
    "size": "tiny",
    "sequence_length": 32,
    "epochs": 2,
    "optimizer": "adamw",
}


def trial(
    key: str = "bert",
    number: int = 0,
    *,
    phase: Phase = Phase.INFER,
    cpu_j: float = 300.0,
    dram_j: float = 60.0,
    modelled: bool = False,
    **changes: Any,
) -> TrialRecord:
    """A usable trial of 60 s and 5,000 items."""
    origin = Provenance.MODELLED if modelled else Provenance.MEASURED
    source = "codecarbon.cpu_load" if modelled else "rapl.powercap"
    readings = [
        EnergyReading(
            domain=domain,
            device=f"{domain}-0",
            energy_j=energy_j,
            method="model" if modelled else "counter",
            source=source,
            provenance=origin,
            tier="D" if modelled else "B",
            error_bound_j=energy_j * 0.05,
        )
        for domain, energy_j in (("cpu", cpu_j), ("dram", dram_j))
    ]
    fields: dict[str, Any] = {
        "schema": 1,
        "trial": f"r{number}-{key}",
        "key": f"{key}/{phase}/fp32/cpu/b32",
        "round": number,
        "status": "ok",
        "configuration": Configuration(
            workload=key,
            phase=phase,
            precision="fp32",
            device="cpu",
            batch_size=32,
            options=OPTIONS,
        ),
        "started_utc": f"2026-11-25T10:0{number}:00+00:00",
        "window": WindowRecord(
            start_s=0, end_s=60, duration_s=60, items=5_000, steps=157, steady=True
        ),
        "energy": tuple(readings),
        "total": EnergyTotal(
            energy_j=cpu_j + dram_j,
            perimeter=("cpu", "dram"),
            provenance=origin,
            tier="D" if modelled else "B",
            complete=True,
            error_bound_j=(cpu_j + dram_j) * 0.05,
            modelled_ratio=1.0 if modelled else 0.0,
        ),
        "setup": Setup(duration_s=2.0, energy_j=40.0),
        "quality": Quality(metric="accuracy", accuracy=0.8, n=1_000),
        "performance": Performance(items_per_s=83.3, flop_per_item=2.5e7),
        "utilization": Utilization(cpu_ratio=0.9),
        "model": ModelFacts(
            parameters=991_749, weight_bytes=4_000_000, weights_sha256="ab" * 32
        ),
    }
    return TrialRecord.model_validate(fields | changes)


def factor(name: str, value: float, unit: str, **changes: Any) -> Factor:
    return Factor.model_validate(
        {
            "name": name,
            "value": value,
            "unit": unit,
            "year": 2023,
            "source": "a table",
            "licence": "CC BY 4.0",
        }
        | changes
    )


def ledger(**changes: Any) -> Ledger:
    """A site that knows everything."""
    server = Hardware(
        name="server",
        count=2,
        lifetime=factor("lifetime", 4.0, "years", low=3.0, high=6.0),
        embodied=(
            factor("embodied, maker", 1_000.0, "kg CO2e", low=800.0, high=1_300.0),
            factor("embodied, model", 1_200.0, "kg CO2e"),
        ),
    )
    fields: dict[str, Any] = {
        "site": "lab",
        "place": "FRA",
        "ownership": "owned",
        "intensity": factor("grid intensity FRA", 56.0, "g CO2e/kWh"),
        "contract": factor("contract", 10.0, "g CO2e/kWh"),
        "pue": factor("PUE", 1.25, "ratio", assumed=True),
        "wue": factor("WUE", 0.4, "L/kWh"),
        "hardware": (server,),
    }
    return Ledger.model_validate(fields | changes)


BARE = Ledger(site="nowhere")


def subject(
    trials: list[TrialRecord], at: Ledger | None = None, **changes: Any
) -> Subject:
    found = ledger() if at is None else at
    return subject_of(trials, None, MACHINE, found, now=NOW, **changes)


def both(*, modelled: bool) -> list[TrialRecord]:
    """Two rounds of inference and two of training."""
    return [
        trial(number=number, phase=phase, modelled=modelled, cpu_j=300.0 + number)
        for phase in Phase
        for number in range(2)
    ]
