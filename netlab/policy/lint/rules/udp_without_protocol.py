"""A port of UDP without a protocol."""

from __future__ import annotations

from collections.abc import Iterator, Set

from netlab.cluster.types import Cluster
from netlab.objects.policies import NetworkPolicy, Peer
from netlab.objects.policies import Rule as PolicyRule
from netlab.objects.types import Direction
from netlab.policy.lint.given import Given
from netlab.policy.lint.rule import Found, Rule, found
from netlab.policy.matched_pods import pods_matched, pods_selected

# DNS, DHCP, TFTP, NTP, SNMP, IKE, syslog, RADIUS, STUN, VXLAN, mDNS, Geneve, StatsD, VXLAN of flannel, WireGuard.
_USUAL = frozenset(
    {53, 67, 68, 69, 123, 161, 162, 500, 514, 1812, 1813, 3478, 4500, 4789, 5353, 6081, 8125, 8472, 51820}
)
_Declared = Set[tuple[int, str]]


def _find(given: Given) -> Iterator[Found]:
    for policy, direction, rule in given.rules():
        udp = {item.port for item in rule.ports if item.protocol == "UDP"}
        if None in udp:
            continue
        for number, item in enumerate(rule.ports):
            path = f"{rule.path}.ports[{number}]"
            port = item.port
            if not isinstance(port, int) or port in udp or item.end_port is not None or item.protocol != "TCP":
                continue
            if f"{path}.protocol" in policy.source.lines:
                continue
            declared = _declared(given.cluster, policy, direction, rule)
            if (port, "TCP") in declared:
                continue
            if (port, "UDP") in declared:
                why = "and the pods of the rule declare it for UDP only"
            elif port in _USUAL:
                why = "and it is a well-known port of UDP"
            else:
                continue
            yield found(policy, path, f"port {port} without a protocol is TCP, {why}")


def _declared(cluster: Cluster, policy: NetworkPolicy, direction: Direction, rule: PolicyRule) -> _Declared:
    """Return the ports that the destinations of a rule declare, each with its protocol."""
    if direction == "ingress":
        return {(port.port, port.protocol) for pod in pods_selected(cluster, policy) for port in pod.ports}
    if not rule.peers or any(peer.ip_block is not None for peer in rule.peers):
        return _of_peer(cluster, policy, None)
    return {one for peer in rule.peers for one in _of_peer(cluster, policy, peer)}


def _of_peer(cluster: Cluster, policy: NetworkPolicy, peer: Peer | None) -> _Declared:
    """Return the ports that the pods of a peer declare; None stands for every pod."""
    known: dict[tuple[str, Peer | None], _Declared] = cluster.memo.setdefault("policy.lint.declared", {})
    key = (policy.meta.namespace if peer is not None and peer.namespace_selector is None else "", peer)
    if key not in known:
        pods = cluster.asked_pods() if peer is None else pods_matched(cluster, policy, peer)
        known[key] = {(port.port, port.protocol) for pod in pods for port in pod.ports}
    return known[key]


RULE = Rule(
    "udp-without-protocol",
    "warning",
    "a UDP port without a protocol",
    what="An item of `ports` has no `protocol`, which means TCP, and UDP was probably meant: the pods of the rule"
    " declare the number for UDP only, or the number is well known for UDP (53, 123, 161, 514, 4789 and others)"
    " and no pod of the rule declares it for TCP. Rules that also list the number for UDP are no finding.",
    why="The rule allows TCP only. If the port is 53, pods cannot resolve names.",
    fix="write protocol: UDP, or for DNS both protocols",
    objects="""\
apiVersion: v1
kind: Pod
metadata: {name: web, namespace: shop, labels: {app: web}}
""",
    fires="""\
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: web, namespace: shop}
spec:
  podSelector: {matchLabels: {app: web}}
  policyTypes: [Egress]
  egress:
  - ports: [{port: 53}]
""",
    clean="""\
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: web, namespace: shop}
spec:
  podSelector: {matchLabels: {app: web}}
  policyTypes: [Egress]
  egress:
  - ports: [{port: 53, protocol: UDP}, {port: 53, protocol: TCP}]
""",
    find=_find,
)
