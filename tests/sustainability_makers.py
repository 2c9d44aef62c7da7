"""Runs and sites made by hand for the sustainability report, with plain numbers."""

import json
from collections.abc import Sequence
from typing import Any

from harness.factor import Factor
from harness.ledger_nouns import Hardware, Ledger
from harness.records import TrialRecord
from reports.ranking import rank
from reports.sustainability.accounts import Entry
from reports.sustainability.assessment import Assessment, Subject, assess
from reports.sustainability.facts import RunFacts

OFFSET_S = 1_790_000_000.0
"""UTC of the monotonic clock's zero."""
IDLE_S = 2.0
FACTS = RunFacts(name="run", cpu="Ryzen", idle_s=IDLE_S, place="FRA")


def factor(name: str, value: float, unit: str = "", **more: Any) -> Factor:
    given: dict[str, Any] = {
        "year": 2023,
        "source": f"source of {name}",
        "licence": "CC0",
    }
    given |= more
    return Factor(name=name, value=value, unit=unit, **given)


def site(**changes: Any) -> Ledger:
    """A site that names everything; `None` takes a factor out."""
    given: dict[str, Any] = {
        "site": "here",
        "place": "FRA",
        "ownership": "owned",
        "intensity": factor("grid", 56.0, "g CO2e/kWh", low=40.0, high=70.0),
        "second_opinions": (factor("grid too", 41.0, "g CO2e/kWh"),),
        "contract": factor("contract", 10.0, "g CO2e/kWh"),
        "pue": factor("pue", 1.2, low=1.1, high=1.5),
        "wue": factor("wue", 0.5, "L/kWh"),
        "source_water": factor("water", 3.6, "L/kWh", low=3.0, high=4.0),
        "hardware": (
            Hardware(
                name="server",
                count=2,
                lifetime=factor("lifetime", 4.0, "years", low=3.0, high=6.0),
                embodied=(
                    factor("maker", 900.0, "kg CO2e", low=460.0, high=2087.0),
                    factor("library", 1500.0, "kg CO2e"),
                ),
            ),
        ),
    }
    return Ledger(**given | changes)


def trial(precision: str, number: int, energy_j: float, **given: Any) -> TrialRecord:
    """A trial of a sequence model with all phases."""
    phase = given.get("phase", "infer")
    options = given.get("options", {"sequence_length": 32})
    asked = {
        "workload": "bert",
        "phase": phase,
        "precision": precision,
        "device": "cpu",
        "batch_size": 8,
        "options": options,
    }
    duration_s = given.get("duration_s", 10.0)
    start_s = given.get("start_s", 100.0 * number)
    bound_j = given.get("bound_j", 0.05 * energy_j)
    modelled = given.get("modelled_ratio", 0.0)
    provenance = "measured" if modelled == 0 else "modelled"
    parts = (("cpu", 0.75), ("dram", 0.25))
    key = f"bert/{phase}/{precision}/cpu/b8"
    return TrialRecord.model_validate(
        {
            "trial": f"{key}#{number}",
            "key": key,
            "round": number,
            "status": "ok",
            "configuration": asked,
            "started_utc": "2026-09-21T13:33:20+00:00",
            "window": {
                "start_s": start_s,
                "end_s": start_s + duration_s,
                "duration_s": duration_s,
                "items": given.get("items", 1000),
                "steps": 10,
                "steady": True,
            },
            "energy": [
                {
                    "domain": domain,
                    "device": f"{domain}-0",
                    "energy_j": energy_j * share,
                    "method": "counter",
                    "source": "rapl.powercap",
                    "provenance": provenance,
                    "tier": "B",
                }
                for domain, share in parts
            ],
            "total": {
                "energy_j": energy_j,
                "perimeter": ("cpu", "dram"),
                "provenance": provenance,
                "tier": "B",
                "complete": True,
                "error_bound_j": bound_j,
                "modelled_ratio": modelled,
            },
            "idle": {
                "before_w": 2.0,
                "after_w": 3.0,
                "net_energy_j": energy_j - 2.5 * duration_s,
            },
            "setup": {
                "duration_s": 4.0,
                "energy_j": 40.0 + number,
                "convert_duration_s": 3.0,
                "convert_energy_j": 30.0,
            },
            "evaluation": {"duration_s": 1.0, "energy_j": 7.0}
            if phase == "train"
            else None,
            "quality": {
                "metric": "accuracy",
                "accuracy": given.get("accuracy", 0.8),
                "n": 1000,
                "constant_baseline": 0.1,
            },
            "performance": {"items_per_s": 100.0, "flop_per_item": 2e6},
            "utilization": {"cpu_ratio": 0.9},
            "meter": {"duration_s": duration_s + 8.0},
            "model": {"parameters": 5_000_000, "weight_bytes": 20_000_000},
        }
    )


def run() -> list[TrialRecord]:
    """Three rounds of two precisions inferred, one of them better, and one trained."""
    found = []
    for number in range(3):
        found.append(trial("fp32", number, 100.0 + number))
        found.append(
            trial("bf16", number, 60.0 + 2 * number, duration_s=8.0, accuracy=0.799)
        )
        found.append(trial("int8", number, 130.0 + number, duration_s=11.0))
        found.append(trial("int4", number, 20.0 + number, accuracy=0.3))
        found.append(
            trial("fp32", number, 500.0 + 9 * number, phase="train", start_s=3595.0)
        )
    return found


def subject(records: Sequence[TrialRecord], ledger: Ledger, **more: Any) -> Subject:
    entries = [Entry(record, 0, IDLE_S, OFFSET_S) for record in records]
    return Subject(entries, rank(records), ledger, [FACTS], **more)


def assessment(
    records: Sequence[TrialRecord] | None = None,
    ledger: Ledger | None = None,
    **more: Any,
) -> Assessment:
    kept = run() if records is None else records
    return assess(subject(kept, ledger or site(), **more), "0.1.0")


def report(*args: Any, **more: Any) -> Any:
    """The public JSON, as another program reads it."""
    return json.loads(assessment(*args, **more).to_json())
