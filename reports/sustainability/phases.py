"""Where the joules went: by phase of a trial, by domain, by UTC hour."""

from harness.noun import Noun
from reports.sustainability import arithmetic
from reports.sustainability.accounts import PHASES, Account
from reports.sustainability.carbon import KWH, kwh
from reports.sustainability.figures import (
    Figure,
    Method,
    joules_methods,
    measured,
    missing,
    product,
    total,
)
from reports.sustainability.rates import Rates

JOULES = "J"
ABOUT = {
    "setup": "loading, converting and compiling",
    "idle": "idle power times the planned length of the stretches around a window",
    "window": "the measured work",
    "evaluation": "scoring a training inside its window",
}
NO_JOULES = "no trial has joules"
NO_WARMUP = "warm-up and waits are not recorded"
TOO_UNSURE = "none: the error bound is above 50 %"


class Stretch(Noun):
    """Joules of one phase, of one domain or of one hour.

    Attributes:
        name: Such as `setup`, `dram` or `2026-11-25T10` (UTC).
        share_ratio: Of the joules of all that are known.
    """

    name: str
    energy_j: Figure
    share_ratio: float | None = None
    about: str = ""


class Energy(Noun):
    """Energy of some trials.

    Attributes:
        gross_j: All known phases together, idle included: E of the machines.
        window_j: Of the measured windows alone.
        net_j: Of the windows, above idle power.
        machine_kwh: Gross, in kWh.
        facility_kwh: With the facility's overhead.
        modelled_ratio: Share of the windows' joules that no instrument saw.
        error_ratio: Error bound over joules, of the windows.
        grade: In BoAmps' words: high, medium, low.
        placed_by: How windows were laid on hours.
    """

    gross_j: Figure
    window_j: Figure
    net_j: Figure
    machine_kwh: Figure
    facility_kwh: Figure
    modelled_ratio: float | None
    error_ratio: float | None
    grade: str | None
    tiers: tuple[str, ...]
    phases: tuple[Stretch, ...]
    convert_j: Figure
    domains: tuple[Stretch, ...]
    hours: tuple[Stretch, ...]
    placed_by: tuple[str, ...]


def energy(spent: Account, tiers: tuple[str, ...], by: Rates) -> Energy:
    """Energy by phase, domain and hour."""
    gross_j = gross(spent)
    machine_kwh = kwh(gross_j)
    known_j = spent.get("window") or 0.0
    return Energy(
        gross_j=gross_j,
        window_j=phase(spent, "window"),
        net_j=net(spent),
        machine_kwh=machine_kwh,
        facility_kwh=product(KWH, "E x PUE", machine_kwh, by.pue),
        modelled_ratio=spent.modelled_ratio,
        error_ratio=spent.error_ratio,
        grade=grade(spent.error_ratio),
        tiers=tiers,
        phases=(
            *(
                Stretch(
                    name=name,
                    energy_j=phase(spent, name),
                    share_ratio=_share(spent.get(name), gross_j.value),
                    about=ABOUT[name],
                )
                for name in told(spent)
            ),
            Stretch(name="warm-up", energy_j=missing(JOULES, NO_WARMUP)),
        ),
        convert_j=phase(spent, "convert"),
        domains=tuple(
            Stretch(
                name=domain,
                energy_j=Figure(unit=JOULES, value=joules, methods=_methods(origin)),
                share_ratio=_share(joules, known_j),
            )
            for (domain, origin), joules in spent.domains.items()
        ),
        hours=tuple(
            Stretch(
                name=hour,
                energy_j=measured(JOULES, joules, modelled_ratio=spent.modelled_ratio),
                share_ratio=_share(joules, known_j),
            )
            for hour, joules in spent.hours.items()
        ),
        placed_by=tuple(
            f"{count} by the {name}" for name, count in spent.placed_by.items()
        ),
    )


def told(spent: Account) -> list[str]:
    """Phases that these trials have; only trainings are evaluated inside a window."""
    return [name for name in PHASES if name != "evaluation" or spent.tells(name)]


def gross(spent: Account) -> Figure:
    """E: all phases whose joules are known; what is not known is said."""
    names = told(spent)
    parts = [phase(spent, name) for name in names]
    if spent.get("window") is None:
        return missing(JOULES, NO_JOULES)
    lacking = [
        f"{name}: {part.reason}"
        for name, part in zip(names, parts, strict=True)
        if part.reason
    ]
    known = [part for part in parts if part.value is not None]
    whole = total(JOULES, " + ".join(names), *known)
    return whole.model_copy(update={"reason": "; ".join((*lacking, NO_WARMUP))})


def net(spent: Account) -> Figure:
    """Joules of the windows above idle power; None unless all trials tell it."""
    value = spent.whole("net")
    lacks = "not all trials tell idle power"
    return measured(JOULES, value, modelled_ratio=spent.modelled_ratio, reason=lacks)


def phase(spent: Account, name: str) -> Figure:
    """Joules of a phase; their error is in proportion to that of the windows."""
    value, ratio = spent.get(name), spent.error_ratio
    bound = None if value is None or ratio is None else abs(value) * ratio
    return measured(
        JOULES,
        value,
        bound,
        modelled_ratio=spent.modelled_ratio,
        reason=NO_JOULES,
        lacks=spent.lacks(name),
    )


def grade(error_ratio: float | None) -> str | None:
    """BoAmps' word for an error of so much; None where the error is not known."""
    if error_ratio is None:
        return None
    return arithmetic.grade(error_ratio) or TOO_UNSURE


def _share(part: float | None, whole: float | None) -> float | None:
    return None if part is None or not whole else part / whole


def _methods(origin: str) -> tuple[Method, ...]:
    """A tag for joules of one provenance."""
    if origin == "assumed":
        return ("assumed",)
    return joules_methods(0.0 if origin == "measured" else 1.0)
