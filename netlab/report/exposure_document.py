"""The parts of an Exposure document as data."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from netlab.objects.core_v1 import NAMESPACE_LABEL
from netlab.policy.inside_addresses import in_families, nodes_admitted, nodes_matched
from netlab.policy.matching import peer_path
from netlab.report.exposure import port_data

if TYPE_CHECKING:
    from netlab.objects.policies import NetworkPolicy
    from netlab.policy.address_sets import AddressSet
    from netlab.policy.decision import Match
    from netlab.policy.exposed_sides import ExposedSide
    from netlab.policy.exposure import Exposure, NewPods
    from netlab.policy.hops import ReachedPods
    from netlab.report.exposure import ExposureReport


def group_data(report: ExposureReport, name: str, one: Exposure) -> dict[str, Any]:
    """Return a group as data."""
    pod = one.pods[0]
    return {
        "group": name,
        "pods": len(one.group.members),
        "members": [member.ref for member in one.group.members],
        "ports": [{"protocol": p.protocol, "port": p.port, "name": p.name} for p in pod.ports],
        "sources": one.sources,
        "destinations": one.destinations,
        "ingress": _side(report, one, one.ingress),
        "egress": _side(report, one, one.egress),
        "entryPoints": [
            {
                "kind": entry.kind,
                "service": entry.service,
                "protocol": entry.protocol,
                "port": entry.port,
                "target": entry.target,
                "family": entry.family,
                "ranges": _ranges(entry.admitted),
                "internet": list(entry.admitted.internet),
                "unknown": _ranges(entry.unknown),
            }
            for entry in one.entry_points
        ],
    }


def _side(report: ExposureReport, one: Exposure, side: ExposedSide) -> dict[str, Any]:
    cluster = report.found.cluster
    found: dict[str, Any] = {
        "isolated": side.openings.isolated,
        "level": side.level(cluster),
        "why": side.unenforced,
        "policies": _policies(side),
        "pods": [],
        "addresses": [],
        "unknown": [*map(str, side.unread), *(policy.ref for policy in side.tiers)],
    }
    whole, some = side.pods_by_address(cluster), side.some_by_address(cluster)
    for opening in side.openings.pods:
        peers = opening.peers
        spaces = peers.namespaces if peers.named is not None else peers.namespaces.without(NAMESPACE_LABEL)
        found["pods"].append(
            {
                "peers": str(peers),
                "podSelector": _selector(str(peers.pods)),
                "namespaceSelector": _selector(str(spaces)),
                "ports": opening.ports.words(),
                "pods": report.found.pods_of(peers),
                "namespaces": len(report.found.namespaces_of(peers.namespaces)),
                "newNamespaces": peers.new_namespaces(cluster),
                "stopped": report.found.stopped(one, opening) if side is one.ingress else [],
                "nodes": nodes_matched(cluster, peers),
                "because": _because(opening.rules),
            }
        )
    for of in side.openings.addresses:
        own = in_families(cluster, of)
        if not own:
            continue
        found["addresses"].append(
            {
                "ranges": _ranges(own),
                "internet": list(own.internet),
                "ports": of.ports.words(),
                "pods": "all" if of in whole else "some" if of in some else "none",
                "outside": side.is_outside(cluster, of),
                "nodes": nodes_admitted(cluster, one.pods[0], of),
                "because": _because(of.rules),
            }
        )
    return found


def _selector(text: str) -> str:
    return "" if text == "<all>" else text


def _ranges(addresses: AddressSet) -> list[dict[str, Any]]:
    return [
        {"cidr": str(block.cidr), "except": [str(one) for one in block.excepts]}
        for family in (4, 6)
        for block in addresses.blocks(family)
    ]


def _because(rules: Iterable[Match]) -> list[dict[str, Any]]:
    found = []
    for match in rules:
        path = peer_path(match.rule, match.peer)
        found.append({**policy_data(match.policy), "line": match.policy.source.line(path), "path": path})
    return found


def policy_data(policy: NetworkPolicy) -> dict[str, Any]:
    """Return a policy's name and place as data."""
    of = policy.source
    return {"object": f"NetworkPolicy {policy.meta.key}", "file": of.file, "line": of.line()}


def _policies(side: ExposedSide) -> list[dict[str, Any]]:
    return [policy_data(policy) for policy in side.openings.policies]


def new_pods_data(one: NewPods) -> dict[str, Any]:
    """Return what isolates a new pod of some namespaces as data."""
    sides = {"ingress": one.ingress, "egress": one.egress}
    data = {word: {"isolated": of.openings.isolated, "policies": _policies(of)} for word, of in sides.items()}
    return {"namespaces": list(one.namespaces), **data}


def reached_data(one: ReachedPods) -> dict[str, Any]:
    """Return pods that are reached, with a path, as data."""
    path = [{"pod": step.pod.ref, **port_data(step.pod, step.asked)} for step in one.steps]
    return {"pods": [pod.ref for pod in one.pods], "hops": len(one.steps), "path": path}
