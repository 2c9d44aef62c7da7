"""`bench measure`: joules of any commands, side by side."""

import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.markup import escape

from harness import measuring
from harness.carbon import emissions, intensity
from harness.commands.console import err, out, print_json, table
from harness.crosschecks import Figure
from harness.crosschecks.apart import Apart
from harness.crosschecks.serving import CROSSCHECKS
from harness.errors import OutputError, UsageError
from harness.factor import Factor
from harness.factors import live, means
from harness.measuring import Comparison, Estimate, Measurement
from harness.meter import Reading
from harness.near import nearest
from harness.readings import EnergyReading

STDERR = 2


@dataclass(frozen=True)
class MeasureOptions:
    """What `bench measure` was asked for.

    Attributes:
        items: Items that one run of a command works on.
        intensity: Live source that is asked for the place before anything runs.
        show_output: Show the commands' output although they are repeated.
        checks: Other tools, each by NAME or by NAME=PYTHON of its environment.
    """

    repeat: int = 1
    warmup: int = 0
    items: int | None = None
    place: str | None = None
    intensity: str | None = None
    as_json: bool = False
    show_output: bool = False
    checks: tuple[str, ...] = ()
    export_json: Path | None = None
    export_markdown: Path | None = None


def measure(words: Sequence[str], options: MeasureOptions) -> int:
    """Run commands under all meters; their own exit code is passed on."""
    commands = measuring.split(words)
    _check_targets(options)
    factor = _factor(options)
    repeats = options.repeat > 1 or len(commands) > 1
    shown = options.show_output or not repeats
    discarded = STDERR if shown and options.as_json else subprocess.DEVNULL
    measurements = measuring.measure(
        commands,
        repeat=options.repeat,
        warmup=options.warmup,
        output=None if shown and not options.as_json else discarded,
        checks=[_check(stated) for stated in options.checks],
        on_run=_progress(options.repeat) if repeats else None,
    )
    code = next((m.exit_code for m in measurements if m.exit_code), 0)
    try:
        _report(measurements, factor, options)
    except OutputError as error:
        error.exit_code = code or error.exit_code
        raise
    return code


def _factor(options: MeasureOptions) -> Factor | None:
    """Intensity of the place that was named; None where none was."""
    if options.intensity is None:
        return intensity(options.place) if options.place else None
    if options.place is None:
        raise UsageError("a live intensity needs a place", hint="--place GBR")
    known = means()
    if options.intensity not in known:
        raise UsageError(
            f"unknown source {options.intensity!r}{nearest(options.intensity, known)}",
            hint=f"known: {', '.join(known)}",
        )
    return live(options.intensity).intensity(options.place)


def _report(
    measurements: Sequence[Measurement], factor: Factor | None, options: MeasureOptions
) -> None:
    """Write the files that were asked for, then what is shown."""
    plain = _plain(measurements, factor, options.items)
    if options.export_json:
        _export(options.export_json, json.dumps(plain, indent=1))
    if options.export_markdown:
        _export(
            options.export_markdown, "\n".join(_markdown(measurements, options.items))
        )
    if options.as_json:
        print_json(plain)
    else:
        _show(measurements, factor, options.items)


def _export(target: Path, text: str) -> None:
    try:
        target.write_text(f"{text}\n", encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{target}: cannot be written: {error.strerror}") from error


def _check(stated: str) -> Apart:
    """Another tool by its name, or by its name and the Python that has it."""
    name, _, python = stated.partition("=")
    if name not in CROSSCHECKS:
        raise UsageError(
            f"unknown tool {name!r}{nearest(name, CROSSCHECKS)}",
            hint=f"--check {' or '.join(CROSSCHECKS)}",
        )
    return Apart(name, python or sys.executable)


def _check_targets(options: MeasureOptions) -> None:
    """Refuse a target that cannot be written before anything is measured."""
    for target in (options.export_json, options.export_markdown):
        if target is not None and not target.parent.is_dir():
            raise UsageError(
                f"{target}: there is no folder {target.parent}",
                hint=f"mkdir {target.parent}",
            )


def _progress(repeat: int) -> Callable[[tuple[str, ...], int], None]:
    console = err()

    def on_run(command: tuple[str, ...], number: int) -> None:
        if console.is_terminal:
            console.print(
                f"round {number + 1}/{repeat}: {_name(command)}",
                markup=False,
                highlight=False,
            )

    return on_run


def _plain(
    measurements: Sequence[Measurement], factor: Factor | None, items: int | None
) -> dict[str, Any]:
    """The contract's object for one command; several stand in a list beside it."""
    found = [measuring.to_dict(m, factor, items) for m in measurements]
    if len(found) == 1:
        return found[0]
    compared = [
        {"command": list(c.command), "ratio": vars(c.ratio), "verdict": c.verdict}
        for c in measuring.compare(measurements)
    ]
    return {"commands": found, "comparison": compared}


def _show(
    measurements: Sequence[Measurement], factor: Factor | None, items: int | None
) -> None:
    for measurement in measurements:
        _show_one(measurement, factor, items, named=len(measurements) > 1)
    if len(measurements) > 1:
        for line in _verdicts(measurements):
            out().print(line, markup=False, highlight=False, soft_wrap=True)


def _show_one(
    measurement: Measurement, factor: Factor | None, items: int | None, *, named: bool
) -> None:
    reading = measurement.typical.reading
    if named:
        out().print(f"[bold]{escape(_name(measurement.command))}[/bold]")
    shown = table("domain", "energy", "how", "source")
    for row in reading.energy:
        shown.add_row(
            escape(f"{row.domain} {row.device}"),
            escape(_joules(row)),
            f"{row.provenance}, tier {row.tier or '-'}",
            escape(row.source),
        )
    out().print(shown)
    for line in _sentences(measurement, factor, items):
        out().print(line, markup=False, highlight=False, soft_wrap=True)


def _joules(row: EnergyReading) -> str:
    if row.energy_j is None:
        return f"not measured: {row.reason}"
    bound = "" if row.error_bound_j is None else f" ± {_short(row.error_bound_j)}"
    return f"{row.energy_j:.4g}{bound} J"


def _short(bound_j: float) -> str:
    return f"{bound_j:.2g}" if bound_j < 100 else f"{bound_j:.0f}"


def _sentences(
    measurement: Measurement, factor: Factor | None, items: int | None
) -> list[str]:
    """The result in words."""
    reading = measurement.typical.reading
    runs = len(measurement.runs)
    of = f" (geometric mean of {runs} runs)" if runs > 1 else ""
    time = f"time: {_spread(measurement.duration_s, 's')}{of}"
    lines = [
        f"{time}; window: {reading.duration_s:.4g} s",
        f"exit code: {measurement.exit_code}",
        _total(measurement),
    ]
    joules = measurement.energy_j.value
    if joules is not None and items:
        lines.append(f"per item: {joules / items:.4g} J over {items} items")
    carbon = emissions(joules, factor, 1.0)
    if carbon.co2e_g is not None:
        where = f"{carbon.place}, {carbon.year}"
        if factor and factor.retrieved_utc:
            where = f"{where}, {factor.source}"
        lines.append(f"carbon: {carbon.co2e_g:.3g} g CO2e ({where}, assumed)")
    lines += [_checked(f, reading) for f in measurement.typical.figures]
    return lines + [f"doubt: {d.message}; {d.remedy}" for d in measurement.doubts]


def _checked(figure: Figure, reading: Reading) -> str:
    """What another tool says of the same run, and of which parts."""
    name = f"check: {figure.tool} {figure.version}"
    if figure.energy_j is None:
        said = "" if figure.stated_j is None else f" (it says {figure.stated_j:.4g} J)"
        return f"{name}: nothing measured{said}: {figure.reason}"
    ratio = ""
    if reading.energy_j:
        ratio = f", {figure.energy_j / reading.energy_j:.3g} of ours"
    parts = ", ".join(
        f"{k} {v:.4g} J" for k, v in figure.parts.items() if v is not None
    )
    return f"{name}: {figure.energy_j:.4g} J{ratio} ({parts}; {figure.mode})"


def _total(measurement: Measurement) -> str:
    joules, total = measurement.energy_j, measurement.total
    if joules.value is None:
        return f"total: not measured: {joules.reason}"
    text = _spread(joules, "J")
    if len(measurement.runs) == 1 and total.error_bound_j is not None:
        text = f"{joules.value:.4g} ± {_short(total.error_bound_j)} J"
    return f"total: {text} ({total.provenance}; {' + '.join(total.perimeter)})"


def _spread(estimate: Estimate, unit: str) -> str:
    if estimate.value is None:
        return "not measured"
    text = f"{estimate.value:.4g} {unit}"
    if estimate.low is None or estimate.high is None:
        return text
    return f"{text} [{estimate.low:.4g} ... {estimate.high:.4g}]"


def _verdicts(measurements: Sequence[Measurement]) -> list[str]:
    first = _name(measurements[0].command)
    return [_verdict(first, c) for c in measuring.compare(measurements)]


def _verdict(first: str, comparison: Comparison) -> str:
    name, ratio = _name(comparison.command), comparison.ratio
    if ratio.value is None:
        return f"{name}: not compared: {ratio.reason}"
    against = f"{_spread(ratio, 'times')} the joules of {first}"
    if comparison.verdict == "inconclusive":
        why = "fewer than three rounds" if ratio.low is None else "1 lies inside"
        return f"{name}: {against}: no difference is shown ({why}; --repeat)"
    return f"{name}: {against}"


def _markdown(measurements: Sequence[Measurement], items: int | None) -> list[str]:
    """One row a command."""
    lines = [
        "| command | runs | energy (J) | 95 % interval | J / item | time (s) | how |",
        "|---|--:|--:|---|--:|--:|---|",
    ]
    for measurement in measurements:
        joules, total = measurement.energy_j, measurement.total
        known = joules.value is not None
        interval = f"{joules.low:.4g} ... {joules.high:.4g}" if joules.low else "-"
        item = f"{(joules.value or 0.0) / items:.4g}" if known and items else "-"
        cells = (
            f"`{_name(measurement.command)}`".replace("|", "\\|"),
            str(len(measurement.runs)),
            f"{joules.value:.4g}" if known else f"not measured: {joules.reason}",
            interval,
            item,
            f"{measurement.duration_s.value:.4g}",
            f"{total.provenance}, tier {total.tier}" if known else "-",
        )
        lines.append(f"| {' | '.join(cells)} |")
    if len(measurements) > 1:
        lines += ["", *_verdicts(measurements)]
    return lines


def _name(command: Sequence[str]) -> str:
    """The command on one line; a long one loses its middle."""
    text = "".join(c if c.isprintable() else " " for c in " ".join(command))
    return text if len(text) <= 72 else f"{text[:32]} ... {text[-35:]}"
