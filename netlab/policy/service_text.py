"""The way of a flow to a Service as text, and the rules that name the Service's port or address and match nothing.

Policies see the endpoint's address and port, and never those of the Service
(https://kubernetes.io/docs/concepts/services-networking/network-policies/).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from netlab.cluster.services.endpoints import ServiceEndpoint, endpoints
from netlab.cluster.translate import translate
from netlab.cluster.translate.services import Frontend
from netlab.cluster.types import Cluster
from netlab.objects.policies import PolicyPort
from netlab.policy.decision import Decision, Side
from netlab.policy.matching import peer_path
from netlab.policy.problems import some
from netlab.policy.reasons import named, service_text, where


def described(frontend: Frontend) -> str:
    """Return the text of a frontend: ``Service shop/db (shop.yaml:3), its ClusterIP 10.96.0.7``."""
    line = frontend.service.source.line()
    written = f" ({frontend.service.source.file}:{line})" if line else ""
    its = f"{frontend.type_text} {frontend.address}"
    if frontend.node is not None:
        its = f"nodePort at {frontend.address} of {frontend.node.ref}"
    return f"Service {frontend.service.meta.key}{written}, its {its}"


def way_lines(cluster: Cluster, decision: Decision, frontend: Frontend) -> list[str]:
    """Return the lines about name, address, node, endpoints and port."""
    flow, service, port = decision.flow, frontend.service, frontend.port
    lines = []
    if cluster.dns and frontend.type == "ClusterIP":
        name = f"{service.meta.name}.{service.meta.namespace}.svc.{cluster.cluster_domain}"
        lines.append(f"name      {name}, which DNS answers with {frontend.address}")
    at = f" of {frontend.node.ref}" if frontend.node is not None else ""
    lines.append(
        f"address   {frontend.address} on {service_text(flow.protocol, flow.port)}, its {frontend.type_text}{at}"
    )
    translated = translate(cluster, flow)
    if translated is None or port is None:
        return lines
    if translated.node is not None:
        masquerades = ""
        if translated.target.masqueraded:
            masquerades = "and masquerades after policy: endpoints see the node"
        elif translated.flows:
            masquerades = "and keeps the source address"
        lines.append(f"node      {translated.node.ref} translates it {masquerades}".rstrip())
    chosen = [f"{way.backend.name} ({way.backend.address})" for way in translated.flows]
    every = endpoints(cluster, service, port, frontend.address.version)
    lines.append(f"endpoints {some(chosen) if chosen else 'none'}{_others(every, len(chosen))}")
    numbers = list(dict.fromkeys(way.backend.port for way in translated.flows))
    if numbers:
        seen = some([service_text(flow.protocol, number) for number in numbers])
        same = numbers == [flow.port]
        lines.append(f"port      {seen} is what policies see{'' if same else f', and not {flow.port}'}")
    return lines


def _others(every: Sequence[ServiceEndpoint], chosen: int) -> str:
    """Return how many endpoints the node does not choose from, and why."""
    if not chosen:
        return ""
    unready = sum(not one.ready for one in every)
    elsewhere = len(every) - unready - chosen
    parts = [
        f"{number} more {'is' if number == 1 else 'are'} {what}"
        for number, what in ((unready, "not ready"), (elsewhere, "not for this node"))
        if number > 0
    ]
    return "".join(f"; {part}" for part in parts)


def misses_by_service(decision: Decision, frontend: Frontend) -> list[str]:
    """Return the rules of denying sides that list the Service's port or address, and so match no packet to it."""
    found: dict[str, None] = {}
    for one in decision.backends or (decision,):
        for side in one.sides:
            if side.verdict == "deny":
                found.update(dict.fromkeys(_of_side(one, side, frontend)))
    return list(found)


def _of_side(decision: Decision, side: Side, frontend: Frontend) -> Iterator[str]:
    seen = decision.view(side)
    port, backend = frontend.port, decision.through.backend if decision.through is not None else None
    if port is None or backend is None:
        return
    for policy in side.isolating:
        for rule in policy.rules(side.direction):
            line = where(policy, rule)
            for number, item in enumerate(rule.ports):
                if backend.port != port.port and _lists(item, port.port, port.name, port.protocol):
                    what = (
                        f"port {item.port} is the port" if item.port == port.port else f"{item.port!r} is a port name"
                    )
                    yield (
                        f"{named(policy)} {rule.path}.ports[{number}]{line}: {what} of Service"
                        f" {frontend.service.meta.key}, and policies see {service_text(port.protocol, backend.port)}:"
                        f" write {backend.port}"
                    )
            for number, peer in enumerate(rule.peers):
                block = peer.ip_block
                if block is None or side.direction != "egress" or not block.contains(frontend.address):
                    continue
                if seen.address is not None and not block.contains(seen.address):
                    yield (
                        f"{named(policy)} {peer_path(rule, number)}.ipBlock{line}: {block.cidr} holds the"
                        f" {frontend.type_text} {frontend.address}, and policies see the endpoint's address: it matches"
                        " no packet to the Service"
                    )


def _lists(item: PolicyPort, number: int, name: str, protocol: str) -> bool:
    return item.protocol == protocol and item.end_port is None and item.port in (number, name or number)
