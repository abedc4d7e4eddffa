"""Shorthand for cluster-wide policies of every version.

A rule is ``ACTION PEERS: PORTS``, where `` | `` separates peers, and the ports may be missing. The action is Accept,
Deny or Pass. A peer is a kind and its content:

- ``ns SELECTOR``: ``namespaces``;
- ``pods NAMESPACES / PODS``: ``pods`` with two selectors; ``pods PODS`` has no namespaceSelector;
- ``net PREFIX PREFIX…``, ``nodes SELECTOR``, ``names NAME NAME…``: ``networks``, ``nodes``, ``domainNames``.

Selectors are those of ``netlab.conformance.shorthand``; ``*`` selects everything. Ports are ``80/TCP``,
``80-90/UDP``, or a container port's name, separated by commas.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Literal

from netlab.conformance.shorthand import Data, document, selector_of
from netlab.frozen import frozen
from netlab.objects.cluster_policies import ClusterTier
from netlab.objects.cluster_policy_decoder import API_GROUP
from netlab.objects.kind import every
from netlab.objects.types import Document

Version = Literal["v1beta1", "v1alpha2", "v1alpha1"]
OLD: Version = "v1alpha1"
KINDS = tuple(kind.name for kind in every() if kind.api_version.startswith(f"{API_GROUP}/"))
"""The kinds of cluster-wide policies."""


@frozen
class Policy:
    """A policy; ``subject`` is a peer of kind ``ns`` or ``pods``, ``ingress`` and ``egress`` are rules.

    A BaselineAdminNetworkPolicy is named ``default`` and has no priority. A direction that is None is left out.
    """

    name: str
    tier: ClusterTier
    priority: int
    subject: str = "ns *"
    ingress: tuple[str, ...] | None = None
    egress: tuple[str, ...] | None = None

    def document(self, version: Version = "v1beta1") -> Document:
        """Return the policy as a document of a version."""
        singleton = version == OLD and self.tier == "Baseline"
        spec: Data = {} if version == OLD else {"tier": self.tier}
        if not singleton:
            spec["priority"] = self.priority
        spec["subject"] = peer(self.subject, version)
        if self.ingress is not None:
            spec["ingress"] = [rule(text, "from", version) for text in self.ingress]
        if self.egress is not None:
            spec["egress"] = [rule(text, "to", version) for text in self.egress]
        prefix = "Cluster" if version != OLD else "BaselineAdmin" if singleton else "Admin"
        name = "default" if singleton else self.name
        return document(f"{prefix}NetworkPolicy", name, spec, apiVersion=f"{API_GROUP}/{version}")

    def swapped(self, direction: str, one: int, other: int) -> Policy:
        """Return the policy with two rules of a direction exchanged."""
        rules = list(self._rules(direction))
        rules[one], rules[other] = rules[other], rules[one]
        return self._with(direction, rules)

    def prepended(self, direction: str, text: str) -> Policy:
        """Return the policy with a rule before all others of a direction."""
        return self._with(direction, [text, *self._rules(direction)])

    def changed(self, direction: str, place: int, *, action: str = "", ports: str = "") -> Policy:
        """Return the policy with another action or other ports in a rule."""
        rules = list(self._rules(direction))
        was, peers, had = parts(rules[place])
        had = ports or had
        rules[place] = f"{action or was} {peers}{f': {had}' if had else ''}"
        return self._with(direction, rules)

    def _rules(self, direction: str) -> tuple[str, ...]:
        return (self.ingress if direction == "ingress" else self.egress) or ()

    def _with(self, direction: str, rules: list[str]) -> Policy:
        if direction == "ingress":
            return replace(self, ingress=tuple(rules))
        return replace(self, egress=tuple(rules))


def parts(text: str) -> tuple[str, str, str]:
    """Return the action, the peers and the ports of a rule, as written."""
    action, _, rest = text.partition(" ")
    peers, _, ports = rest.rpartition(": ") if ": " in rest else (rest, "", "")
    return action, peers, ports


def rule(text: str, where: str, version: Version) -> Data:
    """Return a rule of a version; ``where`` is the field of its peers, ``from`` or ``to``."""
    action, peers, ports = parts(text)
    old = version == OLD
    found: Data = {"action": "Allow" if old and action == "Accept" else action}
    found[where] = [peer(one, version) for one in peers.split(" | ")]
    if ports:
        found["ports" if old else "protocols"] = [_port(one, old=old) for one in ports.split(",")]
    return found


def peer(text: str, version: Version = "v1beta1") -> Data:
    """Return a peer, or a subject; raises ValueError for another text."""
    kind, _, content = text.partition(" ")
    if kind == "ns":
        return {"namespaces": _selector(content)}
    if kind == "pods":
        namespaces, slash, pods = content.rpartition(" / ")
        # The older version requires a namespaceSelector.
        found = {"namespaceSelector": _selector(namespaces)} if slash else {"namespaceSelector": {}}
        return {"pods": (found if slash or version == OLD else {}) | {"podSelector": _selector(pods)}}
    if kind == "nodes":
        return {"nodes": _selector(content)}
    if kind in ("net", "names"):
        return {"networks" if kind == "net" else "domainNames": content.split()}
    raise ValueError(f"not a peer: {text!r}")


def _selector(text: str) -> Data:
    return selector_of("" if text == "*" else text)


def _port(text: str, *, old: bool) -> Data:
    numbers, _, protocol = text.partition("/")
    first, dash, last = numbers.partition("-")
    if not first.isdecimal():
        return {"namedPort" if old else "destinationNamedPort": text}
    if old:
        if dash:
            return {"portRange": {"protocol": protocol, "start": int(first), "end": int(last)}}
        return {"portNumber": {"protocol": protocol, "port": int(first)}}
    port: Data = {"range": {"start": int(first), "end": int(last)}} if dash else {"number": int(first)}
    return {protocol.lower(): {"destinationPort": port}}


def documents(policies: tuple[Policy, ...], version: Version = "v1beta1") -> Iterator[Document]:
    """Yield policies as documents of a version."""
    return (policy.document(version) for policy in policies)
