"""Pages: whole, small, accessible, and nothing of others runs in them."""

import json as library
import os
import re
import sys
from html.parser import HTMLParser
from itertools import pairwise

import pytest

from harness.errors import UsageError
from reports.page.blocks import Page, Section, Text
from reports.page.html import html
from reports.page.json_ import json
from reports.page.markdown import escaped, markdown
from reports.page.pdf import pdf
from reports.page.shown import LONGEST
from tests.browser import REQUIRED
from tests.page_makers import HOSTILE, TURNED, page, table

VOID = {"meta", "link", "br", "img", "hr"}
DRAWN = {"rect", "line", "path", "text", "g", "title"}


class Outline(HTMLParser):
    """Elements with their attributes; every one must be closed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self._open: list[str] = []
        self.feed(text)
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def of(self, name: str) -> list[dict[str, str | None]]:
        return [attributes for tag, attributes in self.elements if tag == name]


def test_a_page_is_whole_and_its_headings_are_in_order() -> None:
    found = Outline(html(page()))

    levels = [int(tag[1]) for tag, _ in found.elements if re.fullmatch(r"h\d", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(b - a <= 1 for a, b in pairwise(levels))
    assert found.of("html")[0]["lang"] == "en"


def test_every_table_has_a_caption_and_every_head_a_scope() -> None:
    found = Outline(html(page()))

    assert len(found.of("caption")) == len(found.of("table")) > 4
    assert all(head.get("scope") in ("col", "row") for head in found.of("th"))
    assert all(
        each.get("tabindex") == "0" and each.get("aria-label")
        for each in found.of("div")
        if each.get("class") == "scroll"
    )


def test_every_chart_has_a_name_a_description_and_a_table() -> None:
    text = html(page())

    for figure in re.findall(r"<figure>.*?</figure>", text, re.DOTALL):
        assert re.search(r'<svg[^>]* role="img"', figure)
        assert "<title>" in figure
        assert "<desc>" in figure
        assert "<table>" in figure


@pytest.mark.parametrize(
    "name", [HOSTILE, '" onload="x', "</style><script>", "{{ 7*7 }}", "javascript:x"]
)
def test_texts_of_others_are_never_markup(name: str) -> None:
    usual, hostile = Outline(html(page())), Outline(html(page(name)))

    assert [tag for tag, _ in hostile.elements if tag not in DRAWN] == [
        tag for tag, _ in usual.elements if tag not in DRAWN
    ]
    assert not any(
        key.startswith("on") for _, known in hostile.elements for key in known
    )
    assert "37035" not in html(page("{{ 12345*3 }}"))


def test_nothing_runs_and_nothing_is_loaded() -> None:
    text = html(page())
    found = Outline(text)

    policy = found.of("meta")[1]["content"]
    assert policy is not None
    assert policy.startswith("default-src 'none'")
    assert "script-src" not in policy
    assert found.of("script") == []
    assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)", text)


def test_names_do_not_turn_the_page_round() -> None:
    assert "\u202e" not in html(page(TURNED)) + markdown(page(TURNED)) + json(
        page(TURNED)
    )


def test_ten_thousand_rows_leave_the_page_small_and_are_counted() -> None:
    text = html(page(rows=10_000))

    shown = int(re.search(r"(\d+) more rows are left out", text)[1])  # type: ignore[index]
    assert len(text.encode()) < 300_000
    assert 10_000 - shown == len(re.findall(r">plain \d+</th>", text)) - 2


def test_many_sections_with_charts_leave_the_page_small() -> None:
    many = page()
    one = many.sections[0]
    sections = tuple(one.model_copy(update={"name": f"s{n}"}) for n in range(60))

    text = html(many.model_copy(update={"sections": sections}))

    assert len(text.encode()) < 300_000
    assert "The chart is left out" in text


def test_an_endless_text_is_cut() -> None:
    made = Page(title="x", subtitle="", lead=(Text(text="y" * 10**6),), sections=())

    assert len(html(made)) < 20_000
    assert "y" * (LONGEST - 1) + "…" in html(made)


def test_two_sections_of_one_name_have_anchors_of_their_own() -> None:
    twice = tuple(Section(name="a b", title="x", blocks=()) for _ in range(2))
    made = Page(title="x", subtitle="", lead=(), sections=twice)

    anchors = [each["id"] for each in Outline(html(made)).of("h2")]

    assert len(set(anchors)) == 2
    assert all(re.fullmatch(r"[\w-]+", anchor or "") for anchor in anchors)


@pytest.mark.parametrize(
    ("text", "safe"),
    [
        (HOSTILE, "&lt;script>alert(1)&lt;/script>"),
        ("a|b", r"a\|b"),
        ("[x](javascript:y)", r"\[x\](javascript:y)"),
        ("# no title", r"\# no title"),
        ("*x* _y_ `z`", r"\*x\* \_y\_ \`z\`"),
        ("&lt;b>", "&amp;lt;b>"),
        ("- no item", r"\- no item"),
        ("1. no item", r"1\. no item"),
        ("int8-dynamic 0.5", "int8-dynamic 0.5"),
        ("0.5 J", "0.5 J"),
        ("-0.5 J", "-0.5 J"),
    ],
)
def test_markdown_of_others_stays_text(text: str, safe: str) -> None:
    assert escaped(text) == safe


def test_markdown_has_a_table_for_every_chart() -> None:
    text = markdown(page())

    assert text.startswith("<!-- joulebench report")
    assert text.count("\n### ") == 4
    assert all(
        len({line.count("|") for line in block.splitlines()}) == 1
        for block in re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE)
    )


def test_json_holds_the_texts_and_no_drawing() -> None:
    made = library.loads(json(page("a name")))

    kinds = [block["kind"] for block in made["sections"][0]["blocks"]]
    assert kinds == ["text", "text", "points", "facts", "table", *["figure"] * 4]
    assert "svg" not in json(page())


def test_pdf_has_pages_with_the_words_of_the_page() -> None:
    pypdf = pytest.importorskip("pypdf")
    from io import BytesIO

    try:
        made = pdf(page("a plain name"))
    except UsageError as error:  # libraries of the system that pip does not bring
        if os.environ.get(REQUIRED) == "required":
            raise
        pytest.skip(error.message)

    read = pypdf.PdfReader(BytesIO(made))

    assert len(read.pages) >= 1
    assert "a plain name" in read.pages[0].extract_text()


def test_a_missing_library_is_named_with_its_cure(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("weasyprint", "vl_convert"):
        monkeypatch.setitem(sys.modules, name, None)

    with pytest.raises(UsageError) as paper:
        pdf(page())
    with pytest.raises(UsageError) as moving:
        html(page(), interactive=True)

    assert "joulebench[pdf]" in paper.value.hint
    assert "joulebench[interactive]" in moving.value.hint


def test_a_folded_table_is_one_click_away() -> None:
    folded = table().model_copy(update={"folded": True})
    section = Section(name="a", title="a", blocks=(folded,))
    made = Page(title="x", subtitle="", lead=(), sections=(section,))

    assert "<details><summary>Of x</summary>" in html(made)
