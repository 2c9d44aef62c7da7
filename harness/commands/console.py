"""Standard output for results, standard error for all else."""

import json
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from harness.errors import UsageError


def out() -> Console:
    """Results: standard output."""
    return Console(width=None if sys.stdout.isatty() else 120)


def err() -> Console:
    """Progress and warnings: standard error."""
    return Console(stderr=True)


def warn(sentence: str) -> None:
    """A sentence on standard error that stands out; nothing in it is markup."""
    err().print(sentence, style="yellow", markup=False, soft_wrap=True)


def print_json(value: Any) -> None:
    """JSON on standard output and nothing else."""
    escaped = not (sys.stdout.encoding or "").lower().startswith("utf")
    sys.stdout.write(json.dumps(value, indent=1, ensure_ascii=escaped) + "\n")
    sys.stdout.flush()


def check_one(chosen: Sequence[str]) -> None:
    """Refuse two formats at once, before anything is read."""
    if len(chosen) > 1:
        raise UsageError(f"choose one of --{' and --'.join(chosen)}")


def print_text(text: str) -> None:
    """A finished text on standard output, which ends with one line break."""
    sys.stdout.write(text.rstrip("\n") + "\n")


def table(*columns: str) -> Table:
    """A plain table that folds what is too wide."""
    made = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        made.add_column(column, overflow="fold")
    return made


def print_rows(rows: Mapping[str, Mapping[str, Any]]) -> None:
    """One paragraph a member: name, then its facts."""
    console = out()
    for name, facts in rows.items():
        console.print(f"[bold]{escape(name)}[/bold]", highlight=False)
        for key, value in facts.items():
            if value not in (None, ""):
                text = f"    {key.removesuffix('_bytes')}: {_shown(key, value)}"
                console.print(text, markup=False, highlight=False, soft_wrap=True)


def _shown(key: str, value: Any) -> str:
    return f"{value / 1e6:.1f} MB" if key.endswith("_bytes") else str(value)
