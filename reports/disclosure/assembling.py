"""From stored trials and a ledger to what a disclosure says."""

import hashlib
import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import harness
from harness.errors import UsageError
from harness.garbage import uncollected
from harness.ledger import Hardware, Ledger
from harness.perimeter import outermost
from harness.plan import Plan
from harness.readings import EnergyReading, Provenance
from harness.records import Configuration, Phase, TrialRecord
from harness.registry import cards, matches
from harness.stats import mean
from harness.units import kwh
from reports.disclosure.catalogue import dataset_of
from reports.disclosure.subject import (
    Activity,
    Amounts,
    Machine,
    Round,
    Source,
    Stage,
    Subject,
)
from reports.formatting import printable
from reports.rows import TRUST, only, unusable
from reports.sustainability.arithmetic import G_PER_KG, operational_g
from reports.sustainability.rates import made_g_per_s

LONGEST_STEM = 80


@uncollected()
def subject_of(
    records: Sequence[TrialRecord],
    plan: Plan | None,
    machine: Mapping[str, Any],
    ledger: Ledger,
    *,
    only_keys: str | None = None,
    now: datetime | None = None,
) -> Subject:
    """What can be disclosed of some trials.

    Args:
        records: Trials of one machine.
        plan: Names the suite.
        machine: Content of machine.json, untrusted.
        ledger: Factors of the site.
        only_keys: Pattern with `*` and `?` of the configurations to disclose; None is
            all of them.
        now: When the disclosure is written.

    Raises:
        UsageError: No configuration matches.
    """
    by_key: dict[str, list[TrialRecord]] = {}
    for record in records:
        if only_keys is None or matches(record.key, only_keys):
            by_key.setdefault(record.key, []).append(record)
    if records and not by_key:
        raise UsageError(
            f"no configuration matches {only_keys!r}",
            hint="the keys are those of `bench rank --csv`, such as bert/infer/*",
        )
    usable = {
        key: [trial for trial in trials if not _fault(trial)]
        for key, trials in by_key.items()
    }
    known = cards()
    found = Subject(
        suite=printable(plan.suite) if plan else None,
        tool_version=harness.__version__,
        created_utc=(now or datetime.now(UTC)).strftime("%Y-%m-%dT%H:%M:%SZ"),
        machine=_machine(machine, ledger),
        ledger=ledger,
        activities=tuple(
            _activity(trials, _faults(by_key[key]), ledger, known)
            for key, trials in usable.items()
            if trials
        ),
        left_out={
            printable(key): only(_faults(by_key[key]))
            for key, trials in usable.items()
            if not trials
        },
        reasons=_reasons(ledger),
    )
    digest = hashlib.sha256(found.model_dump_json().encode()).hexdigest()
    return found.model_copy(update={"digest": digest})


def _faults(trials: Iterable[TrialRecord]) -> list[str]:
    return [printable(fault) for trial in trials if (fault := _fault(trial))]


def _fault(trial: TrialRecord) -> str | None:
    """Why a trial cannot be disclosed; None where it can."""
    long = trial.window is None or 0 < trial.window.duration_s < math.inf
    return unusable(trial) or (None if long else "its window has no length")


def _real(value: float | None) -> float | None:
    """A number that JSON knows; records are not trusted to hold only such."""
    return value if value is not None and math.isfinite(value) else None


def _reasons(ledger: Ledger) -> dict[str, str]:
    """Why carbon is unknown."""
    found = {}
    for name, grid in (("location_kg", "intensity"), ("market_kg", "contract")):
        needed = [n for n in (grid, "pue") if getattr(ledger, n) is None]
        if needed:
            found[name] = "; ".join(_why(ledger, each) for each in needed)
    lacking = [piece.name for piece in ledger.hardware if not _can_share(piece)]
    if not ledger.hardware:
        found["embodied_kg"] = _why(ledger, "hardware")
    elif lacking:
        found["embodied_kg"] = (
            "no embodied carbon or no lifetime is known of " + ", ".join(lacking)
        )
    return found


def _why(ledger: Ledger, name: str) -> str:
    """Why a factor is missing, in the words of the ledger."""
    reason = ledger.missing.get(name)
    return f"no {name} is known" + (f": {reason}" if reason else "")


def _activity(
    trials: Sequence[TrialRecord],
    faults: Sequence[str],
    ledger: Ledger,
    workloads: Mapping[str, Any],
) -> Activity:
    """One configuration; each trial has joules and items."""
    head = trials[0]
    totals = [trial.total for trial in trials if trial.total]
    metered = [_metered(trial) for trial in trials]
    rounds = tuple(
        _round(trial, readings, ledger)
        for trial, readings in zip(trials, metered, strict=True)
    )
    modelled = [_real(total.modelled_ratio) for total in totals]
    qualities = [trial.quality for trial in trials if trial.quality]
    scored = [a for q in qualities if (a := _real(q.accuracy)) is not None]
    return Activity(
        key=printable(head.key),
        stem=_stem(head.key),
        stage=_stage(head.configuration),
        configuration=head.configuration,
        rounds=rounds,
        whole=_sum([each.amounts for each in rounds]),
        provenance=_worst([total.provenance for total in totals]),
        modelled_ratio=_weighted(modelled, [each.amounts.kwh for each in rounds]),
        complete=all(total.complete for total in totals)
        and len({total.perimeter for total in totals}) == 1,
        perimeter=tuple(sorted({name for total in totals for name in total.perimeter})),
        sources=_sources(metered),
        setup_kwh=_mean_kwh(t.setup.energy_j if t.setup else None for t in trials),
        evaluation_kwh=_mean_kwh(
            t.evaluation.energy_j if t.evaluation else None for t in trials
        ),
        metric=printable(qualities[0].metric) if qualities else None,
        accuracy=mean(scored) if len(scored) == len(trials) else None,
        scored=min((q.n for q in qualities), default=None),
        dataset=dataset_of(head.configuration, workloads),
        left_out=f"{len(faults)} more: {only(faults)}" if faults else None,
        **_model(trials),
    )


def _model(trials: Sequence[TrialRecord]) -> dict[str, Any]:
    """Facts of the model, where the last round tells them."""
    model, speed = trials[-1].model, trials[-1].performance
    digests = {trial.model.weights_sha256 for trial in trials if trial.model}
    digest = digests.pop() if len(digests) == 1 else None
    return {
        "parameters": model.parameters if model else None,
        "scheme": printable(model.scheme) if model else None,
        "weights_sha256": digest
        if digest and re.fullmatch(r"[0-9a-f]{64}", digest)
        else None,
        "flop_per_item": _real(speed.flop_per_item) if speed else None,
    }


def _round(
    trial: TrialRecord, readings: Sequence[EnergyReading], ledger: Ledger
) -> Round:
    """One usable trial in kWh and kg."""
    total, window = trial.total, trial.window
    if total is None or total.energy_j is None or window is None:  # pragma: no cover
        raise ValueError("only usable trials are disclosed")
    bound_j = _real(total.error_bound_j)
    machine_kwh = kwh(total.energy_j)
    grids = {"location_kg": ledger.intensity, "market_kg": ledger.contract}
    carbon = {
        name: operational_g(machine_kwh, ledger.pue.value, factor.value) / G_PER_KG
        for name, factor in grids.items()
        if factor is not None and ledger.pue is not None
    }
    domains: dict[str, float] = {}
    for reading in readings:
        domains[reading.domain] = domains.get(reading.domain, 0.0) + kwh(
            reading.energy_j or 0.0
        )
    return Round(
        trial=printable(trial.trial),
        number=trial.round,
        items=window.items,
        amounts=Amounts(
            duration_s=window.duration_s,
            kwh=machine_kwh,
            bound_kwh=None if bound_j is None else kwh(bound_j),
            **carbon | _embodied(ledger.hardware, window.duration_s),
        ),
        started_utc=_utc(trial.started_utc),
        domains_kwh=domains,
        cpu_ratio=_real(trial.utilization.cpu_ratio),
        gpu_ratio=_real(trial.utilization.gpu_ratio),
    )


def _metered(trial: TrialRecord) -> Sequence[EnergyReading]:
    """Readings that the total of a trial adds up."""
    return [e for e in outermost(trial.energy) if _real(e.energy_j) is not None]


def _can_share(piece: Hardware) -> bool:
    """Whether making it can be shared out over its life."""
    return bool(piece.embodied) and piece.lifetime is not None


def _embodied(hardware: Sequence[Hardware], duration_s: float) -> dict[str, float]:
    """Middle and ends of what making the hardware emits for a time; {} if unknown."""
    made = made_g_per_s(hardware) if hardware else ""
    if isinstance(made, str):
        return {}
    return {
        "embodied_kg": made.value * duration_s / G_PER_KG,
        "embodied_low_kg": made.low * duration_s / G_PER_KG,
        "embodied_high_kg": made.high * duration_s / G_PER_KG,
    }


def _sum(parts: Sequence[Amounts]) -> Amounts:
    """All of them together; what one of them lacks, the sum lacks."""
    totals = {}
    for name in Amounts.model_fields:
        values = [getattr(part, name) for part in parts]
        known = [value for value in values if value is not None]
        totals[name] = math.fsum(known) if len(known) == len(values) else None
    return Amounts.model_validate(totals)


def _weighted(ratios: Sequence[float | None], weights: Sequence[float]) -> float | None:
    """Mean of ratios by weight; None as soon as one is, and without any weight."""
    known = [ratio for ratio in ratios if ratio is not None]
    if len(known) != len(weights):
        return None
    terms = (ratio * weight for ratio, weight in zip(known, weights, strict=True))
    whole = math.fsum(weights)
    return math.fsum(terms) / whole if whole else None


def _worst(origins: Sequence[Provenance | None]) -> Provenance | None:
    """The least trusted origin; None as soon as one is unknown."""
    known = [origin for origin in origins if origin is not None]
    return max(known, key=TRUST.index) if len(known) == len(origins) else None


def _mean_kwh(values_j: Iterable[float | None]) -> float | None:
    """Mean of joules in kWh; None as soon as one is unknown."""
    given = [_real(value) for value in values_j]
    known = [value for value in given if value is not None]
    average_j = mean(known) if len(known) == len(given) else None
    return None if average_j is None else kwh(average_j)


def _sources(metered: Iterable[Sequence[EnergyReading]]) -> tuple[Source, ...]:
    """Meters and models of the rounds, each once."""
    found = dict.fromkeys(
        (reading.source, reading.domain, reading.provenance)
        for readings in metered
        for reading in readings
    )
    return tuple(
        Source(name=printable(name), domain=printable(domain), provenance=provenance)
        for name, domain, provenance in found
    )


def _stage(configuration: Configuration) -> Stage:
    """What the model does; it is tuned where it starts from weights of others."""
    if configuration.phase is Phase.INFER:
        return "inference"
    options = configuration.options
    started = options.get("checkpoint") or options.get("pretrained", "no") != "no"
    return "fine-tuning" if started else "training"


def _stem(key: str) -> str:
    """Name of a file of a configuration: plain letters, and unique."""
    plain = re.sub(r"[^A-Za-z0-9]+", "-", key).strip("-")[:LONGEST_STEM]
    digest = hashlib.sha256(key.encode("utf-8", "replace")).hexdigest()[:8]
    return f"{plain}-{digest}" if plain else digest


def _utc(text: str) -> str | None:
    """A time as ISO 8601 in UTC; None where the text is none."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    if moment.tzinfo is None:
        return None
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _machine(facts: Mapping[str, Any], ledger: Ledger) -> Machine:
    """What of machine.json can be believed: only values of the right kind."""
    packages = facts.get("packages")
    versions = packages if isinstance(packages, Mapping) else {}
    return Machine(
        cpu=_word(facts.get("cpu")),
        cores=_count(facts.get("cores_physical")) or _count(facts.get("cores_logical")),
        memory_bytes=_count(facts.get("memory_bytes")),
        system=_word(facts.get("system")),
        python=_word(facts.get("python")),
        packages={
            printable(str(name)): version
            for name, value in versions.items()
            if (version := _word(value))
        },
        cards=_cards(facts.get("channels")),
        names=tuple(
            f"{piece.count} x {printable(piece.name)}" for piece in ledger.hardware
        ),
    )


def _cards(channels: object) -> dict[str, int]:
    """How many devices of each kind of card there is a channel of."""
    listed = channels if isinstance(channels, list) else ()
    devices = {
        (channel.get("domain"), str(channel.get("device")))
        for channel in listed
        if isinstance(channel, Mapping) and channel.get("domain") in ("gpu", "tpu")
    }
    kinds = sorted(str(domain) for domain, _ in devices)
    return dict(Counter(kinds))


def _word(value: object) -> str | None:
    return printable(value) or None if isinstance(value, str) else None


def _count(value: object) -> int | None:
    whole = isinstance(value, int) and not isinstance(value, bool)
    return value if whole and 0 < value < 2**60 else None  # type: ignore[operator,return-value]
