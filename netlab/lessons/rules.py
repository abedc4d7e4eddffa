"""What a lesson may have: rules between its files, and what only a trusted file may have."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping

from netlab.errors import Problem
from netlab.modes import cni
from netlab.objects.documents import parse
from netlab.objects.kinds.lesson import not_of_lessons
from netlab.objects.lessons import Lesson
from netlab.objects.scenarios import Scenario
from netlab.objects.types import Document

LESSON, TEXT, FILES, CHECK, SOLUTION = "lesson.yaml", "lesson.md", "files", "check.yaml", "solution"


def misnamed_files(folder: str, lesson: Lesson, files: Mapping[str, str], solution: Mapping[str, str]) -> list[Problem]:
    """Return the problems of files that are named and missing, or that the solution may not have."""
    found = []
    for index, name in enumerate(lesson.edit):
        path = f"spec.edit[{index}]"
        for place, names in ((FILES, files), (SOLUTION, solution)):
            if names and name not in names:
                found.append(problem_of(lesson, path, f"there is no {place}/{name}"))
    for name in solution:
        if name not in lesson.edit:
            file = os.path.join(folder, SOLUTION, name)
            found.append(Problem(file, 0, "", "", f"spec.edit of {LESSON} does not name {name}"))
    return found


def other_files(document: Document) -> list[Problem]:
    """Return a problem for each file that a Scenario names, but for the folder ``files``."""
    spec = document.data.get("spec")
    spec = spec if isinstance(spec, dict) else {}
    named: list[tuple[str, object]] = []
    resources = spec.get("resources")
    if resources != [FILES]:
        named.append(("spec.resources", resources))
    steps = spec.get("steps")
    for index, step in enumerate(steps if isinstance(steps, list) else ()):
        for field in ("apply", "rollout"):
            applied = step.get(field) if isinstance(step, dict) else None
            for at, item in enumerate(applied if isinstance(applied, list) else ()):
                if not isinstance(item, dict):
                    named.append((f"spec.steps[{index}].{field}[{at}]", item))
    return [
        _problem(document, path, f"the check of a lesson has `resources: [{FILES}]`, and names no other file")
        for path, _ in named
    ]


def wrong_expectations(scenario: Scenario) -> list[Problem]:
    """Return a problem for each expectation of a check that a lesson may not have, and one if there is none at all."""
    source, name = scenario.source, f"Scenario {scenario.meta.name}"
    expected = [one for step in scenario.steps for one in step.expect]
    found = [
        Problem(source.file, source.line(one.path), one.path, name, f"Forbidden: {message}")
        for one in expected
        for message in not_of_lessons(one)
    ]
    if not expected:
        found.append(Problem(source.file, source.line("spec.steps"), "spec.steps", name, "expects nothing"))
    return found


def topologies_with_plugins(folder: str, name: str, texts: Mapping[str, str]) -> Iterator[Problem]:
    """Yield a problem for each Topology in files whose network plugins would make."""
    for file, text in texts.items():
        documents, _ = parse(text, os.path.join(folder, name, file))
        yield from filter(None, map(with_plugins, documents))


def with_plugins(document: Document) -> Problem | None:
    """Return the problem of a Topology that has a network of mode ``cni``, or a configuration list."""
    spec = document.data.get("spec") if document.kind == "Topology" else None
    networks = spec.get("networks") if isinstance(spec, dict) else None
    for index, one in enumerate(networks if isinstance(networks, list) else ()):
        if isinstance(one, dict) and (one.get("mode") == cni.MODE.name or one.get("conflist") is not None):
            message = f"a lesson has no network of mode {cni.MODE.name}: its plugins are programs of this host"
            return _problem(document, f"spec.networks[{index}]", message)
    return None


def problem_of(lesson: Lesson, path: str, message: str) -> Problem:
    source = lesson.source
    return Problem(source.file, source.line(path), path, f"Lesson {lesson.meta.name}", message)


def _problem(document: Document, path: str, message: str) -> Problem:
    metadata = document.data.get("metadata")
    name = metadata.get("name") if isinstance(metadata, dict) else ""
    source = document.source
    return Problem(source.file, source.line(path), path, f"{document.kind} {name}".strip(), message)
