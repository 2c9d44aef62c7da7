"""`bench report ranking`: a page of what was measured."""

import json
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from harness.commands.console import warn
from harness.commands.origin import origin
from harness.commands.ranking import ranked, stored_plan
from harness.commands.reporting import Target, Writer, write
from harness.commands.stored import read_once
from harness.errors import UsageError
from reports import exports
from reports.page.blocks import Page
from reports.page.html import MARK, html
from reports.page.markdown import markdown
from reports.page.pdf import pdf
from reports.ranking import Ranking
from reports.ranking_page.material import Material
from reports.ranking_page.page import ranking_page

FORMATS = ("html", "md", "json", "csv", "pdf")


def ranking(
    paths: Sequence[Path], target: Target, by: str, *, allow_mixed: bool
) -> int:
    """Write the ranking of one or several runs; the last line is a path."""
    if len(paths) > 1 and target.output is None:
        raise UsageError(
            "a report of several runs belongs to none of their folders",
            hint="-o FILE, or -o FOLDER",
        )
    files = target.files("ranking", paths[0], FORMATS)
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
    """What makes each format; the page is made once, and only where it is wanted."""

    @cache
    def page() -> Page:
        return ranking_page(material)

    return {
        "html": lambda: html(page(), interactive=target.interactive),
        "md": lambda: markdown(page()),
        "json": lambda: _json(material.ranking),
        "csv": lambda: exports.to_csv(material.ranking),
        "pdf": lambda: pdf(page()),
    }


def _json(ranking: Ranking) -> str:
    """The ranking in the shape of `bench rank --json`, and who made it."""
    made = {"generator": MARK, **json.loads(exports.to_json(ranking))}
    return json.dumps(made, indent=1, ensure_ascii=False) + "\n"
