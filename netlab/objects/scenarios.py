"""Scenario as a value: its steps, the changes that they make and the verdicts that they expect."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import field
from typing import Literal, TypeVar

from netlab.frozen import frozen
from netlab.objects.types import Document, Meta, Source
from netlab.patterns import pattern

Verdict = Literal["allow", "deny", "some"]


@frozen
class Expectation:
    """One item of a step's ``expect``; with ``oracle`` every pair is compared with the evaluator.

    ``source`` and ``destination`` are as written, globs included. ``port`` None stands for every declared port of the
    destination. ``family`` None stands for both.
    """

    source: str = ""
    destination: str = ""
    port: int | None = None
    protocol: str = "TCP"
    verdict: Verdict = "allow"
    family: int | None = None
    oracle: bool = False
    path: str = ""
    line: int = 0


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
class Step:
    """One step of a scenario: first ``apply``, then ``label``, then ``delete``, then ``expect``."""

    name: str
    apply: tuple[Document, ...] = ()
    label: tuple[LabelChange, ...] = ()
    delete: tuple[ObjectRef, ...] = ()
    expect: tuple[Expectation, ...] = ()
    path: str = ""


_Item = TypeVar("_Item", LabelChange, ObjectRef, Expectation)
_NOT_OF_THE_LAB = pattern(r"(metadata|spec\.description)\b")
_OF_A_STEP = pattern(r"spec\.steps\[(?P<step>[0-9]+)\](?P<item>\.(name|label|delete|expect)(?![^.\[]))?")


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
