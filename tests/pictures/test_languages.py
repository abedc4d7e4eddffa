"""Pictures as Graphviz and Mermaid: frames, signs of verdicts, and no text of strangers that becomes syntax."""

from __future__ import annotations

import re
import shutil
import subprocess
from types import ModuleType
from xml.etree import ElementTree as ET

import pytest

from netlab.errors import UsageError
from netlab.pictures import dot, mermaid
from netlab.pictures.model import Arrow, Box, Frame, Picture

HOSTILE = [
    '"]; click n0 "javascript:alert(1)"',
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "[x](javascript:alert(1))",
    "`**bold**`",
    "1. list",
    "- list",
    "# heading",
    "end",
    "https://example.com",
    '%%{init: {"securityLevel":"loose"}}%%',
    "two\nlines\r\u2028\u202e\x00\x1b[31m",
    "```\n## out of the block",
    "$$x^2$$",
    "fa:fa-bug",
    "#quot;#60;",
    "&lt;b&gt;&amp;",
    '\\N \\G \\E \\" \\',
    "--> subgraph",
    "",
]
KINDS = ("pods", "host", "node", "namespace", "bridge", "tunnel", "network", "policy", "outside")
VERDICTS = ("", "allow", "deny", "some", "unknown")


def hostile() -> Picture:
    """Return a picture in which every field has every hostile text, with every kind, verdict and isolation."""
    boxes = tuple(
        Box(
            f"{text}{at}",
            KINDS[at % len(KINDS)],  # type: ignore[arg-type]
            (text, text),
            f"f{at % 3}",
            isolation=("", "none", "ingress", "egress", "both")[at % 5],
            badges=(text,),
            note=(text,),
            place=text,
            link=f"#{text}",
        )
        for at, text in enumerate(HOSTILE)
    )
    arrows = tuple(
        Arrow(
            boxes[at].ident,
            boxes[at * 7 % len(boxes)].ident,
            text,
            VERDICTS[at % 5],  # type: ignore[arg-type]
            both=at % 3 == 0,
            head=at % 4 != 0,
            note=(text,),
            place=text,
        )
        for at, text in enumerate(HOSTILE)
    )
    frames = (
        Frame("f0", "node", HOSTILE[0], note=(HOSTILE[1],)),
        Frame("f1", "group", HOSTILE[1], inside="f0"),
        Frame("f2", "network", HOSTILE[17], place=HOSTILE[2]),
    )
    return Picture(HOSTILE[0], boxes, frames, arrows, tuple(HOSTILE))


def small() -> Picture:
    boxes = (
        Box("a", "pods", ("web ×3", "10.0.0.1"), "shop", isolation="none", note=("more",), place="a.yaml:3"),
        Box("b", "policy", ("deny",), "shop", isolation="both", link="#group-3"),
    )
    arrows = (
        Arrow("a", "b", "80/TCP", "allow"),
        Arrow("a", "b", "81/TCP", "deny"),
        Arrow("b", "a", "", "unknown", both=True),
        Arrow("b", "b", "veth", head=False),
    )
    return Picture("small", boxes, (Frame("shop", "namespace", "shop"),), arrows, ("below",))


def test_graphviz_has_a_cluster_for_a_frame_and_a_sign_for_a_verdict():
    """A box has its lines, its note and its place; what is not isolated is dashed."""
    lines = [line.strip() for line in dot.lines(small())]

    assert "subgraph cluster_0 {" in lines
    (web,) = [line for line in lines if line.startswith("n0 [")]
    assert r'label="web ×3\n10.0.0.1\nnot isolated"' in web
    assert "dashed" in web
    assert r'tooltip="more\na.yaml:3"' in web
    assert 'URL="#group-3"' in "\n".join(lines)
    assert any('label="X 81/TCP"' in line and "style=dashed" in line for line in lines)
    assert any("style=dotted" in line and "dir=both" in line for line in lines)
    assert any('label="veth"' in line and "dir=none" in line for line in lines)


def test_mermaid_has_a_subgraph_for_a_frame_and_a_sign_for_a_verdict():
    """Every line of a small flowchart is as stated."""
    assert [
        "flowchart LR",
        '  subgraph f0["shop"]',
        '    n0("web #215;3<br/>10#46;0#46;0#46;1<br/>not isolated"):::open',
        '    n1>"deny"]',
        "  end",
        '  n0 -->|"80#47;TCP"| n1',
        '  n0 -.-x|"X 81#47;TCP"| n1',
        '  n1 <-.->|"u"| n0',
        '  n1 ---|"veth"| n1',
        "  classDef open stroke-dasharray:6 4,stroke-width:3px",
    ] == list(mermaid.lines(small()))


def test_no_text_becomes_syntax_of_mermaid():
    """Between quotation marks are letters, digits, blanks, codes of characters, and our own line breaks."""
    text = re.compile(r"(?:[^\W_]| |#\d+;|<br/>)*")
    for line in list(mermaid.lines(hostile()))[1:]:
        parts = line.split('"')

        assert len(parts) in (1, 3)
        assert text.fullmatch("".join(parts[1:2])), line
        assert re.fullmatch(r"[\w \[\]()/<>=|.:,-]*", "".join(parts[::2])), line


@pytest.mark.parametrize("language", [dot, mermaid])
def test_a_box_of_a_missing_frame_is_in_no_frame(language: ModuleType):
    """No text leaves out a box."""
    (line,) = [line for line in language.lines(Picture("p", (Box("a", "pods", ("lost",), "gone"),))) if "lost" in line]

    assert line.startswith("  n0")


def test_a_large_picture_is_no_flowchart():
    """20 boxes fit; 21 are an error that names other formats."""
    boxes = tuple(Box(str(at), "pods", (str(at),)) for at in range(21))

    assert not mermaid.fits(Picture("large", boxes))
    with pytest.raises(UsageError, match=r"21 boxes .* use -o svg"):
        list(mermaid.lines(Picture("large", boxes)))
    assert mermaid.fits(Picture("small", boxes[:20]))


def test_no_text_becomes_syntax_of_graphviz():
    """Outside of quoted strings are only words and signs of our own."""
    quoted = re.compile(r'"(?:[^"\\]|\\["\\n])*"')
    for line in dot.lines(hostile()):
        rest = quoted.sub("", line)

        assert re.fullmatch(r"[\w \[\]{};,=#>.-]*", rest), line
        assert line.isprintable()
        assert "URL" not in rest or re.search(r'URL="#[\w.:-]+"', line)


@pytest.mark.skipif(shutil.which("dot") is None, reason="needs dot, of the package graphviz")
def test_graphviz_draws_hostile_texts_as_they_are():
    """Graphviz shows entities and escapes as text, and makes no element or link of them."""
    text = "\n".join(dot.lines(hostile()))
    done = subprocess.run(["dot", "-Tsvg"], input=text.encode(), capture_output=True, check=True, timeout=60)
    drawn = ET.fromstring(done.stdout)  # noqa: S314  the output of dot
    shown = {element.text for element in drawn.iter("{http://www.w3.org/2000/svg}text")}
    tags = {element.tag.rpartition("}")[2] for element in drawn.iter()}
    links = {value for element in drawn.iter() for name, value in element.attrib.items() if name.endswith("href")}

    assert b"" == done.stderr
    assert {"<script>alert(1)</script>", "&lt;b&gt;&amp;", "#quot;#60;", '\\N \\G \\E \\" \\'} <= shown
    assert "script" not in tags
    assert "img" not in tags
    assert all(link.startswith("#") for link in links)
