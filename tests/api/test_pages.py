"""Every example of docs/api.md and docs/api-reference.md runs, and prints what the page shows."""

from __future__ import annotations

import ast
import contextlib
import io
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import netlab
from netlab.cli import api_reference

DOCS = Path(__file__).parents[2] / "docs"
TEXT = (DOCS / "api.md").read_text()
REFERENCE = (DOCS / "api-reference.md").read_text()
# A block of Python, and the block of text after it, which is what it prints.
EXAMPLE = re.compile(r"^```python\n(.*?)^```\n(?:\n```text\n(.*?)^```\n)?", re.DOTALL | re.MULTILINE)
KERNEL = "\n## A lab\n"
LAB = "shop"
ANYTHING = "..."


def run(text: str, names: dict[str, Any]) -> None:
    """Run the examples of a text, one after the other, with one set of names."""
    for match in EXAMPLE.finditer(text):
        out = io.StringIO()
        with contextlib.redirect_stdout(out):
            exec(compile(match[1], "docs/api.md", "exec"), names)  # noqa: S102  # the page is this repository's
        if match[2] is not None:
            pattern = ".*".join(map(re.escape, match[2].split(ANYTHING)))
            assert re.fullmatch(pattern, out.getvalue(), re.DOTALL), (match[1], out.getvalue())


@pytest.fixture(autouse=True)
def in_the_repository(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(DOCS.parent)


def test_the_examples_without_a_kernel() -> None:
    """As any user, on any system."""
    start, _, _ = TEXT.partition(KERNEL)

    run(start, {})


def test_every_example_of_the_page(unique: Callable[[str], str]) -> None:
    """From the top to the bottom; the lab is gone afterwards, also if an example fails."""
    name = unique("api")
    assert 1 == TEXT.count(f'name="{LAB}"')
    try:
        run(TEXT.replace(f'name="{LAB}"', f"name={name!r}"), {})
    finally:
        if name in netlab.Lab.names():
            netlab.Lab.open(name).down()


def test_the_page_of_the_reference_is_what_the_docstrings_state() -> None:
    """It is once ``python -m netlab.cli.api_reference > docs/api-reference.md`` was run."""

    assert "\n".join(api_reference.lines()) + "\n" == REFERENCE


def test_every_public_name_has_its_contract() -> None:
    """Each has a docstring, and a heading on the page."""
    bare = [name for name in netlab.__all__ if not (getattr(netlab, name).__doc__ or "").strip()]
    headings = set(re.findall(r"^### (\w+)", REFERENCE, re.MULTILINE))

    assert [] == bare
    assert {*netlab.__all__} == headings


def test_a_program_with_types_uses_every_public_name() -> None:
    """``make lint`` checks it with mypy."""
    tree = ast.parse((Path(__file__).parent / "program.py").read_text())
    used = {
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "netlab"
    }

    assert {*netlab.__all__} == used


def test_what_is_not_public_exists() -> None:
    """A renamed method is renamed in the list too."""
    for name, hidden in api_reference.NOT_PUBLIC.items():
        value = getattr(netlab, name)
        known = {*dir(value), *getattr(value, "__dataclass_fields__", ())}

        assert set() == hidden - known


def test_every_example_of_the_reference(unique: Callable[[str], str]) -> None:
    """With the names that the text around them mentions."""
    from scapy.layers.inet import IP, TCP

    objects, _ = netlab.load(["examples/shop"])
    examples = [match[1] for match in EXAMPLE.finditer(REFERENCE)]
    names: dict[str, Any] = {name: getattr(netlab, name) for name in netlab.__all__}
    names |= {"objects": objects, "documents": objects.documents[:1], "IP": IP, "TCP": TCP}
    with netlab.temporary(objects) as lab, contextlib.redirect_stdout(io.StringIO()):
        names |= {"lab": lab, "address": str(lab.find("shop/db").addresses[0])}
        assert 3 == len(examples)
        for example in examples:
            text = example.replace("Lab.up(objects)", f"Lab.up(objects, name={unique('api')!r})")
            exec(text, dict(names))  # noqa: S102  # as above
