"""Charts that answer to the pointer: Vega in the page itself, and no network.

The bundle is made once a page by vl-convert, whatever the number of charts. A chart
without a specification stays as it is drawn; so do all where scripts are switched off,
and on paper.
"""

import base64
import hashlib
import json
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from harness.errors import UsageError
from reports.page.blocks import Figure, Page

SNIPPET = """
const dark = matchMedia("(prefers-color-scheme: dark)").matches;
const specs = JSON.parse(document.getElementById("specs").textContent);
const figures = document.querySelectorAll("figure");
for (const [index, spec] of Object.entries(specs)) {
  const drawn = figures[index].querySelector("svg");
  const place = document.createElement("div");
  place.className = "vega";
  drawn.after(place);
  const style = {actions: false, renderer: "svg", theme: dark ? "dark" : undefined,
    config: {background: "transparent"}};
  vegaEmbed(place, spec, style).then(
    () => { drawn.style.display = "none"; }, (error) => console.error(error));
}
"""


class Script(NamedTuple):
    """Content of a script element."""

    text: str
    kind: str = ""
    name: str = ""


def scripts_of(page: Page) -> tuple[Script, ...]:
    """Specifications and the program that draws them; none without any.

    Raises:
        UsageError: vl-convert is not installed.
    """
    specs = {
        index: figure.spec
        for index, figure in enumerate(_figures(page))
        if figure.spec is not None
    }
    if not specs:
        return ()
    try:
        import vl_convert
    except ImportError as error:
        raise UsageError(
            "vl-convert is not installed: charts cannot be interactive",
            hint="pip install 'joulebench[interactive]', or leave --interactive out",
        ) from error
    text = json.dumps(specs, allow_nan=False).replace("<", "\\u003c")
    program = vl_convert.javascript_bundle(SNIPPET).replace("</script", "<\\/script")
    return (Script(text, "application/json", "specs"), Script(program, "module"))


def policy_of(policy: str, scripts: Sequence[Script]) -> str:
    """A content security policy that lets these programs run, and no others."""
    programs = [script.text for script in scripts if script.kind != "application/json"]
    if not programs:
        return policy
    hashes = " ".join(f"'sha256-{_digest(program)}'" for program in programs)
    # Vega makes functions of the expressions of a specification, which are ours
    return f"{policy}; script-src {hashes} 'unsafe-eval'"


def _digest(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _figures(page: Page) -> Iterator[Any]:
    """Figures in the order of the page."""
    for blocks in (page.lead, *(section.blocks for section in page.sections)):
        yield from (block for block in blocks if isinstance(block, Figure))
