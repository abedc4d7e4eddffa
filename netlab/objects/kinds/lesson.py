"""Lesson: what ``netlab learn`` teaches, asks and checks. ``netlab.lessons`` reads the files beside it."""

from __future__ import annotations

import re

from netlab.errors import Problem
from netlab.objects.expectations import EXPECTATION, expectation
from netlab.objects.field_types import Part, Root, Text, Texts
from netlab.objects.fields import Fields, duplicate, forbidden, invalid, required, too_many
from netlab.objects.kind import NETLAB_VERSION, Kind
from netlab.objects.lessons import Lesson, Question
from netlab.objects.meta import STRICT_CLUSTER_METADATA, object_meta, open_document
from netlab.objects.names import dns_label
from netlab.objects.scenarios import Expectation, RunExpectation
from netlab.objects.shapes import Shape
from netlab.objects.types import Document
from netlab.objects.usable import whole

FILE_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,60}\.(?:yaml|yml)")
"""The name of a file of a lesson: it becomes a path, so it has no slash, and does not begin with a dot."""
_MOST_HINTS = 10


class _Question(Shape, strict=True):
    """A question with the answer yes or no, which is asked before a packet is sent."""

    text = Text("text", "The question.", required=True)
    expect = Part(
        "expect",
        "What packets show with the unedited files, as in a Scenario, but `run` and `oracle`. The answer is yes if"
        " something arrives.",
        shape=EXPECTATION,
        required=True,
    )
    why = Text("why", "Why packets show it, in one or two sentences; printed after the answer.", required=True)


class _Spec(Shape, strict=True):
    """The spec of a Lesson."""

    title = Text("title", "The title, in a few words.", required=True)
    about = Text("about", "The one idea of the lesson, in one sentence.", required=True)
    question = Part("question", "What the learner answers first.", shape=_Question, required=True)
    task = Text("task", "What the learner does in the files.", required=True)
    edit = Texts("edit", "The files in `files/` that the task is about. Only these are checked.")
    hints = Texts("hints", "Hints, from a nudge to nearly the solution; at most 10.", most=_MOST_HINTS)


class _Root(Root, strict=True):
    """A lesson of `netlab learn`: `lesson.yaml` in a folder with `lesson.md`, `files/`, `check.yaml`, `solution/`."""

    metadata = STRICT_CLUSTER_METADATA
    spec = Part("spec", "What the lesson says, asks and checks.", shape=_Spec, required=True)


def lesson(document: Document) -> tuple[Lesson, list[Problem]]:
    """Decode a Lesson. It reads no other file."""
    root = open_document(document, strict=True)
    _Root.only(root)
    meta = object_meta(root, metadata=_Root.metadata)
    for message in dns_label(meta.name) if meta.name else ():
        root.report.error("metadata.name", invalid(meta.name, message))
    spec = _Root.spec.read(root)
    _Spec.only(spec)
    for one in (_Spec.title, _Spec.about, _Spec.task):
        if one.missing(spec):
            one.error(spec, required())
    for one in (_Spec.title, _Spec.about):
        if "\n" in one.read(spec).strip():
            one.error(spec, "must be one line")
    found = Lesson(
        meta,
        _Spec.title.read(spec).strip(),
        _Spec.about.read(spec).strip(),
        _question(spec),
        _Spec.task.read(spec).strip(),
        tuple(_edited(spec)),
        tuple(_hints(spec)),
        document.source,
    )
    return found, root.report.problems


def _question(spec: Fields) -> Question:
    asked = _Spec.question.read(spec)
    _Question.only(asked)
    for one in (_Question.text, _Question.why):
        if one.missing(asked):
            one.error(asked, required())
    found = Expectation()
    if _Question.expect.empty(asked):
        _Question.expect.error(asked, required())
    else:
        written = _Question.expect.read(asked)
        found = expectation(written)  # type: ignore[assignment]
        for message in not_of_lessons(found):
            written.report.error(written.path, forbidden(message))
        if isinstance(found, Expectation) and found.verdict == "some":
            written.error("verdict", invalid("some", "neither allow nor deny, but the answer is yes or no"))
    return Question(_Question.text.read(asked).strip(), _Question.why.read(asked).strip(), found)


def not_of_lessons(one: object) -> list[str]:
    """Return why a lesson may not have an expectation: it runs a program, or asks nothing of its own."""
    if isinstance(one, RunExpectation):
        return ["a lesson runs no program"]
    if isinstance(one, Expectation) and one.oracle:
        return ["a lesson states each pair that it asks for"]
    return []


def _edited(spec: Fields) -> list[str]:
    found: list[str] = []
    for path, name in _Spec.edit.read(spec):
        if not FILE_NAME.fullmatch(name):
            spec.report.error(
                path, invalid(name, "no name of a file in files/: write one such as policy.yaml, without a folder")
            )
        elif name in found:
            spec.report.error(path, duplicate(name))
        else:
            found.append(name)
    if not found and _Spec.edit.empty(spec):
        _Spec.edit.error(spec, required("names at least one file"))
    return found


def _hints(spec: Fields) -> list[str]:
    found = [text.strip() for _, text in _Spec.hints.read(spec)]
    if len(found) > _MOST_HINTS:
        _Spec.hints.error(spec, too_many(len(found), _MOST_HINTS))
    return found


KIND = Kind(
    "Lesson",
    NETLAB_VERSION,
    Lesson,
    lesson,
    namespaced=False,
    of_lab=False,
    usable=whole,
    shape=_Root,
)
