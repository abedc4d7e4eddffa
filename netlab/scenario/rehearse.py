"""A scenario carried out without a lab: everything that is wrong with it shows before anything is built."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from netlab.cluster import Cluster, Placement, outline
from netlab.cluster.find import pod_of
from netlab.cluster.follow import follow
from netlab.errors import InputError, NetlabError, Problem, UsageError, in_order
from netlab.frozen import frozen
from netlab.objects import Document, Objects, apply, delete, examine_documents, relabel
from netlab.objects.examine import EVERYTHING
from netlab.objects.kind import Doubt
from netlab.objects.scenarios import Expectation, Scenario, Step
from netlab.scenario.pairs import flows_of, unknown_names


@frozen
class Rehearsal:
    """A scenario all of whose steps are known to work out.

    Its lab is built from ``objects``, which ``cluster`` was made of, and has at most as many pods as ``pods`` says.
    """

    scenario: Scenario
    objects: Objects
    cluster: Cluster
    pods: int


def rehearse(scenario: Scenario) -> Objects:
    """Return the objects that the scenario's lab is built from, once all its steps are known to work out.

    Raises:
      InputError: with every problem: objects that do not fit together after a step, steps that change what is not
        there, expectations that name what does not exist or that are about no pair.
    """
    return rehearsed(scenario).objects


def rehearsed(scenario: Scenario) -> Rehearsal:
    """Return the scenario with what its lab begins as; raises as ``rehearse`` does."""
    lab = _State(scenario.resources)
    found = lab.work_out(read=scenario.read_until(-1))
    objects, cluster = lab.objects, lab.cluster
    found += _problems(scenario, lab)
    if found:
        raise InputError(in_order(found, (scenario.source.file,)))
    return Rehearsal(scenario, objects, cluster, lab.most)


def _problems(scenario: Scenario, lab: _State) -> Iterator[Problem]:
    """Yield every error of the steps; what an earlier one hides is left out."""
    for index, step in enumerate(scenario.steps):
        read = scenario.read_until(index)
        if step.apply or not read:
            lab.documents = apply(lab.documents, step.apply)
            yield from lab.work_out(read=read)
        for change in scenario.sound(step.label):
            try:
                lab.documents = relabel(lab.documents, change, lambda ref: pod_of(lab.cluster, ref))
            except UsageError as error:
                if "pods" not in lab.doubts:
                    yield _problem(scenario, change.path, error)
        if step.label:
            yield from lab.work_out(read=read)
        for ref in scenario.sound(step.delete):
            try:
                lab.documents = delete(lab.documents, [ref])
            except UsageError as error:
                if "pods" not in lab.doubts:
                    yield _problem(scenario, ref.path, error)
        if step.delete:
            yield from lab.work_out(read=read)
        yield from _wrong_expectations(scenario, step, lab)


class _State:
    """What the lab would be; ``whole`` says that nothing of it is wrong, ``doubts`` what is not known of it.

    ``most`` is the number of pods when there were most.
    """

    objects: Objects
    cluster: Cluster
    doubts: frozenset[Doubt] = frozenset()
    whole = False
    most = 0

    def __init__(self, documents: Sequence[Document]) -> None:
        self.documents = documents

    def work_out(self, *, read: bool) -> list[Problem]:
        """Make objects and cluster anew and return the errors; ``read`` says that all documents are there."""
        found = examine_documents(self.documents)
        problems = [problem for problem in found.problems if problem.severity == "error"]
        self.doubts = found.doubts if read else EVERYTHING
        after = follow(self.cluster, self.objects, found.objects) if self.whole and read and not problems else None
        if after is not None:
            self.cluster = after
        else:
            pods = self.cluster.pods if self.most else ()
            keep = {pod.ref: Placement(pod.node, pod.addresses) for pod in pods}
            self.cluster, more = outline(found.objects, keep, self.doubts)
            problems = [*more, *problems]
        self.objects = found.objects
        self.most = max(self.most, len(self.cluster.pods))
        self.whole = read and not problems
        return problems

    def may_have(self, name: str) -> bool:
        """Say whether what a name means may be there once what is wrong is mended."""
        if name.startswith("host:"):
            return "hosts" in self.doubts
        return "nodes" in self.doubts or ("pods" in self.doubts and not name.startswith("node:"))


def any_protocol(scenario: Scenario, expectation: Expectation) -> bool:
    """Say whether an expectation leaves the protocol open: it states none, and no port that would be TCP's."""
    return expectation.port is None and f"{expectation.path}.protocol" not in scenario.source.lines


def _wrong_expectations(scenario: Scenario, step: Step, lab: _State) -> Iterator[Problem]:
    for expectation in step.expect:
        if expectation.oracle or expectation.path in scenario.wrong:
            continue
        unknown = [
            UsageError(message)
            for field, name, message in unknown_names(lab.cluster, expectation)
            if f"{expectation.path}.{field}" not in scenario.wrong and not lab.may_have(name)
        ]
        if not unknown and lab.whole and scenario.sound([expectation]):
            unknown = list(_about_nothing(scenario, expectation, lab.cluster))
        yield from (_problem(scenario, expectation.path, error) for error in unknown)


def _about_nothing(scenario: Scenario, expectation: Expectation, cluster: Cluster) -> Iterator[UsageError]:
    try:
        flows_of(cluster, expectation, any_protocol=any_protocol(scenario, expectation))
    except UsageError as error:
        yield error


def _problem(scenario: Scenario, path: str, error: NetlabError) -> Problem:
    source = scenario.source
    return Problem(source.file, source.line(path), path, f"Scenario {scenario.meta.name}", str(error))
