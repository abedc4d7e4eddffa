"""Terse constructors of objects and clusters, so that a test shows only what it is about.

Selectors are written as kubectl writes them: ``"app=web,tier notin (a,b),!old"``; "" selector_of everything. Ports are
``"80"``, ``"80/UDP"``, ``"80-90/TCP"``, ``"http"`` or ``"/SCTP"`` (every port of a protocol).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from ipaddress import ip_address, ip_network
from typing import Any

from netlab.cluster import Cluster, Placement, resolve
from netlab.cluster.flows import Flow
from netlab.cluster.types import address_of
from netlab.conformance.shorthand import pairs, selector_of
from netlab.objects.all_objects import Objects
from netlab.objects.cluster_policies import ClusterPeer, ClusterPolicy, ClusterRule, ClusterTier, PodsPeer
from netlab.objects.ingresses import Ingress, IngressClass
from netlab.objects.policies import IPBlock, NetworkPolicy, Peer, PolicyPort, Rule
from netlab.objects.selectors import LabelSelector, Requirement
from netlab.objects.services import Endpoints, EndpointSlice, Service
from netlab.objects.topology import Topology, TopologyHost, TopologyNetwork, TopologyNode
from netlab.objects.types import ContainerPort, Meta, Namespace, Node, Pod, PodSpec, Source, Workload
from netlab.objects.unread import Subject, UnreadPolicy
from netlab.policy.decision import Decision
from netlab.policy.evaluate import evaluate
from netlab.verdicts import Action


def labels(text: str) -> dict[str, str]:
    """Return the labels of ``"a=b,c=d"``."""
    return pairs(text)


def selector(text: str) -> LabelSelector:
    """Return the selector that kubectl would read."""
    written = selector_of(text)
    equal = tuple(sorted(written.get("matchLabels", {}).items()))
    items = written.get("matchExpressions", ())
    return LabelSelector(
        equal, tuple(Requirement(i["key"], i["operator"], tuple(sorted(i.get("values", ())))) for i in items)
    )


def source(line: int = 0, file: str = "test.yaml", /, **lines: int) -> Source:
    """Return a source whose object begins at a line; field paths have ``__`` for a dot."""
    return Source(file, {"": line} | {path.replace("__", "."): at for path, at in lines.items()})


def meta(ref: str, text: str = "", annotations: Mapping[str, str] | None = None) -> Meta:
    namespace, _, name = ref.rpartition("/")
    return Meta(name, namespace, labels(text), annotations or {})


def container_ports(*texts: str) -> tuple[ContainerPort, ...]:
    """Return the container ports of ``"80"``, ``"53/UDP"``, ``"http=80"`` or ``"8080:80"`` (published)."""
    found: list[ContainerPort] = []
    for i, text in enumerate(texts):
        name, _, number = text.rpartition("=")
        port, _, protocol = number.partition("/")
        host, _, port = port.rpartition(":")
        address, _, host = host.rpartition(":")
        at = f"spec.containers[0].ports[{i}]" if host else ""
        found.append(ContainerPort(int(port), protocol or "TCP", name, int(host or 0), address, at))  # type: ignore[arg-type]
    return tuple(found)


def spec(node: str = "", on: str = "", ports: Sequence[str] = (), host: bool = False) -> PodSpec:
    """Return a pod spec; ``on`` is its nodeSelector."""
    return PodSpec(node, labels(on), host, container_ports(*ports))


def pod(
    ref: str,
    text: str = "",
    *,
    network: str = "",
    phase: str = "",
    addresses: Sequence[str] = (),
    host_addresses: Sequence[str] = (),
    source: Source | None = None,
    **of_spec: Any,
) -> Pod:
    """Return a Pod: ``pod("shop/web", "app=web", ports=["80"], node="node-1")``."""
    annotations = {"netlab/network": network} if network else {}
    stated = tuple(map(ip_address, addresses))
    hosts = tuple(map(ip_address, host_addresses))
    return Pod(meta(ref, text, annotations), spec(**of_spec), phase, stated, source or Source(), hosts)


def workload(
    kind: str,
    ref: str,
    replicas: int | None = None,
    text: str = "",
    *,
    network: str = "",
    source: Source | None = None,
    **of_spec: Any,
) -> Workload:
    """Return a workload of a kind; a DaemonSet has no replicas, and the labels are those of its pods."""
    annotations = {"netlab/network": network} if network else {}
    template = meta("", text, annotations)
    return Workload(kind, meta(ref), replicas, template, spec(**of_spec), source=source or Source())


def namespace(name: str, text: str = "") -> Namespace:
    return Namespace(Meta(name, "", {**labels(text), "kubernetes.io/metadata.name": name}))


def node(
    name: str,
    text: str = "",
    *,
    pod_cidrs: Sequence[str] = (),
    addresses: Sequence[str] = (),
    source: Source | None = None,
) -> Node:
    """Return a Kubernetes Node object."""
    own = tuple(map(ip_network, pod_cidrs))
    return Node(meta(name, text), own, tuple(map(ip_address, addresses)), source or Source())


def topology(
    nodes: Sequence[str] = (),
    networks: Mapping[str, tuple[str, ...]] | None = None,
    hosts: Mapping[str, Sequence[str]] | None = None,
    *,
    mode: str = "bridge",
    cidrs: Sequence[str] = ("10.244.0.0/16",),
    underlay: Sequence[str] = ("100.64.0.0/16", "fd00:100:64::/64"),
    source: Source | None = None,
) -> Topology:
    """Return a Topology; ``networks`` maps a name to its mode and podCIDRs, in place of the one ``default`` network."""
    shapes = networks or {"default": (mode, *cidrs)}
    return Topology(
        networks=tuple(
            TopologyNetwork(name, of, tuple(map(ip_network, own)), f"spec.networks[{i}]")
            for i, (name, (of, *own)) in enumerate(shapes.items())
        ),
        nodes=tuple(TopologyNode(n, {}, f"spec.nodes[{i}]") for i, n in enumerate(nodes)),
        hosts=tuple(
            TopologyHost(name, tuple(map(ip_address, own)), f"spec.hosts[{i}]")
            for i, (name, own) in enumerate((hosts or {}).items())
        ),
        underlay_cidrs=tuple(map(ip_network, underlay)),
        source=source or Source(),
        unwritten=frozenset(),
    )


def peer(pods: str | None = None, ns: str | None = None, *, cidr: str = "", but: Sequence[str] = ()) -> Peer:
    """Return a peer: ``peer("app=web")``, ``peer(ns="team=a")``, ``peer(cidr="10.0.0.0/8", but=["10.1.0.0/16"])``."""
    return Peer(
        None if pods is None else selector(pods),
        None if ns is None else selector(ns),
        IPBlock(ip_network(cidr), tuple(map(ip_network, but))) if cidr else None,
    )


def policy_port(text: str) -> PolicyPort:
    number, _, protocol = text.partition("/")
    if "-" in number and number.replace("-", "").isdigit():
        first, last = map(int, number.split("-"))
        return PolicyPort(protocol or "TCP", first, last)  # type: ignore[arg-type]
    return PolicyPort(protocol or "TCP", int(number) if number.isdigit() else number or None)  # type: ignore[arg-type]


def rule(*peers: Peer, ports: Sequence[str] = ()) -> Rule:
    """Return a rule; ``policy`` gives it its path and its line."""
    return Rule(peers, tuple(map(policy_port, ports)))


def policy(
    ref: str,
    text: str = "",
    *,
    ingress: Iterable[Rule] | None = None,
    egress: Iterable[Rule] | None = None,
    types: str = "",
    source: Source | None = None,
) -> NetworkPolicy:
    """Return a NetworkPolicy that isolates in the directions that are given, or in ``types`` ("ingress egress")."""
    given = [direction for direction, rules in (("ingress", ingress), ("egress", egress)) if rules is not None]

    def placed(direction: str, rules: Iterable[Rule] | None) -> tuple[Rule, ...]:
        of = source or Source()
        paths = [(f"spec.{direction}[{i}]", r) for i, r in enumerate(rules or ())]
        return tuple(replace(r, path=path, line=of.line(path)) for path, r in paths)

    return NetworkPolicy(
        meta(ref),
        selector(text),
        frozenset(types.split() or given),  # type: ignore[arg-type]
        placed("ingress", ingress),
        placed("egress", egress),
        source or Source(),
    )


def pods_peer(pods: str | None = None, ns: str | None = None) -> PodsPeer:
    """Return a subject or a peer that is pods; None matches all."""
    return PodsPeer(None if ns is None else selector(ns), None if pods is None else selector(pods))


def cluster_peer(
    pods: str | None = None,
    ns: str | None = None,
    *,
    networks: Sequence[str] = (),
    nodes: str | None = None,
    names: Sequence[str] = (),
) -> ClusterPeer:
    """Return a peer of a cluster-wide policy; without arguments it matches all pods."""
    if networks:
        return ClusterPeer(networks=tuple(map(ip_network, networks)))
    if nodes is not None:
        return ClusterPeer(nodes=selector(nodes))
    return ClusterPeer(domain_names=tuple(names)) if names else ClusterPeer(pods_peer(pods, ns))


def cluster_rule(action: Action, *peers: ClusterPeer, ports: Sequence[str] = (), name: str = "") -> ClusterRule:
    return ClusterRule(action, peers or (cluster_peer(),), tuple(map(policy_port, ports)), name)


def cluster_policy(
    name: str,
    subject: PodsPeer | None = None,
    *,
    ingress: Sequence[ClusterRule] = (),
    egress: Sequence[ClusterRule] = (),
    tier: ClusterTier = "Admin",
    priority: int = 10,
    kind: str = "ClusterNetworkPolicy",
) -> ClusterPolicy:
    """Return a cluster-wide policy that selects all pods, or those of a subject."""
    found: dict[str, tuple[ClusterRule, ...]] = {}
    for direction, rules in (("ingress", ingress), ("egress", egress)):
        found[direction] = tuple(replace(r, path=f"spec.{direction}[{i}]") for i, r in enumerate(rules))
    return ClusterPolicy(
        meta(name), kind, tier, priority, subject or PodsPeer(), found["ingress"], found["egress"], source()
    )


def unread(
    ref: str, *subjects: Subject, kind: str = "FooNetworkPolicy", protocols: str = "", outside: bool = False
) -> UnreadPolicy:
    """Return a policy that netlab does not read."""
    return UnreadPolicy(
        kind, "example.org", meta(ref), subjects, frozenset(protocols.split()), outside, source(7, "foo.yaml")
    )


def objects(*things: Any, **more: Any) -> Objects:
    """Return Objects of any mixture of kinds."""

    def of(kind: type) -> tuple[Any, ...]:
        return tuple(thing for thing in things if isinstance(thing, kind))

    more = {
        "slices": of(EndpointSlice),
        "endpoints": of(Endpoints),
        "ingresses": of(Ingress),
        "ingress_classes": of(IngressClass),
        **more,
    }
    return Objects(
        {ClusterPolicy: of(ClusterPolicy)},
        namespaces=of(Namespace),
        nodes=of(Node),
        pods=of(Pod),
        workloads=of(Workload),
        services=of(Service),
        policies=of(NetworkPolicy),
        topology=next(iter(of(Topology)), None),
        unread=of(UnreadPolicy),
        **more,
    )


def cluster(*things: Any, keep: Mapping[str, Placement] | None = None) -> Cluster:
    """Return the cluster of any mixture of kinds."""
    return resolve(objects(*things), keep)


def flow(of: Cluster, source: str, destination: str, service: str = "80/TCP", family: int = 4) -> Flow:
    """Return one question; the destination may be an address, the service ``ICMP``."""
    number, _, protocol = service.partition("/")
    port, protocol = (int(number), protocol or "TCP") if number.isdigit() else (None, number)
    found = of.by_ref.get(destination)
    if found is None:
        address = ip_address(destination)
        return Flow(of.by_ref[source], None, address.version, protocol, port, address)
    return Flow(of.by_ref[source], found, family, protocol, port, address_of(found, family))


def decide(of: Cluster, source: str, destination: str, service: str = "80/TCP", family: int = 4) -> Decision:
    """Return the evaluator's decision on one question."""
    return evaluate(of, flow(of, source, destination, service, family))


def verdict(of: Cluster, source: str, destination: str, service: str = "80/TCP", family: int = 4) -> str:
    """Return the evaluator's verdict on one question."""
    return decide(of, source, destination, service, family).verdict
