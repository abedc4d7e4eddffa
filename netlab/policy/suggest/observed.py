"""Observed needs: the flows of a log that passed, as needs between workloads.

The pods of a log may be gone: those of a Deployment get new names. An end is found by the pod's name, by its workload,
by the workload whose name begins the pod's name, by its labels, or by its address. Replies and dropped flows
are no needs.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from netlab.cluster.types import Node, Pod
from netlab.cluster.unowned import special_purpose
from netlab.objects.controllers import KEYS
from netlab.objects.flow_logs import FlowEnd, ObservedFlow
from netlab.objects.types import Protocol
from netlab.policy.suggest.declared import EndFinder, is_controller
from netlab.policy.suggest.needs import DnsServers, End, Kind, Need, Pods, Unknown, Why
from netlab.quantity import quantity

_NO_NEEDS = {
    "reply": "replies",
    "dropped": "dropped flows",
    "unanswered": "flows without a reply, which may have been dropped",
    "node": "flows from nodes that are not in the input, such as probes of the kubelet",
    "special": "flows with loopback, multicast and broadcast addresses, which policies do not decide about",
    "other": "flows without a port of TCP, UDP or SCTP",
}


def observed(
    finder: EndFinder, flows: Iterable[ObservedFlow], file: str
) -> tuple[list[Need], list[Unknown], list[str]]:
    """Return the needs that a log shows, what may be a need, and notes about the other flows."""
    needs: list[Need] = []
    unknown: list[Unknown] = []
    left_out: Counter[str] = Counter()
    dns = frozenset(end for end, _, _ in finder.dns())
    for flow in flows:
        if flow.state != "passed":
            left_out[flow.state] += 1
            continue
        if _is_special(flow.source) or _is_special(flow.destination):
            left_out["special"] += 1
            continue
        place = f"{file}:{flow.line}"
        sources, destination = _found(finder, flow.source), _targets(finder, flow)
        if flow.seen_as is not None and not any(isinstance(one, Pods) for one in sources):
            sources = [finder.end_of(flow.seen_as)]
        for ends, named in ((sources, flow.source), (destination, flow.destination)):
            if not ends:
                message = f"a flow to port {flow.port}/{flow.protocol}: {named} is not in the input"
                unknown.append(Unknown(message, place))
        if flow.of_node and not any(isinstance(one, Pods) for one in sources):
            # The kubelet's probes come from the pod's own node, which always reaches it.
            owner = finder.cluster.by_address.get(flow.source.address) if flow.source.address else None
            if not isinstance(owner, (Node, Pod)):
                left_out["node"] += 1
                continue
        why = Why(f"observed from {flow.source} to {flow.destination}", place)
        every = dict.fromkeys(one for found in sources for one in finder.as_source(found))
        needs += [
            Need(source, end, protocol, port, _kind(finder, source, end, dns), why)
            for end, protocol, port in destination
            for source in every
            if isinstance(source, Pods) or isinstance(end, Pods)
        ]
    notes = [f"no needs: {_NO_NEEDS[state]} ({quantity(count, 'distinct flow')})" for state, count in left_out.items()]
    return needs, list(dict.fromkeys(unknown)), notes


def _is_special(end: FlowEnd) -> bool:
    """Say whether an end is an address that names no machine. Link-local IPv4 addresses may be those of servers."""
    address = end.address
    if address is None or end.namespace or (address.version == 4 and address.is_link_local):
        return False
    return bool(special_purpose(address))


def _kind(finder: EndFinder, source: End, destination: End, dns: frozenset[End]) -> Kind:
    if destination in dns or isinstance(destination, DnsServers):
        return "dns"
    if isinstance(source, Pods) and is_controller(finder.classes.all[source.number]):
        return "ingress"
    return "observed"


def _targets(finder: EndFinder, flow: ObservedFlow) -> list[tuple[End, Protocol, int]]:
    protocol: Protocol = "UDP" if flow.protocol == "UDP" else "SCTP" if flow.protocol == "SCTP" else "TCP"
    address = flow.destination.address
    if address is not None and not flow.destination.namespace:
        # The address may be that of a Service, which a node translates.
        return finder.at(address, flow.port, protocol)
    return [(end, protocol, flow.port) for end in _found(finder, flow.destination)]


def _found(finder: EndFinder, end: FlowEnd) -> list[End]:
    """Return what an end of a flow stands for in the cluster, nothing if it is not in the input.

    A host-network pod stands for the addresses of its node, one for each IP family.
    """
    cluster = finder.cluster
    if end.namespace and (end.pod or end.workload):
        pod = cluster.by_ref.get(f"{end.namespace}/{end.pod}")
        if pod is None:
            names = (end.workload, end.pod, *_stems(end.pod))
            pod = next((p for n in names if n and (p := cluster.by_workload.get(f"{end.namespace}/{n}"))), None)
        if isinstance(pod, Pod):
            of = finder.classes.of(pod)
            return [Pods(of.number)] if of is not None else [finder.end_of(address) for address in pod.addresses]
    if end.namespace:
        return _by_labels(finder, end)
    return [finder.end_of(end.address)] if end.address is not None else []


def _stems(pod: str) -> tuple[str, ...]:
    """Return the names that a pod's workload may have: a Deployment adds two words, other workloads one."""
    first = pod.rpartition("-")[0]
    return (first.rpartition("-")[0], first)


def _by_labels(finder: EndFinder, end: FlowEnd) -> list[End]:
    labels = dict(label.partition("=")[::2] for label in end.labels)
    own = {key: value for key, value in labels.items() if key not in KEYS}
    alike = [
        one
        for one in finder.classes.all
        if one.namespace == end.namespace and one.labels and one.labels.items() <= own.items()
    ]
    # Of several classes, the one with the most labels is the pod's; labels of newer templates may be missing.
    best = max(alike, key=lambda one: len(one.labels), default=None)
    return [Pods(best.number)] if best is not None else []
