"""Model cards for the Hugging Face Hub: front matter in YAML and a section of prose.

`co2_eq_emissions` is in grams and is of training, so a card of inference has the prose
alone. Format: huggingface.co/docs/hub/model-cards-co2.
"""

from collections.abc import Iterator
from typing import Any

from harness.units import JOULES_PER_KWH
from reports.disclosure import words
from reports.disclosure.markdown import facts
from reports.disclosure.subject import TOOL, Activity, Amounts, Subject
from reports.exports import cell
from reports.formatting import energy
from reports.sustainability.arithmetic import G_PER_KG

TYPES = {"training": "pre-training", "fine-tuning": "fine-tuning"}


def files(subject: Subject) -> Iterator[tuple[str, str]]:
    """A card for each configuration."""
    for activity in subject.activities:
        yield f"huggingface/{activity.stem}.md", _card(subject, activity)


def _card(subject: Subject, activity: Activity) -> str:
    import yaml

    head: dict[str, Any] = {"tags": [TOOL]}
    if activity.accuracy is not None and activity.metric:
        head["metrics"] = [activity.metric]
    if emissions := _emissions(subject, activity):
        head["co2_eq_emissions"] = emissions
    front = yaml.safe_dump(head, sort_keys=False, allow_unicode=True, width=10_000)
    return f"---\n{front}---\n\n# {cell(activity.key)}\n\n{_prose(subject, activity)}"


def _emissions(subject: Subject, activity: Activity) -> dict[str, Any]:
    """Grams of one training; nothing where they are not known."""
    location_kg = activity.stated.location_kg
    if not activity.trains or location_kg is None:
        return {}
    fields = {
        "emissions": location_kg * G_PER_KG,
        "source": f"{words.program(subject)}: {words.method(activity)}",
        "training_type": TYPES[activity.stage],
        "geographical_location": subject.ledger.place,
        "hardware_used": subject.machine.words,
    }
    return {name: value for name, value in fields.items() if value is not None}


def _prose(subject: Subject, activity: Activity) -> str:
    stated = activity.stated
    pairs = {
        "Stated for": words.article(activity),
        "Energy": f"{words.number(stated.kwh)} kWh ({words.tag(activity)})",
        "Energy per item": energy(activity.whole.kwh * JOULES_PER_KWH / activity.items),
        "How": words.method(activity),
        "Carbon, location-based": f"{words.number(stated.location_kg)} kg CO2e",
        "Carbon, market-based": f"{words.number(stated.market_kg)} kg CO2e",
        "Embodied carbon of the hardware": f"{_embodied(stated)} kg CO2e",
        "Grid": words.grid(subject),
        "Hardware": subject.machine.words or words.UNKNOWN,
        "Covers": words.coverage(activity),
    }
    if activity.accuracy is not None:
        pairs["Quality"] = (
            f"{activity.metric} {words.number(activity.accuracy, 4)} "
            f"of {activity.scored} held-out items"
        )
    return f"## Environmental impact\n\n{facts(pairs.items())}"


def _embodied(amounts: Amounts) -> str:
    """Embodied carbon with its range."""
    if amounts.embodied_kg is None:
        return words.UNKNOWN
    low, high = amounts.embodied_low_kg, amounts.embodied_high_kg
    return (
        f"{words.number(amounts.embodied_kg)} "
        f"({words.number(low)} to {words.number(high)})"
    )
