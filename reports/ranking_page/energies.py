"""A group's joules as charts: against accuracy, by domain, by phase."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from harness.perimeter import outermost
from harness.records import TrialRecord
from harness.stats import mean
from reports.page.blocks import Figure
from reports.page.charts.parts import Axis, Bar, Part, Point
from reports.page.figures import bar_figure, scatter_figure
from reports.ranking import Group
from reports.ranking_page.material import Material
from reports.ranking_page.tables import ranked_rows, typical_unit, unit_for
from reports.rows import Row

MOST_BARS = 12
MOST_POINTS = 250
"""Of the order of the ranking, and all of the front."""
LEAST_ROOM = 0.02
WIDE = 6.0
"""From this ratio of the largest to the least on, joules are drawn logarithmically."""


def front_figure(group: Group, names: Mapping[str, str]) -> Figure | None:
    """Accuracy against joules, with intervals and the front."""
    rows = [row for row in ranked_rows(group) if row.energy_per_item_j.value]
    rows = [row for row in rows if row.accuracy.value is not None]
    rows = _near(rows)
    if not rows:
        return None
    rows = [row for n, row in enumerate(rows) if row.on_frontier or n < MOST_POINTS]
    values = [row.energy_per_item_j.value or 0.0 for row in rows]
    size, prefix = typical_unit(values)
    runtimes = {row.configuration.runtime for row in rows}
    points = [
        _point(row, names[row.key], size, by_runtime=len(runtimes) > 1) for row in rows
    ]
    front = [names[row.key] for row in rows if row.on_frontier]
    left = len(ranked_rows(group)) - len(rows)
    far = f" {left} more are in the ranking alone." if left else ""
    alt = (
        f"Accuracy against joules an item of {len(rows)} configurations. On the front, "
        f"which nothing beats in both, are {', '.join(front) or 'none'}."
    )
    return scatter_figure(
        points,
        Axis(
            title="Joules an item",
            unit=f"{prefix}J",
            log=max(values) > WIDE * min(values),
        ),
        Axis(title="Accuracy"),
        "Accuracy against joules",
        alt,
        "Up and to the left is better. The dashed line is the front; pale marks miss "
        f"the required accuracy.{far}",
    )


def _near(rows: Sequence[Row]) -> list[Row]:
    """Without what fails by so much that the others would lie on one line."""
    placed = [row.accuracy.value or 0.0 for row in rows if row.place is not None]
    if not placed:
        return list(rows)
    room = max(max(placed) - min(placed), LEAST_ROOM)
    return [
        row
        for row in rows
        if row.place is not None or (row.accuracy.value or 0.0) >= min(placed) - room
    ]


def _point(row: Row, name: str, size: float, *, by_runtime: bool) -> Point:
    energy, accuracy = row.energy_per_item_j, row.accuracy
    group = row.configuration.runtime if by_runtime else ""
    return Point(
        label=name,
        x=(energy.value or 0.0) / size,
        y=accuracy.value or 0.0,
        x_low=None if energy.low is None else energy.low / size,
        x_high=None if energy.high is None else energy.high / size,
        y_low=accuracy.low,
        y_high=accuracy.high,
        group=group,
        muted=row.place is None,
        on_front=row.on_frontier,
    )


def chosen_rows(group: Group) -> list[Row]:
    """The first of a ranking, and their reference."""
    ranked = [row for row in ranked_rows(group) if row.trials]
    first = ranked[:MOST_BARS]
    references = {row.reference for row in ranked}
    missing = [r for r in ranked[MOST_BARS:] if r.key in references]
    return [*first[: MOST_BARS - len(missing[:1])], *missing[:1]]


def domain_figure(group: Group, material: Material) -> Figure | None:
    """Joules an item by what used them."""
    names = material.names(group)
    found: list[tuple[Row, dict[str, float]]] = []
    for row in chosen_rows(group):
        trials = [record for record, _ in material.trials(group, row)]
        found.append((row, _split(row, _means(map(_by_domain, trials)))))
    found = [(row, parts) for row, parts in found if parts]
    if not found:
        return None
    size, prefix = typical_unit(sum(parts.values()) for _, parts in found)
    bars = [
        Bar(
            label=names[row.key],
            parts=_parts(parts, size),
            low=_over(row.energy_per_item_j.low, size),
            high=_over(row.energy_per_item_j.high, size),
            muted=row.place is None,
        )
        for row, parts in found
    ]
    domains = list(dict.fromkeys(p.name for bar in bars for p in bar.parts))
    return bar_figure(
        bars,
        Axis(title="Joules an item", unit=f"{prefix}J"),
        "Energy by domain",
        f"Joules an item of {len(bars)} configurations, split into "
        f"{' and '.join(domains)}; the table has the figures.",
        _first(group, len(bars)) + "The window alone, idle power included.",
    )


def _split(row: Row, parts: dict[str, float]) -> dict[str, float]:
    """The row's own joules an item, in the proportion of the parts."""
    total_j, item_j = sum(parts.values()), row.energy_per_item_j.value
    if not total_j or item_j is None:
        return {}
    return {name: part_j / total_j * item_j for name, part_j in parts.items()}


def _by_domain(record: TrialRecord) -> dict[str, float]:
    """Joules an item of each part of the total."""
    items = record.window.items if record.window else 0
    found: dict[str, float] = defaultdict(float)
    for reading in outermost(record.energy):
        if reading.energy_j is not None and items:
            name = f"{reading.domain}, {reading.provenance}"
            found[name] += reading.energy_j / items
    return found


def phase_figure(group: Group, material: Material) -> Figure | None:
    """Joules of a whole trial by what it was doing."""
    names = material.names(group)
    found: list[tuple[Row, dict[str, float]]] = []
    for row in chosen_rows(group):
        trials = [record for record, _ in material.trials(group, row)]
        found.append((row, _means(map(_by_phase, trials))))
    found = [(row, parts) for row, parts in found if parts]
    if not found:
        return None
    size, prefix = unit_for(sum(map(abs, parts.values())) for _, parts in found)
    bars = [
        Bar(
            label=names[row.key],
            parts=_parts(parts, size),
            muted=row.place is None,
        )
        for row, parts in found
    ]
    return bar_figure(
        bars,
        Axis(title="Joules a trial", unit=f"{prefix}J"),
        "Energy by phase",
        "Joules of a trial while it loaded, while it converted the model, and in the "
        "window, idle power apart; the table has the figures.",
        _first(group, len(bars)) + "Only the window is ranked; windows are as long as "
        "the protocol asks, whatever they get done.",
    )


def _by_phase(record: TrialRecord) -> dict[str, float]:
    """Joules of loading, converting and the window, idle and above it."""
    found: dict[str, float] = {}
    total_j = record.total.energy_j if record.total else None
    setup = record.setup
    if setup is not None and setup.energy_j is not None:
        convert_j = setup.convert_energy_j or 0.0
        found["load"] = max(0.0, setup.energy_j - convert_j)
        found["convert"] = convert_j
    net_j = record.idle.net_energy_j
    if total_j is not None and net_j is not None:
        found["window: idle power"] = total_j - net_j
        found["window: above idle"] = net_j
    elif total_j is not None:
        found["window"] = total_j
    return found


def _means(trials: Iterable[dict[str, float]]) -> dict[str, float]:
    """Mean over trials of each part; a trial without it counts as none of it."""
    every = [trial for trial in trials if trial]
    names = dict.fromkeys(name for trial in every for name in trial)
    return {name: mean([t.get(name, 0.0) for t in every]) or 0.0 for name in names}


def _parts(parts: dict[str, float], size: float) -> tuple[Part, ...]:
    return tuple(Part(name=n, value=v / size) for n, v in parts.items())


def _over(value: float | None, size: float) -> float | None:
    return None if value is None else value / size


def _first(group: Group, shown: int) -> str:
    every = len(ranked_rows(group))
    return f"The first {shown} of {every}. " if shown < every else ""


def figures(group: Group, material: Material) -> Sequence[Figure]:
    """The charts of a group that there are figures for."""
    made = (
        front_figure(group, material.names(group)),
        domain_figure(group, material),
        phase_figure(group, material),
    )
    return [figure for figure in made if figure is not None]
