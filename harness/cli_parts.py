"""What the modules of the command line share."""

import sys
from typing import Annotated, Any

import typer

from harness import registry

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON and nothing else.")]
AsCsv = Annotated[bool, typer.Option("--csv", help="Print CSV.")]
AsMarkdown = Annotated[bool, typer.Option("--markdown", help="Print Markdown.")]
Metric = Annotated[
    str, typer.Option("--by", help="accuracy_per_j, energy, skill_per_j or edp.")
]


def call(name: str, *args: Any, **options: Any) -> None:
    """Run a command by module and name, and leave with its exit code."""
    code = registry.load(f"harness.commands.{name}")(*args, **options)
    sys.stdout.flush()
    raise typer.Exit(code or 0)
