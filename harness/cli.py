"""The command line: names, options and exit codes; the work is in `commands`.

Only typer is imported here, so that help is instant.
"""

import sys
from contextlib import suppress
from pathlib import Path
from typing import Annotated

import typer

from harness import cli_gate, cli_history, cli_report, registry
from harness.cli_parts import AsCsv, AsJson, AsMarkdown, Metric
from harness.cli_parts import call as _call
from harness.commands import streams
from harness.errors import BenchError, OutputError, UsageError

app = typer.Typer(
    name="bench",
    help="Accuracy per joule of machine-learning workloads.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
data = typer.Typer(help="Data sets: source, licence, size.", rich_markup_mode=None)
factors = typer.Typer(
    help="Carbon, water and cost factors with their source.", rich_markup_mode=None
)
app.add_typer(data, name="data")
app.add_typer(factors, name="factors")
app.add_typer(cli_gate.app, name="gate")
app.add_typer(cli_history.app, name="history")
app.add_typer(cli_report.app, name="report")

Runs = Annotated[list[Path], typer.Argument(metavar="RUN...", help="Run folders.")]
SuiteName = Annotated[
    str, typer.Argument(metavar="SUITE", help="Path or bundled name.")
]
Settings = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Override a key of the suite."),
]
Only = Annotated[
    str | None, typer.Option("--only", metavar="GLOB", help="Only keys that match.")
]
SiteFile = Annotated[
    Path | None,
    typer.Option("--site", metavar="FILE", help="A site file (bench schema site)."),
]
Debug = Annotated[bool, typer.Option("--debug", help="Show tracebacks.")]


def _chosen(**formats: bool) -> list[str]:
    """Names of the formats that were asked for."""
    return [name for name, on in formats.items() if on]


def _version(value: bool) -> None:  # noqa: FBT001 (typer calls it)
    if value:
        typer.echo(f"joulebench {registry.load('harness:__version__')}")
        raise typer.Exit


@app.callback()
def root(
    debug: Debug = False,  # noqa: FBT002
    version: Annotated[  # noqa: FBT002
        bool,
        typer.Option(
            "--version",
            help="Show the version and exit.",
            callback=_version,
            is_eager=True,
        ),
    ] = False,
) -> None:
    """Accuracy per joule of machine-learning workloads."""
    del debug, version


@app.command()
def run(
    suite: SuiteName,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="The run folder.")
    ] = None,
    settings: Settings = None,
    only: Only = None,
    executor: Annotated[str, typer.Option(help="Where trials run.")] = "local",
) -> None:
    """Run a suite and rank what was measured."""
    _call("running:run", suite, output, settings or [], only, executor)


@app.command()
def resume(
    folder: Annotated[Path, typer.Argument(metavar="RUN", help="A run folder.")],
) -> None:
    """Go on with an interrupted run."""
    _call("running:resume", folder)


@app.command()
def plan(
    suite: SuiteName,
    settings: Settings = None,
    only: Only = None,
    history: Annotated[
        Path, typer.Option(metavar="DIR", help="Earlier runs, for time and energy.")
    ] = Path("runs"),
    as_json: AsJson = False,  # noqa: FBT002
) -> None:
    """Show what would run, and why the rest would not; run nothing."""
    _call("running:plan", suite, settings or [], only, history, as_json=as_json)


@app.command()
def rank(
    runs: Runs,
    as_json: AsJson = False,  # noqa: FBT002
    csv: AsCsv = False,  # noqa: FBT002
    markdown: AsMarkdown = False,  # noqa: FBT002
    by: Metric = "accuracy_per_j",
    allow_mixed: Annotated[  # noqa: FBT002
        bool,
        typer.Option("--allow-mixed", help="Rank across devices, meters and tracks."),
    ] = False,
) -> None:
    """Rank what was measured by accuracy per joule."""
    chosen = _chosen(json=as_json, csv=csv, markdown=markdown)
    _call("ranking:rank", runs, chosen, by, allow_mixed=allow_mixed)


@app.command()
def compare(
    first: Annotated[Path, typer.Argument(metavar="RUN", help="A run folder.")],
    second: Annotated[
        Path, typer.Argument(metavar="RUN", help="The one held against it.")
    ],
    as_json: AsJson = False,  # noqa: FBT002
    csv: AsCsv = False,  # noqa: FBT002
    markdown: AsMarkdown = False,  # noqa: FBT002
    by: Metric = "accuracy_per_j",
) -> None:
    """Hold one run against another: better, worse, or no difference shown."""
    chosen = _chosen(json=as_json, csv=csv, markdown=markdown)
    _call("comparing:compare", first, second, chosen, by)


@app.command(context_settings={"ignore_unknown_options": True})
def measure(  # noqa: PLR0913, PLR0917 (one parameter an option)
    command: Annotated[
        list[str],
        typer.Argument(
            metavar="-- COMMAND... [--vs COMMAND...]",
            help="What to measure; each --vs begins another command.",
        ),
    ],
    repeat: Annotated[int, typer.Option(min=1, help="Measured runs of each.")] = 1,
    warmup: Annotated[int, typer.Option(min=0, help="Unmeasured runs first.")] = 0,
    items: Annotated[
        int | None, typer.Option(min=1, help="Items that one run works on.")
    ] = None,
    place: Annotated[
        str | None, typer.Option(help="ISO 3166 code of the grid, such as FRA.")
    ] = None,
    intensity: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", help="Ask a live source, such as uk-carbon-intensity."
        ),
    ] = None,
    as_json: AsJson = False,  # noqa: FBT002
    show_output: Annotated[  # noqa: FBT002
        bool, typer.Option("--show-output", help="Also when repeated.")
    ] = False,
    check: Annotated[
        list[str] | None,
        typer.Option(
            metavar="TOOL", help="zeus or codecarbon, or zeus=PYTHON: its figure, too."
        ),
    ] = None,
    export_json: Annotated[Path | None, typer.Option(metavar="FILE")] = None,
    export_markdown: Annotated[Path | None, typer.Option(metavar="FILE")] = None,
) -> None:
    """Measure the joules of any commands, in any language, and compare them."""
    options = registry.load("harness.commands.measure:MeasureOptions")(
        repeat=repeat,
        warmup=warmup,
        items=items,
        place=place,
        intensity=intensity,
        as_json=as_json,
        show_output=show_output,
        checks=tuple(check or ()),
        export_json=export_json,
        export_markdown=export_markdown,
    )
    _call("measure:measure", command, options)


@app.command()
def doctor(as_json: AsJson = False) -> None:  # noqa: FBT002
    """Show which meters answer here, and the cure for the others."""
    _call("doctor:doctor", as_json=as_json)


@app.command()
def recompute(  # noqa: PLR0913, PLR0917 (one parameter an option)
    folder: Annotated[Path, typer.Argument(metavar="RUN", help="A run folder.")],
    write: Annotated[  # noqa: FBT002
        bool, typer.Option("--write", help="Store what comes out differently.")
    ] = False,
    as_json: AsJson = False,  # noqa: FBT002
    analyser: Annotated[
        Path | None,
        typer.Option(metavar="CSV", help="A wall meter's file, laid beside by time."),
    ] = None,
    time_column: Annotated[str | None, typer.Option(metavar="NAME")] = None,
    power_column: Annotated[str | None, typer.Option(metavar="NAME")] = None,
    offset: Annotated[
        float, typer.Option(help="Seconds to add to the analyser's time.")
    ] = 0.0,
    align: Annotated[  # noqa: FBT002
        bool,
        typer.Option(
            "--align", help="Find the seconds to add: where it follows the run's power."
        ),
    ] = False,
) -> None:
    """Derive every number of a run again from its raw traces."""
    make = registry.load("harness.commands.recompute:AnalyserOptions")
    columns = (time_column, power_column)
    if analyser is None and (align or offset or any(columns)):
        raise UsageError(
            "there is no analyser's file to lay beside the run", hint="--analyser CSV"
        )
    beside = make(analyser, *columns, offset, align) if analyser else None
    _call("recompute:recompute", folder, beside, write=write, as_json=as_json)


@app.command(name="list")
def list_(
    what: Annotated[
        str,
        typer.Argument(
            help="workloads, precisions, runtimes, scenarios, probes, devices, suites, "
            "factors."
        ),
    ],
    as_json: AsJson = False,  # noqa: FBT002
) -> None:
    """Show what there is."""
    _call("catalogue:list_members", what, as_json=as_json)


@app.command()
def schema(
    what: Annotated[str, typer.Argument(help="suite, trial, site or gate.")],
) -> None:
    """Print a JSON Schema."""
    _call("catalogue:schema", what)


@data.command(name="list")
def data_list(as_json: AsJson = False) -> None:  # noqa: FBT002
    """Show data sets with source, licence and size."""
    _call("catalogue:data_list", as_json=as_json)


@data.command(name="fetch")
def data_fetch(name: Annotated[str | None, typer.Argument()] = None) -> None:
    """Bring one data set, or all, into the user's cache."""
    _call("catalogue:data_fetch", name)


@factors.command(name="show")
def factors_show(
    place: Annotated[
        str | None, typer.Argument(help="Code of a grid, such as FRA or USA-CA.")
    ] = None,
    site: SiteFile = None,
    lock: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Take locked factors.")
    ] = None,
    as_json: AsJson = False,  # noqa: FBT002
) -> None:
    """Show every factor of a place or site with its year, source and caveats."""
    _call("factors:show", place, site, lock, as_json=as_json)


@factors.command(name="lock")
def factors_lock(
    places: Annotated[
        list[str] | None, typer.Argument(metavar="[PLACE...]", help="Codes of grids.")
    ] = None,
    site: SiteFile = None,
    output: Annotated[
        Path, typer.Option("-o", "--output", metavar="FILE", help="- for the screen.")
    ] = Path("factors.lock"),
) -> None:
    """Keep today's factors in a file, so that next year's report says the same."""
    _call("factors:lock", places or [], site, output)


@factors.command(name="embodied")
def factors_embodied(
    name: Annotated[str, typer.Argument(help="A piece, such as 'NVIDIA L4'.")],
    boaviztapi: Annotated[
        str, typer.Option(metavar="URL", help="Your instance of BoaviztAPI.")
    ],
    kind: Annotated[str, typer.Option(help="gpu, cpu, or server.")] = "gpu",
    as_json: AsJson = False,  # noqa: FBT002
) -> None:
    """Ask your own BoaviztAPI for the embodied carbon of a piece of hardware."""
    _call("factors:embodied", kind, name, boaviztapi, as_json=as_json)


def main() -> None:
    """Entry point: errors are for people, tracebacks for --debug."""
    debug = _takes_debug(sys.argv)
    try:
        streams.guard()
        app()
    except BenchError as error:
        if isinstance(error, OutputError):
            streams.give_up()
        if debug:
            raise
        _explain(error)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        sys.exit(130)
    except Exception as error:
        if debug:
            raise
        typer.echo(f"error: {type(error).__name__}: {error}", err=True)
        typer.echo("this is a fault of joulebench; --debug shows where", err=True)
        sys.exit(1)


def _takes_debug(words: list[str]) -> bool:
    """Take `--debug` out of our own words; those after `--` are the command's."""
    ours = words[: words.index("--")] if "--" in words else words
    if "--debug" not in ours:
        return False
    words.remove("--debug")
    return True


def _explain(error: BenchError) -> None:
    lines = [f"error: {error.message}"] if error.message else []
    lines += [f"  {error.hint}"] if error.hint else []
    with suppress(OSError):  # standard error may be full, too
        for line in lines:
            typer.echo(line, err=True)


if __name__ == "__main__":
    main()
