"""What a site leaves open: named assumptions, and the overhead of a facility.

A desktop, a laptop or a small board has no facility around it: PUE 1. A server has, and
no default is taken for it: whoever reports must name a figure.
"""

from collections.abc import Sequence

from harness.errors import UsageError
from harness.factor import Factor
from harness.ledger_nouns import Ledger
from harness.near import nearest
from harness.site_keys import LIMITS
from reports.sustainability.facts import RunFacts

UNITS = {
    "pue": "",
    "intensity": "g CO2e/kWh",
    "contract": "g CO2e/kWh",
    "wue": "L/kWh",
    "source_water": "L/kWh",
}
"""What may be assumed on the command line, with its unit."""
KEYS = {
    "pue": "pue",
    "intensity": "grid_g_per_kwh",
    "contract": "contract_g_per_kwh",
    "wue": "wue_l_per_kwh",
    "source_water": "source_water_l_per_kwh",
}
"""The same numbers in a site file."""
NO_SOURCE = "--assume"
SURVEY_PUE = 1.54
"""Weighted mean of Uptime Institute's survey of data centres of 2025."""


def assumption(text: str) -> Factor:
    """The factor of `pue=1.54`.

    Raises:
        UsageError: The name is unknown, or there is no sound number.
    """
    name, equals, given = (part.strip() for part in text.partition("="))
    if name not in UNITS:
        raise UsageError(
            f"--assume {text}: nothing is called {name!r}{nearest(name, list(UNITS))}",
            hint=f"known: {', '.join(UNITS)}; write it as pue=1.54",
        )
    try:
        value = float(given) if equals else -1.0
    except ValueError:
        value = -1.0
    least, most = LIMITS[KEYS[name]]
    if not least <= value <= most:
        raise UsageError(
            f"--assume {text}: {given!r} is no number from {least:g} to {most:g}",
            hint=f"such as --assume {name}={SURVEY_PUE if name == 'pue' else 100}",
        )
    return Factor(
        name=name,
        value=value,
        unit=UNITS[name],
        year=None,
        source=NO_SOURCE,
        licence="none",
        assumed=True,
    )


def completed(
    ledger: Ledger, runs: Sequence[RunFacts], assumptions: Sequence[str] = ()
) -> Ledger:
    """The ledger with assumptions in place of what it has, and a PUE.

    Raises:
        UsageError: An assumption is at fault, or a server has no PUE.
    """
    given: dict[str, Factor] = {}
    for factor in map(assumption, assumptions):
        if given.setdefault(factor.name, factor).value != factor.value:
            raise UsageError(
                f"--assume: {factor.name} is given as {given[factor.name].value:g} and "
                f"as {factor.value:g}",
                hint="name it once",
            )
    update: dict[str, object] = dict(given)
    if "intensity" in given:
        update["second_opinions"] = ()
    if "pue" not in given and ledger.pue is None:
        update["pue"] = overhead(runs)
    left = {n: reason for n, reason in ledger.missing.items() if n not in update}
    return ledger.model_copy(update={**update, "missing": left})


def overhead(runs: Sequence[RunFacts]) -> Factor:
    """PUE 1 for machines outside a data centre, or as the suites say.

    Raises:
        UsageError: One of the machines is a server, and nothing names its PUE; or the
            suites name several.
    """
    said = {run.pue for run in runs if run.pue != 1}
    if said and len({run.pue for run in runs}) > 1:
        raise UsageError(
            "the suites of the runs name several PUE: "
            + ", ".join(f"{pue:g}" for pue in sorted({run.pue for run in runs})),
            hint="one for all in site.yaml (--site FILE), or a report for each",
        )
    if len(said) == 1 and all(run.pue != 1 for run in runs):
        return Factor(
            name="PUE",
            value=said.pop(),
            unit="",
            year=None,
            source="site.pue of the suite",
            licence="none",
        )
    server = next((run.server for run in runs if run.server), None)
    if server is not None:
        raise UsageError(
            f"no PUE is known, and this machine is a server ({server})",
            hint="pue in site.yaml (--site FILE); or --assume pue="
            f"{SURVEY_PUE:g}, the mean of Uptime's survey of data centres of 2025; or "
            "--assume pue=1 where no facility stands around it",
        )
    return Factor(
        name="PUE",
        value=1.0,
        unit="",
        year=None,
        source="a machine outside a data centre",
        licence="none",
        assumed=True,
        caveats=("no facility overhead included",),
    )
