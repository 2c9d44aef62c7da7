"""The side-by-side measurements as Markdown."""

import math
import os
import platform
import statistics
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime


@dataclass(frozen=True)
class Result:
    """One tool, GPU and window; error as a ratio of the true joules, None for none."""

    tool: str
    curve: str
    counter: bool
    window_s: float
    error: float | None


@dataclass(frozen=True)
class Call:
    """How long a tool took to begin or end a window."""

    tool: str
    what: str
    duration_s: float


@dataclass(frozen=True)
class Cost:
    """What a tool costs by itself.

    Attributes:
        how: Its pace and what it meters.
        cpu_s: Processor seconds a minute, of all its processes.
        open_s: Seconds from start to ready, without the import of our own worker.
    """

    tool: str
    how: str
    cpu_s: float
    open_s: float


HEAD = """\
# Ours and its peers on the same scripted GPUs

Written by `python -m tests.bench.peers` on {day}, {machine}:
{tools}.

{phases} windows of each length, and up to 100 ms more, at random phases. The GPUs are
the stub NVML of `tests/nvml_stub.py`; its curve gives the true joules of any interval.
{note}

Error = (joules of the tool - true joules of its interval) / true joules. The interval
of Zeus and CodeCarbon is the work's, from the return of begin to the call of end; ours
is the window that the record states, between two ticks. "Scaled to the work" multiplies
our joules by the share of that window that is work. Each GPU with a counter has a meter
of ours to itself, as a job on one GPU does; with eight at once an edge can lie on the
tick of one of them only. CodeCarbon has a tracker for each GPU and a task for each
window; Zeus has its defaults.

Each cell: root mean square of the errors, and the worst in brackets, in percent.
"""


OURS, UNALIGNED, PEERS = "joulebench", "joulebench, unaligned", ("codecarbon", "zeus")
AIM_WINDOW_S, AIM_RATIO, AIM_CALL_S = 5.0, 0.1, 0.005
NOTHING = 5e-5
"""An error below half a hundredth of a percent is none."""
AIMS = """\
A tenth of the best peer's error is out of reach without a counter: what a mean of
100 ms hides at both edges of a window stays hidden whoever reads it.
"""


def document(
    facts: Mapping[str, str],
    results: Sequence[Result],
    calls: Sequence[Call],
    costs: Sequence[Cost],
    imports_s: Mapping[str, float],
) -> str:
    parts = [
        HEAD.format(day=f"{datetime.now(UTC):%Y-%m-%d}", machine=machine(), **facts)
    ]
    for counter, title in ((True, "With an energy counter"), (False, "Power only")):
        chosen = [r for r in results if r.counter is counter]
        parts.append(f"## {title}\n\n{error_table(chosen)}")
    parts += [
        f"## Against the aims\n\n{AIMS}\n{aims_table(results, calls, costs)}",
        f"## Time of a window's calls, median (95th percentile)\n\n{call_table(calls)}",
        f"## Cost\n\n{cost_table(costs)}",
        f"## Import, median of five\n\n{import_table(imports_s)}",
    ]
    return "\n".join(parts)


def aims_table(
    results: Sequence[Result], calls: Sequence[Call], costs: Sequence[Cost]
) -> str:
    """What was aimed at, what came of it, and whether it was reached."""
    rows = [*_error_aims(results), *_cost_aims(costs), *_call_aims(calls)]
    return table(("aim", "found", "reached"), rows)


def _error_aims(results: Sequence[Result]) -> Iterable[tuple[str, str, str]]:
    """Our error over the best peer's, for each kind of power and of source."""
    at = [r for r in results if r.window_s == AIM_WINDOW_S]
    for counter, source in ((True, "counter"), (False, "power only")):
        for curve in sorted({r.curve for r in at}):
            chosen = [r for r in at if r.counter is counter and r.curve == curve]
            mine = _rms(r for r in chosen if r.tool == OURS)
            best = min(
                (_rms(r for r in chosen if r.tool == peer) for peer in PEERS),
                default=math.inf,
            )
            ratio = mine / best if best else math.inf
            shown = f"{mine:.2%} against {best:.2%}"
            aim = f"error at {AIM_WINDOW_S:g} s, {source}, {curve}"
            yield aim, shown, _yes(ratio <= AIM_RATIO or mine < NOTHING)


def _rms(results: Iterable[Result]) -> float:
    """Root mean square of the errors; no figure at all counts as endless."""
    errors = [r.error for r in results]
    if not errors or None in errors:
        return math.inf
    return math.sqrt(statistics.fmean((e or 0.0) ** 2 for e in errors))


def _cost_aims(costs: Sequence[Cost]) -> Iterable[tuple[str, str, str]]:
    spent = {(c.tool, c.how): c.cpu_s for c in costs}
    mine = next((s for (tool, _), s in spent.items() if tool == OURS), math.inf)
    theirs = spent.get(("codecarbon", "10 Hz, 8 GPUs"), 0.0)
    share = f"{mine / 60:.2%}"
    yield "metering of 8 GPUs below 1 % of a core", share, _yes(mine < 0.6)
    shown = f"{mine:.2f} against {theirs:.2f} CPU s a minute"
    yield "at most half of CodeCarbon's CPU at 10 Hz", shown, _yes(mine <= theirs / 2)


def _call_aims(calls: Sequence[Call]) -> Iterable[tuple[str, str, str]]:
    for what in ("begin", "end"):
        found = [c.duration_s for c in calls if (c.tool, c.what) == (UNALIGNED, what)]
        if found:
            middle_s = statistics.median(found)
            aim = f"{what} of a window below 5 ms beyond the wait for a tick"
            yield aim, f"{middle_s * 1e3:.2f} ms", _yes(middle_s < AIM_CALL_S)


def _yes(reached: bool) -> str:  # noqa: FBT001 (a word for a truth)
    return "yes" if reached else "no"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    line = "|".join(["---"] * len(head))
    body = "".join(f"| {' | '.join(row)} |\n" for row in rows)
    return f"| {' | '.join(head)} |\n|{line}|\n{body}"


def error_table(results: Sequence[Result]) -> str:
    cells = defaultdict(list)
    for result in results:
        cells[result.curve, result.tool, result.window_s].append(result.error)
    windows = sorted({r.window_s for r in results})
    rows = dict.fromkeys((r.curve, r.tool) for r in sorted(results, key=_by_curve))
    return table(
        ("power", "tool", *(f"{w:g} s" for w in windows)),
        ((*row, *(spread(cells[*row, w]) for w in windows)) for row in rows),
    )


def _by_curve(result: Result) -> str:
    return result.curve


def spread(errors: Sequence[float | None]) -> str:
    """Root mean square and the worst, in percent; how often there was no figure."""
    known = [error for error in errors if error is not None]
    if not known:
        return "none"
    rms = math.sqrt(statistics.fmean(error**2 for error in known))
    worst = max(known, key=abs)
    missing = len(errors) - len(known)
    tail = f", {missing} of {len(errors)} none" if missing else ""
    return f"{rms:.2%} ({worst:+.2%}){tail}".replace("%", "")


def call_table(calls: Sequence[Call]) -> str:
    found = defaultdict(list)
    for call in calls:
        found[call.tool, call.what].append(call.duration_s)
    tools = dict.fromkeys(call.tool for call in calls)
    return table(
        ("tool", "begin", "end"),
        ((t, *(milliseconds(found[t, w]) for w in ("begin", "end"))) for t in tools),
    )


def milliseconds(durations_s: Sequence[float]) -> str:
    middle_s = statistics.median(durations_s)
    high_s = sorted(durations_s)[math.ceil(0.95 * len(durations_s)) - 1]
    return f"{middle_s * 1e3:.2f} ms ({high_s * 1e3:.2f})"


def cost_table(costs: Sequence[Cost]) -> str:
    return table(
        ("tool", "metering", "CPU s a minute", "ready after"),
        ((c.tool, c.how, f"{c.cpu_s:.2f}", f"{c.open_s:.2f} s") for c in costs),
    )


def import_table(imports_s: Mapping[str, float]) -> str:
    rows = ((tool, f"{value_s:.2f} s") for tool, value_s in imports_s.items())
    return table(("tool", "import"), rows)


def machine() -> str:
    return f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores"
