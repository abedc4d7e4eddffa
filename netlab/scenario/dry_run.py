"""The dry run of a scenario: its steps without a lab. It finds all errors before a lab is built."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING

from netlab.cluster import Cluster, Placement, try_resolve
from netlab.cluster.find import is_service, pod_of
from netlab.cluster.resolve_change import resolve_change
from netlab.errors import InputError, NetlabError, Problem, UsageError, in_order
from netlab.frozen import frozen
from netlab.objects import Document, Objects, apply, delete, input_of, relabel
from netlab.objects.input import ALL_FACTS
from netlab.objects.kind import Fact
from netlab.objects.scenarios import Expectation, HttpExpectation, Meanwhile, Scenario, Step
from netlab.objects.system_objects import system_document
from netlab.objects.versions import STORED
from netlab.scenario.pairs import flows_of, unknown_names

if TYPE_CHECKING:
    from netlab.cluster.replacement import LabState

Change = Callable[["LabState"], Iterable[Sequence[Document]]]
"""Takes the state of a lab; returns its documents after each step of a change."""

_OF_SYSTEM = ("service:kube-system/kube-dns", "service:default/kubernetes")


@frozen
class DryRun:
    """A scenario without an error in any step.

    Its lab is built from ``objects`` and ``cluster``. ``pods`` is the largest number of pods that the lab has at any
    step.
    """

    scenario: Scenario
    objects: Objects
    cluster: Cluster
    pods: int


def dry_run(scenario: Scenario) -> DryRun:
    """Carry out all steps of a scenario without a lab.

    Raises:
      InputError: with every problem: objects that do not fit together after a step, steps that change a missing object,
        expectations that name a missing endpoint or match no pair.
    """
    lab = _State(scenario.resources if not needs_system(scenario) else (*scenario.resources, system_document()))
    found = lab.work_out(read=scenario.read_until(-1))
    objects, cluster = lab.objects, lab.cluster
    found += _problems(scenario, lab)
    if found:
        raise InputError(in_order(found, (scenario.source.file,)))
    return DryRun(scenario, objects, cluster, lab.most)


def needs_system(scenario: Scenario) -> bool:
    """Return whether a scenario needs system objects, such as cluster DNS: it runs a program, or asks about them."""
    return any(
        not isinstance(one, Expectation) or one.destination.startswith(_OF_SYSTEM)
        for step in scenario.steps
        for one in step.expect
    )


def _problems(scenario: Scenario, lab: _State) -> Iterator[Problem]:
    """Yield every error of the steps, but none that an earlier error may have caused."""
    for index, step in enumerate(scenario.steps):
        read = scenario.read_until(index)
        if step.meanwhile:
            yield from _meanwhile_problems(scenario, scenario.without_errors(step.meanwhile), lab)
        if step.apply or not read:
            lab.documents = apply(lab.documents, step.apply)
            yield from lab.work_out(read=read)
        if step.rollout:
            from netlab.cluster.rollout import rollout

            yield from lab.go(partial(rollout, changes=step.rollout), read=read)
        for change in scenario.without_errors(step.label):
            try:
                lab.documents = relabel(lab.documents, change, lambda ref: pod_of(lab.cluster, ref))
            except UsageError as error:
                if "pods" not in lab.unknown:
                    yield _problem(scenario, change.path, error)
        if step.label:
            yield from lab.work_out(read=read)
        for ref in scenario.without_errors(step.delete):
            try:
                lab.documents = delete(lab.documents, [ref])
            except UsageError as error:
                if "pods" not in lab.unknown:
                    yield _problem(scenario, ref.path, error)
        if step.delete:
            yield from lab.work_out(read=read)
        yield from _failure_problems(scenario, step, lab, read=read)
        yield from _expectation_problems(scenario, step, lab)


def _failure_problems(scenario: Scenario, step: Step, lab: _State, *, read: bool) -> Iterator[Problem]:
    """Kill pods, stop and start nodes, and yield the errors."""
    kills = scenario.without_errors(step.kill)
    if not (kills or step.stop or step.start):
        return
    # Late, as few scenarios have failures.
    from netlab.cluster import replacement

    changes: list[tuple[str, Change]] = []
    if kills:
        changes.append((kills[0].path, partial(replacement.kill, refs=[one.name for one in kills])))
    changes += [(one.path, partial(replacement.stop, node=one.name)) for one in scenario.without_errors(step.stop)]
    changes += [(one.path, partial(replacement.start, node=one.name)) for one in scenario.without_errors(step.start)]
    for path, change in changes:
        if not lab.whole:
            return
        try:
            yield from lab.go(change, read=read)
        except UsageError as error:
            yield _problem(scenario, path, error)


def _meanwhile_problems(scenario: Scenario, asked: Iterable[Meanwhile], lab: _State) -> Iterator[Problem]:
    """Yield the errors of clients that ask meanwhile: they begin before the changes."""
    if not lab.whole:
        return
    from netlab.scenario.meanwhile import MOST_CLIENTS, flows

    clients = 0
    for one in asked:
        try:
            clients += len(flows(lab.cluster, one))
        except UsageError as error:
            yield _problem(scenario, one.path, error)
        if clients > MOST_CLIENTS:
            few = "name one source, or a family"
            yield _problem(
                scenario, one.path, UsageError(f"{clients} clients: a step has at most {MOST_CLIENTS}; {few}")
            )
            return


class _State:
    """The state of the lab after the steps so far.

    ``whole`` is false while the state has an error. ``unknown`` names the facts that are unknown because of errors.
    ``most`` is the largest number of pods so far.
    """

    objects: Objects
    cluster: Cluster
    unknown: frozenset[Fact] = frozenset()
    whole = False
    most = 0

    def __init__(self, documents: Sequence[Document]) -> None:
        self.documents = documents

    def work_out(self, *, read: bool) -> list[Problem]:
        """Update objects and cluster from the documents, and return the errors.

        ``read`` says that all documents of the step could be read.
        """
        # Decoding has judged the objects of each step.
        found = input_of(self.documents, server=STORED)
        problems = [problem for problem in found.problems if problem.severity == "error"]
        self.unknown = found.unknown if read else ALL_FACTS
        after = (
            resolve_change(self.cluster, self.objects, found.objects) if self.whole and read and not problems else None
        )
        if after is not None:
            self.cluster = after
        else:
            pods = self.cluster.pods if self.most else ()
            keep = {pod.ref: Placement(pod.node, pod.addresses) for pod in pods}
            services = {one.meta.key: one for one in (self.cluster.services if self.most else ())}
            self.cluster, more = try_resolve(found.objects, keep, self.unknown, services=services)
            problems = [*more, *problems]
        self.objects = found.objects
        self.most = max(self.most, len(self.cluster.pods))
        self.whole = read and not problems
        return problems

    def go(self, change: Change, *, read: bool) -> list[Problem]:
        """Go through the states of a change; return the errors. Raises UsageError as ``change`` does."""
        if not self.whole:
            return []
        from netlab.cluster.replacement import LabState

        found: list[Problem] = []
        for documents in change(LabState(self.documents, self.objects, self.cluster)):
            self.documents = documents
            found += self.work_out(read=read)
            if not self.whole:
                break
        return found

    def may_have(self, name: str) -> bool:
        """Say whether the endpoint of a name may exist once the errors are fixed."""
        if name.startswith("host:"):
            return "hosts" in self.unknown
        if is_service(name):
            # Which Services exist is known only without errors.
            return not self.whole
        return "nodes" in self.unknown or ("pods" in self.unknown and not name.startswith("node:"))


def any_protocol(scenario: Scenario, expectation: Expectation) -> bool:
    """Say whether an expectation asks for ports of every protocol: it states neither a port's number nor a protocol."""
    return not isinstance(expectation.port, int) and f"{expectation.path}.protocol" not in scenario.source.lines


def _expectation_problems(scenario: Scenario, step: Step, lab: _State) -> Iterator[Problem]:
    for expectation in step.expect:
        if (isinstance(expectation, Expectation) and expectation.oracle) or expectation.path in scenario.wrong:
            continue
        unknown = [
            UsageError(message)
            for field, name, message in unknown_names(lab.cluster, expectation)
            if f"{expectation.path}.{field}" not in scenario.wrong and not lab.may_have(name)
        ]
        if not unknown and lab.whole and scenario.without_errors([expectation]):
            if isinstance(expectation, Expectation):
                unknown = list(_without_pairs(scenario, expectation, lab.cluster))
            elif isinstance(expectation, HttpExpectation):
                from netlab.scenario.urls import unknown_hosts

                unknown = [UsageError(why) for why in unknown_hosts(lab.cluster, expectation)]
        yield from (_problem(scenario, expectation.path, error) for error in unknown)


def _without_pairs(scenario: Scenario, expectation: Expectation, cluster: Cluster) -> Iterator[UsageError]:
    try:
        flows_of(cluster, expectation, any_protocol=any_protocol(scenario, expectation))
    except UsageError as error:
        yield error


def _problem(scenario: Scenario, path: str, error: NetlabError) -> Problem:
    source = scenario.source
    return Problem(source.file, source.line(path), path, f"Scenario {scenario.meta.name}", str(error))
