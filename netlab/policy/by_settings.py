"""What settings of ``spec.policy`` decide before any policy: which sides of a path policies judge, and what is dropped.

``judged_path`` changes the path that the wiring has. With default settings it returns it unchanged. Each reason ends
with the setting and its value.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from netlab.cluster.flows import Flow
from netlab.cluster.paths import Path, node_of
from netlab.cluster.types import Cluster, Endpoint, Pod
from netlab.frozen import frozen
from netlab.objects.topology import TopologyPolicy

PORTS = ("TCP", "UDP", "SCTP")
"""The protocols that have ports."""


@frozen
class _Asked:
    """A flow as the hook of its source's node sees it, and the endpoint that receives the packets.

    ``translated``: a node translates the destination.
    """

    flow: Flow
    end: Endpoint | None
    translated: bool


_Change = Callable[[Cluster, Path, _Asked], Path]


def judged_path(cluster: Cluster, way: Path, flow: Flow, end: Endpoint | None, *, translated: bool = False) -> Path:
    """Return a path as the settings change it.

    ``flow`` is the flow as the hook of its source's node sees it. ``end`` is the endpoint that receives the packets.
    ``translated``: a node translates the destination.
    """
    changes: tuple[_Change, ...] | None = cluster.memo.get("policy.by_settings")
    if changes is None:
        changes = cluster.memo["policy.by_settings"] = _changes(cluster.policy)
    if not changes:
        return way
    asked = _Asked(flow, end, translated)
    for change in changes:
        way = change(cluster, way, asked)
    return way


def asked_like(cluster: Cluster, protocol: str, port: int | None) -> tuple[str, int | None]:
    """Return a protocol and port that have the same path as these, one for all that have it."""
    if protocol == "ICMP":
        return protocol, None
    if protocol == "SCTP" and cluster.policy.sctp == "drop":
        return protocol, None
    if _is_node_port(cluster, protocol, port):
        return "TCP", cluster.node_ports[0]
    return "TCP", None


def _changes(policy: TopologyPolicy) -> tuple[_Change, ...]:
    found: list[tuple[bool, _Change]] = [
        (policy.sctp == "drop", _drop_sctp),
        (policy.enforcement != "all", _enforce_nothing),
        (policy.icmp != "rules-without-ports", _pass_icmp),
        (policy.multicast == "allow", _pass_multicast),
        (policy.node_ports == "exempt", _pass_node_ports),
        (policy.directions == "ingress-only", _judge_no_egress),
    ]
    return tuple(change for used, change in found if used)


def _drop_sctp(_: Cluster, way: Path, asked: _Asked) -> Path:
    flow = asked.flow
    if flow.protocol != "SCTP" or way.local or not way.connected:
        return way
    if not (_on_a_hook(flow.source) or _on_a_hook(asked.end)):
        return way
    return Path(False, "all SCTP of pods is dropped (sctp: drop)", dropped=True)


def _enforce_nothing(_: Cluster, way: Path, asked: _Asked) -> Path:
    return _unjudged(way, "nothing enforces policies (enforcement: none)")


def _pass_icmp(cluster: Cluster, way: Path, asked: _Asked) -> Path:
    if asked.flow.protocol != "ICMP":
        return way
    what = "ICMP always passes" if cluster.policy.icmp == "allow" else "echo requests always pass"
    return _unjudged(way, f"{what} (icmp: {cluster.policy.icmp})")


def _pass_multicast(_: Cluster, way: Path, asked: _Asked) -> Path:
    if asked.flow.address is None or not asked.flow.address.is_multicast:
        return way
    return _unjudged(way, "packets to multicast addresses always pass (multicast: allow)")


def _pass_node_ports(cluster: Cluster, way: Path, asked: _Asked) -> Path:
    """Leave egress out where the packet ends at the source's own node: at a node port, or after DNAT of a Service."""
    source, to = asked.flow.source, asked.flow.destination
    if not way.egress_enforced or not isinstance(source, Pod) or to is None or node_of(to) != source.node:
        return way
    if not (asked.translated or _is_node_port(cluster, asked.flow.protocol, asked.flow.port)):
        return way
    return _unjudged(way, "node ports and Services at the own node are exempt (nodePorts: exempt)")


def _judge_no_egress(_: Cluster, way: Path, asked: _Asked) -> Path:
    if not (way.egress_enforced or way.own_node):
        return way
    return replace(
        way, egress_enforced=False, own_node=False, exempt="policies do not judge egress (directions: ingress-only)"
    )


def _unjudged(way: Path, why: str) -> Path:
    if not (way.egress_enforced or way.ingress_enforced or way.own_node):
        return way
    return replace(way, egress_enforced=False, ingress_enforced=False, own_node=False, exempt=why)


def _is_node_port(cluster: Cluster, protocol: str, port: int | None) -> bool:
    lowest, highest = cluster.node_ports
    exempt = cluster.policy.node_ports == "exempt" and protocol in PORTS
    return exempt and port is not None and lowest <= port <= highest


def _on_a_hook(end: Endpoint | None) -> bool:
    """Say whether the packets of an endpoint are those of a pod that pass the rules of a node."""
    return isinstance(end, Pod) and end.selectable and end.traits.attachment.enforced
