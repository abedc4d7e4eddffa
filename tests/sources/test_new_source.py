"""A new source of ``-f`` is one module and one line in ``SOURCES``."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from click.testing import Result

from netlab import sources
from netlab.errors import Problem
from netlab.objects import Document
from netlab.objects.documents import Reader, parse

Call = Callable[..., Result]


class _Toy:
    """``toy:NAME`` is a pod of this name."""

    form = "toy:NAME"

    def claims(self, text: str) -> bool:
        return text.startswith("toy:")

    def read(self, text: str, reader: Reader) -> tuple[list[Document], list[Problem]]:
        reader.files.append(text)
        name = text.partition(":")[2]
        if not name:
            return [], [Problem(text, 0, "", "", "a toy has a name")]
        return parse(f"{{apiVersion: v1, kind: Pod, metadata: {{name: {name}}}}}", text, reader.budget)


@pytest.fixture(autouse=True)
def toy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Add the line."""
    monkeypatch.setattr(sources, "SOURCES", (_Toy(), *sources.SOURCES))


def test_every_command_reads_a_new_source(netlab: Call) -> None:
    """Beside others, for ``--with`` too; its objects are explained with its name."""
    reached = netlab("reach", "-f", "toy:a", "-f", "toy:b", "--with", "toy:c", "-o", "json")
    explained = netlab("explain", "a", "b", "-f", "toy:a", "-f", "toy:b")

    assert {"default/a", "default/b", "default/c"} == {row["source"] for row in json.loads(reached.stdout)["rows"]}
    assert "toy:a:1" in explained.stdout
    assert 0 == netlab("compile", "-f", "toy:a").exit_code
    assert 0 == netlab("graph", "topology", "-f", "toy:a").exit_code


def test_its_problems_are_those_of_the_input(netlab: Call) -> None:
    """In one list with all others, with exit code 2."""
    done = netlab("check", "-f", "toy:", "-f", "/nonexistent")

    assert 2 == done.exit_code
    assert ["toy:: a toy has a name", "/nonexistent: No such file or directory"] == done.stderr.splitlines()[:2]
