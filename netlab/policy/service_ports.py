"""What Services say of ports: which ports of which pods are behind them, and rules that list the Service's own.

A policy means the ports of pods, whatever a Service calls them (https://kubernetes.io/docs/concepts/services-networking/
network-policies/: a numbered port is the pod's, a name is that of a container port).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from netlab.cluster.types import Cluster, Pod
from netlab.errors import Problem
from netlab.objects.policies import NetworkPolicy, Peer, PolicyPort, Rule
from netlab.objects.types import Service, ServicePort
from netlab.policy.matching import container_port, port_matches
from netlab.policy.problems import some, warning
from netlab.policy.scope import namespaces_matched, pods_by_namespace, pods_matched, pods_selected

_Key = tuple[int | str | None, str]
"""A Service's port or its name, and a protocol."""

_Asked = Mapping[str, Sequence[tuple[Service, ServicePort]]]
"""Services by namespace, each with the port that is asked."""

_Meant = tuple[Service, ServicePort, Sequence[Pod]]
"""A Service, its port, and those of its pods that a rule means."""


def pods_of(cluster: Cluster, service: Service) -> tuple[Pod, ...]:
    """Return the pods that a Service selects and that policies can mean."""
    # By identity: a Service is not hashable, and it lives as long as its cluster.
    known: dict[int, tuple[Pod, ...]] = cluster.memo.setdefault("policy.services", {})
    found = known.get(id(service))
    if found is None:
        wanted = service.selector.items()
        here = pods_by_namespace(cluster).get(service.meta.namespace, ()) if wanted else ()
        found = known[id(service)] = tuple(pod for pod in here if pod.selectable and wanted <= pod.labels.items())
    return found


def target(port: ServicePort, pod: Pod) -> int | None:
    """Return the port of a pod that a Service's port leads to, None where it has no port of that name."""
    if isinstance(port.target_port, str):
        return container_port(pod, port.target_port, port.protocol)
    return port.target_port or port.port


def service_ports_in_rules(cluster: Cluster, policy: NetworkPolicy) -> Iterator[Problem]:
    """Warn of rules that list a Service's port where the pods that they mean listen on another one."""
    known = _ports(cluster)
    if not known:
        return
    for direction, rules in (("ingress", policy.rules("ingress")), ("egress", policy.rules("egress"))):
        for rule in rules:
            told: set[int | str] = set()
            for number, item in enumerate(rule.ports):
                spaces = known.get((item.port, item.protocol)) if item.end_port is None else None
                # One word for both protocols of a port.
                if not spaces or item.port in told:
                    continue
                message = _message(cluster, policy, rule, item, spaces, ingress=direction == "ingress")
                if message and item.port is not None:
                    told.add(item.port)
                    yield warning(policy, f"{rule.path}.ports[{number}].port", message, "service-port")


def _ports(cluster: Cluster) -> Mapping[_Key, _Asked]:
    """Return the ports of Services that lead to another port or name: by number and, where it has one, by name."""
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


def _message(
    cluster: Cluster, policy: NetworkPolicy, rule: Rule, item: PolicyPort, spaces: _Asked, *, ingress: bool
) -> str:
    """Return what is wrong with a port that a rule lists; "" where a pod that is meant has it, or no Service does."""
    if ingress:
        return _told(rule, item, _behind_ingress(cluster, policy, item, spaces))
    peers = tuple(peer for peer in rule.peers if peer.ip_block is None)
    own = policy.meta.namespace if any(peer.namespace_selector is None for peer in peers) else ""
    # Policies repeat one another's rules, and each may mean all namespaces that there are.
    known: dict[tuple[object, ...], str] = cluster.memo.setdefault("policy.service_ports.told", {})
    key = (own, peers, rule.ports, item)
    if key not in known:
        known[key] = _told(rule, item, _behind_egress(cluster, policy, peers, item, spaces))
    return known[key]


def _behind_ingress(cluster: Cluster, policy: NetworkPolicy, item: PolicyPort, spaces: _Asked) -> Iterator[_Meant]:
    asked = spaces.get(policy.meta.namespace)
    selected = pods_selected(cluster, policy) if asked else ()
    if not asked or any(_declares(pod, item) for pod in selected):
        return
    chosen = set(map(id, selected))
    for service, port in asked:
        yield service, port, [pod for pod in pods_of(cluster, service) if id(pod) in chosen]


def _behind_egress(
    cluster: Cluster, policy: NetworkPolicy, peers: Sequence[Peer], item: PolicyPort, spaces: _Asked
) -> Iterator[_Meant]:
    if any(_declares(pod, item) for peer in peers for pod in pods_matched(cluster, policy, peer) if pod.selectable):
        return
    meant = {peer: set(namespaces_matched(cluster, policy, peer)) & spaces.keys() for peer in peers}
    for name in sorted(set().union(*meant.values())):
        here = [peer for peer, names in meant.items() if name in names]
        for service, port in spaces[name]:
            yield service, port, [pod for pod in pods_of(cluster, service) if any(_has(peer, pod) for peer in here)]


def _has(peer: Peer, pod: Pod) -> bool:
    return peer.pod_selector is None or peer.pod_selector.matches(pod.labels)


def _told(rule: Rule, item: PolicyPort, found: Iterable[_Meant]) -> str:
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
    what = "the name of a port" if isinstance(item.port, str) else "the port"
    of = f"Service{'s' if len(services) > 1 else ''} {some(list(services))}"
    return f"{item.port} is {what} of {of}, and the pods behind it listen on {right}: write {right}, the pods' own port"


def _left_out(rule: Rule, item: PolicyPort, port: ServicePort, pod: Pod) -> int:
    """Return the port of a pod that a Service's port leads to; 0 where it has none, or where the rule lists it too."""
    number = target(port, pod)
    if number is None or any(port_matches(listed, pod, item.protocol, number) for listed in rule.ports):
        return 0
    return number


def _declares(pod: Pod, item: PolicyPort) -> bool:
    if isinstance(item.port, str):
        return container_port(pod, item.port, item.protocol) is not None
    return any(port.port == item.port and port.protocol == item.protocol for port in pod.ports)
