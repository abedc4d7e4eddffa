"""Warnings: policies, rules and peers that are legal and surely not intended, as they do nothing or too much.

Decoding warns of what needs no other object, such as rules of a direction that the policy does not isolate.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from ipaddress import collapse_addresses

from netlab.cluster.policies_in_force import DEFAULT_DENY
from netlab.cluster.types import Cluster, Pod
from netlab.errors import Problem
from netlab.frozen import NamedTuple
from netlab.objects.policies import NetworkPolicy, Peer, Rule
from netlab.objects.topology import TopologyPolicy
from netlab.objects.types import DIRECTIONS, Direction
from netlab.policy import almost, unknown_labels
from netlab.policy.isolating import isolating
from netlab.policy.matched_pods import (
    namespaces_matched,
    pod_sets,
    pods_by_namespace,
    pods_elsewhere,
    pods_matched,
    pods_selected,
)
from netlab.policy.matching import peer_path
from netlab.policy.meaning import policies_meant
from netlab.policy.pod_addresses import pod_addresses
from netlab.policy.problems import some, warning
from netlab.policy.tiers import others_in_use

_USUAL = TopologyPolicy()


def warnings(cluster: Cluster) -> list[Problem]:
    """Return the warnings about the policies of a cluster, by policy, then by check; then those about its Services."""
    found: list[Problem] = []
    here = pods_by_namespace(cluster)
    enforced = cluster.policy.enforcement == "all"
    if not enforced:
        from netlab.policy.setting_warnings import unenforced

        found += unenforced(cluster)
    for policy in policies_meant(cluster) if enforced else ():
        if policy.meta.name == DEFAULT_DENY:
            continue
        namespace = policy.meta.namespace
        if namespace not in here:
            # All other warnings about it would follow from this one.
            message = f"namespace {namespace!r} has no pods in the input, so the policy does nothing: add its workloads"
            found.append(warning(policy, "metadata.namespace", message, "no-pods-in-namespace", namespace))
            continue
        for check in _CHECKS:
            found += check(cluster, policy)
    if enforced and cluster.policy != _USUAL:
        from netlab.policy.setting_warnings import without_effect

        found += without_effect(cluster)
    # Those about NetworkPolicies are above.
    for tier in others_in_use(cluster) if enforced else ():
        found += tier.warnings(cluster)
    if cluster.cluster_policies and enforced:
        from netlab.policy.dns_by_tiers import cut_by_tiers

        found += cut_by_tiers(cluster)
    if cluster.services:
        from netlab.policy.service_warnings import service_warnings

        found += service_warnings(cluster)
    return found


def _selects_nothing(cluster: Cluster, policy: NetworkPolicy) -> Iterator[Problem]:
    if pods_selected(cluster, policy):
        return
    namespace, selector = policy.meta.namespace, policy.pod_selector
    sets = pod_sets(cluster)
    others = [pod.ref for pod in sets.pods(sets.labelled(namespace, selector))]
    path = "spec.podSelector"
    if others:
        message = f"{selector} matches only pods that no policy applies to (host-network or no network): {some(others)}"
        yield warning(policy, path, message, "selects-host-network")
        return
    near = almost.nearest(cluster, policy)
    message = f"{selector} matches no pod of namespace {namespace!r}{f'; {near}' if near else ''}"
    yield warning(policy, path, message, "selects-nothing")


def _peers_that_match_nothing(cluster: Cluster, policy: NetworkPolicy) -> Iterator[Problem]:
    hosts_match = cluster.policy.host_network_peers == "match"
    for _, rule in _rules(policy):
        for i, peer in enumerate(rule.peers):
            path = peer_path(rule, i)
            if peer.ip_block is not None:
                if [*collapse_addresses(peer.ip_block.excepts)] == [peer.ip_block.cidr]:  # type: ignore[type-var]
                    message = "matches no address: its excepts are all of its cidr"
                    yield warning(policy, f"{path}.ipBlock", message, "block-matches-nothing")
                continue
            matched = pods_matched(cluster, policy, peer)
            if not matched:
                message = _no_match_text(cluster, policy, rule, peer)
                if message:
                    yield warning(policy, path, message, "peer-matches-nothing")
            elif not any(pod.selectable or (hosts_match and pod.host_network) for pod in matched):
                refs = some([pod.ref for pod in matched])
                message = f"matches only {refs}, and selectors do not apply to host-network pods; use an ipBlock"
                yield warning(policy, path, message, "peer-host-network")


def _no_match_text(cluster: Cluster, policy: NetworkPolicy, rule: Rule, peer: Peer) -> str:
    """Return which part of a peer matches nothing; "" if unknown labels may match, or the input lacks DNS."""
    if peer.namespace_selector is not None:
        from netlab.policy import dns

        if unknown_labels.namespaces_with_unknown_labels(cluster, peer) or dns.only_dns(cluster, rule):
            return ""
    spaces = namespaces_matched(cluster, policy, peer)
    # Pods that netlab adds count too: each cluster has such pods.
    added = (pod for pod in _added(cluster) if pod.namespace in spaces)
    if any(peer.pod_selector is None or peer.pod_selector.matches(pod.labels) for pod in added):
        return ""
    if not spaces:
        return f"matches no pod of the lab: no namespace of the input has {peer.namespace_selector}"
    if peer.pod_selector is None:
        return f"matches no pod of the lab: namespace {some(spaces)} has no pods"
    message = f"matches no pod of the lab: none of namespace {some(spaces)} has {peer.pod_selector}"
    if peer.namespace_selector is None and (others := pods_elsewhere(cluster, peer.pod_selector)):
        message += f"; {others[0].ref} has, and needs a namespaceSelector in the same item"
    return message


def _added(cluster: Cluster) -> Sequence[Pod]:
    """Return the pods that netlab added."""
    known: Sequence[Pod] | None = cluster.memo.get("policy.added")
    if known is None:
        known = cluster.memo["policy.added"] = [pod for pod in cluster.pods if pod.system]
    return known


def _unknown_port_names(cluster: Cluster, policy: NetworkPolicy) -> Iterator[Problem]:
    for direction, rule in _rules(policy):
        for i, port in enumerate(rule.ports):
            if not isinstance(port.port, str):
                continue
            named = _pods_with_port_name(cluster).get((port.port, port.protocol))
            if named is not None and _has_destination(cluster, policy, direction, rule, named):
                continue
            blocks_only = direction == "egress" and rule.peers and all(peer.ip_block is not None for peer in rule.peers)
            if not blocks_only and not _has_destination(cluster, policy, direction, rule, _policed_pods(cluster)):
                continue
            which = "that the policy selects" if direction == "ingress" else "that the rule matches"
            message = f"no pod {which} has a {port.protocol} port named {port.port!r}; name one so, or write a number"
            yield warning(policy, f"{rule.path}.ports[{i}].port", message, "unknown-port-name")


class _Pods(NamedTuple):
    """Some of the pods that policies apply to: their set, and the set of their addresses in ``PodAddresses``."""

    set: int
    addresses: int


def _pods_with_port_name(cluster: Cluster) -> Mapping[tuple[str, str], _Pods]:
    """Return the pods that policies apply to and that have a port with a name: by name and protocol."""
    known: dict[tuple[str, str], _Pods] | None = cluster.memo.get("policy.port_names")
    if known is None:
        found: dict[tuple[str, str], list[Pod]] = {}
        for pod in cluster.asked_pods():
            for key in dict.fromkeys((p.name, p.protocol) for p in pod.ports if p.name) if pod.selectable else ():
                found.setdefault(key, []).append(pod)
        known = cluster.memo["policy.port_names"] = {key: _pods(cluster, pods) for key, pods in found.items()}
    return known


def _policed_pods(cluster: Cluster) -> _Pods:
    found: _Pods | None = cluster.memo.get("policy.policed_pods")
    if found is None:
        found = _pods(cluster, [pod for pod in cluster.asked_pods() if pod.selectable])
        cluster.memo["policy.policed_pods"] = found
    return found


def _pods(cluster: Cluster, pods: Sequence[Pod]) -> _Pods:
    return _Pods(pod_sets(cluster).of(pods), pod_addresses(cluster).of(pods))


def _has_destination(cluster: Cluster, policy: NetworkPolicy, direction: Direction, rule: Rule, pods: _Pods) -> bool:
    """Say whether one of some pods is a destination of a rule."""
    if direction == "ingress":
        return bool(pods.set & pod_sets(cluster).selected(policy))
    if not rule.peers:
        return bool(pods.set)
    for peer in rule.peers:
        if peer.ip_block is None:
            if pods.set & pod_sets(cluster).matched(policy, peer):
                return True
        elif cluster.policy.ip_block_pods == "match" and pods.addresses & pod_addresses(cluster).inside(peer.ip_block):
            return True
    return False


def _shadowed(cluster: Cluster, policy: NetworkPolicy) -> Iterator[Problem]:
    """Warn of a direction without effect: other policies allow everything to every pod that the policy selects."""
    for direction in DIRECTIONS:
        pods = pods_selected(cluster, policy)
        if not pods or not policy.isolates(direction) or _allows_all(policy, direction):
            continue
        opened, selected = _opened(cluster, direction), pod_sets(cluster).selected(policy)
        if not opened.get("", 0) & selected:
            names = sorted(name for name, having in opened.items() if having & selected)
            # The other direction may be a default deny that must stay.
            both = all(policy.isolates(one) for one in DIRECTIONS)
            remove = f"take {direction.capitalize()} out of its policyTypes" if both else "remove this"
            message = (
                f"has no effect: {some(names)} allows all {direction} of every pod that it selects; "
                f"narrow that, or {remove}"
            )
            yield warning(policy, f"spec.{direction}", message, "no-effect")


def _opened(cluster: Cluster, direction: Direction) -> Mapping[str, int]:
    """Return sets of pods by the first policy that allows them everything in a direction; "" has those without one."""
    known: dict[Direction, dict[str, int]] = cluster.memo.setdefault("policy.opened", {})
    if direction not in known:
        found: dict[str, list[Pod]] = {}
        for pod in cluster.asked_pods():
            policies = isolating(cluster, pod, direction)
            found.setdefault(_opener(cluster, policies, direction), []).append(pod)
        known[direction] = {name: pod_sets(cluster).of(pods) for name, pods in found.items()}
    return known[direction]


def _opener(cluster: Cluster, policies: tuple[NetworkPolicy, ...], direction: Direction) -> str:
    """Return the name of the first policy that allows everything in a direction, "" if none does.

    ``policies`` is a result of ``isolating``.
    """
    # Pods of one workload are isolated by the same policies, which are one tuple.
    known: dict[tuple[Direction, int], str] = cluster.memo.setdefault("policy.openers", {})
    key = (direction, id(policies))
    if key not in known:
        known[key] = next((policy.meta.key for policy in policies if _allows_all(policy, direction)), "")
    return known[key]


def _unenforced(cluster: Cluster, policy: NetworkPolicy) -> Iterator[Problem]:
    by_mode: dict[str, list[str]] = {}
    if pod_sets(cluster).selected(policy) & _not_enforced(cluster):
        for pod in pods_selected(cluster, policy):
            if not pod.traits.attachment.enforced:
                by_mode.setdefault(pod.attachment, []).append(pod.ref)
    for mode, refs in by_mode.items():
        message = f"not enforced on {some(refs)}: packets of a {mode} network bypass the node's rules"
        yield warning(policy, "spec.podSelector", message, "not-enforced")


def _not_enforced(cluster: Cluster) -> int:
    found: int | None = cluster.memo.get("policy.not_enforced")
    if found is None:
        found = pod_sets(cluster).having(lambda pod: not pod.traits.attachment.enforced)
        cluster.memo["policy.not_enforced"] = found
    return found


def _service_ports(cluster: Cluster, policy: NetworkPolicy) -> Iterator[Problem]:
    if cluster.services:
        from netlab.policy.service_ports import service_ports_in_rules

        yield from service_ports_in_rules(cluster, policy)


def _without_dns(cluster: Cluster, policy: NetworkPolicy) -> Iterator[Problem]:
    if policy.isolates("egress"):
        from netlab.policy.dns import pods_without_dns

        yield from pods_without_dns(cluster, policy)


def _addresses_of_services(cluster: Cluster, policy: NetworkPolicy) -> Iterator[Problem]:
    if cluster.services:
        from netlab.policy.service_addresses import addresses_of_services

        yield from addresses_of_services(cluster, policy)


def _allows_all(policy: NetworkPolicy, direction: Direction) -> bool:
    return any(not rule.peers and not rule.ports for rule in policy.rules(direction))


def _rules(policy: NetworkPolicy) -> Iterator[tuple[Direction, Rule]]:
    for direction in DIRECTIONS:
        for rule in policy.rules(direction):
            yield direction, rule


def _by_settings(cluster: Cluster, policy: NetworkPolicy) -> Iterator[Problem]:
    if cluster.policy != _USUAL:
        from netlab.policy.setting_warnings import partly_without_effect

        yield from partly_without_effect(cluster, policy)


_CHECKS: tuple[Callable[[Cluster, NetworkPolicy], Iterator[Problem]], ...] = (
    _selects_nothing,
    almost.almost_selected_pods,
    _peers_that_match_nothing,
    _unknown_port_names,
    _service_ports,
    _addresses_of_services,
    _without_dns,
    _shadowed,
    _unenforced,
    unknown_labels.unknown_namespace_labels,
    unknown_labels.unknown_controller_labels,
    _by_settings,
)
