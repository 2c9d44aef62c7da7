"""`emissions.csv` with the columns of CodeCarbon, one line a trial.

As CodeCarbon does, energy is of the facility: PUE is in it, where it is known. What is
not known is an empty cell, never 0. CodeCarbon has no column for the origin of the
energy; it stands beside the program's name in `codecarbon_version`.
"""

import csv
import io
from collections.abc import Iterator

from reports.disclosure import words
from reports.disclosure.subject import Activity, Round, Subject
from reports.exports import inert
from reports.sustainability.arithmetic import facility_kwh, onsite_water_l

COLUMNS = (
    "timestamp", "project_name", "run_id", "experiment_id", "duration", "emissions",
    "emissions_rate", "cpu_power", "gpu_power", "ram_power", "cpu_energy",
    "gpu_energy", "ram_energy", "energy_consumed", "water_consumed", "country_name",
    "country_iso_code", "region", "cloud_provider", "cloud_region", "os",
    "python_version", "codecarbon_version", "cpu_count", "cpu_model", "gpu_count",
    "gpu_model", "longitude", "latitude", "ram_total_size", "tracking_mode",
    "cpu_utilization_percent", "gpu_utilization_percent", "ram_utilization_percent",
    "ram_used_gb", "on_cloud", "pue", "wue",
)  # fmt: skip
PARTS = {"cpu": ("cpu",), "gpu": ("gpu", "tpu"), "ram": ("dram",)}
ON_CLOUD = {"cloud": "Y", "owned": "N", "colo": "N"}
W_PER_KW = 1_000.0
SECONDS_PER_HOUR = 3_600.0
GB = 1024**3


def files(subject: Subject) -> Iterator[tuple[str, str]]:
    """One table for all trials."""
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    for activity in subject.activities:
        for each in activity.rounds:
            line = _common(subject) | _work(subject, activity, each)
            writer.writerow({name: inert(value) for name, value in line.items()})
    yield "emissions.csv", text.getvalue()


def _common(subject: Subject) -> dict[str, object]:
    """What is the same in every line."""
    machine, ledger = subject.machine, subject.ledger
    memory = machine.memory_bytes
    return {
        "project_name": subject.suite,
        "country_name": country(ledger.place),
        "country_iso_code": ledger.place and ledger.place.partition("-")[0],
        "region": ledger.place and (ledger.place.partition("-")[2] or None),
        "os": machine.system,
        "python_version": machine.python,
        "cpu_count": machine.cores,
        "cpu_model": machine.cpu,
        "gpu_count": sum(machine.cards.values()) or None,
        "ram_total_size": None if memory is None else memory / GB,
        "tracking_mode": "machine",
        "on_cloud": ON_CLOUD.get(ledger.ownership or ""),
        "pue": ledger.pue.value if ledger.pue else None,
        "wue": ledger.wue.value if ledger.wue else None,
    }


def country(place: str | None) -> str | None:
    """Name of the country of a place; None where the code is none."""
    if place is None:
        return None
    import pycountry

    found = pycountry.countries.get(alpha_3=place.partition("-")[0])
    return str(found.name) if found else None


def _work(subject: Subject, activity: Activity, each: Round) -> dict[str, object]:
    """What is of one trial."""
    amounts, wue = each.amounts, subject.ledger.wue
    pue = subject.ledger.pue.value if subject.ledger.pue else 1.0
    kg = amounts.location_kg
    line: dict[str, object] = {
        "timestamp": each.started_utc and each.started_utc.removesuffix("Z"),
        "run_id": words.identity(subject, each.trial),
        "experiment_id": activity.key,
        "duration": amounts.duration_s,
        "emissions": kg,
        "emissions_rate": None if kg is None else kg / amounts.duration_s,
        "energy_consumed": facility_kwh(amounts.kwh, pue),
        "water_consumed": None
        if wue is None
        else onsite_water_l(amounts.kwh, wue.value),
        "codecarbon_version": f"{words.program(subject)}, {words.tag(activity)}",
        "cpu_utilization_percent": _percent(each.cpu_ratio),
        "gpu_utilization_percent": _percent(each.gpu_ratio),
    }
    for part, domains in PARTS.items():
        known = [each.domains_kwh[name] for name in domains if name in each.domains_kwh]
        if known:
            part_kwh = facility_kwh(sum(known), pue)
            hours = amounts.duration_s / SECONDS_PER_HOUR
            line[f"{part}_energy"] = part_kwh
            line[f"{part}_power"] = part_kwh * W_PER_KW / hours
    return line


def _percent(ratio: float | None) -> float | None:
    return None if ratio is None else ratio * 100
