"""Cluster-wide policies by the text of the API alone: a judge that shares no code with the evaluator.

It reads the documents themselves. Of the cluster it takes pods, nodes and addresses, and from ``cluster.paths`` whether
two ends are connected, and which address the destination sees. ``weak_models`` changes one method each.

Source: network-policy-api v0.3.0, ``apis/v1beta1`` and v0.1.7, ``apis/v1alpha1``; Kubernetes, NetworkPolicy.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from ipaddress import ip_address, ip_network
from types import MappingProxyType
from typing import Any, NamedTuple

from netlab.cluster import Cluster
from netlab.cluster.flows import Flow
from netlab.cluster.paths import path
from netlab.cluster.types import Host, Node, Pod
from netlab.objects import Document

Spec = Mapping[str, Any]
FROM = {"ingress": "from", "egress": "to"}


class Half(NamedTuple):
    """One side of a flow: the pod that policies select, the other end, and its address as the pod's node sees it."""

    cluster: Cluster
    direction: str
    pod: Pod
    other: object
    address: str
    flow: Flow


class Written(NamedTuple):
    """A cluster-wide policy as it is written."""

    kind: str
    name: str
    spec: Spec


class Model:
    """The judge; ``judge(documents, cluster, flows)`` returns the verdict of each flow.

    ``settings`` are those of ``spec.policy``: of cluster-wide policies, and ``ownNode``.
    """

    settings: Spec = MappingProxyType({})

    def __call__(self, documents: Sequence[Document], cluster: Cluster, flows: Sequence[Flow]) -> list[str]:
        self.settings = next(d.data["spec"].get("policy", {}) for d in documents if d.kind == "Topology")
        return [self.verdict(documents, cluster, flow) for flow in flows]

    def verdict(self, documents: Sequence[Document], cluster: Cluster, flow: Flow) -> str:
        source, destination = flow.source, flow.destination
        assert destination is not None
        way = path(cluster, source, destination, flow.family)
        if not way.connected:
            return "deny"
        if source == destination:
            return self.to_itself(documents, cluster, flow)
        halves = []
        if self.is_subject(source):
            halves.append(Half(cluster, "egress", source, destination, str(flow.address), flow))  # type: ignore[arg-type]
        if self.is_subject(destination):
            halves.append(Half(cluster, "ingress", destination, source, str(way.seen_as), flow))  # type: ignore[arg-type]
        return "allow" if self.both(documents, halves) else "deny"

    def both(self, documents: Sequence[Document], halves: Sequence[Half]) -> bool:
        """Say whether all halves of a flow allow it; egress comes first."""
        return all(self.half(documents, half) for half in halves)

    def to_itself(self, documents: Sequence[Document], cluster: Cluster, flow: Flow) -> str:
        return "allow"

    def is_subject(self, end: object) -> bool:
        return is_pod(end)

    # --- tiers ----------------------------------------------------------------------------------------------------

    def half(self, documents: Sequence[Document], half: Half) -> bool:
        """Say whether one side allows: Admin, NetworkPolicy, Baseline, and then it does."""
        admin = self.tier(documents, "Admin", half)
        if admin in ("Accept", "Deny"):
            return admin == "Accept"
        beneath = self.network_policies(documents, half)
        if beneath is not None:
            return beneath
        if self.settings.get("baseline") == "unselected-pods":
            others = half._replace(direction="egress" if half.direction == "ingress" else "ingress")
            if self.network_policies(documents, others) is not None:
                return True
        return self.tier(documents, "Baseline", half) != "Deny"

    def tier(self, documents: Sequence[Document], tier: str, half: Half) -> str:
        """Return the action of the first rule of a tier that matches; "" if none does."""
        return next(self.actions(documents, tier, half), "")

    def actions(self, documents: Sequence[Document], tier: str, half: Half) -> Iterator[str]:
        """Yield the actions of all rules of a tier that match, in their order."""
        for policy in self.ordered([one for one in written(documents) if tier_of(one) == tier]):
            if self.peer(policy.spec["subject"], half._replace(other=half.pod)):
                for rule in self.rules(policy, half.direction):
                    yield from self.action(rule, half)

    def ordered(self, policies: Iterable[Written]) -> list[Written]:
        """Return policies in their order: a BaselineAdminNetworkPolicy, then by priority, then by name."""
        singleton = 1001 if self.settings.get("baselineAdmin") == "last" else -1
        return sorted(policies, key=lambda one: (one.spec.get("priority", singleton), one.name, one.kind))

    def rules(self, policy: Written, direction: str) -> Sequence[Spec]:
        return policy.spec.get(direction) or ()

    def action(self, rule: Spec, half: Half) -> Iterator[str]:
        """Yield the action of a rule if it matches; a protocol that the API does not know fails closed.

        For ingress that is every pod, as no ingress rule can match a node or an outside host.
        """
        action = "Accept" if rule["action"] == "Allow" else rule["action"]
        if any(not self.is_known(item) for item in rule.get("ports", ())):
            if action != "Accept" and (half.direction == "egress" or is_pod(half.other)):
                yield "Deny"
        elif self.ports(rule, half) and self.peers(rule[FROM[half.direction]], half):
            yield action

    # --- peers ----------------------------------------------------------------------------------------------------

    def peers(self, peers: Sequence[Spec], half: Half) -> bool:
        return any(self.peer(peer, half) for peer in peers)

    def peer(self, peer: Spec, half: Half) -> bool:
        """Say whether a peer has the other end."""
        ((kind, content),) = peer.items()
        return bool(getattr(self, kind)(content, half))

    def namespaces(self, selector: Spec, half: Half) -> bool:
        return self.selectable(half.other) and selects(selector, _namespace(half))

    def pods(self, content: Spec, half: Half) -> bool:
        if not self.selectable(half.other):
            return False
        of_namespace = content.get("namespaceSelector")
        return selects(content["podSelector"], half.other.labels) and (  # type: ignore[attr-defined]
            of_namespace is None or selects(of_namespace, _namespace(half))
        )

    def selectable(self, end: object) -> bool:
        """Say whether ``namespaces`` and ``pods`` can match an end."""
        return is_pod(end)

    def networks(self, networks: Sequence[str], half: Half) -> bool:
        return any(contains(network, half.address) for network in networks)

    def nodes(self, selector: Spec, half: Half) -> bool:
        nodes = half.cluster.nodes
        return any(half.address in map(str, node.addresses) and selects(selector, node.labels) for node in nodes)

    def domainNames(self, names: Sequence[str], half: Half) -> bool:  # noqa: N802 - the field's name
        hostnames = half.other.hostnames if isinstance(half.other, Host) else ()
        return any(self.named(name, hostname) for name in names for hostname in hostnames)

    def named(self, name: str, hostname: str) -> bool:
        wanted, labels = name.rstrip(".").split("."), hostname.rstrip(".").split(".")
        if wanted[0] != "*":
            return labels == wanted
        return len(labels) >= len(wanted) and labels[len(labels) - len(wanted) + 1 :] == wanted[1:]

    # --- ports ----------------------------------------------------------------------------------------------------

    def ports(self, rule: Spec, half: Half) -> bool:
        items = [*rule.get("protocols", ()), *rule.get("ports", ())]
        return not items or any(self.port(item, half) for item in items)

    def port(self, item: Spec, half: Half) -> bool:
        """Say whether an item of ``protocols`` or ``ports`` matches; ICMP has no port."""
        ((kind, content),) = item.items()
        if kind in ("destinationNamedPort", "namedPort"):
            return self.named_port(content, half)
        protocol, first, last = numbers(kind, content)
        port = half.flow.port
        return protocol == half.flow.protocol and port is not None and first <= port <= last

    def named_port(self, name: str, half: Half) -> bool:
        """Say whether the destination's first port of a name and the flow's protocol has the flow's number."""
        return _first_port(half.flow.destination, name, half.flow.protocol) == half.flow.port

    def is_known(self, item: Spec) -> bool:
        ((_, content),) = item.items()
        return not isinstance(content, dict) or content.get("protocol", "TCP") in ("TCP", "UDP", "SCTP")

    # --- NetworkPolicy --------------------------------------------------------------------------------------------

    def network_policies(self, documents: Sequence[Document], half: Half) -> bool | None:
        """Return whether the NetworkPolicies that isolate a pod in a direction allow; None if none does.

        They always allow what a node sends its own pods, and by default what a pod sends its own node.
        """
        isolating = list(isolating_specs(documents, half.pod, half.direction))
        enforced = half.direction == "egress" and self.settings.get("ownNode") == "enforce"
        if not isolating or (of_node(half.other) == half.pod.node and not enforced):
            return True if isolating else None
        return any(self._np_rule(rule, half) for spec in isolating for rule in spec.get(half.direction) or ())

    def _np_rule(self, rule: Spec, half: Half) -> bool:
        peers, ports = rule.get(FROM[half.direction]), rule.get("ports")
        if peers and not any(_np_peer(peer, half) for peer in peers):
            return False
        return not ports or any(_np_port(port, half.flow) for port in ports)


def is_pod(end: object) -> bool:
    """Say whether an end is a pod that is not a host-network pod."""
    return isinstance(end, Pod) and not end.host_network


def of_node(end: object) -> str:
    """Return the node in whose network namespace an end is, "" for none."""
    if isinstance(end, Node):
        return end.name
    return end.node if isinstance(end, Pod) and end.host_network else ""


def _namespace(half: Half) -> Mapping[str, str]:
    return half.cluster.namespaces[half.other.namespace]  # type: ignore[attr-defined]


def written(documents: Sequence[Document]) -> Iterator[Written]:
    """Yield the cluster-wide policies among documents."""
    for document in documents:
        if document.kind in ("ClusterNetworkPolicy", "AdminNetworkPolicy", "BaselineAdminNetworkPolicy"):
            yield Written(document.kind, document.data["metadata"]["name"], document.data["spec"])


def tier_of(policy: Written) -> str:
    """Return the tier of a policy."""
    of = {"AdminNetworkPolicy": "Admin", "BaselineAdminNetworkPolicy": "Baseline"}
    return of.get(policy.kind) or str(policy.spec["tier"])


def numbers(kind: str, content: Spec) -> tuple[str, int, int]:
    """Return the protocol and the first and last port of an item of ``protocols`` or ``ports``."""
    if kind in ("portNumber", "portRange"):
        first = content["port" if kind == "portNumber" else "start"]
        return content.get("protocol", "TCP"), first, content.get("end", first)
    port = content["destinationPort"]
    if "number" in port:
        return kind.upper(), port["number"], port["number"]
    return kind.upper(), port["range"]["start"], port["range"]["end"]


def container_ports(end: object) -> list[tuple[str, str, int]]:
    """Return name, protocol and number of a pod's container ports."""
    return [(port.name, port.protocol, port.port) for port in end.ports] if isinstance(end, Pod) else []


def _first_port(end: object, name: str, protocol: str) -> int:
    """Return the number of a pod's first container port of a name and protocol; 0 if it has none."""
    return next((one for of, its, one in container_ports(end) if (of, its) == (name, protocol)), 0)


def contains(network: str, address: str) -> bool:
    """Say whether a network has an address; they are of one family."""
    found, of = ip_network(network, strict=False), ip_address(address)
    return found.version == of.version and of in found


def selects(selector: Spec | None, labels: Mapping[str, str]) -> bool:
    """Say whether a selector matches labels."""
    for key, value in ((selector or {}).get("matchLabels") or {}).items():
        if labels.get(key) != value:
            return False
    for one in (selector or {}).get("matchExpressions") or ():
        key, values = one["key"], one.get("values", ())
        found = {
            "In": key in labels and labels[key] in values,
            "NotIn": key not in labels or labels[key] not in values,
            "Exists": key in labels,
            "DoesNotExist": key not in labels,
        }
        if not found[one["operator"]]:
            return False
    return True


def isolating_specs(documents: Sequence[Document], pod: Pod, direction: str) -> Iterator[Spec]:
    """Yield the NetworkPolicies that isolate a pod in a direction."""
    for document in documents:
        if document.kind == "NetworkPolicy" and document.data["metadata"]["namespace"] == pod.namespace:
            spec = document.data["spec"]
            types = spec.get("policyTypes") or ["Ingress", *(["Egress"] if spec.get("egress") else [])]
            if direction.capitalize() in types and selects(spec.get("podSelector"), pod.labels):
                yield spec


def _np_peer(peer: Spec, half: Half) -> bool:
    if "ipBlock" in peer:
        block = peer["ipBlock"]
        excepts = block.get("except", ())
        return contains(block["cidr"], half.address) and not any(contains(one, half.address) for one in excepts)
    if not is_pod(half.other):
        return False
    if "namespaceSelector" in peer:
        if not selects(peer["namespaceSelector"], _namespace(half)):
            return False
    elif half.other.namespace != half.pod.namespace:  # type: ignore[attr-defined]
        return False
    return selects(peer.get("podSelector"), half.other.labels)  # type: ignore[attr-defined]


def _np_port(port: Spec, flow: Flow) -> bool:
    number, protocol = port.get("port"), port.get("protocol", "TCP")
    if protocol != flow.protocol or flow.port is None:
        return False
    if isinstance(number, str):
        return _first_port(flow.destination, number, protocol) == flow.port
    return number is None or bool(number <= flow.port <= port.get("endPort", number))
