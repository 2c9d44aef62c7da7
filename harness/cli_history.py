"""The command line of `bench history`: names and options; no library is loaded."""

from pathlib import Path
from typing import Annotated

import typer

from harness import registry
from harness.cli_parts import AsCsv, AsJson, call

app = typer.Typer(help="Many runs in one index.", rich_markup_mode=None)

Where = Annotated[
    str | None,
    typer.Option(
        "--url",
        metavar="URL|FILE",
        help="The history: postgresql://..., or a file of SQLite; "
        "else JOULEBENCH_HISTORY, else your data folder.",
    ),
]
RunsBelow = Annotated[
    list[Path],
    typer.Argument(metavar="RUN...", help="Run folders, or folders of them."),
]
Glob = Annotated[str | None, typer.Option(metavar="GLOB")]
Time = Annotated[str | None, typer.Option(metavar="TIME")]
Parquet = Annotated[
    Path | None, typer.Option(metavar="FILE", help="Write Parquet there.")
]


@app.command(name="add")
def history_add(runs: RunsBelow, url: Where = None) -> None:
    """Add run folders, or bring them up to date."""
    call("history:add_runs", runs, url)


@app.command(name="list")
def history_list(
    as_json: AsJson = False,  # noqa: FBT002
    csv: AsCsv = False,  # noqa: FBT002
    parquet: Parquet = None,
    url: Where = None,
) -> None:
    """Show the runs, newest first."""
    make = registry.load("harness.commands.history:Output")
    call("history:list_runs", url, make(as_json, csv, parquet))


@app.command(name="show")
def history_show(
    run: Annotated[str, typer.Argument(metavar="RUN", help="How its id begins.")],
    as_json: AsJson = False,  # noqa: FBT002
    url: Where = None,
) -> None:
    """Show one run, and the medians of its configurations."""
    call("history:show", run, url, as_json=as_json)


@app.command(name="query")
def history_query(  # noqa: PLR0913, PLR0917 (one parameter an option)
    workload: Glob = None,
    phase: Glob = None,
    precision: Glob = None,
    device: Glob = None,
    runtime: Glob = None,
    status: Glob = None,
    key: Glob = None,
    suite: Glob = None,
    where: Annotated[
        list[str] | None,
        typer.Option(metavar="COLUMN=GLOB", help="The same for any other column."),
    ] = None,
    since: Time = None,
    until: Time = None,
    columns: Annotated[
        str | None, typer.Option(metavar="NAME,...", help="Also: record, as written.")
    ] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Of the newest.")] = None,
    sql: Annotated[
        str | None, typer.Option(metavar="SELECT", help="Your own question; SQLite.")
    ] = None,
    as_json: AsJson = False,  # noqa: FBT002
    csv: AsCsv = False,  # noqa: FBT002
    parquet: Parquet = None,
    url: Where = None,
) -> None:
    """Show trials of all runs, newest first; GLOBs take * and ? in any case."""
    globs = {
        "workload": workload,
        "phase": phase,
        "precision": precision,
        "device": device,
        "runtime": runtime,
        "status": status,
        "key": key,
        "suite": suite,
    }
    asked = registry.load("harness.commands.history:asked")(
        globs, where or [], columns, since=since, until=until, limit=limit
    )
    make = registry.load("harness.commands.history:Output")
    call("history:query", asked, sql, url, make(as_json, csv, parquet))


@app.command(name="rebuild")
def history_rebuild(
    runs: Annotated[
        list[Path] | None,
        typer.Argument(metavar="[RUN...]", help="Run folders that have moved."),
    ] = None,
    url: Where = None,
) -> None:
    """Make the history again from run folders; nothing is lost without a word."""
    call("history:rebuild_all", runs or [], url)
