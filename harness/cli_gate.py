"""The command line of `bench gate`: names and options; no library is loaded."""

from pathlib import Path
from typing import Annotated

import typer

from harness import registry
from harness.cli_parts import AsJson, call
from harness.errors import UsageError

app = typer.Typer(
    help="Fail the change that costs more joules, never by noise.",
    rich_markup_mode=None,
    invoke_without_command=True,
)

RunFolder = Annotated[Path | None, typer.Option(metavar="RUN")]
PolicyFile = Annotated[
    Path | None,
    typer.Option("--policy", metavar="FILE", help="Limits (bench schema gate)."),
]
Written = Annotated[Path | None, typer.Option(metavar="FILE")]


@app.callback()
def gate(  # noqa: PLR0913, PLR0917 (one parameter an option)
    context: typer.Context,
    baseline: RunFolder = None,
    candidate: RunFolder = None,
    anchor: Annotated[
        Path | None,
        typer.Option(metavar="RUN", help="A pinned run, such as the last release's."),
    ] = None,
    policy: PolicyFile = None,
    strict: Annotated[  # noqa: FBT002
        bool, typer.Option("--strict", help="Exit 3 where a row is undecided.")
    ] = False,
    require_sensor: Annotated[  # noqa: FBT002
        bool, typer.Option("--require-sensor", help="Exit 3 without measured joules.")
    ] = False,
    paired: Annotated[  # noqa: FBT002
        bool,
        typer.Option("--paired", help="Rounds of one number ran side by side."),
    ] = False,
    as_json: AsJson = False,  # noqa: FBT002
    markdown: Written = None,
    junit: Written = None,
    metrics: Written = None,
    smaller_is_better: Written = None,
    annotations: Annotated[  # noqa: FBT002
        bool, typer.Option("--annotations", help="Print ::error lines for GitHub.")
    ] = False,
) -> None:
    """Fail the change that costs more joules, never by noise."""
    if context.invoked_subcommand is not None:
        return
    if baseline is None or candidate is None:
        raise UsageError(
            "the gate holds one run against another",
            hint="bench gate --baseline RUN --candidate RUN",
        )
    files = {
        "markdown": markdown,
        "junit": junit,
        "metrics": metrics,
        "smaller-is-better": smaller_is_better,
    }
    asked = registry.load("harness.commands.gating:Asked")(
        baseline=baseline,
        candidate=candidate,
        anchor=anchor,
        policy=policy,
        strict=strict,
        require_sensor=require_sensor,
        paired=paired,
        as_json=as_json,
        annotations=annotations,
        files={name: path for name, path in files.items() if path is not None},
    )
    call("gating:gate", asked)


@app.command(name="calibrate")
def gate_calibrate(
    subjects: Annotated[
        list[str],
        typer.Argument(metavar="SUITE|RUN...", help="A suite to run, or run folders."),
    ],
    policy: PolicyFile = None,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="The run folder of a suite.")
    ] = None,
    rounds: Annotated[
        int,
        typer.Option(min=4, help="Rounds of a suite, halves of which are compared."),
    ] = 10,
    as_json: AsJson = False,  # noqa: FBT002
) -> None:
    """Hold a suite against itself: spread, what would be seen, advised n and delta."""
    call("calibrating:calibrate", subjects, policy, output, rounds, as_json=as_json)
