"""What the modules of the command line share."""

import sys
from typing import Annotated, Any

import typer

from harness import registry

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON and nothing else.")]


def call(name: str, *args: Any, **options: Any) -> None:
    """Run a command by module and name, and leave with its exit code."""
    code = registry.load(f"harness.commands.{name}")(*args, **options)
    sys.stdout.flush()
    raise typer.Exit(code or 0)
