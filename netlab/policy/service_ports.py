"""Warns of rules that list the port of a Service while its pods listen on another port.

A rule's port is the pod's port, and a named port is a container port's name
(https://kubernetes.io/docs/concepts/services-networking/network-policies/).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from netlab.cluster.types import Cluster, Pod
from netlab.errors import Problem
from netlab.objects.policies import NetworkPolicy, Peer, PolicyPort, Rule
from netlab.objects.services import Service, ServicePort
from netlab.objects.types import Address
from netlab.policy.matched_pods import namespaces_matched, pod_sets
from netlab.policy.matching import container_port, port_matches
from netlab.policy.problems import some, warning

_Key = tuple[int | str | None, str]
"""The number or name of a Service's port, and a protocol."""

_ByNamespace = Mapping[str, Sequence[tuple[Service, ServicePort]]]
"""Services with one of their ports, by namespace."""

_Matched = tuple[Service, ServicePort, Sequence[Pod]]
"""A Service, its port, and the pods of the Service that a rule matches."""


def pods_of(cluster: Cluster, service: Service) -> tuple[Pod, ...]:
    """Return the pods that a Service selects, without host-network pods."""
    # By identity, as a Service is not hashable. The cluster keeps the Service alive.
    known: dict[int, tuple[Pod, ...]] = cluster.memo.setdefault("policy.services", {})
    found = known.get(id(service))
    if found is None:
        from netlab.cluster.services import pod_index

        behind = pod_index.pods_of(cluster, service)
        found = known[id(service)] = tuple(pod for pod in behind if pod.selectable and not pod.system)
    return found


def service_ports_in_rules(cluster: Cluster, policy: NetworkPolicy) -> Iterator[Problem]:
    """Warn of rules that list a Service's port while the pods that they match listen on another port."""
    known, by_address = _ports(cluster), _by_address(cluster)
    if not known and not by_address:
        return
    for direction, rules in (("ingress", policy.rules("ingress")), ("egress", policy.rules("egress"))):
        for rule in rules:
            warned: set[int | str] = set()
            for number, item in enumerate(rule.ports):
                # One warning for both protocols of a port.
                if item.end_port is not None or item.port in warned:
                    continue
                spaces = known.get((item.port, item.protocol))
                message = ""
                if spaces:
                    message = _message(cluster, policy, rule, item, spaces, ingress=direction == "ingress")
                if not message and by_address and direction == "egress":
                    message = _about_addresses(rule, item, by_address)
                if message and item.port is not None:
                    warned.add(item.port)
                    yield warning(policy, f"{rule.path}.ports[{number}].port", message, "service-port")


def _ports(cluster: Cluster) -> Mapping[_Key, _ByNamespace]:
    """Return the Services' ports whose target is another port or name, by number and by name."""
    known: dict[_Key, dict[str, list[tuple[Service, ServicePort]]]] | None = cluster.memo.get("policy.service_ports")
    if known is None:
        known = cluster.memo["policy.service_ports"] = {}
        for service in cluster.services:
            space = service.meta.namespace
            for port in service.ports if service.selector else ():
                if port.target_port not in (0, port.port):
                    known.setdefault((port.port, port.protocol), {}).setdefault(space, []).append((service, port))
                if port.name and port.name != port.target_port:
                    known.setdefault((port.name, port.protocol), {}).setdefault(space, []).append((service, port))
    return known


def _by_address(cluster: Cluster) -> Mapping[Address, Sequence[tuple[Service, ServicePort, int]]]:
    """Return the ports of Services without a selector by the address of each endpoint, with the endpoint's port."""
    known: dict[Address, list[tuple[Service, ServicePort, int]]] | None
    known = cluster.memo.get("policy.service_ports.addresses")
    if known is None:
        known = cluster.memo["policy.service_ports.addresses"] = {}
        for service in cluster.services:
            if service.selector or service.system or not service.cluster_ips:
                continue
            from netlab.cluster.services.endpoints import endpoints

            for port in service.ports:
                for family in (address.version for address in service.cluster_ips):
                    for one in endpoints(cluster, service, port, family):
                        known.setdefault(one.address, []).append((service, port, one.port))
    return known


def _about_addresses(
    rule: Rule, item: PolicyPort, by_address: Mapping[Address, Sequence[tuple[Service, ServicePort, int]]]
) -> str:
    """Return the message about a rule that has the exact addresses of endpoints and the port of their Service."""
    blocks = [peer.ip_block.cidr for peer in rule.peers if peer.ip_block is not None]
    if len(blocks) < len(rule.peers) or not blocks or any(cidr.num_addresses > 1 for cidr in blocks):
        return ""
    services: dict[str, None] = {}
    numbers: dict[int, None] = {}
    for cidr in blocks:
        for service, port, number in by_address.get(cidr.network_address, ()):
            asked = item.port in (port.port, port.name or port.port) and item.protocol == port.protocol
            if asked and number != port.port and all(_lists_not(one, number, port.protocol) for one in rule.ports):
                services[service.meta.key] = None
                numbers[number] = None
    if not services:
        return ""
    right = some(list(map(str, numbers)))
    return (
        f"{_called(item)} of {_of(list(services))}, and its endpoints listen on {right}: write {right}, the endpoints'"
        " own port"
    )


def _lists_not(one: PolicyPort, number: int, protocol: str) -> bool:
    if one.protocol != protocol or isinstance(one.port, str):
        return True
    return one.port is not None and not one.port <= number <= (one.end_port or one.port)


def _called(item: PolicyPort) -> str:
    return f"{item.port} is {'the name of a port' if isinstance(item.port, str) else 'the port'}"


def _of(services: list[str]) -> str:
    return f"Service{'s' if len(services) > 1 else ''} {some(services)}"


def _message(
    cluster: Cluster, policy: NetworkPolicy, rule: Rule, item: PolicyPort, spaces: _ByNamespace, *, ingress: bool
) -> str:
    """Return the message about a rule's port; "" if a matched pod declares the port, or no Service has it."""
    # Many policies have equal rules and match the same pods.
    known: dict[tuple[object, ...], str] = cluster.memo.setdefault("policy.service_ports.messages", {})
    if ingress:
        key: tuple[object, ...] = (policy.meta.namespace, pod_sets(cluster).selected(policy), rule.ports, item)
        if key not in known:
            known[key] = _text(rule, item, _behind_ingress(cluster, policy, item, spaces))
        return known[key]
    peers = tuple(peer for peer in rule.peers if peer.ip_block is None)
    own = policy.meta.namespace if any(peer.namespace_selector is None for peer in peers) else ""
    key = (own, peers, rule.ports, item)
    if key not in known:
        known[key] = _text(rule, item, _behind_egress(cluster, policy, peers, item, spaces))
    return known[key]


def _behind_ingress(
    cluster: Cluster, policy: NetworkPolicy, item: PolicyPort, spaces: _ByNamespace
) -> Iterator[_Matched]:
    services = spaces.get(policy.meta.namespace)
    sets = pod_sets(cluster)
    selected = sets.selected(policy) if services else 0
    if not services or selected & _declaring(cluster, item):
        return
    for service, port in services:
        found = selected & _set_of(cluster, service)
        if found:
            yield service, port, sets.pods(found)


def _behind_egress(
    cluster: Cluster, policy: NetworkPolicy, peers: Sequence[Peer], item: PolicyPort, spaces: _ByNamespace
) -> Iterator[_Matched]:
    sets = pod_sets(cluster)
    matched = 0
    for peer in peers:
        matched |= sets.matched(policy, peer)
    if matched & _declaring(cluster, item):
        return
    spaces_of = {name for peer in peers for name in namespaces_matched(cluster, policy, peer) if name in spaces}
    for name in sorted(spaces_of):
        for service, port in spaces[name]:
            found = matched & _set_of(cluster, service)
            if found:
                yield service, port, sets.pods(found)


def _set_of(cluster: Cluster, service: Service) -> int:
    """Return the set of ``pods_of``."""
    known: dict[int, int] = cluster.memo.setdefault("policy.service_ports.sets", {})
    if id(service) not in known:
        known[id(service)] = pod_sets(cluster).of(pods_of(cluster, service))
    return known[id(service)]


def _declaring(cluster: Cluster, item: PolicyPort) -> int:
    """Return the set of the pods that policies apply to and that declare a port."""
    known: dict[_Key, int] = cluster.memo.setdefault("policy.service_ports.declaring", {})
    key = (item.port, item.protocol)
    if key not in known:
        known[key] = pod_sets(cluster).having(lambda pod: pod.selectable and _declares(pod, item))
    return known[key]


def _text(rule: Rule, item: PolicyPort, found: Iterable[_Matched]) -> str:
    services: dict[str, None] = {}
    targets: dict[int, None] = {}
    for service, port, pods in found:
        wrong = {number for pod in pods if (number := _left_out(rule, item, port, pod))}
        if wrong:
            services[service.meta.key] = None
            targets.update(dict.fromkeys(sorted(wrong)))
    if not services:
        return ""
    right = some(list(map(str, targets)))
    of = f"{_called(item)} of {_of(list(services))}"
    return f"{of}, and the pods behind it listen on {right}: write {right}, the pods' own port"


def _left_out(rule: Rule, item: PolicyPort, port: ServicePort, pod: Pod) -> int:
    """Return the pod's port that is a Service port's target; 0 if there is none, or the rule lists it too."""
    from netlab.cluster.services.endpoints import target_port

    number = target_port(port, pod)
    if number is None or any(port_matches(listed, pod, item.protocol, number) for listed in rule.ports):
        return 0
    return number


def _declares(pod: Pod, item: PolicyPort) -> bool:
    if isinstance(item.port, str):
        return container_port(pod, item.port, item.protocol) is not None
    return any(port.port == item.port and port.protocol == item.protocol for port in pod.ports)
