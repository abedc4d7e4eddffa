"""Checks of a scenario's objects and steps, before ``netlab.scenario`` carries them out with a cluster."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from netlab.errors import InputError, Problem, UsageError
from netlab.objects import document_changes
from netlab.objects.meta import IGNORED_KIND
from netlab.objects.scenarios import Scenario
from netlab.objects.tls_secrets import WITHOUT_CERTIFICATE
from netlab.objects.types import Document
from netlab.objects.usable import COUNTS
from netlab.patterns import pattern

Decode = Callable[[Iterable[Document]], tuple[Any, list[Problem]]]

# An error in one of these fields may hide an object's name, the number of its pods, or their nodes.
_HIDES_NAMES = pattern(rf"(kind|apiVersion|metadata(\.(name(space)?|generateName))?|spec(\.({COUNTS}|nodes.*))?)?")


def check_scenario(scenario: Scenario, name: str, decode: Decode) -> list[Problem]:
    """Return the problems of all documents that a scenario applies, and of references to objects that do not exist.

    A reference is checked only where the names of all objects are known. ``decode`` decodes documents, ``name`` is the
    scenario's name in messages. ``netlab.scenario.dry_run`` checks references to pods, as it needs the cluster.
    """
    documents = list(scenario.resources)
    ignored = [document for document in documents if document.kind == IGNORED_KIND]
    problems = decode(documents)[1]
    names_known = not _hide_names(problems)
    for index, step in enumerate(scenario.steps):
        # The Secret that an Ingress of a step names may be among the resources.
        applied = (*step.apply, *step.rollout)
        found = [problem for problem in decode([*ignored, *applied])[1] if problem.rule != WITHOUT_CERTIFICATE]
        problems += found
        try:
            documents = document_changes.apply(documents, applied)
        except InputError as error:
            problems += error.problems
        names_known = names_known and scenario.read_until(index) and not _hide_names(found)
        if not names_known:
            continue
        topologies = [document for document in documents if document.kind == "Topology"]
        if len(topologies) > 1:
            problems += decode(topologies)[1]
        for change in scenario.without_errors(step.label):
            if change.kind == "pod":
                continue
            try:
                documents = document_changes.relabel(documents, change, lambda ref: None)
            except UsageError as error:
                problems.append(_missing(scenario, name, change.path, error))
        for ref in scenario.without_errors(step.delete):
            try:
                documents = document_changes.delete(documents, [ref])
            except UsageError as error:
                problems.append(_missing(scenario, name, ref.path, error))
    return problems


def _missing(scenario: Scenario, name: str, path: str, error: UsageError) -> Problem:
    return Problem(scenario.source.file, scenario.source.line(path), path, name, str(error))


def _hide_names(problems: Iterable[Problem]) -> bool:
    return any(
        p.severity == "error" and (p.object.startswith("Node ") or _HIDES_NAMES.fullmatch(p.path)) for p in problems
    )
