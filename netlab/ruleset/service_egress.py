"""The cluster IPs that egress rules allow by selectors, for ``serviceEgress: pre-dnat``.

Egress policies then see a cluster IP and its port, not the endpoint. As the controller of Amazon's VPC CNI does, a peer
with selectors allows the cluster IPs of the Services of its namespaces whose own selector it matches; of a rule's
ports, those of the Service that lead to them. The evaluator follows the same on its own (``policy.service_egress``).

Source: aws/amazon-network-policy-controller-k8s, pkg/resolvers/endpoints.go and pkg/k8s/service_utils.go.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping

from netlab.cluster.policies_in_force import policies_in_force
from netlab.cluster.types import Cluster, Pod
from netlab.objects.policies import NetworkPolicy, Peer, PolicyPort
from netlab.objects.services import Service
from netlab.ruleset.allows import EVERY_PORT
from netlab.ruleset.classes import PolicyClass
from netlab.ruleset.comments import sentence
from netlab.ruleset.elements import Element, Key, Span
from netlab.ruleset.rule_settings import names_in_conflict

_PROTOCOLS = ("TCP", "UDP", "SCTP")
_Ports = dict[str, set[tuple[int, int]]]
"""Ranges of ports by protocol."""


def allowed_services(cluster: Cluster, classes: Mapping[PolicyClass, int]) -> dict[str, dict[Key, Element]]:
    """Return the elements of the sets by name; ``classes`` are the egress classes of a node with their numbers."""
    policies = {policy.meta.key: policy for policy in policies_in_force(cluster)}
    found: defaultdict[str, dict[Key, Element]] = defaultdict(dict)
    for policy_class, number in classes.items():
        for service in cluster.services:
            if service.headless or not service.cluster_ips:
                continue
            ports: _Ports = {}
            keys = [key for key in policy_class.policies if _add(ports, cluster, policies[key], service)]
            comment = sentence((service.meta.key,), ("by", keys)) if keys else ""
            for protocol, ranges in ports.items():
                for first, last in _joined(ranges):
                    part = first if first == last else Span(first, last)
                    for address in service.cluster_ips:
                        key = (number, address, protocol.lower(), part)
                        found[f"eg_services{address.version}"][key] = Element(comment=comment)
    return found


def _add(ports: _Ports, cluster: Cluster, policy: NetworkPolicy, service: Service) -> bool:
    """Add the ports of a Service that a policy allows; say whether there are any."""
    found = False
    for rule in policy.rules("egress"):
        if not any(_selects(cluster, policy, peer, service) for peer in rule.peers):
            continue
        listed = rule.ports or [PolicyPort(protocol) for protocol in _PROTOCOLS]  # type: ignore[arg-type]
        for port in listed:
            for one in _at_service(cluster, service, port):
                ports.setdefault(port.protocol, set()).add(one)
                found = True
    return found


def _selects(cluster: Cluster, policy: NetworkPolicy, peer: Peer, service: Service) -> bool:
    if peer.ip_block is not None:
        return False
    if peer.namespace_selector is None:
        inside = service.meta.namespace == policy.meta.namespace
    else:
        inside = peer.namespace_selector.matches(cluster.namespaces.get(service.meta.namespace, {}))
    return inside and (peer.pod_selector is None or peer.pod_selector.matches(service.selector))


def _at_service(cluster: Cluster, service: Service, port: PolicyPort) -> Iterator[tuple[int, int]]:
    """Yield the range of a Service's ports for one item of a rule's ports."""
    if (port.port, port.protocol) in names_in_conflict(cluster.pods, cluster.policy):
        return
    if port.port is None or (isinstance(port.port, str) and cluster.policy.named_ports == "whole-protocol"):
        yield EVERY_PORT
        return
    first = _listening(service, port, [port.port])
    if first is None:
        for pod in _selected(cluster, service):
            own = next((p for p in pod.ports if p.protocol == port.protocol and port.port in (p.name, p.port)), None)
            if own is not None and (first := _listening(service, port, [own.port, own.name])) is not None:
                break
    if first is not None and first <= (port.end_port or first):
        yield first, port.end_port or first


def _listening(service: Service, port: PolicyPort, targets: Iterable[int | str]) -> int | None:
    """Return the first port of a Service that leads to one of these container ports."""
    wanted = [target for target in targets if target != ""]
    return next(
        (p.port for p in service.ports if p.protocol == port.protocol and (p.target_port or p.port) in wanted), None
    )


def _selected(cluster: Cluster, service: Service) -> Iterator[Pod]:
    wanted = service.selector.items()
    for pod in cluster.pods if wanted else ():
        if pod.selectable and pod.namespace == service.meta.namespace and wanted <= pod.labels.items():
            yield pod


def _joined(ranges: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """Join ranges that overlap or touch, as the kernel refuses overlaps in a set."""
    found: list[tuple[int, int]] = []
    for first, last in sorted(ranges):
        if found and first <= found[-1][1] + 1:
            found[-1] = found[-1][0], max(found[-1][1], last)
        else:
            found.append((first, last))
    return found
