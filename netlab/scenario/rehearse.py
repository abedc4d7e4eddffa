"""A scenario carried out on paper: everything that is wrong with it shows before anything is built."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from netlab.cluster import Cluster, Placement, resolve
from netlab.errors import InputError, NetlabError, Problem, UsageError
from netlab.objects import Document, Objects, apply, decode, delete, relabel
from netlab.objects.types import Expectation, Scenario, Step
from netlab.scenario.pairs import flows_of


def rehearse(scenario: Scenario) -> Objects:
    """Return the objects that the scenario's lab is built from, once all its steps are known to work out.

    Raises:
      InputError: with every problem: objects that do not fit together after a step, steps that change what is not
        there, expectations that name what does not exist or that are about no pair.
    """
    objects, problems = decode(scenario.resources)
    _refuse(problems)
    found: list[Problem] = []
    documents: Sequence[Document] = scenario.resources
    cluster = resolve(objects)
    for step in scenario.steps:
        try:
            for edited in _edits(documents, step):
                documents, cluster = edited, _resolve(edited, cluster)
        except InputError as error:
            # What later steps would say of a cluster that is not there is of no use.
            raise InputError([*found, *error.problems]) from error
        except UsageError as error:
            raise InputError([*found, _problem(scenario, step.path, error)]) from error
        found += _wrong_expectations(scenario, step, cluster)
    if found:
        raise InputError(found)
    return objects


def any_protocol(scenario: Scenario, expectation: Expectation) -> bool:
    """Say whether an expectation leaves the protocol open: it states none, and no port that would be TCP's."""
    return expectation.port is None and f"{expectation.path}.protocol" not in scenario.source.lines


def _edits(documents: Sequence[Document], step: Step) -> Iterator[Sequence[Document]]:
    """Yield the documents after each change of a step, in the order in which a lab makes them."""
    if step.apply:
        documents = apply(documents, step.apply)
        yield documents
    if step.label:
        for change in step.label:
            documents = relabel(documents, change)
        yield documents
    if step.delete:
        yield delete(documents, step.delete)


def _resolve(documents: Sequence[Document], before: Cluster) -> Cluster:
    objects, problems = decode(documents)
    _refuse(problems)
    return resolve(objects, {pod.ref: Placement(pod.node, pod.addresses) for pod in before.pods})


def _refuse(problems: Sequence[Problem]) -> None:
    if any(problem.severity == "error" for problem in problems):
        raise InputError(problems)


def _wrong_expectations(scenario: Scenario, step: Step, cluster: Cluster) -> Iterator[Problem]:
    for expectation in step.expect:
        if expectation.oracle:
            continue
        try:
            flows_of(cluster, expectation, any_protocol=any_protocol(scenario, expectation))
        except UsageError as error:
            yield _problem(scenario, expectation.path, error)


def _problem(scenario: Scenario, path: str, error: NetlabError) -> Problem:
    source = scenario.source
    return Problem(source.file, source.line(path), path, f"Scenario {scenario.meta.name}", str(error))
