"""The terminal table of joules, and the sentences below it."""

from collections.abc import Callable, Iterable, Sequence

from harness.pytest_plugin.results import Result
from harness.readings import Provenance

Cell = Callable[[Result], str]
SCALES = ((1e3, "k"), (1.0, ""), (1e-3, "m"), (1e-6, "µ"), (1e-9, "n"))


class Scale:
    """One unit for a column, chosen from its largest entry."""

    def __init__(self, values: Iterable[float | None], unit: str) -> None:
        largest = max((abs(v) for v in values if v is not None), default=1.0)
        fitting = (scale for scale in SCALES if largest >= scale[0])
        self._factor, prefix = next(fitting, SCALES[-1])
        self.unit = f"{prefix}{unit}"

    def text(self, value: float | None) -> str:
        """Three significant digits; a dash for what is not known."""
        if value is None:
            return "-"
        scaled = value / self._factor
        return f"{scaled:.0f}" if abs(scaled) >= 1000 else f"{scaled:#.3g}".rstrip(".")


def lines(results: Sequence[Result], columns: Sequence[str], sort: str) -> list[str]:
    """The table: a header and one line a test.

    Args:
        results: At least one.
        columns: Of `options.COLUMNS`.
        sort: Of `options.SORTS`; what is missing stands last.
    """
    ordered = sorted(results, key=_key(sort))
    cells = [_column(name, results) for name in columns]
    rows = [("name", *(title for title, _ in cells))] + [
        (r.name, *(cell(r) for _, cell in cells))
        for r in ordered
        if r.energy_j is not None
    ]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    widths[0] = max(len(r.name) for r in (*results, Result(nodeid="", name="name")))
    told = {row[0]: _line(row, widths) for row in rows[1:]}
    return [_line(rows[0], widths)] + [
        told.get(r.name) or f"{r.name:<{widths[0]}}  energy not measured: {r.reason}"
        for r in ordered
    ]


def _line(row: Sequence[str], widths: Sequence[int]) -> str:
    first, *others = row
    told = (f"{text:>{width}}" for text, width in zip(others, widths[1:], strict=True))
    return "  ".join((f"{first:<{widths[0]}}", *told))


def _key(sort: str) -> Callable[[Result], tuple[float, str]]:
    def key(result: Result) -> tuple[float, str]:
        value = {
            "joules": result.energy_j,
            "power": result.power_w,
            "time": result.duration_s,
        }.get(sort)
        missing = float("inf") if sort != "name" else 0.0
        return missing if value is None else value, result.nodeid

    return key


def _column(name: str, results: Sequence[Result]) -> tuple[str, Cell]:
    """A column's title and what stands in it."""
    if name == "joules":
        joules = Scale((r.energy_j for r in results), "J")
        return f"{joules.unit} / call", lambda r: _marked(r, joules.text(r.energy_j))
    if name == "interval":
        bounds = Scale((r.energy_j for r in results), "J")
        return "95 % interval", lambda r: _interval(r, bounds)
    if name == "item":
        each = Scale((r.energy_per_item_j for r in results), "J")
        return f"{each.unit} / item", lambda r: _marked(
            r, each.text(r.energy_per_item_j)
        )
    if name == "power":
        power = Scale((r.power_w for r in results), "W")
        return power.unit, lambda r: _marked(r, power.text(r.power_w))
    if name == "time":
        time = Scale((r.duration_s for r in results), "s")
        return f"{time.unit} / call", lambda r: time.text(r.duration_s)
    plain: dict[str, tuple[str, Cell]] = {
        "rounds": ("rounds", _rounds),
        "of": ("of", lambda r: "+".join(r.perimeter)),
        "ratio": ("vs kept", _ratio),
    }
    return plain[name]


def _marked(result: Result, text: str) -> str:
    """A tilde before what no instrument saw."""
    if text == "-" or result.provenance is Provenance.MEASURED:
        return text
    return f"~{text}"


def _interval(result: Result, scale: Scale) -> str:
    if result.energy_low_j is None:
        return "-"
    low, high = scale.text(result.energy_low_j), scale.text(result.energy_high_j)
    return _marked(result, f"{low} ... {high}")


def _rounds(result: Result) -> str:
    iterations = result.rounds[0].iterations if result.rounds else 0
    return f"{len(result.rounds)} x {iterations}"


def _ratio(result: Result) -> str:
    verdict = result.verdict
    if verdict is None or verdict.ratio is None:
        return "-"
    return f"{verdict.ratio:.3f} {verdict.outcome}"


def sentences(results: Sequence[Result]) -> list[str]:
    """What the table does not say: what was not checked, not shown, or is doubted."""
    return [
        *_unchecked(results),
        *_undecided(results),
        *_left_out(results),
        *_doubts(results),
    ]


def _unchecked(results: Sequence[Result]) -> list[str]:
    names: dict[str, list[str]] = {}
    for result in results:
        verdict = result.verdict
        if verdict and not verdict.is_checked:
            names.setdefault(verdict.reason or "", []).append(result.name)
    return [f"energy NOT checked: {_those(n)}: {why}" for why, n in names.items()]


def _undecided(results: Sequence[Result]) -> list[str]:
    return [
        f"inconclusive: {r.name}: {v.ratio:.3f} times the joules of {v.baseline} "
        f"[{v.low:.3f} ... {v.high:.3f}]; a regression is seen from "
        f"{v.detectable:.3f} on; {v.reason}"
        for r in results
        if (v := r.verdict) and v.outcome == "inconclusive"
    ]


def _left_out(results: Sequence[Result]) -> list[str]:
    names: dict[str, list[str]] = {}
    for result in results:
        if result.left_out and result.is_measured:
            names.setdefault(" and ".join(result.left_out), []).append(result.name)
    lines = [
        f"{what} only modelled, left out: {_those(n)}" for what, n in names.items()
    ]
    if any(r.energy_j is not None and not r.is_measured for r in results):
        lines.append("~ modelled, no instrument saw it (`bench doctor`)")
    return lines


def _doubts(results: Sequence[Result]) -> list[str]:
    """Each kind once, with the first test's words; the mark says what is modelled."""
    found: dict[str, tuple[str, list[str]]] = {}
    for result in results:
        for doubt in result.doubts:
            if doubt.code == "modelled":
                continue
            told = f"{doubt.message}; {doubt.remedy}"
            found.setdefault(doubt.code, (told, []))[1].append(result.name)
    return [f"doubt {code} ({_those(n)}): {told}" for code, (told, n) in found.items()]


def _those(names: Sequence[str]) -> str:
    unique = list(dict.fromkeys(names))
    return unique[0] if len(unique) == 1 else f"{len(unique)} tests"
