"""Random clusters of every mode, family and setting, with Services of every type; the same number gives the same one.

They have what the smaller cases of ``netlab conformance`` leave out: IPv6, several networks, macvlan, host-network
pods, published ports, pods that end or are not ready, EndpointSlices, external IPs, and settings of policy.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from random import Random
from typing import Any

Data = dict[str, Any]

MODES = ("overlay", "routed", "bridge")
_FAMILIES = ((4,), (4,), (6,), (4, 6), (6, 4))
_CIDRS = {4: "10.244.0.0/16", 6: "fd00:10:244::/56"}
_MORE_CIDRS = {4: "10.245.0.0/16", 6: "fd00:10:245::/56"}
_LAN_CIDRS = {4: "100.64.8.0/24", 6: "fd00:100:64::8:0/112"}
_HOSTS = {"in": {4: "192.0.2.10", 6: "2001:db8::10"}, "far": {4: "203.0.113.7", 6: "2001:db8:1::7"}}
_SETTINGS = {
    "icmp": ("rules-without-ports", "allow"),
    "deny": ("drop", "reject"),
    "ipBlockPods": ("match", "ignore"),
    "ownNode": ("allow", "enforce"),
    "hostNetworkPeers": ("ignore", "match"),
    "established": ("keep", "reevaluate"),
    "hairpin": ("subject", "exempt", "unwired"),
    "serviceEgress": ("post-dnat", "pre-dnat"),
}
_SPACES = ("x", "y")
_APPS = ("p", "p", "p", "q")
_PORTS: tuple[Data, ...] = (
    {"port": 80, "protocol": "TCP"},
    {"port": 8080, "protocol": "TCP", "targetPort": 80},
    {"port": 80, "protocol": "TCP", "targetPort": "web"},
    {"port": 443, "protocol": "TCP", "targetPort": 81},
    {"port": 53, "protocol": "UDP", "targetPort": "dns"},
    {"port": 80, "protocol": "SCTP"},
    {"port": 80, "protocol": "UDP", "targetPort": 81},
)
_SERVED = (
    (),
    (("web", 80, "TCP"), ("dns", 53, "UDP")),
    (("web", 81, "TCP"), ("dns", 54, "UDP")),
    (("web", 80, "UDP"),),
)


def documents(seed: int, mode: str, name: str = "random") -> list[Data]:
    """Return the objects of a random cluster: a Topology, pods, Services with their slices, and policies."""
    return list(_Maker(Random(f"{seed}-{mode}"), mode, name).documents())  # noqa: S311


def _object(kind: str, name: str, namespace: str = "", version: str = "v1", **more: Any) -> Data:
    metadata: Data = {"name": name} | ({"namespace": namespace} if namespace else {})
    return {"apiVersion": version, "kind": kind, "metadata": metadata, **more}


class _Maker:
    def __init__(self, rng: Random, mode: str, name: str) -> None:
        self.rng, self.mode, self.name = rng, mode, name
        self.families = rng.choice(_FAMILIES)
        self.nodes = [f"n{i + 1}" for i in range(rng.choice((1, 2, 2, 3)))]
        self.more = rng.random() < 0.25
        self.lan = rng.random() < 0.25
        self.pods: list[tuple[str, str]] = []
        self.addresses: list[dict[int, str]] = []

    def chance(self, part: float) -> bool:
        return self.rng.random() < part

    def documents(self) -> Iterator[Data]:
        yield self.topology()
        for i in range(self.rng.randint(4, 7)):
            yield self.pod(i)
        for i in range(self.rng.randint(1, 4)):
            yield from self.service(i)
        for i in range(self.rng.randint(0, 3)):
            yield self.policy(i)

    def topology(self) -> Data:
        def network(name: str, mode: str, cidrs: dict[int, str]) -> Data:
            return {"name": name, "mode": mode, "podCIDRs": [cidrs[f] for f in self.families]}

        networks = [network("default", self.mode, _CIDRS)]
        if self.more:
            networks.append(network("more", self.rng.choice(MODES), _MORE_CIDRS))
        if self.lan:
            networks.append(network("lan", "macvlan", _LAN_CIDRS))
        zones = [{"topology.kubernetes.io/zone": self.rng.choice("ab")} for _ in self.nodes]
        spec = {
            "networks": networks,
            "nodes": [{"name": one, "labels": labels} for one, labels in zip(self.nodes, zones, strict=True)],
            "hosts": [{"name": name, "addresses": [of[f] for f in self.families]} for name, of in _HOSTS.items()],
            "dns": False,
            "policy": {name: self.rng.choice(values) for name, values in _SETTINGS.items()},
        }
        return _object("Topology", self.name, version="netlab/v1alpha1", spec=spec)

    def pod(self, number: int) -> Data:
        ref = (self.rng.choice(_SPACES), f"p{number}")
        self.pods.append(ref)
        at = self.rng.randrange(len(self.nodes))
        ports: list[Data] = [
            {"name": name, "containerPort": port, "protocol": protocol}
            for name, port, protocol in self.rng.choice(_SERVED)
        ]
        spec: Data = {"nodeName": self.nodes[at], "containers": [{"name": "c", "image": "i", "ports": ports}]}
        status: Data = {"phase": "Running"}
        found = _object("Pod", ref[1], ref[0], spec=spec, status=status)
        found["metadata"]["labels"] = {"app": self.rng.choice(_APPS), "of": self.rng.choice("ab")}
        annotations: dict[str, str] = {}
        if self.chance(0.12):
            spec["hostNetwork"] = True
            for port in ports:
                port["hostPort"] = port["containerPort"]
        elif self.more and self.chance(0.3):
            annotations["netlab/network"] = "more"
        elif self.lan and self.chance(0.3):
            annotations["netlab/network"] = "lan"
        elif self.chance(0.2):
            # Some of these numbers are nodePorts of Services too.
            ports.append({"containerPort": 80, "hostPort": 30100 + number, "protocol": "TCP", "name": "published"})
        elif self.chance(0.5):
            subnet = f":{at:x}" if at else ""
            address = {4: f"10.244.{at}.{100 + number}", 6: f"fd00:10:244{subnet}::{100 + number:x}"}
            status["podIPs"] = [{"ip": address[f]} for f in self.families]
            status["podIP"] = status["podIPs"][0]["ip"]
            self.addresses.append(address)
        if spec.get("hostNetwork"):
            ports[:] = [p for p in ports if self.chance(0.5)][:1]
        if annotations:
            found["metadata"]["annotations"] = annotations
        status["conditions"] = [{"type": "Ready", "status": "False" if self.chance(0.12) else "True"}]
        if self.chance(0.12):
            found["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
        return found

    def service(self, number: int) -> Iterator[Data]:
        rng = self.rng
        space, name = rng.choice(_SPACES), f"s{number}"
        kind = rng.choice(("ClusterIP", "ClusterIP", "NodePort", "LoadBalancer", "LoadBalancer"))
        chosen = {(one["port"], one["protocol"]): one for one in rng.sample(_PORTS, rng.randint(1, 3))}
        ports = [{**one, "name": f"port-{i}"} for i, one in enumerate(chosen.values())]
        spec: Data = {"type": kind, "ports": ports, "ipFamilyPolicy": "PreferDualStack"}
        found = _object("Service", name, space, spec=spec)
        selector = rng.choice(({"app": "p"}, {"app": "p"}, {"app": "q"}, {"of": "a"}, {"app": "none"}, None))
        if selector:
            spec["selector"] = selector
        if self.chance(0.25):
            spec["internalTrafficPolicy"] = "Local"
        if self.chance(0.25):
            spec["sessionAffinity"] = "ClientIP"
        if self.chance(0.2):
            spec["publishNotReadyAddresses"] = True
        if self.chance(0.2):
            spec["trafficDistribution"] = rng.choice(("PreferClose", "PreferSameNode"))
        if kind != "ClusterIP":
            for i, one in enumerate(ports):
                one["nodePort"] = 30100 + 4 * number + i
            if self.chance(0.4):
                spec["externalTrafficPolicy"] = "Local"
        if kind == "LoadBalancer":
            addresses = {4: f"198.18.0.{10 + number // 2}", 6: f"fd00:198:18::{10 + number // 2:x}"}
            if self.chance(0.5):
                ingress: list[Data] = [{"ip": addresses[f]} for f in self.families]
                if self.chance(0.2):
                    ingress = [one | {"ipMode": "Proxy"} for one in ingress]
                found["status"] = {"loadBalancer": {"ingress": ingress}}
            if self.chance(0.3):
                of = rng.choice(({4: "192.0.2.0/24", 6: "2001:db8::/64"}, _CIDRS, {4: "100.64.0.0/16", 6: "fd00::/16"}))
                spec["loadBalancerSourceRanges"] = [of[f] for f in self.families]
        if self.chance(0.25):
            spec["externalIPs"] = [
                {4: f"198.51.100.{rng.randint(1, 2)}", 6: f"2001:db8:5::{rng.randint(1, 2)}"}[f] for f in self.families
            ]
            if kind == "ClusterIP" and self.chance(0.4):
                spec["externalTrafficPolicy"] = "Local"
        yield found
        if not selector:
            yield from self.slices(space, name, ports)

    def slices(self, space: str, name: str, ports: Sequence[Data]) -> Iterator[Data]:
        for family in self.families:
            of_none = {4: "10.244.0.250", 6: "fd00:10:244::fa"}
            known = [*self.addresses, *_HOSTS.values(), of_none]
            chosen = self.rng.sample(known, self.rng.randint(0, min(3, len(known))))
            found = _object("EndpointSlice", f"{name}-{family}", space, version="discovery.k8s.io/v1")
            found["metadata"]["labels"] = {"kubernetes.io/service-name": name}
            found["addressType"] = f"IPv{family}"
            found["endpoints"] = [
                {"addresses": [one[family]], "conditions": {"ready": not self.chance(0.15)}} for one in chosen
            ]
            found["ports"] = [
                {"name": one["name"], "port": self.rng.choice((80, 81)), "protocol": one["protocol"]} for one in ports
            ]
            yield found

    def policy(self, number: int) -> Data:
        rng = self.rng
        ways = rng.choice((["Ingress"], ["Egress"], ["Ingress", "Egress"]))
        spec: Data = {"podSelector": {"matchLabels": rng.choice(({}, {"app": "p"}, {"of": "b"}))}, "policyTypes": ways}
        for way, key in (("Ingress", "from"), ("Egress", "to")):
            if way in ways:
                rules = [self.rule(key) for _ in range(rng.randint(0, 2))]
                spec[way.lower()] = rules
        name, space = f"policy-{number}", rng.choice(_SPACES)
        return _object("NetworkPolicy", name, space, version="networking.k8s.io/v1", spec=spec)

    def rule(self, key: str) -> Data:
        rng = self.rng
        found: Data = {}
        if peers := [self.peer() for _ in range(rng.choice((0, 1, 1, 2)))]:
            found[key] = peers
        if ports := [rng.choice(_RULE_PORTS) for _ in range(rng.choice((0, 0, 1, 2)))]:
            found["ports"] = ports
        return found

    def peer(self) -> Data:
        rng = self.rng
        if self.chance(0.5):
            family = rng.choice(self.families)
            return {"ipBlock": {"cidr": rng.choice(_BLOCKS[family])}}
        found: Data = {"podSelector": {"matchLabels": rng.choice(({}, {"app": "p"}, {"of": "a"}))}}
        if self.chance(0.5):
            found["namespaceSelector"] = {}
        return found


_RULE_PORTS: tuple[Data, ...] = (
    {"port": 80},
    {"port": 80, "endPort": 81},
    {"port": "web"},
    {"port": 53, "protocol": "UDP"},
    {"port": "dns", "protocol": "UDP"},
    {"port": 80, "protocol": "SCTP"},
    {"port": 81, "protocol": "UDP"},
    {"port": 8080},
)
_BLOCKS = {
    4: ("0.0.0.0/0", "10.244.0.0/16", "10.244.0.0/24", "192.0.2.0/24", "100.64.0.0/16", "10.96.0.0/16"),
    6: ("::/0", "fd00:10:244::/56", "fd00:10:244::/64", "2001:db8::/64", "fd00:100:64::/64"),
}
