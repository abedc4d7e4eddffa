"""A naive model of Cilium's policies, and random sets of them.

It reads documents and knows no tiers: every end has a set of labels with sources, as an identity has. All rules of
NetworkPolicy and of Cilium's policies are one list. A flow is denied if a deny rule matches, else allowed if an allow
rule matches, else allowed if nothing isolates the subject.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from ipaddress import ip_address, ip_network
from random import Random
from typing import Any, NamedTuple

from netlab.cluster.flows import Flow
from netlab.cluster.types import Cluster, Endpoint, Host, Pod
from netlab.objects.types import Document, Source

Data = dict[str, Any]
POD_NAMESPACE, OF_NAMESPACE = "io.kubernetes.pod.namespace", "io.cilium.k8s.namespace.labels."


class Rule(NamedTuple):
    """A rule: whether it denies, and functions that say whether a peer and a port match."""

    denies: bool
    peers: list[Any] | None
    ports: list[tuple[str, int, int]] | None


def allows(documents: Sequence[Document], cluster: Cluster, flow: Flow) -> bool:
    """Say whether Cilium lets a flow between two different endpoints through."""
    source, to = flow.source, flow.destination
    assert to is not None
    return _side(documents, cluster, "egress", source, to, flow) and _side(
        documents, cluster, "ingress", to, source, flow
    )


def _side(
    documents: Sequence[Document], cluster: Cluster, direction: str, subject: Endpoint, other: Endpoint, flow: Flow
) -> bool:
    if not isinstance(subject, Pod) or subject.host_network:
        return True
    labels = identity(cluster, other, subject)
    if direction == "ingress" and "reserved:host" in labels:
        return True
    own = identity(cluster, subject, subject)
    isolated, rules = False, []
    for document in documents:
        for closes, rule in _rules({**document.data}, direction, own):
            isolated |= closes
            rules += [rule] if rule is not None else []
    matching = [one for one in rules if _matches(one, labels, other, flow)]
    if any(one.denies for one in matching):
        return False
    return bool(matching) or not isolated


def identity(cluster: Cluster, end: Endpoint, subject: Pod) -> dict[str, str]:
    """Return the labels of an endpoint's identity, as a pod's node sees it."""
    if isinstance(end, Host):
        return {"reserved:world": ""}
    if not isinstance(end, Pod) or end.host_network:
        node = end.node if isinstance(end, Pod) else end.name
        return {"reserved:host" if node == subject.node else "reserved:remote-node": ""}
    of_space = {f"k8s:{OF_NAMESPACE}{key}": value for key, value in cluster.namespaces[end.namespace].items()}
    own = {f"k8s:{key}": value for key, value in end.labels.items()}
    return {**own, **of_space, f"k8s:{POD_NAMESPACE}": end.namespace, "k8s:io.cilium.k8s.policy.cluster": "default"}


def _rules(data: Data, direction: str, own: dict[str, str]) -> Iterator[tuple[bool, Rule | None]]:
    """Yield, for each part of a policy that selects an identity, whether it isolates, and its rules."""
    space = data["metadata"].get("namespace", "")
    if data["kind"] == "NetworkPolicy":
        spec = data["spec"]
        selects = _selected(_with(spec["podSelector"], {POD_NAMESPACE: space}), own)
        if selects and direction.capitalize() in spec["policyTypes"]:
            yield True, None
            for one in spec.get(direction, []):
                yield True, _of_kubernetes(one, space)
    elif data["kind"].startswith("Cilium"):
        for spec in ([data["spec"]] if "spec" in data else []) + data.get("specs", []):
            selector = _with(spec["endpointSelector"], {POD_NAMESPACE: space}) if space else spec["endpointSelector"]
            if not _selected(selector, own):
                continue
            has_rules = bool(spec.get(direction) or spec.get(f"{direction}Deny"))
            yield spec.get("enableDefaultDeny", {}).get(direction, has_rules), None
            for field, denies in ((direction, False), (f"{direction}Deny", True)):
                for one in spec.get(field, []):
                    yield False, _of_cilium(one, space, denies)


def _of_kubernetes(rule: Data, space: str) -> Rule:
    peers: list[Any] = []
    for peer in rule.get("from") or rule.get("to") or []:
        if "ipBlock" in peer:
            peers.append({"cidr": peer["ipBlock"]["cidr"], "except": peer["ipBlock"].get("except", [])})
            continue
        wanted = dict(peer.get("podSelector", {}).get("matchLabels", {}))
        if "namespaceSelector" in peer:
            spaces = peer["namespaceSelector"].get("matchLabels", {})
            wanted |= {OF_NAMESPACE + key: value for key, value in spaces.items()}
            expressions = [{"key": POD_NAMESPACE, "operator": "Exists"}]
        else:
            wanted[POD_NAMESPACE], expressions = space, []
        peers.append({"matchLabels": wanted, "matchExpressions": expressions})
    ports = [(p["protocol"], p["port"], p.get("endPort", p["port"])) for p in rule.get("ports", [])]
    return Rule(False, peers or None, ports or None)


def _of_cilium(rule: Data, space: str, denies: bool) -> Rule | None:
    if not rule:
        return None
    peers: list[Any] | None = None
    for way in ("from", "to"):
        for one in rule.get(f"{way}Endpoints", ()):
            keys = [*one.get("matchLabels", {}), *(e["key"] for e in one.get("matchExpressions", []))]
            bare = [key.removeprefix("k8s:").removeprefix("any:") for key in keys]
            selector = one
            if POD_NAMESPACE not in bare:
                if not space:
                    exists = {"key": POD_NAMESPACE, "operator": "Exists"}
                    selector = {**one, "matchExpressions": [*one.get("matchExpressions", []), exists]}
                elif not any(key.startswith(OF_NAMESPACE) for key in bare):
                    selector = _with(one, {POD_NAMESPACE: space})
            peers = [*(peers or []), selector]
        peers = [*(peers or []), *rule[f"{way}Entities"]] if f"{way}Entities" in rule else peers
        blocks = [{"cidr": one} for one in rule.get(f"{way}CIDR", [])] + rule.get(f"{way}CIDRSet", [])
        peers = [*(peers or []), *blocks] if blocks else peers
    ports = None
    if "toPorts" in rule:
        every = [one for item in rule["toPorts"] for one in item["ports"]]
        ports = [
            (protocol, int(one["port"]), one.get("endPort", int(one["port"])))
            for one in every
            for protocol in (("TCP", "UDP", "SCTP") if one.get("protocol", "ANY") == "ANY" else (one["protocol"],))
        ]
    return Rule(denies, peers, ports)


def _with(selector: Data, labels: dict[str, str]) -> Data:
    return {**selector, "matchLabels": {**selector.get("matchLabels", {}), **labels}}


def _selected(selector: Data, labels: dict[str, str]) -> bool:
    def value(key: str) -> str | None:
        return labels.get(f"k8s:{key.removeprefix('k8s:').removeprefix('any:')}")

    for key, wanted in selector.get("matchLabels", {}).items():
        if value(key) != wanted:
            return False
    for one in selector.get("matchExpressions", []):
        found, some = value(one["key"]), one.get("values", [])
        right: dict[str, bool] = {
            "In": found in some,
            "NotIn": found not in some,
            "Exists": found is not None,
            "DoesNotExist": found is None,
        }
        if not right[one["operator"]]:
            return False
    return True


def _matches(rule: Rule, labels: dict[str, str], other: Endpoint, flow: Flow) -> bool:
    if rule.ports is not None and not any(
        protocol == flow.protocol and first <= (flow.port or 0) <= last for protocol, first, last in rule.ports
    ):
        return False
    return rule.peers is None or any(_is_peer(peer, labels, other, flow.family) for peer in rule.peers)


def _is_peer(peer: Any, labels: dict[str, str], other: Endpoint, family: int) -> bool:
    if isinstance(peer, str):
        inside = "k8s:io.cilium.k8s.policy.cluster" in labels
        nodes = {"reserved:host", "reserved:remote-node"} & {*labels}
        return {"all": True, "cluster": inside or bool(nodes)}.get(peer, f"reserved:{peer}" in labels)
    if "cidr" not in peer:
        return _selected(peer, labels)
    if "reserved:world" not in labels:
        return False
    addresses = [one for one in other.addresses if one.version == family and one in ip_network(peer["cidr"])]
    return any(not any(ip_address(a) in ip_network(e) for e in peer.get("except", ())) for a in addresses)


# --- random sets ----------------------------------------------------------------------------------------------------

SPACES = {"x": {"team": "1"}, "y": {"team": "2"}}
_LABELS: list[Data] = [{}, {"app": "p"}, {"k8s:app": "q"}, {"any:tier": "db"}]
_EXPRESSIONS: list[Data] = [
    {"key": "app", "operator": "In", "values": ["p", "q"]},
    {"key": "k8s:tier", "operator": "DoesNotExist"},
    {"key": "app", "operator": "NotIn", "values": ["q"]},
    {"key": "tier", "operator": "Exists"},
]
_OF_SPACES: list[Data] = [
    {"matchLabels": {POD_NAMESPACE: "y"}},
    {"matchExpressions": [{"key": f"k8s:{POD_NAMESPACE}", "operator": "In", "values": ["x", "y"]}]},
    {"matchLabels": {f"{OF_NAMESPACE}team": "1"}},
    {"matchExpressions": [{"key": f"k8s:{OF_NAMESPACE}kubernetes.io/metadata.name", "operator": "Exists"}]},
]
_BLOCKS = [
    "0.0.0.0/0",
    "192.0.2.0/24",
    "192.0.2.10",
    "10.0.0.0/8",
    "100.64.0.0/16",
    "192.0.2.11/32",
    "::/0",
    "2001:db8::10",
    "fd00::/8",
]
_SETS: list[Data] = [
    {"cidr": "192.0.2.0/24", "except": ["192.0.2.10/32"]},
    {"cidr": "0.0.0.0/0", "except": ["10.0.0.0/8", "192.0.2.11/32"]},
    {"cidr": "2001:db8::/32", "except": ["2001:db8::11/128"]},
]
_PORTS: list[Data] = [
    {"port": "80", "protocol": "TCP"},
    {"port": "80"},
    {"port": "80", "endPort": 81, "protocol": "TCP"},
    {"port": "81", "protocol": "UDP"},
]


def some_documents(rng: Random) -> list[Document]:
    """Return the documents of a lab like Cilium's, with a few random policies of both APIs."""
    nodes = [{"name": f"node-{number}"} for number in (1, 2)]
    hosts = [{"name": f"h{number}", "addresses": [f"192.0.2.{number}", f"2001:db8::{number}"]} for number in (10, 11)]
    found = [
        _document(
            "Topology",
            "t",
            {
                "profile": "cilium",
                "nodes": nodes,
                "hosts": hosts,
                "networks": [{"name": "main", "podCIDRs": ["10.244.0.0/16", "fd00:10:244::/56"]}],
            },
            "netlab/v1alpha1",
        )
    ]
    found += [_document("Namespace", name, None, labels=labels) for name, labels in SPACES.items()]
    for number, space in enumerate("xxxyyy"):
        labels = {key: rng.choice(some) for key, some in (("app", "pq"), ("tier", ("db", "web"))) if rng.random() < 0.7}
        spec: Data = {"nodeName": f"node-{number % 2 + 1}", "containers": [{"name": "c", "image": "i"}]}
        if number == 5:
            spec["hostNetwork"] = True
        found.append(_document("Pod", f"{space}/p{number}", spec, labels=labels))
    for number in range(rng.randint(1, 4)):
        kind = rng.choice(("CiliumNetworkPolicy", "CiliumNetworkPolicy", "CiliumClusterwideNetworkPolicy"))
        ref = f"{rng.choice('xy')}/c{number}" if kind == "CiliumNetworkPolicy" else f"c{number}"
        if rng.random() < 0.2:
            found.append(_document(kind, ref, None, "cilium.io/v2", specs=[_spec(rng), _spec(rng)]))
        else:
            found.append(_document(kind, ref, _spec(rng), "cilium.io/v2"))
    for number in range(rng.choice((0, 0, 1, 2))):
        found.append(_document("NetworkPolicy", f"{rng.choice('xy')}/n{number}", _of_np(rng), "networking.k8s.io/v1"))
    return found


def _document(
    kind: str, ref: str, spec: Data | None, version: str = "v1", *, labels: dict[str, str] | None = None, **more: Any
) -> Document:
    space, _, name = ref.rpartition("/")
    meta = {"name": name, **({"namespace": space} if space else {}), **({"labels": labels} if labels else {})}
    data = {"apiVersion": version, "kind": kind, "metadata": meta, **({} if spec is None else {"spec": spec}), **more}
    return Document(data, Source("random.yaml"))


def _spec(rng: Random) -> Data:
    spec: Data = {"endpointSelector": _selector(rng)}
    while len(spec) == 1:
        for field in ("ingress", "ingressDeny", "egress", "egressDeny"):
            if rng.random() < 0.4:
                rules = [_rule(rng, field) for _ in range(rng.choice((1, 1, 2, 3)))]
                spec[field] = [one for one in rules if one or not field.endswith("Deny")] or [
                    {"toPorts": _to_ports(rng)}
                ]
        if "ingressDeny" in spec:
            spec["ingressDeny"] = [one for one in spec["ingressDeny"] if {*one} - {"toPorts"}]
        spec = {key: value for key, value in spec.items() if value or key == "endpointSelector"}
    if rng.random() < 0.3:
        chosen = rng.sample(("ingress", "egress"), rng.randint(1, 2))
        spec["enableDefaultDeny"] = {direction: rng.random() < 0.5 for direction in chosen}
    return spec


def _selector(rng: Random) -> Data:
    selector: Data = {}
    if rng.random() < 0.6:
        selector["matchLabels"] = rng.choice(_LABELS)
    if rng.random() < 0.3:
        selector["matchExpressions"] = [rng.choice(_EXPRESSIONS)]
    return selector


def _rule(rng: Random, field: str) -> Data:
    way = "to" if field.startswith("egress") else "from"
    rule: Data = {}
    match rng.randint(0, 5):
        case 0 | 1:
            rule[f"{way}Endpoints"] = [_peer(rng) for _ in range(rng.randint(1, 2))]
        case 2:
            entities: list[Any] = [["world"]]
            if field != "ingressDeny":
                entities += [["all"], ["cluster"], ["host", "remote-node"], ["host", "remote-node", "world"]]
            if way == "from":
                entities.append(["remote-node"])
            if field == "ingress":
                entities.append(["host"])
            rule[f"{way}Entities"] = rng.choice(entities)
        case 3:
            rule[f"{way}CIDR"] = rng.sample(_BLOCKS, rng.randint(1, 2))
        case 4:
            rule[f"{way}CIDRSet"] = [rng.choice(_SETS)]
    if rng.random() < 0.5:
        rule["toPorts"] = _to_ports(rng)
    return rule


def _to_ports(rng: Random) -> list[Data]:
    return [{"ports": rng.sample(_PORTS, rng.randint(1, 2))} for _ in range(rng.choice((1, 1, 2)))]


def _peer(rng: Random) -> Data:
    own = _selector(rng)
    if rng.random() < 0.5:
        return own
    more = rng.choice(_OF_SPACES)
    return {key: _joined(own.get(key), more.get(key)) for key in {*own, *more}}


def _joined(one: Any, other: Any) -> Any:
    if one is None or other is None:
        return other if one is None else one
    return {**one, **other} if isinstance(one, dict) else [*one, *other]


def _of_np(rng: Random) -> Data:
    types = rng.choice((["Ingress"], ["Egress"], ["Ingress", "Egress"]))
    spec: Data = {"podSelector": rng.choice(({}, {"matchLabels": {"app": "p"}})), "policyTypes": types}
    peers: list[Data] = [
        {"podSelector": {}},
        {"namespaceSelector": {}},
        {"namespaceSelector": {"matchLabels": {"team": "1"}}, "podSelector": {"matchLabels": {"app": "q"}}},
        {"ipBlock": {"cidr": "0.0.0.0/0", "except": ["192.0.2.10/32"]}},
    ]
    for name in types:
        rule: Data = {}
        if rng.random() < 0.8:
            rule["from" if name == "Ingress" else "to"] = rng.sample(peers, rng.randint(1, 2))
        if rng.random() < 0.4:
            rule["ports"] = [{"port": 80, "protocol": "TCP"}]
        spec[name.lower()] = [rule] if rng.random() < 0.7 else []
    return spec
