"""The command line of `bench report`: names and options; no library is loaded."""

from pathlib import Path
from typing import Annotated

import typer

from harness import registry
from harness.cli_parts import Metric, call

app = typer.Typer(
    help="Pages for people, made of run folders.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

Runs = Annotated[list[Path], typer.Argument(metavar="RUN...", help="Run folders.")]
Output = Annotated[
    Path | None,
    typer.Option(
        "-o",
        "--output",
        metavar="PATH",
        help="A file, or a folder for several formats; - is standard output. "
        "Else into the run folder.",
    ),
]
Formats = Annotated[
    str | None,
    typer.Option(
        "--format",
        metavar="NAME,...",
        help="html, md, json, csv, pdf; else by the suffix of -o, else html.",
    ),
]
Interactive = Annotated[
    bool,
    typer.Option("--interactive", help="Charts that zoom; the page grows by 1 MB."),
]
Force = Annotated[
    bool, typer.Option("--force", help="Replace files that joulebench did not write.")
]


@app.command(name="ranking")
def report_ranking(  # noqa: PLR0913, PLR0917 (one parameter an option)
    runs: Runs,
    output: Output = None,
    formats: Formats = None,
    interactive: Interactive = False,  # noqa: FBT002
    by: Metric = "accuracy_per_j",
    allow_mixed: Annotated[  # noqa: FBT002
        bool,
        typer.Option("--allow-mixed", help="Rank across devices, meters and tracks."),
    ] = False,
    force: Force = False,  # noqa: FBT002
) -> None:
    """Accuracy per joule as one page: ranking, charts, traces, doubts, machine."""
    make = registry.load("harness.commands.reporting:Target")
    target = make(output, formats, interactive=interactive, force=force)
    call("report:ranking", runs, target, by, allow_mixed=allow_mixed)


def _names(text: str | None) -> tuple[str, ...]:
    """Names with commas between them."""
    return tuple(name.strip() for name in (text or "").split(",") if name.strip())


@app.command(name="sustainability")
def report_sustainability(  # noqa: PLR0913, PLR0917 (one parameter an option)
    runs: Runs,
    output: Output = None,
    formats: Formats = None,
    site: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="site.yaml; else the place of the suite."),
    ] = None,
    lock: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="factors.lock: the factors as they were."),
    ] = None,
    assume: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=VALUE",
            help="pue, intensity, contract, wue or source_water; printed as assumed.",
        ),
    ] = None,
    label: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Letters A to G against the references of this file."
        ),
    ] = None,
    export: Annotated[
        str | None,
        typer.Option(
            metavar="NAME,...",
            help="Disclosures, too, into a folder: boamps, cyclonedx, spdx, "
            "huggingface, sci, eu, codecarbon, imp, statement, or all.",
        ),
    ] = None,
    interactive: Interactive = False,  # noqa: FBT002
    force: Force = False,  # noqa: FBT002
) -> None:
    """Energy, carbon, water and SCI of runs at a site, with every factor's source."""
    load = registry.load
    target = load("harness.commands.reporting:Target")(
        output, formats, interactive=interactive, force=force
    )
    given = load("harness.commands.sustainability:SiteOptions")(
        site, lock, tuple(assume or ()), label, _names(export)
    )
    call("sustainability:sustainability", runs, target, given)
