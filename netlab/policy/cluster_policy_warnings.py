"""Warnings about cluster-wide policies whose subjects, peers or ports match nothing of the lab.

They are those about NetworkPolicies (``policy.warnings``), with the same names.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from netlab.cluster.types import Cluster
from netlab.errors import Problem
from netlab.objects.cluster_policies import ClusterPeer, ClusterPolicy, ClusterRule, PodsPeer, is_named
from netlab.objects.policies import Peer
from netlab.objects.selectors import LabelSelector
from netlab.objects.types import Direction
from netlab.policy import almost, unknown_labels
from netlab.policy.matched_pods import namespaces_matched, pods_by_namespace, pods_matched
from netlab.policy.problems import some, warning

_DIRECTIONS: tuple[Direction, ...] = ("ingress", "egress")
_EVERY = LabelSelector()


def warnings(cluster: Cluster, policy: ClusterPolicy) -> Iterator[Problem]:
    """Yield the warnings about what a policy selects, and about what its rules match."""
    yield from _by_profile(cluster, policy)
    yield from _subject(cluster, policy)
    for direction in _DIRECTIONS:
        for rule in policy.rules(direction):
            for number, peer in enumerate(rule.peers):
                path = f"{rule.path}.{'from' if direction == 'ingress' else 'to'}[{number}]"
                yield from _peer(cluster, policy, path, peer)
            yield from _port_names(cluster, policy, direction, rule)
    yield from _unknown_labels(cluster, policy)


def _by_profile(cluster: Cluster, policy: ClusterPolicy) -> Iterator[Problem]:
    """Warn of a field of a rule that the CNI of the profile does not read."""
    unread = cluster.profile.cluster_policy_fields if cluster.profile is not None else None
    if cluster.profile is None or unread is None:
        return
    name, said = cluster.profile.name, f"({unread.mark}: {unread.source})"
    if unread.versions and policy.version and policy.version not in unread.versions:
        message = (
            f"{name} reads {', '.join(unread.versions)} and not {policy.version}: it sees this object only where the"
            f" API server serves both versions; netlab judges by it {said}"
        )
        yield warning(policy, "", message, "profile-ignores-version")
    for direction in _DIRECTIONS:
        for rule in policy.rules(direction):
            for field in unread.ignores:
                if _has_field(rule, field):
                    message = f"{name} does not read {field}, and netlab judges by it all the same {said}"
                    yield warning(policy, rule.path, message, "profile-ignores-field")


def _has_field(rule: ClusterRule, field: str) -> bool:
    if field == "namedPorts":
        return any(isinstance(port.port, str) for port in rule.ports)
    if field == "nodes":
        return any(peer.nodes is not None for peer in rule.peers)
    return any(peer.domain_names if field == "domainNames" else peer.networks for peer in rule.peers)


def _as_peer(peer: PodsPeer) -> Peer:
    """Return the peer of a NetworkPolicy that matches the same pods."""
    return Peer(peer.pods, peer.namespaces or _EVERY)


def _field(peer: PodsPeer) -> str:
    return "namespaces" if peer.pods is None else "pods"


def _subject(cluster: Cluster, policy: ClusterPolicy) -> Iterator[Problem]:
    peer = _as_peer(policy.subject)
    path = f"spec.subject.{_field(policy.subject)}"
    matched = pods_matched(cluster, policy, peer)
    if not matched:
        if message := _nothing_text(cluster, policy, peer):
            yield warning(policy, path, message, "selects-nothing")
    elif not any(pod.selectable for pod in matched):
        refs = some([pod.ref for pod in matched])
        message = f"matches only pods that no policy applies to (host-network or no network): {refs}"
        yield warning(policy, path, message, "selects-host-network")
    by_mode: dict[str, list[str]] = {}
    for pod in matched:
        if pod.selectable and not pod.traits.attachment.enforced:
            by_mode.setdefault(pod.attachment, []).append(pod.ref)
    for mode, refs_of in by_mode.items():
        message = f"not enforced on {some(refs_of)}: packets of a {mode} network bypass the node's rules"
        yield warning(policy, path, message, "not-enforced")


def _peer(cluster: Cluster, policy: ClusterPolicy, path: str, peer: ClusterPeer) -> Iterator[Problem]:
    if peer.pods is not None:
        yield from _pods(cluster, policy, f"{path}.{_field(peer.pods)}", _as_peer(peer.pods))
    elif peer.nodes is not None:
        if not any(peer.nodes.matches(node.labels) for node in cluster.nodes):
            near = _near(peer.nodes, {node.ref: node.labels for node in cluster.nodes})
            message = f"matches no node of the lab: none has {peer.nodes}{near}"
            yield warning(policy, f"{path}.nodes", message, "peer-matches-nothing")
    elif peer.domain_names:
        hosts = {name for host in cluster.hosts for name in host.hostnames}
        if not any(is_named(host, name) for host in hosts for name in peer.domain_names):
            message = (
                f"matches no host of the lab: none states {' or '.join(peer.domain_names)};"
                " write it in `hostnames` of a host of the Topology"
            )
            yield warning(policy, f"{path}.domainNames", message, "peer-matches-nothing")
    elif cluster.services:
        from netlab.policy.service_addresses import service_addresses_text

        for number, prefix in enumerate(peer.networks):
            if message := service_addresses_text(cluster, prefix):
                yield warning(policy, f"{path}.networks[{number}]", message, "service-address")


def _pods(cluster: Cluster, policy: ClusterPolicy, path: str, peer: Peer) -> Iterator[Problem]:
    matched = pods_matched(cluster, policy, peer)
    if not matched:
        if message := _nothing_text(cluster, policy, peer):
            yield warning(policy, path, message, "peer-matches-nothing")
    elif not any(pod.selectable for pod in matched):
        refs = some([pod.ref for pod in matched])
        message = f"matches only {refs}, and selectors do not apply to host-network pods; egress rules have `nodes`"
        yield warning(policy, path, message, "peer-host-network")


def _nothing_text(cluster: Cluster, policy: ClusterPolicy, peer: Peer) -> str:
    """Return why selectors match no pod; "" if unknown labels of namespaces may match."""
    if unknown_labels.namespaces_with_unknown_labels(cluster, peer):
        return ""
    spaces = namespaces_matched(cluster, policy, peer)
    if not spaces and (not cluster.namespaces or peer.namespace_selector == _EVERY):
        return "matches no pod of the lab: the input has no namespace and no pod"
    if not spaces:
        near = _near(peer.namespace_selector or _EVERY, cluster.namespaces)
        return f"matches no pod of the lab: no namespace of the input has {peer.namespace_selector}{near}"
    if peer.pod_selector is None:
        return f"matches no pod of the lab: namespace {some(spaces)} has no pods"
    pods = pods_by_namespace(cluster)
    near = _near(peer.pod_selector, {pod.ref: pod.labels for space in spaces for pod in pods.get(space, ())})
    return f"matches no pod of the lab: none of namespace {some(spaces)} has {peer.pod_selector}{near}"


def _near(selector: LabelSelector, labels: Mapping[str, Mapping[str, str]]) -> str:
    """Return, as text, the first of some objects that a selector almost matches; ``labels`` are by its name."""
    for name, own in labels.items():
        if why := almost.almost_selects(selector, own):
            return f"; {name} is near: {why}"
    return ""


def _port_names(cluster: Cluster, policy: ClusterPolicy, direction: Direction, rule: ClusterRule) -> Iterator[Problem]:
    named = [(number, port.port) for number, port in enumerate(rule.ports) if isinstance(port.port, str)]
    if not named:
        return
    peers = [policy.subject] if direction == "ingress" else [peer.pods for peer in rule.peers if peer.pods is not None]
    pods = [pod for peer in peers for pod in pods_matched(cluster, policy, _as_peer(peer)) if pod.selectable]
    names = {port.name for pod in pods for port in pod.ports}
    of_version = (
        "ports[{}].namedPort" if policy.kind != "ClusterNetworkPolicy" else "protocols[{}].destinationNamedPort"
    )
    for number, name in named:
        if pods and name not in names:
            which = "that the policy selects" if direction == "ingress" else "that the rule matches"
            message = f"no pod {which} has a port named {name!r}; name one so, or write a number"
            yield warning(policy, f"{rule.path}.{of_version.format(number)}", message, "unknown-port-name")


def _unknown_labels(cluster: Cluster, policy: ClusterPolicy) -> Iterator[Problem]:
    """Warn of values that controllers set, and once of labels of namespaces outside the input."""
    written = [("spec.subject", policy.subject)]
    for direction in _DIRECTIONS:
        for rule in policy.rules(direction):
            field = "from" if direction == "ingress" else "to"
            written += [(f"{rule.path}.{field}[{i}]", one.pods) for i, one in enumerate(rule.peers) if one.pods]
    for path, one in written:
        if one.pods is not None:
            spaces = namespaces_matched(cluster, policy, _as_peer(one))
            where = f"{path}.pods.podSelector"
            yield from unknown_labels.controller_labels_read(cluster, policy, where, one.pods, spaces)
    if not cluster.undeclared:
        return
    reading = [
        (path, peer)
        for path, one in written
        if one.namespaces is not None and unknown_labels.namespaces_with_unknown_labels(cluster, peer := _as_peer(one))
    ]
    if reading:
        message = unknown_labels.namespaces_text(cluster, tuple(peer for _, peer in reading))
        yield warning(policy, reading[0][0], message, "unknown-namespace-labels", "all")
