"""A picture as SVG is well-formed, has no script, and escapes what strangers write."""

from __future__ import annotations

import re
from xml.etree import ElementTree as ET

import pytest

from netlab.pictures import svg
from netlab.pictures.model import Arrow, Box, Frame, Picture

SVG = "{http://www.w3.org/2000/svg}"
HOSTILE = (
    "</title><script>alert(1)</script>",
    "\"><img src=x onerror='alert(1)'>",
    "]]>&lt;&#0;\x00\x1b[2J\u202e\ufffe",
    "javascript:alert(1)",
    "a\nb\tc --> <!-- -->",
    "}</style><style>*{display:none}",
    "n" * 5000,
)


def drawn(picture: Picture, *, below: bool = True) -> ET.Element:
    return ET.fromstring("\n".join(svg.lines(picture, below=below)))  # noqa: S314  netlab wrote it


def text_of(root: ET.Element) -> list[str]:
    return [one.text or "" for one in root.iter(f"{SVG}text")]


@pytest.mark.parametrize("text", HOSTILE)
def test_text_of_strangers_is_text(text: str) -> None:
    """Names, notes and links of strangers make no elements, attributes, scripts or links."""

    def picture(text: str) -> Picture:
        boxes = (
            Box("a", "pods", (text, text), "f", 1, "none", (text,), (text,), text, text),
            Box(text, "host", (text,), note=(text,)),
        )
        frames = (Frame("f", "namespace", text, "", (text,), text, text),)
        arrow = Arrow("a", text, text, "unknown", note=(text,), place=text)
        return Picture(text, boxes, frames, (arrow,), (text,))

    def shape(text: str) -> list[tuple[str, list[str]]]:
        found = [(one.tag, sorted(one.attrib)) for one in drawn(picture(text)).iter()]
        return [one for one in found if one[0] not in (f"{SVG}text", f"{SVG}rect", f"{SVG}path", f"{SVG}title")]

    assert shape("plain") == shape(text)
    assert not re.search(r"<(script|img|a)\b", "\n".join(svg.lines(picture(text))))


def test_a_page_may_have_several_pictures() -> None:
    """A picture has no ids, and all its classes begin with nl-."""
    boxes = (Box("a", "pods", ("a",), badges=("from everything",), isolation="none"), Box("b", "host", ("b",)))
    text = "\n".join(svg.lines(Picture("two", boxes, (), (Arrow("a", "b", "80/TCP", "allow", both=True),))))

    assert " id=" not in text
    assert "url(" not in text
    assert "@import" not in text
    assert all(name.startswith("nl-") for names in re.findall(r'class="([^"]*)"', text) for name in names.split())
    assert all(selector.startswith((".nl-", "[data-theme", "@media")) for selector in _selectors(text))


def _selectors(text: str) -> list[str]:
    found = re.search(r"<style>(.*?)</style>", text, re.S)
    assert found
    style = re.sub(r"@media[^{]*\{(.*?\})\}", r"\1", found[1])
    return [part for rule in re.findall(r"([^{}]+)\{", style) for part in rule.split(",")]


def test_marks_lead_to_file_and_line() -> None:
    """A box, a frame and an arrow have their file and line as data and in the text that a reader sees on hover."""
    picture = Picture(
        "places",
        (Box("x/a", "pods", ("a",), "f", note=("isolated by x/deny",), place="a.yaml:3"), Box("h", "host", ("h",))),
        (Frame("f", "namespace", "x", place="x.yaml:1"),),
        (Arrow("h", "x/a", "80/TCP", "allow", place="p.yaml:9"),),
    )
    root = drawn(picture)
    places = {one.get("data-place"): one.findtext(f"{SVG}title") for one in root.iter() if one.get("data-place")}

    assert {"a.yaml:3", "x.yaml:1", "p.yaml:9"} == set(places)
    assert "a\nisolated by x/deny\na.yaml:3" == places["a.yaml:3"]


def test_links_are_fragments() -> None:
    """A box links to a place of the page; every other address is left out."""
    boxes = (Box("a", "pods", ("a",), link="#group-3"), Box("b", "pods", ("b",), link="https://example.com"))

    assert ["#group-3"] == [one.get("href") for one in drawn(Picture("", boxes)).iter(f"{SVG}a")]


def test_the_text_below_may_be_left_out() -> None:
    """A page that prints the text below by itself asks for a picture without it."""
    picture = Picture("", (Box("a", "pods", ("a",)),), below=("what is left out",))

    assert "what is left out" in text_of(drawn(picture))
    assert "what is left out" not in text_of(drawn(picture, below=False))


def test_signs_in_use_have_their_meaning_below() -> None:
    """No verdict is told by its colour alone: dashes and marks differ, and the legend names those in use."""
    boxes = tuple(Box(name, "pods", (name,), isolation="none") for name in "ab")
    texts = text_of(drawn(Picture("", boxes, (), (Arrow("a", "b", "80/TCP", "unknown"),))))

    assert "u 80/TCP" in texts
    assert any(text.startswith("u: unknown") for text in texts)
    assert any(text.startswith("not isolated: no policy") for text in texts)
    assert not any(text.startswith("s: ") for text in texts)


def test_a_picture_follows_the_system_and_the_page() -> None:
    """Colours are those of the reader's system, or of ``data-theme`` around the picture."""
    text = "".join(svg.lines(Picture("", (Box("a", "pods", ("a",)),))))

    assert "@media (prefers-color-scheme:dark){.nl-picture{" in text
    assert "[data-theme=dark] .nl-picture{" in text
    assert "[data-theme=light] .nl-picture{" in text


def test_an_empty_picture_is_a_picture() -> None:
    """A cluster without endpoints has an empty picture."""
    assert f"{SVG}svg" == drawn(Picture("nothing", ())).tag
