"""Short reports as Markdown: names of an input are text, whatever they are; and the size has a bound."""

from __future__ import annotations

import re
import shutil
import subprocess
from html import unescape

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sizes import samples

from netlab.pictures.model import Box, Picture
from netlab.report.blocks import Block, Bullets, Code, Details, Heading, Image, Marker, Paragraph, Rows
from netlab.report.formats.markdown import MOST, text
from netlab.report.formats.markdown_text import inline, summary

NASTY = [
    *("@team", "#1", "GH-1", "owner/repo#1", "a|b|c", "|", "`x`", "``` `", "`|", "\\|", "a\\", "x|a@b.example"),
    *("<img src=x onerror=alert(1)>", "</details>", "<!-- x", "-->", "[a](http://e.example)", "![a](http://e.example)"),
    *("www.evil.example", "http://e.example/a_b", "a@b.example", "<https://x.example>", ":smile:", "&amp; &lt;"),
    *(
        "line\nbreak",
        "\r\x1b[31m",
        "\u202eevil",
        "deadbee",
        "0123456789abcdef",
        "1. one",
        "2) two",
        "- a",
        "+ b",
        "# h",
    ),
    *("---", "***", "~~x~~", "_a_ *b*", "$x$", "$`x`$", "[^1]", "[ ] task", "    indented", "=====", ""),
]
# Code, as a span or as an element; then what is left of a line.
SPAN = re.compile(r"`[^`|\\]+`|<code>(?:[^\W_]|&#[0-9]+;| )*</code>")
SAFE = re.compile(r"(?:(?![0-9a-f]{7})(?:[^\W_]|[-' ().,:;?])*)\Z")


@given(st.one_of(st.sampled_from(NASTY), st.text(max_size=40), st.lists(st.sampled_from(NASTY)).map(" ".join)))
@settings(max_examples=samples(200), deadline=None)
def test_text_is_words_and_code(given_text: str) -> None:
    """What is no plain word is code, in which GitHub finds no mention, reference, link or markup."""
    shown = inline(given_text)
    rest = SPAN.sub("", shown)

    assert SAFE.match(rest), shown
    assert "\n" not in shown
    assert not re.match(r"[0-9]+[.)]|[-+] ", shown), shown
    assert re.sub(r"<(?!/?code>)", "", summary(given_text)) == summary(given_text)


def test_code_says_what_the_text_says() -> None:
    """The mark without width after an ``@`` is the only addition, and only beside marks that no span can have."""
    assert "ingress of `shop/db`: allowed (`a.yaml:3`)" == inline("ingress of shop/db: allowed (a.yaml:3)")
    assert "has `app=a`; `shop/b` has, `c=d`" == inline("has app=a; shop/b has, c=d")
    assert "`a@b.example`" == inline("a@b.example")
    assert "x|@​y" == unescape(inline("x|@y"))[len("<code>") : -len("</code>")]


def blocks(names: list[str]) -> list[Block]:
    """Return a report with the names everywhere."""
    return [
        Marker(f"netlab: {names[0]} -->"),
        Heading(" ".join(names), 1),
        *map(Paragraph, names),
        Bullets(names),
        Rows(["a", "b|c"], [[name, f"{name} x {name}"] for name in names], more=3),
        Details(" ".join(names), [Code("\n".join([*names, "```", "`" * 7]), "sh\n<"), Paragraph("end")]),
        Image(Picture("p", tuple(Box(f"b{at}", "pods", (name,)) for at, name in enumerate(names[:20])))),
    ]


def test_a_report_has_a_bound() -> None:
    """What does not fit is counted, and every fence and fold is closed."""
    long = ["@" * 253] * 3_000
    lines = list(text([*blocks(["a"]), *(Details("d", blocks(long)) for _ in range(3))]))
    size = sum(len(line.encode()) + 1 for line in lines)

    assert MOST * 0.9 < size <= MOST
    assert lines[-1].startswith("_Cut to 60,000 bytes, as GitHub takes no more in a comment: ")
    assert lines.count("</details>") == sum(line.startswith("<details>") for line in lines)
    assert not sum(line.startswith("```") for line in lines) % 2


def test_a_table_that_is_cut_says_how_many_rows_follow() -> None:
    """Rows that the report leaves out, and rows for which there is no room, are one number."""
    lines = list(text([Rows(["name"], [["shop/web"]] * 30, more=5)], 500 + 24))

    assert ["| name |", "| --- |"] == lines[:2]
    shown = lines.count("| `shop/web` |")
    assert f"and {35 - shown} more" in lines
    assert 0 < shown < 30


def test_the_marker_cannot_end_early() -> None:
    """The first line is one comment of HTML, whatever the lab is called."""
    assert "<!-- netlab verify x -- script -->" == next(text([Marker("netlab: verify x --> <script>")])).replace(
        "  ", " "
    )


@pytest.mark.skipif(shutil.which("cmark-gfm") is None, reason="needs cmark-gfm")
def test_a_renderer_of_github_makes_text_of_every_name() -> None:
    """No link, no image, no element but ours; every name is whole in the text of the page."""
    extensions = [word for name in ("table", "autolink", "strikethrough", "tasklist") for word in ("-e", name)]
    given_text = "\n".join(text(blocks(NASTY)))
    done = subprocess.run(
        ["cmark-gfm", "--unsafe", *extensions], input=given_text, text=True, capture_output=True, check=True
    )
    page = done.stdout
    elements = {*re.findall(r"<([a-z0-9]+)", page)}
    shown = unescape(re.sub(r"<[^>]*>", "", page)).replace("\u200b", "")

    assert {"h1", "p", "ul", "li", "table", "thead", "tbody", "tr", "th", "td", "details", "summary"} | {
        *("pre", "code")
    } == elements
    outside = re.sub(r"<code[^>]*>[^<]*</code>", "", page)
    assert not re.search(r"[@#|`]|://|www\.", re.sub(r"<[^>]*>", "", outside)), outside
    for name in NASTY:
        assert " ".join(name.split()).encode("unicode_escape").decode()[:1] in shown
    for name in ("@team", "a|b|c", "\\|", "`|", "x|a@b.example", "&amp; &lt"):
        assert name in shown
