"""Names beside points, none over another."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from reports.page.charts.marks import TEXT, label, width_of

AWAY = 8.0
HALF = TEXT * 0.55


class Box(NamedTuple):
    """A rectangle by its edges."""

    left: float
    top: float
    right: float
    bottom: float

    def meets(self, other: "Box") -> bool:
        """Whether they overlap."""
        across = self.left < other.right and other.left < self.right
        return across and self.top < other.bottom and other.top < self.bottom


class Label(NamedTuple):
    """Words and where they begin, with the baseline at y."""

    text: str
    x: float
    y: float


def placed(
    names: Sequence[tuple[str, float, float]], taken: Sequence[Box], inside: Box
) -> list[Label]:
    """A place for each name that finds one, the first names first.

    Args:
        names: Name and point, the most important first.
        taken: What must stay free, such as marks.
        inside: Where labels may be.
    """
    full = list(taken)
    found = []
    for name, x, y in names:
        text = label(name, 32)
        width = width_of(text) + 2
        for box in _places(x, y, width):
            fits = (
                box.left >= inside.left
                and box.right <= inside.right
                and box.top >= inside.top
                and box.bottom <= inside.bottom
            )
            if fits and not any(box.meets(other) for other in full):
                full.append(box)
                found.append(Label(text, box.left, box.bottom - TEXT * 0.25))
                break
    return found


def _places(x: float, y: float, width: float) -> Iterator[Box]:
    """Right, left, above, below, and at the corners."""
    centres = (
        (x + AWAY + width / 2, y),
        (x - AWAY - width / 2, y),
        (x, y - AWAY - HALF),
        (x, y + AWAY + HALF),
        (x + AWAY * 0.7 + width / 2, y - AWAY - HALF * 0.5),
        (x + AWAY * 0.7 + width / 2, y + AWAY + HALF * 0.5),
        (x - AWAY * 0.7 - width / 2, y - AWAY - HALF * 0.5),
        (x - AWAY * 0.7 - width / 2, y + AWAY + HALF * 0.5),
        (x + width / 2 - 4, y - AWAY - HALF),
        (x - width / 2 + 4, y - AWAY - HALF),
        (x + width / 2 - 4, y + AWAY + HALF),
        (x - width / 2 + 4, y + AWAY + HALF),
    )
    for cx, cy in centres:
        yield Box(cx - width / 2, cy - HALF, cx + width / 2, cy + HALF)


def around(x: float, y: float, half: float = 6.0) -> Box:
    """The room that a mark takes."""
    return Box(x - half, y - half, x + half, y + half)
