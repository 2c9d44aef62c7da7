"""`bench measure`: the joules of any commands, repeated and interleaved."""

import random
import re
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

from harness.carbon import emissions
from harness.crosschecks import CrossCheck, Figure
from harness.errors import UsageError
from harness.factor import Factor
from harness.meter import Meter, Reading, Window
from harness.perimeter import nothing
from harness.readings import EnergyTotal
from harness.records import Doubt
from harness.stats import geometric_mean, log_t_interval

ENOUGH_RUNS = 3
LONGEST_DELAY_S = 0.1
"""Delays of up to one period of slow sensors lie between repetitions, so that no
command is read at one phase of them each time (SC'24, arXiv 2312.02741)."""
SEPARATOR = "--vs"
FIGURE = re.compile(r"(?<![\w-])\d[\d.]*")
OnRun = Callable[[tuple[str, ...], int], None]


@dataclass(frozen=True)
class Repetition:
    """One run of a command.

    Attributes:
        duration_s: Of the command itself; the window ends with the meters' next tick.
        figures: What other tools say of it.
    """

    exit_code: int
    duration_s: float
    reading: Reading
    figures: tuple[Figure, ...] = ()


@dataclass(frozen=True)
class Estimate:
    """A geometric mean with its 95 % interval; no bounds below three runs.

    Attributes:
        reason: Why there is no value.
    """

    value: float | None
    low: float | None = None
    high: float | None = None
    reason: str | None = None


@dataclass(frozen=True)
class Measurement:
    """A command with all its runs, in order."""

    command: tuple[str, ...]
    runs: tuple[Repetition, ...]

    @property
    def exit_code(self) -> int:
        """The first that is not 0, else 0."""
        return next((run.exit_code for run in self.runs if run.exit_code), 0)

    @property
    def energy_j(self) -> Estimate:
        """Joules of a run; none as soon as one run has none, or other parts."""
        why = _apart(self.runs)
        return estimate([run.reading.energy_j for run in self.runs], why)

    @property
    def duration_s(self) -> Estimate:
        """Seconds of a run."""
        return estimate([run.duration_s for run in self.runs])

    @property
    def typical(self) -> Repetition:
        """The run whose joules lie in the middle; the first without any, if one is."""
        for run in sorted(self.runs, key=lambda run: not run.reading.invalid):
            if run.reading.energy_j is None:
                return run
        ordered = sorted(self.runs, key=lambda run: run.reading.energy_j or 0.0)
        return ordered[len(ordered) // 2]

    @property
    def total(self) -> EnergyTotal:
        """That of the typical run; no joules where the runs have none in common."""
        total, why = self.typical.reading.total, self.energy_j.reason
        return total if why is None else nothing(why)

    @property
    def doubts(self) -> tuple[Doubt, ...]:
        """Of all runs; of those that differ by a figure, the typical run's."""
        found: dict[tuple[str, str], Doubt] = {}
        for run in (self.typical, *self.runs):
            for doubt in run.reading.doubts:
                found.setdefault((doubt.code, FIGURE.sub("", doubt.message)), doubt)
        return tuple(found.values())


@dataclass(frozen=True)
class Comparison:
    """A command against the first one, paired by round.

    Attributes:
        ratio: Its joules over those of the first.
        verdict: `less`, `more`, or `inconclusive` where the interval holds 1.
    """

    command: tuple[str, ...]
    ratio: Estimate
    verdict: str


def estimate(values: Sequence[float | None], why: str | None = None) -> Estimate:
    """Geometric mean, with Student's t-interval of the logs from three values on.

    Args:
        values: One a run.
        why: Why they may not be put together; None where they may.
    """
    known = [value for value in values if value is not None and value > 0]
    if why is not None or len(known) < len(values):
        return Estimate(None, reason=why or "a run of 0 J has no geometric mean")
    interval = log_t_interval(known) if len(known) >= ENOUGH_RUNS else None
    low, high = interval or (None, None)
    return Estimate(geometric_mean(known), low, high)


def split(words: Sequence[str]) -> list[tuple[str, ...]]:
    """Commands between `--vs`.

    Raises:
        UsageError: Nothing stands on one side of it.
    """
    commands: list[list[str]] = [[]]
    for word in words:
        if word == SEPARATOR:
            commands.append([])
        else:
            commands[-1].append(word)
    if not all(commands):
        raise UsageError(
            "a command is missing beside --vs",
            hint="bench measure --repeat 5 -- COMMAND --vs OTHER COMMAND",
        )
    return [tuple(command) for command in commands]


def measure(
    commands: Sequence[tuple[str, ...]],
    *,
    repeat: int = 1,
    warmup: int = 0,
    output: int | None = None,
    checks: Sequence[CrossCheck] = (),
    on_run: OnRun | None = None,
) -> list[Measurement]:
    """Run commands under every meter that answers, in rounds of a fresh order.

    Args:
        commands: Words of each command; no shell is involved.
        repeat: Measured runs of each, positive.
        warmup: Runs of each before that, not measured.
        output: Where their output goes, as for `subprocess.run`; None for our own.
        checks: Other tools to measure each run, too; they are opened and closed here.
        on_run: Called before each measured run with the command and the round.

    Raises:
        UsageError: A command cannot be started.
        ProbeUnavailable: A tool to check with is not there.
    """
    chance = random.Random()  # noqa: S311 (spreads phases, keeps no secret)
    runs: dict[int, list[Repetition]] = {index: [] for index in range(len(commands))}
    with ExitStack() as stack:
        for check in checks:
            stack.callback(check.close)
            check.open()
        meter = stack.enter_context(Meter())
        for command in (c for _ in range(warmup) for c in commands):
            _run(command, output)
        for number in range(repeat):
            order = list(runs)
            chance.shuffle(order)
            for index in order:
                if on_run:
                    on_run(commands[index], number)
                time.sleep(chance.uniform(0.0, LONGEST_DELAY_S) if repeat > 1 else 0.0)
                run = _measured(meter, commands[index], output, checks)
                runs[index].append(run)
            if any(found[-1].exit_code for found in runs.values()):
                break  # a command that fails is not repeated
    return [Measurement(commands[i], tuple(found)) for i, found in runs.items()]


def compare(measurements: Sequence[Measurement]) -> list[Comparison]:
    """Each further command against the first, round by round."""
    first, *others = measurements
    return [_against(first, other) for other in others]


def _against(first: Measurement, other: Measurement) -> Comparison:
    why = next((r for m in (first, other) if (r := _failure(m))), None)
    why = why or _apart((*first.runs, *other.runs), rounds=len(first.runs))
    pairs = zip(first.runs, other.runs, strict=True)
    joules = [(b.reading.energy_j, a.reading.energy_j) for a, b in pairs]
    ratio = estimate([b / a if a and b is not None else None for b, a in joules], why)
    verdict = "inconclusive"
    if ratio.low is not None and ratio.high is not None:
        verdict = "less" if ratio.high < 1.0 else "more" if ratio.low > 1.0 else verdict
    return Comparison(other.command, ratio, verdict)


def _failure(measurement: Measurement) -> str | None:
    """A command that failed has not done the work of the other."""
    code = measurement.exit_code
    return f"{measurement.command[0]} ended with exit code {code}" if code else None


def _apart(runs: Sequence[Repetition], rounds: int | None = None) -> str | None:
    """Why the joules of these runs may not stand beside each other, else None.

    Args:
        runs: In order, those of a second command after those of the first.
        rounds: How many runs each command has.
    """
    first = _whole(runs[0].reading)
    for number, run in enumerate(runs):
        turn, place = divmod(number, rounds or len(runs))
        here = f"run {place + 1}{' of the other command' if turn else ''}"
        reading = run.reading
        if reading.energy_j is None:
            why = reading.invalid or reading.total.reason
            return f"{here}: {why}" if len(runs) > 1 else why
        whole = _whole(reading)
        if whole != first:
            return (
                f"the runs hold unlike parts: {first} in the first, {whole} in {here}"
            )
    return None


def _whole(reading: Reading) -> str:
    """What a total is of, in words: two of unlike words are not of the same parts."""
    total = reading.total
    what = f"{' + '.join(total.perimeter)} (tier {total.tier})"
    if total.complete:
        return what
    missing = [f"{r.domain} {r.device}" for r in reading.energy if r.energy_j is None]
    return f"{what} without {', '.join(missing) or 'a part'}"


def _measured(
    meter: Meter,
    command: Sequence[str],
    output: int | None,
    checks: Sequence[CrossCheck],
) -> Repetition:
    window: Window
    with meter.window("run") as window:
        for check in checks:
            check.begin()
        started_s = time.monotonic()
        code = _run(command, output)
        duration_s = time.monotonic() - started_s
        figures = tuple(check.end() for check in checks)
    return Repetition(code, duration_s, window.reading, figures)


def _run(command: Sequence[str], output: int | None) -> int:
    """Exit code of the command; 128 + n where signal n ended it."""
    try:
        process = subprocess.Popen(command, stdout=output)
    except (OSError, ValueError) as error:
        raise UsageError(
            f"{command[0]}: cannot be run: {error}",
            hint="bench measure -- COMMAND with its arguments",
        ) from error
    with process, _handing_on(process):
        try:
            code = process.wait()
        except BaseException:  # as subprocess.run does: it must not outlive us
            process.kill()
            raise
    return code if code >= 0 else 128 - code


@contextmanager
def _handing_on(process: subprocess.Popen[bytes]) -> Iterator[None]:
    """A request to end is the command's to obey; its joules are told all the same."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(
        signal.SIGTERM, lambda number, _: process.send_signal(number)
    )
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def to_dict(
    measurement: Measurement, factor: Factor | None, items: int | None
) -> dict[str, Any]:
    """The contract's JSON: the typical run, and all runs where there are several."""
    reading, total = measurement.typical.reading, measurement.total
    joules = total.energy_j
    return {
        "command": list(measurement.command),
        "exit_code": measurement.exit_code,
        "status": "invalid" if reading.invalid else "ok",
        "reason": measurement.energy_j.reason,
        "window": _window(reading),
        "energy": [r.model_dump(mode="json") for r in reading.energy],
        "total": total.model_dump(mode="json"),
        "energy_per_item_j": joules / items if joules is not None and items else None,
        "utilization": reading.seen.model_dump(mode="json"),
        "carbon": emissions(joules, factor, 1.0).model_dump(mode="json"),
        "doubts": [doubt.model_dump(mode="json") for doubt in measurement.doubts],
        "checks": [f.model_dump(mode="json") for f in measurement.typical.figures],
        "repeat": {
            "n": len(measurement.runs),
            "energy_j": vars(measurement.energy_j),
            "duration_s": vars(measurement.duration_s),
            "runs": [
                {
                    "exit_code": run.exit_code,
                    "duration_s": run.duration_s,
                    "energy_j": run.reading.energy_j,
                    "window": _window(run.reading),
                }
                for run in measurement.runs
            ],
        },
    }


def _window(reading: Reading) -> dict[str, float]:
    return {
        "start_s": reading.span.start_ns / 1e9,
        "end_s": reading.span.end_ns / 1e9,
        "duration_s": reading.duration_s,
    }
