"""The reports in a real browser: they open from disk, and are legible everywhere.

One browser for all tests. Without one they skip; CI sets JOULEBENCH_BROWSER=required,
and then they fail.
"""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from harness.commands.report import ranking
from harness.commands.reporting import Target
from harness.commands.sustainability import SiteOptions, sustainability
from harness.suite import bundled_configs
from tests.browser import REQUIRED, Browser, browser, program
from tests.page_makers import HOSTILE, page, ranked_run

CHARTS = "[...document.querySelectorAll('svg.chart')]"
SIZES = f"{CHARTS}.map(e => [e.clientWidth, e.clientHeight])"
FIGURES = "document.querySelectorAll('figure').length"
WIDER = "document.documentElement.scrollWidth - window.innerWidth"
CUT = """[...document.querySelectorAll('svg.chart text')].filter(e => {
  const svg = e.closest('svg').getBoundingClientRect(), box = e.getBoundingClientRect();
  return box.left < svg.left - 2 || box.right > svg.right + 2;
}).map(e => e.textContent)"""


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    path = program()
    if path is None:
        if os.environ.get(REQUIRED) == "required":
            pytest.fail("no browser: apt-get install chromium")
        pytest.skip("no browser here: apt-get install chromium")
    with browser(path) as made:
        yield made


Written = Callable[..., Path]


def ranking_page(
    folder: Path, suite: str = "quick", *, interactive: bool = False
) -> Path:
    """The ranking page of a small run."""
    run = ranked_run(folder / "run", suite)
    target = Target(folder / "page.html", None, interactive=interactive)
    ranking([run], target, "accuracy_per_j", allow_mixed=False)
    return folder / "page.html"


def sustainability_page(
    folder: Path, suite: str = "quick", *, interactive: bool = False
) -> Path:
    """The sustainability report of a small run at the site of the example."""
    run = ranked_run(folder / "run", suite)
    target = Target(folder / "page.html", None, interactive=interactive)
    site = bundled_configs() / "sites" / "example.yaml"
    sustainability([run], target, SiteOptions(site=Path(str(site))))
    return folder / "page.html"


PAGES: dict[str, Written] = {
    "accuracy per joule": ranking_page,
    "sustainability report": sustainability_page,
}


@pytest.fixture(params=PAGES)
def title(request: pytest.FixtureRequest) -> str:
    """What a report calls itself."""
    return str(request.param)


@pytest.fixture
def written(title: str) -> Written:
    """How it is made."""
    return PAGES[title]


def test_it_opens_from_disk_without_a_word_and_asks_nobody(
    chromium: Browser, written: Written, title: str, tmp_path: Path
) -> None:
    path = written(tmp_path)
    chromium.shape(1200)

    chromium.open(path)

    assert chromium.run("document.title") == f"quick: {title}"
    assert chromium.complaints() == []
    assert chromium.requests() == []
    assert path.stat().st_size < 300_000


def test_every_chart_is_to_be_seen_and_none_of_its_words_is_cut(
    chromium: Browser, written: Written, tmp_path: Path
) -> None:
    path = written(tmp_path)
    for width in (1200, 360):
        chromium.shape(width)
        chromium.open(path)

        sizes = chromium.run(SIZES)

        assert len(sizes) == chromium.run(FIGURES) >= 5
        assert all(wide > 250 and high > 40 for wide, high in sizes)
        assert chromium.run(CUT) == []


def test_a_hostile_name_stays_text(
    chromium: Browser, written: Written, tmp_path: Path
) -> None:
    chromium.shape(1200)

    chromium.open(written(tmp_path, HOSTILE))

    assert chromium.run("document.querySelector('h1').textContent").startswith(HOSTILE)
    assert chromium.run("document.scripts.length") == 0
    assert chromium.complaints() == []


def test_a_phone_has_nothing_wider_than_itself(
    chromium: Browser, written: Written, tmp_path: Path
) -> None:
    chromium.shape(360, 780)

    chromium.open(written(tmp_path, "a" * 300))

    assert chromium.run(WIDER) <= 0


def test_chart_words_on_a_phone_are_ten_pixels_high(
    chromium: Browser, written: Written, tmp_path: Path
) -> None:
    chromium.shape(360, 780)
    chromium.open(written(tmp_path))

    scales = chromium.run(f"{CHARTS}.map(e => 12.5 * e.clientWidth / 400)")

    assert min(scales) >= 10


def test_in_the_dark_the_page_is_dark(
    chromium: Browser, written: Written, tmp_path: Path
) -> None:
    chromium.open(written(tmp_path))
    ground = "getComputedStyle(document.body).backgroundColor"
    ink = "getComputedStyle(document.querySelector('svg.chart text')).fill"

    chromium.shape(1200)
    light = chromium.run(ground), chromium.run(ink)
    chromium.shape(1200, dark=True)
    dark = chromium.run(ground), chromium.run(ink)

    assert light[0] == "rgb(255, 255, 255)"
    assert all(one != other for one, other in zip(light, dark, strict=True))


def test_it_prints_on_paper(
    chromium: Browser, written: Written, title: str, tmp_path: Path
) -> None:
    pypdf = pytest.importorskip("pypdf")
    chromium.shape(1200, dark=True)
    chromium.open(written(tmp_path))
    (tmp_path / "paper.pdf").write_bytes(chromium.pdf())

    pages = pypdf.PdfReader(tmp_path / "paper.pdf").pages

    assert 1 < len(pages) < 12
    assert round(float(pages[0].mediabox.width)) in range(594, 597)  # A4 in points
    assert title in pages[0].extract_text()


def test_the_keyboard_reaches_the_content_and_the_tables(
    chromium: Browser, written: Written, tmp_path: Path
) -> None:
    chromium.shape(1200)
    chromium.open(written(tmp_path))
    focus = """(() => { const seen = []; for (const e of document.querySelectorAll(
      'a[href], summary, [tabindex="0"]')) { e.focus();
      seen.push(document.activeElement === e || e.closest('details') !== null) }
      return seen })()"""

    reached = chromium.run(focus)

    assert len(reached) > 20
    assert all(reached)
    assert chromium.run("document.querySelector('a').textContent").startswith("Skip")


def test_interactive_charts_draw_themselves_without_a_network(
    chromium: Browser, written: Written, tmp_path: Path
) -> None:
    pytest.importorskip("vl_convert")
    chromium.shape(1200)
    chromium.open(written(tmp_path, interactive=True))
    drawn = f"""new Promise(done => {{ const look = () => {{ const all =
      document.querySelectorAll('.vega svg').length; all === {FIGURES} ? done(all)
      : setTimeout(look, 50) }}; look() }})"""

    assert chromium.run(drawn) >= 5
    assert chromium.complaints() == []
    assert chromium.requests() == []


def test_one_of_everything_is_whole_in_a_browser(
    chromium: Browser, tmp_path: Path
) -> None:
    from reports.page.html import html

    path = tmp_path / "page.html"
    path.write_text(html(page(HOSTILE)), encoding="utf-8")
    chromium.shape(360, 780)

    chromium.open(path)

    assert chromium.run(WIDER) <= 0
    assert chromium.run(CUT) == []
    assert chromium.complaints() == []
