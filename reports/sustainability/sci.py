"""Software Carbon Intensity (ISO/IEC 21031:2024) with the roles of SCI for AI.

Inference is scored for its consumer, by item; training for its provider, by operation,
token and parameter. The two have other boundaries and are never added.
"""

from typing import Literal

from harness.noun import Noun
from reports.formatting import significant
from reports.sustainability.accounts import Account, Work
from reports.sustainability.carbon import Carbon, carbon, grams, kwh
from reports.sustainability.figures import Figure, measured, missing, scaled
from reports.sustainability.phases import gross, net
from reports.sustainability.rates import Rates

Persona = Literal["consumer", "provider"]
STAGES: dict[Persona, str] = {
    "consumer": "Operation and monitoring: the measured window of inference",
    "provider": "Design and development: all trainings of the run, whatever became of "
    "them, with loading, idle stretches and evaluation; collecting data, earlier "
    "trainings and retirement are not in it",
}
GROSS = "every joule of the reserved machines, idle included"
EFFECTIVE = "joules above idle power alone"
RATIONALES = {
    "item": "one answer is what is asked for",
    "token": "tokens of padded sequences, as the machine works on them",
    "FLOP": "operations of the products and convolutions of the fp32 model",
    "training token": "tokens of padded sequences over all epochs",
    "parameter": "parameters of the trained model",
}


class Score(Noun):
    """A carbon intensity of software by one functional unit.

    Attributes:
        unit: R, such as `item`.
        count: How many of it the energy was for.
        rationale: What the unit counts, and why.
        gross_g: (E x I + M) / R with all joules, in g CO2e by unit.
        effective_g: The same with the joules above idle.
        line: The sum written out.
    """

    persona: Persona
    stage: str
    unit: str
    count: float | None
    rationale: str
    gross_g: Figure
    effective_g: Figure
    line: str | None = None


def consumer(
    emitted: Carbon, net_j: Figure, work: Work, items: float, by: Rates
) -> tuple[Score, ...]:
    """Scores of inference by item, and by token where an item is a sequence.

    Args:
        emitted: Carbon of an item with all its joules.
        net_j: Joules an item above idle.
        work: Seconds and tokens an item.
        items: Worked on in all windows.
        by: Factors of the site.
    """
    above_idle_g = grams(kwh(net_j), emitted.embodied_g, by)
    both_g = emitted.total_or_location, above_idle_g
    found = [_score("consumer", "item", both_g, 1.0, items)]
    if work.tokens:
        count = items * work.tokens
        found.append(_score("consumer", "token", both_g, work.tokens, count))
    return tuple(found)


def provider(spent: Account, parameters: int | None, by: Rates) -> tuple[Score, ...]:
    """Scores of training by operation, by token and by parameter."""
    reserved_s = measured("s", spent.get("time"), lacks=spent.lacks("time"))
    emitted = carbon(kwh(gross(spent)), reserved_s, by)
    above_idle_g = grams(kwh(net(spent)), emitted.embodied_g, by)
    both_g = emitted.total_or_location, above_idle_g
    counts = {
        "FLOP": spent.whole("flop"),
        "training token": spent.whole("tokens"),
        "parameter": None if parameters is None else float(parameters),
    }
    return tuple(
        _score("provider", unit, both_g, count, count) for unit, count in counts.items()
    )


def _score(
    persona: Persona,
    unit: str,
    both_g: tuple[Figure, Figure],
    by: float | None,
    count: float | None,
) -> Score:
    """Grams over so many units."""
    per = f"g CO2e/{unit}"
    nothing = missing(per, f"the records do not tell the number of {unit}s")
    all_g, net_g = (
        scaled(per, "(E x I + M) / R", each, 1 / by) if by else nothing
        for each in both_g
    )
    line = None
    if by and both_g[0].value is not None and all_g.value is not None:
        line = (
            f"{significant(both_g[0].value, 6)} g CO2e / {significant(by, 6)} {unit}s "
            f"= {significant(all_g.value, 6)} {per}"
        )
    return Score(
        persona=persona,
        stage=STAGES[persona],
        unit=unit,
        count=count,
        rationale=RATIONALES[unit],
        gross_g=all_g,
        effective_g=net_g,
        line=line,
    )
