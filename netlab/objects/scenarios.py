"""Scenario, as a value: its steps, what they change and what they expect."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import field
from typing import Literal, TypeVar

from netlab.frozen import frozen
from netlab.objects.types import Document, Meta, Source
from netlab.patterns import pattern

Verdict = Literal["allow", "deny"]


@frozen
class Expectation:
    """One line of a step's ``expect``; ``oracle`` compares every pair with the evaluator and ignores the rest.

    ``source`` and ``destination`` are as written (globs allowed). ``port`` None is every declared port of the
    destination. ``line`` is where it stands.
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
    """Labels to set (or, with None, to remove) on one pod (``NAMESPACE/NAME``) or one namespace."""

    kind: Literal["pod", "namespace"]
    name: str
    labels: Mapping[str, str | None]
    path: str = ""


@frozen
class ObjectRef:
    """Names one object: what ``delete`` takes. ``api_version`` "" means the kind of that name that netlab reads."""

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
_OF_NO_OBJECT = pattern(r"(metadata|spec\.description)\b")
_OF_A_STEP = pattern(r"spec\.steps\[(?P<step>[0-9]+)\](?P<item>\.(name|label|delete|expect)(?![^.\[]))?")


@frozen
class Scenario:
    """What ``netlab test`` runs; ``resources`` are the documents of the files that it names, read already.

    ``wrong`` are the paths of its fields that are not right, "" for what was wrong with a file that it names.
    """

    meta: Meta
    description: str = ""
    resources: tuple[Document, ...] = ()
    steps: tuple[Step, ...] = ()
    source: Source = field(default_factory=Source, compare=False)
    wrong: tuple[str, ...] = ()

    def sound(self, items: Iterable[_Item]) -> tuple[_Item, ...]:
        """Return the items of a step that have no error."""
        return tuple(item for item in items if not any(path.startswith(item.path) for path in self.wrong))

    def read_until(self, index: int) -> bool:
        """Say whether everything was read that the lab consists of after a step, by its number."""
        for path in self.wrong:
            step = _OF_A_STEP.match(path)
            if not (_OF_NO_OBJECT.match(path) or (step and (step["item"] or int(step["step"]) > index))):
                return False
        return True
