"""A paragraph on computation for a paper, as NeurIPS' and ACL's checklists ask for."""

from collections.abc import Iterator

from reports.disclosure import words
from reports.disclosure.subject import Activity, Subject


def files(subject: Subject) -> Iterator[tuple[str, str]]:
    """One text for all configurations."""
    where = subject.ledger.place or f"an {words.UNKNOWN} place"
    hardware = subject.machine.words or f"{words.UNKNOWN} hardware"
    lines = [
        f"All experiments ran on {hardware}, in {where}.",
        f"Energy is told by {words.program(subject)}; carbon: {words.grid(subject)}.",
        *(_sentence(activity) for activity in subject.activities),
    ]
    total = sum(activity.whole.kwh for activity in subject.activities)
    count = sum(len(activity.rounds) for activity in subject.activities)
    lines.append(
        f"The measured windows of these {count} trials took {words.number(total)} kWh; "
        "development, other trials, warm-up and loading are not counted."
    )
    lines += [f"Not counted: {key}: {why}." for key, why in subject.left_out.items()]
    yield "statement.txt", "\n".join(lines) + "\n"


def _sentence(activity: Activity) -> str:
    """One configuration, in what it costs."""
    stated = activity.stated
    size = activity.parameters
    parameters = "" if size is None else f" ({size:.3g} parameters)"
    what = words.article(activity)
    return (
        f"{activity.key}{parameters}: {what} took {words.number(stated.duration_s)} s, "
        f"{words.number(stated.kwh)} kWh ({words.tag(activity)}, "
        f"{words.bound(stated)}) and {words.number(stated.location_kg)} kg CO2e; "
        f"{words.count(len(activity.rounds), 'round')}."
    )
