"""Where emissions stand in a corporate inventory (GHG Protocol), by who owns what."""

from harness.ledger_nouns import Ledger, Ownership
from harness.noun import Noun
from reports.sustainability.carbon import Carbon, no_grams
from reports.sustainability.figures import Figure

NOT_COMPUTED = "not computed: no factors of losses on the grid and of fuels"
NOT_ASSIGNED = "the site does not say who owns the machines: ownership in site.yaml"
YEARS = (
    "The share of making is by time of use; an inventory books all of it in the year "
    "of purchase."
)
SCOPES: dict[Ownership, tuple[str, str]] = {
    "owned": ("Scope 2", "Scope 3, category 2 (capital goods)"),
    "colo": (
        "Scope 2 under operational control, else Scope 3, category 8 (leased assets)",
        "Scope 3, category 2 (capital goods), or 8 where the machines are leased",
    ),
    "cloud": (
        "Scope 3, category 1 (purchased services)",
        "Scope 3, category 1 (purchased services)",
    ),
}


class Scope(Noun):
    """One line of an inventory.

    Attributes:
        what: Which emissions.
        scope: Where they are booked; None where ownership is not known.
        location_g: With the grid's intensity.
        market_g: With the contract's; None for what no contract covers.
    """

    what: str
    scope: str | None
    location_g: Figure
    market_g: Figure
    note: str = ""


def scopes(emitted: Carbon, ledger: Ledger) -> tuple[Scope, ...]:
    """Lines of energy, making and what is not computed."""
    used, made = SCOPES[ledger.ownership] if ledger.ownership else (None, None)
    third = None if ledger.ownership is None else "Scope 3, category 3 (fuel, energy)"
    if ledger.ownership == "cloud":
        third = used
    nothing = no_grams(NOT_COMPUTED)
    no_contract = no_grams("a contract covers electricity alone")
    return (
        Scope(
            what="Electricity of the machines and their facility",
            scope=used,
            location_g=emitted.location_g,
            market_g=emitted.market_g,
            note=_contract(ledger) if used else NOT_ASSIGNED,
        ),
        Scope(
            what="Making of the hardware, by time of use",
            scope=made,
            location_g=emitted.embodied_g,
            market_g=no_contract,
            note=YEARS if ledger.ownership in {"owned", "colo"} else "",
        ),
        Scope(
            what="Losses of transmission and distribution; making of fuels (WTT)",
            scope=third,
            location_g=nothing,
            market_g=nothing,
        ),
    )


def _contract(ledger: Ledger) -> str:
    """How the contract covers the use, where the site says it."""
    return f"contract matched {ledger.matched}" if ledger.matched else ""
