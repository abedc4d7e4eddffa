"""Cases as values: what is in force stage by stage, and the verdict of every cell that is asked."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Literal, NamedTuple

from netlab.frozen import frozen
from netlab.objects.types import Document

Verdict = Literal["allow", "deny"]


class Cell(NamedTuple):
    """One question: references of both ends, and what is asked; ``port`` is None for ICMP."""

    source: str
    destination: str
    protocol: str = "TCP"
    port: int | None = 80
    family: int = 4

    def __str__(self) -> str:
        service = self.protocol if self.port is None else f"{self.port}/{self.protocol}"
        return f"{self.source} -> {self.destination} {service} IPv{self.family}"


Table = Mapping[Cell, "Verdict | None"]
"""The verdict of every cell that is asked; None where nobody states it and the judges need only agree."""


@frozen
class Stage:
    """A whole state of a cluster and the verdicts in it; from stage to stage a running lab is changed."""

    name: str
    documents: tuple[Document, ...]
    table: Table


@frozen
class Case:
    """One case; ``feature`` is what summaries count by.

    ``refusal`` is part of the error with which the reader must refuse the documents of its only stage.
    """

    name: str
    feature: str
    stages: tuple[Stage, ...]
    refusal: str = ""


@frozen
class Unjudged:
    """An edge case that no judge of netlab can answer yet, and why."""

    name: str
    why: str


def service(text: str) -> tuple[str, int | None]:
    """Return protocol and port of ``80``, ``80/UDP`` or ``ICMP``."""
    if text == "ICMP":
        return "ICMP", None
    number, _, protocol = text.partition("/")
    return protocol or "TCP", int(number)


def table(ends: Sequence[str], denied: Mapping[str, str]) -> dict[Cell, Verdict | None]:
    """Return a table in which everything is allowed but the cells that are listed.

    ``denied`` has, for each service that is asked, patterns ``SOURCE > DESTINATION`` with globs, separated by commas;
    ``!`` before one makes it allowed after all, and the last that matches wins. Pairs of an end with itself, and
    those whose source is no pod, are asked only where a pattern names them in full.
    """
    found: dict[Cell, Verdict | None] = {}
    for text, patterns in denied.items():
        protocol, port = service(text)
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
    """Yield the cases whose name matches one of the globs, all where there are none."""
    return (case for case in cases if not globs or any(fnmatchcase(case.name, glob) for glob in globs))
