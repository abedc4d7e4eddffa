"""Random clusters and policies under settings of ``spec.policy``, for all judges and for the fast versions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from random import Random

from random_clusters import some_cluster, some_questions

from netlab.cluster.flows import Flow, FlowSelection
from netlab.cluster.types import Cluster, Endpoint
from netlab.conformance import random_cases, service_cases
from netlab.conformance.base_cluster import topology
from netlab.conformance.cases import Cell, Stage
from netlab.conformance.disagreements import disagreements
from netlab.conformance.judges import NAMES, JudgeName
from netlab.conformance.run import judges
from netlab.objects.topology import TopologyPolicy
from netlab.objects.types import Document
from netlab.policy.evaluate import evaluate
from netlab.policy.expand import Expansion
from netlab.policy.groups import groups
from netlab.policy.placeholders import DESTINATION, SOURCE

MORE_CELLS = tuple(
    Cell(pod, "node:node-1", *port)
    for pod in ("x/a", "y/a")
    for port in (("TCP", 80), ("UDP", 53), ("SCTP", 81), ("TCP", 30080), ("ICMP", None))
)
"""Cells that every case asks too: packets of pods to nodes."""


def topology_with(settings: Mapping[str, str], mode: str) -> Document:
    """Return the topology of the random cases with settings of ``spec.policy``."""
    usual = topology(mode)
    return replace(usual, data={**usual.data, "spec": {**usual.data["spec"], "policy": dict(settings)}})


def stages(settings: Mapping[str, str], count: int, seed: int, mode: str) -> Iterator[Stage]:
    """Yield ``count`` random stages under settings; packets to nodes are asked too."""
    chosen = topology_with(settings, mode)
    for case in random_cases.cases(count, seed, mode):
        for one in case.stages:
            documents = (chosen, *(d for d in one.documents if d.kind != "Topology"))
            yield replace(one, documents=documents, table={**one.table, **dict.fromkeys(MORE_CELLS)})


def service_stages(settings: Mapping[str, str], count: int, seed: int, mode: str) -> Iterator[Stage]:
    """Yield the stages of ``count`` random cases with Services under settings."""
    for case in service_cases.cases(count, seed, mode):
        for one in case.stages:
            yield replace(one, documents=tuple(_with(d, settings) for d in one.documents))


def _with(one: Document, settings: Mapping[str, str]) -> Document:
    """Return a Topology with more settings; any other document unchanged."""
    if one.kind != "Topology":
        return one
    spec = one.data["spec"]
    return replace(one, data={**one.data, "spec": {**spec, "policy": {**spec.get("policy", {}), **settings}}})


def wrong_services(
    settings: Mapping[str, str], names: Sequence[JudgeName], *, count: int, seed: int = 12, mode: str = "overlay"
) -> list[str]:
    """Return the same of random cases with Services."""
    with judges(tuple(names), mode) as panel:
        return [
            str(one) for stage in service_stages(settings, count, seed, mode) for one in disagreements(stage, panel)
        ]


def wrong(
    settings: Mapping[str, str],
    names: Sequence[JudgeName] = NAMES,
    *,
    count: int = 20,
    seed: int = 12,
    mode: str = "bridge",
) -> list[str]:
    """Return, as text, the cells of random stages under settings on which judges disagree."""
    with judges(tuple(names), mode) as panel:
        return [str(one) for stage in stages(settings, count, seed, mode) for one in disagreements(stage, panel)]


def differing(policy: TopologyPolicy, seed: int) -> list[str]:
    """Return, as text, the flows of a random cluster on which a fast version and the evaluator disagree.

    The cluster has the settings ``policy``. The fast versions are the groups and the expansion; reasons count too.
    """
    dice = Random(seed)  # noqa: S311
    cluster, asked = replace(some_cluster(dice), policy=policy), some_questions(dice)
    return differing_in(cluster, asked)


def differing_in(cluster: Cluster, asked: FlowSelection) -> list[str]:
    """Return, as text, the flows in question on which a fast version and the evaluator disagree."""
    return [*by_groups(cluster, asked), *by_expansion(cluster, asked)]


def by_groups(cluster: Cluster, asked: FlowSelection) -> Iterator[str]:
    """Yield, as text, the flows on which the groups and the evaluator disagree."""
    found = groups(cluster, asked)
    group_of = {member.ref: group for group in found.groups for member in group.members}
    of_pair = {(a.source.number, a.destination.number, a.service, a.alone): a.verdict for a in found.answers()}
    for flow in asked.flows(cluster):
        if flow.destination is None:
            continue
        own, other = group_of[flow.source.ref], group_of[flow.destination.ref]
        alone = flow.source.ref == flow.destination.ref
        verdict = of_pair[own.number, other.number, (flow.family, flow.protocol, flow.port), alone]
        if verdict != (wanted := evaluate(cluster, flow).verdict):
            yield f"groups: {_text(flow)}: {verdict}, not {wanted}"


def by_expansion(cluster: Cluster, asked: FlowSelection) -> Iterator[str]:
    """Yield, as text, the flows on which the expansion and the evaluator disagree, reasons included."""
    expansion = Expansion(cluster, asked)
    for source, line in expansion.lines():
        own = expansion.own(source, line)
        for at, question in enumerate(line.questions):
            answer = line.answers[question.kind]
            if answer is None or at in own:
                continue
            flow = Flow(source, *question[:5])
            decision = evaluate(cluster, flow)
            reason = _named(answer.reason, source, question.destination)
            if (answer.verdict, reason) != (decision.verdict, decision.reason):
                yield f"expansion: {_text(flow)}: {answer.verdict}: {reason}, not {decision.verdict}: {decision.reason}"


def _named(reason: str, source: Endpoint, destination: Endpoint) -> str:
    return reason.replace(SOURCE, source.ref).replace(DESTINATION, destination.ref)


def _text(flow: Flow) -> str:
    return f"{flow.source.ref} > {flow.target} {flow.port}/{flow.protocol} IPv{flow.family}"
