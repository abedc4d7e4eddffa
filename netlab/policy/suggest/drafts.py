"""Drafts of NetworkPolicies: rules with comments, as plain data, and as policies that netlab evaluates."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from netlab.frozen import frozen
from netlab.objects.policies import NetworkPolicy, Peer, PolicyPort
from netlab.objects.selectors import LabelSelector
from netlab.objects.types import DIRECTIONS, Direction, Document, Source

Data = dict[str, Any]

FILE = "<suggestion>"


@frozen
class RuleDraft:
    """A rule; empty ``peers`` stand for every peer, empty ``ports`` for every port."""

    peers: tuple[Peer, ...] = ()
    ports: tuple[PolicyPort, ...] = ()
    comments: tuple[str, ...] = ()


@frozen
class PolicyDraft:
    """A NetworkPolicy; ``types`` are the directions in which it isolates the pods that it selects."""

    namespace: str
    name: str
    selector: LabelSelector
    types: tuple[Direction, ...]
    ingress: tuple[RuleDraft, ...] = ()
    egress: tuple[RuleDraft, ...] = ()
    comments: tuple[str, ...] = ()

    def rules(self, direction: Direction) -> tuple[RuleDraft, ...]:
        """Return the rules of a direction."""
        return self.ingress if direction == "ingress" else self.egress

    def data(self) -> Data:
        """Return the object as plain data."""
        spec: Data = {
            "podSelector": selector_data(self.selector),
            "policyTypes": [direction.capitalize() for direction in self.types],
        }
        for direction in DIRECTIONS:
            if self.rules(direction):
                spec[direction] = [_rule_data(rule, direction) for rule in self.rules(direction)]
        return {
            "apiVersion": "networking.k8s.io/v1",
            "kind": "NetworkPolicy",
            "metadata": {"namespace": self.namespace, "name": self.name},
            "spec": spec,
        }


def documents(drafts: Iterable[PolicyDraft]) -> list[Document]:
    """Return the drafts as documents."""
    return [Document(draft.data(), Source(FILE)) for draft in drafts]


def policies(drafts: Iterable[PolicyDraft]) -> tuple[NetworkPolicy, ...]:
    """Return the drafts as policies, decoded as those of an input are, sorted by namespace and name."""
    from netlab.objects.load import decode

    objects, problems = decode(documents(drafts))
    errors = [str(problem) for problem in problems if problem.severity == "error"]
    assert not errors, errors
    return tuple(sorted(objects.policies, key=lambda one: (one.meta.namespace, one.meta.name)))


def number_of_rules(drafts: Iterable[PolicyDraft]) -> int:
    """Return the number of rules of drafts."""
    return sum(len(draft.ingress) + len(draft.egress) for draft in drafts)


def selector_data(selector: LabelSelector) -> Data:
    """Return a selector as plain data."""
    found: Data = {}
    if selector.match_labels:
        found["matchLabels"] = dict(selector.match_labels)
    if selector.match_expressions:
        found["matchExpressions"] = [
            {"key": one.key, "operator": one.operator, **({"values": list(one.values)} if one.values else {})}
            for one in selector.match_expressions
        ]
    return found


def peer_data(peer: Peer) -> Data:
    """Return a peer as plain data."""
    if peer.ip_block is not None:
        excepts = [str(prefix) for prefix in peer.ip_block.excepts]
        return {"ipBlock": {"cidr": str(peer.ip_block.cidr), **({"except": excepts} if excepts else {})}}
    found: Data = {}
    if peer.namespace_selector is not None:
        found["namespaceSelector"] = selector_data(peer.namespace_selector)
    if peer.pod_selector is not None:
        found["podSelector"] = selector_data(peer.pod_selector)
    return found


def port_data(port: PolicyPort) -> Data:
    """Return a port as plain data."""
    found: Data = {"protocol": port.protocol}
    if port.port is not None:
        found["port"] = port.port
    if port.end_port is not None:
        found["endPort"] = port.end_port
    return found


def _rule_data(rule: RuleDraft, direction: Direction) -> Data:
    found: Data = {}
    if rule.peers:
        found["from" if direction == "ingress" else "to"] = [peer_data(peer) for peer in rule.peers]
    if rule.ports:
        found["ports"] = [port_data(port) for port in rule.ports]
    return found
