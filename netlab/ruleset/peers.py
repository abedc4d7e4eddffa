"""The peers that policies name, as texts that say what they match: the vocabulary of which identities are made."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from netlab.objects.selectors import LabelSelector
from netlab.objects.types import IPBlock, NetworkPolicy, Peer, Protocol


class NamedPort(NamedTuple):
    """A container port's name with the number it stands for on some pod: what egress rules by name look for.

    A pod carries it as if it were a peer that matches the pod, because the number belongs to the destination.
    """

    name: str
    protocol: Protocol
    number: int

    def __str__(self) -> str:
        return f"port {self.name}/{self.protocol} {self.number}"


Member = str | NamedPort
Signature = frozenset[Member]
"""What an address is to the policies: the texts of the peers that match it, and the named ports it carries."""


@dataclass(frozen=True, slots=True)
class PodPeer:
    """A peer by selectors; ``namespace`` is its policy's, and counts where ``namespaces`` is None."""

    namespace: str
    namespaces: LabelSelector | None
    pods: LabelSelector | None

    def admits(self, namespace: str, labels: Mapping[str, str]) -> bool:
        """Say whether pods of a namespace with these labels are in its scope."""
        return self.namespace == namespace if self.namespaces is None else self.namespaces.matches(labels)


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """Every distinct peer in use by its text, and the (name, protocol) of every named port in egress rules."""

    pods: Mapping[str, PodPeer]
    blocks: Mapping[str, IPBlock]
    ports: frozenset[tuple[str, Protocol]]


def vocabulary(policies: Iterable[NetworkPolicy]) -> Vocabulary:
    """Collect the peers and the named egress ports of the rules that count; equal peers are one."""
    pods: dict[str, PodPeer] = {}
    blocks: dict[str, IPBlock] = {}
    ports: set[tuple[str, Protocol]] = set()
    for policy in policies:
        namespace = policy.meta.namespace
        for rule in (*policy.rules("ingress"), *policy.rules("egress")):
            for peer in rule.peers:
                if peer.ip_block is not None:
                    blocks[peer_text(peer, namespace)] = peer.ip_block
                else:
                    pods[peer_text(peer, namespace)] = PodPeer(namespace, peer.namespace_selector, peer.pod_selector)
        for rule in policy.rules("egress"):
            ports.update((p.port, p.protocol) for p in rule.ports if isinstance(p.port, str))
    return Vocabulary(pods, blocks, frozenset(ports))


def peer_text(peer: Peer, namespace: str) -> str:
    """Return a text that two peers share exactly if they are written alike; ``namespace`` is the policy's."""
    if peer.ip_block is not None:
        excepts = ", ".join(sorted({str(e) for e in peer.ip_block.excepts}))
        return f"{peer.ip_block.cidr} except {excepts}" if excepts else str(peer.ip_block.cidr)
    scope = f"namespace {namespace}" if peer.namespace_selector is None else f"namespaces {peer.namespace_selector}"
    return f"pods {peer.pod_selector or LabelSelector()} in {scope}"


def label_keys(selectors: Iterable[LabelSelector | None]) -> frozenset[str]:
    """Return the keys of the labels that the selectors read."""
    found: set[str] = set()
    for selector in selectors:
        if selector is not None:
            found.update(key for key, _ in selector.match_labels)
            found.update(requirement.key for requirement in selector.match_expressions)
    return frozenset(found)


def labels_read(labels: Mapping[str, str], keys: frozenset[str]) -> tuple[tuple[str, str], ...]:
    """Return the labels that matter: pods that agree in them are alike to every selector that reads these keys.

    Most labels (a pod's own name, a template's hash) no selector reads, so there are few such groups of many pods.
    """
    return tuple(sorted((key, value) for key, value in labels.items() if key in keys))
