"""`bench report ranking`: a page of what was measured."""

import json
from collections.abc import Sequence
from pathlib import Path

from harness.commands.console import warn
from harness.commands.origin import origin
from harness.commands.ranking import ranked, stored_plan
from harness.commands.reporting import (
    Target,
    Writer,
    home_of,
    page_writers,
    write,
)
from harness.commands.stored import read_once
from reports import exports
from reports.page.html import MARK
from reports.ranking import Ranking
from reports.ranking_page.material import Material
from reports.ranking_page.page import ranking_page

FORMATS = ("html", "md", "json", "csv", "pdf")


def ranking(
    paths: Sequence[Path], target: Target, by: str, *, allow_mixed: bool
) -> int:
    """Write the ranking of one or several runs; the last line is a path."""
    files = target.files("ranking", home_of(paths, target), FORMATS)
    paths, result = read_once(paths)
    plans = [stored_plan(path) for path in paths]
    made, faults = ranked(plans[0], paths, result, by, allow_mixed=allow_mixed)
    for sentence in (*result.faults, *faults, *made.warnings):
        warn(sentence)
    material = Material(
        ranking=made,
        records=result.records,
        folders=result.folders,
        origin=origin(paths, plans),
        faults=(*result.faults, *faults),
    )
    write(files, _writers(material, target))
    return 0


def _writers(material: Material, target: Target) -> dict[str, Writer]:
    """What makes each format."""
    page = page_writers(lambda: ranking_page(material), interactive=target.interactive)
    return page | {
        "json": lambda: _json(material.ranking),
        "csv": lambda: exports.to_csv(material.ranking),
    }


def _json(ranking: Ranking) -> str:
    """The ranking in the shape of `bench rank --json`, and who made it."""
    made = {"generator": MARK, **json.loads(exports.to_json(ranking))}
    return json.dumps(made, indent=1, ensure_ascii=False) + "\n"
