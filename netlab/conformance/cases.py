"""Cases as values: the objects of each stage, and the expected verdict of every cell."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Literal

from netlab.frozen import NamedTuple, frozen
from netlab.objects.types import Document

Verdict = Literal["allow", "deny"]


class Cell(NamedTuple):
    """One flow of a case: the references of both ends, protocol, port and family; ``port`` is None for ICMP."""

    source: str
    destination: str
    protocol: str = "TCP"
    port: int | None = 80
    family: int = 4

    def __str__(self) -> str:
        port = self.protocol if self.port is None else f"{self.port}/{self.protocol}"
        return f"{self.source} -> {self.destination} {port} IPv{self.family}"


Table = Mapping[Cell, "str | None"]
"""The expected verdict of each cell; None if the case states none, and the judges only have to agree.

A cell to a Service may also have ``some``, with the verdict of each endpoint as the judges write it.
"""


@frozen
class Stage:
    """One state of a cluster and the verdicts in it. A running lab is changed from stage to stage."""

    name: str
    documents: tuple[Document, ...]
    table: Table


@frozen
class Case:
    """One case; summaries count cases by ``feature``.

    A case with ``refusal`` has one stage, and its documents must be refused with an error that contains this text.
    """

    name: str
    feature: str
    stages: tuple[Stage, ...]
    refusal: str = ""


@frozen
class Unjudged:
    """An edge case that no judge can answer yet, and why."""

    name: str
    why: str


def parse_port(text: str) -> tuple[str, int | None]:
    """Return the protocol and port of ``80``, ``80/UDP`` or ``ICMP``."""
    if text == "ICMP":
        return "ICMP", None
    number, _, protocol = text.partition("/")
    return protocol or "TCP", int(number)


def table(ends: Sequence[str], denied: Mapping[str, str]) -> dict[Cell, Verdict | None]:
    """Return a table in which all cells are allowed but those that ``denied`` lists.

    ``denied`` has for each port patterns ``SOURCE > DESTINATION`` with globs, separated by commas. ``!`` before a
    pattern allows its cells again; the last matching pattern counts. Pairs of an end with itself, and pairs whose
    source is not a pod, are asked only if a pattern without globs names them.
    """
    found: dict[Cell, Verdict | None] = {}
    for text, patterns in denied.items():
        protocol, port = parse_port(text)
        for source, destination in _pairs(ends):
            found[Cell(source, destination, protocol, port)] = "allow"
        for pattern in filter(None, patterns.split(", ")):
            source, _, destination = pattern.removeprefix("! ").partition(" > ")
            verdict: Verdict = "allow" if pattern.startswith("! ") else "deny"
            if "*" not in pattern:
                found[Cell(source, destination, protocol, port)] = verdict
            for pair in _pairs(ends):
                if fnmatchcase(pair[0], source) and fnmatchcase(pair[1], destination):
                    found[Cell(*pair, protocol, port)] = verdict
    return found


def _pairs(ends: Sequence[str]) -> Iterator[tuple[str, str]]:
    return ((s, d) for s in ends for d in ends if s != d and ":" not in s)


def chosen(cases: Iterable[Case], globs: Sequence[str]) -> Iterator[Case]:
    """Yield the cases whose name matches one of the globs; all if there are no globs."""
    return (case for case in cases if not globs or any(fnmatchcase(case.name, glob) for glob in globs))
