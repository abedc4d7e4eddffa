"""Scenario as a value: its steps, the changes that they make and the verdicts that they expect."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import field
from typing import Literal, TypeVar

from netlab.frozen import frozen
from netlab.objects.types import Address, Document, Meta, Source
from netlab.patterns import pattern

Verdict = Literal["allow", "deny", "some"]

TIMEOUT = 5
"""Seconds: the default of an expectation's ``timeout``."""


@frozen
class Expectation:
    """A verdict that packets must have; with ``oracle`` every pair is compared with the evaluator.

    ``source`` and ``destination`` are as written, globs included. ``port`` is a number or a port's name; None stands
    for every port that the destination declares. ``family`` None stands for both.
    """

    source: str = ""
    destination: str = ""
    port: int | str | None = None
    protocol: str = "TCP"
    verdict: Verdict = "allow"
    family: int | None = None
    oracle: bool = False
    path: str = ""
    line: int = 0


@frozen
class HttpExpectation:
    """The answer that an HTTP request must have; each source that ``source`` matches sends one.

    ``status`` None stands for any status. ``body`` is a text that the answer's body must contain. If ``answered`` is
    False, there must be no answer. ``family`` None stands for both, in the order of the resolver. ``timeout``
    is in seconds.
    """

    source: str
    url: str
    status: int | None = None
    body: str | None = None
    answered: bool = True
    family: int | None = None
    timeout: int = TIMEOUT
    path: str = ""
    line: int = 0


@frozen
class LookupExpectation:
    """The addresses that a name must have for each source that ``source`` matches.

    If ``addresses`` is empty, the name must not exist. If it is None, no server must answer. ``family`` narrows the
    addresses. ``timeout`` is in seconds.
    """

    source: str
    name: str
    addresses: tuple[Address, ...] | None = ()
    family: int | None = None
    timeout: int = TIMEOUT
    path: str = ""
    line: int = 0


@frozen
class RunExpectation:
    """The exit status and output that a program must have inside each source that ``source`` matches.

    ``stdout`` is a text that the output must contain; "" stands for no output, None for any. ``timeout`` is in
    seconds.
    """

    source: str
    argv: tuple[str, ...]
    exit: int = 0
    stdout: str | None = None
    timeout: int = TIMEOUT
    path: str = ""
    line: int = 0


ProgramExpectation = HttpExpectation | LookupExpectation | RunExpectation
"""An expectation for which the lab runs a program in the source."""


@frozen
class LabelChange:
    """Labels to set on one pod (``NAMESPACE/NAME``) or one namespace; the value None removes a label."""

    kind: Literal["pod", "namespace"]
    name: str
    labels: Mapping[str, str | None]
    path: str = ""


@frozen
class ObjectRef:
    """A reference to one object to delete. ``api_version`` "" stands for that of the kind that netlab reads."""

    kind: str
    name: str
    namespace: str = ""
    path: str = ""
    api_version: str = ""


@frozen
class Name:
    """The name of a pod or a node that a step kills, stops or starts."""

    name: str
    path: str = ""


@frozen
class Meanwhile:
    """A client that asks a Service or a pod again and again while a step makes its changes.

    ``at_least`` and ``at_most`` are bounds for the number of requests without an answer; None stands for no bound. The
    other fields are those of ``Expectation``.
    """

    source: str
    destination: str
    port: int | str | None = None
    family: int | None = None
    at_least: int | None = None
    at_most: int | None = None
    path: str = ""
    line: int = 0

    def expectation(self) -> Expectation:
        """Return what matches the same pairs."""
        return Expectation(self.source, self.destination, self.port, family=self.family, path=self.path, line=self.line)


@frozen
class Step:
    """One step of a scenario: the changes in the order of the fields, ``meanwhile`` beside them, then ``expect``."""

    name: str
    apply: tuple[Document, ...] = ()
    label: tuple[LabelChange, ...] = ()
    delete: tuple[ObjectRef, ...] = ()
    expect: tuple[Expectation | ProgramExpectation, ...] = ()
    path: str = ""
    rollout: tuple[Document, ...] = ()
    kill: tuple[Name, ...] = ()
    stop: tuple[Name, ...] = ()
    start: tuple[Name, ...] = ()
    meanwhile: tuple[Meanwhile, ...] = ()

    def without_changes(self) -> Step:
        """Return the step with its expectations only."""
        return Step(self.name, expect=self.expect, path=self.path)


_Item = TypeVar("_Item", LabelChange, ObjectRef, Expectation | ProgramExpectation, Name, Meanwhile)
_NOT_OF_THE_LAB = pattern(r"(metadata|spec\.description)\b")
_OF_A_STEP = pattern(
    r"spec\.steps\[(?P<step>[0-9]+)\](?P<item>\.(name|label|delete|expect|kill|stop|start|meanwhile)(?![^.\[]))?"
)


@frozen
class Scenario:
    """A Scenario; ``resources`` has the documents of the files that it names.

    ``wrong`` has the paths of its fields with errors, "" for an error in a file that it names.
    """

    meta: Meta
    description: str = ""
    resources: tuple[Document, ...] = ()
    steps: tuple[Step, ...] = ()
    source: Source = field(default_factory=Source, compare=False)
    wrong: tuple[str, ...] = ()

    def without_errors(self, items: Iterable[_Item]) -> tuple[_Item, ...]:
        """Return the items of a step that have no errors."""
        return tuple(item for item in items if not any(path.startswith(item.path) for path in self.wrong))

    def read_until(self, index: int) -> bool:
        """Say whether all objects of the lab after the step of an index could be read; -1 is before the first step."""
        for path in self.wrong:
            step = _OF_A_STEP.match(path)
            if not (_NOT_OF_THE_LAB.match(path) or (step and (step["item"] or int(step["step"]) > index))):
                return False
        return True
