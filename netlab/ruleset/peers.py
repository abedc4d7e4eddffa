"""The peers that policies name, as texts that say what they match: the vocabulary of which identities are made."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from typing import NamedTuple
from typing import Protocol as Protocol_

from netlab.frozen import frozen
from netlab.objects.policies import IPBlock, Peer, PolicyPort
from netlab.objects.selectors import LabelSelector
from netlab.objects.types import Direction, Meta, Protocol


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


@frozen
class PodPeer:
    """A peer by selectors; ``namespace`` is its policy's, and counts where ``namespaces`` is None."""

    namespace: str
    namespaces: LabelSelector | None
    pods: LabelSelector | None

    def admits(self, namespace: str, labels: Mapping[str, str]) -> bool:
        """Say whether pods of a namespace with these labels are in its scope."""
        return self.namespace == namespace if self.namespaces is None else self.namespaces.matches(labels)


Word = str | tuple[str, Protocol]
"""What policies use: a peer by its text, or a named port of egress rules by name and protocol."""


class Rule(Protocol_):
    """A rule as far as identities depend on it."""

    @property
    def peers(self) -> tuple[Peer, ...]: ...

    @property
    def ports(self) -> tuple[PolicyPort, ...]: ...


class Rules(Protocol_):
    """A policy as far as identities depend on it: a NetworkPolicy, or a policy of a tier."""

    @property
    def meta(self) -> Meta: ...

    def rules(self, direction: Direction) -> Sequence[Rule]:
        """Return the rules of a direction."""
        ...


@frozen
class RuleWords:
    """A rule with its peers as texts; none of them means every peer."""

    peers: tuple[str, ...]
    ports: tuple[PolicyPort, ...]


@frozen
class PolicyWords:
    """A policy's rules that count, by direction."""

    ingress: tuple[RuleWords, ...]
    egress: tuple[RuleWords, ...]

    def rules(self, direction: Direction) -> tuple[RuleWords, ...]:
        return self.ingress if direction == "ingress" else self.egress


class Vocabulary:
    """Every distinct peer, and every named port of egress rules, that the policies use; equal peers are one.

    ``users`` has the keys of the policies that use a word, ``policies`` every policy's rules in these words.
    ``keys`` holds the keys of all labels that the peers read, and maybe some that they read once.
    """

    def __init__(self) -> None:
        self.pods: dict[str, PodPeer] = {}
        self.blocks: dict[str, IPBlock] = {}
        self.users: dict[Word, dict[str, None]] = {}
        self.policies: dict[str, PolicyWords] = {}
        self.keys: set[str] = set()

    @property
    def ports(self) -> list[tuple[str, Protocol]]:
        """The named ports of egress rules."""
        return [word for word in self.users if isinstance(word, tuple)]

    def change(self, gone: Iterable[Rules], come: Iterable[Rules]) -> tuple[list[Word], list[Word]]:
        """Take policies out and in; return the words that nobody uses any more, and those that are new."""
        before: dict[Word, bool] = {}
        for policy in gone:
            words = self.policies.pop(policy.meta.key)
            for word in _words(words):
                before.setdefault(word, True)
                self.users[word].pop(policy.meta.key, None)
        for policy in come:
            self.policies[policy.meta.key] = words = self._read(policy)
            for word in _words(words):
                before.setdefault(word, word in self.users)
                self.users.setdefault(word, {})[policy.meta.key] = None
        dead = [word for word, there in before.items() if there and not self.users[word]]
        for word in dead:
            del self.users[word]
        return dead, [word for word, there in before.items() if not there]

    def forget(self, words: Iterable[Word]) -> None:
        """Let go of what the words of peers that nobody uses any more stood for."""
        for word in words:
            if isinstance(word, str):
                self.pods.pop(word, None)
                self.blocks.pop(word, None)

    def _read(self, policy: Rules) -> PolicyWords:
        def rules(direction: Direction) -> tuple[RuleWords, ...]:
            namespace = policy.meta.namespace
            return tuple(
                RuleWords(tuple(self._learn(peer, namespace) for peer in rule.peers), rule.ports)
                for rule in policy.rules(direction)
            )

        return PolicyWords(rules("ingress"), rules("egress"))

    def _learn(self, peer: Peer, namespace: str) -> str:
        text = peer_text(peer, namespace)
        if peer.ip_block is not None:
            self.blocks[text] = peer.ip_block
        elif text not in self.pods:
            self.pods[text] = PodPeer(namespace, peer.namespace_selector, peer.pod_selector)
            self.keys |= label_keys([peer.pod_selector])
        return text


def _words(policy: PolicyWords) -> Iterator[Word]:
    for rule in (*policy.ingress, *policy.egress):
        yield from rule.peers
    for rule in policy.egress:
        yield from ((p.port, p.protocol) for p in rule.ports if isinstance(p.port, str))


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


def labels_read(labels: Mapping[str, str], keys: Set[str]) -> tuple[tuple[str, str], ...]:
    """Return the labels that matter: pods that agree in them are alike to every selector that reads these keys.

    Most labels (a pod's own name, a template's hash) no selector reads, so there are few such groups of many pods.
    """
    return tuple(sorted((key, value) for key, value in labels.items() if key in keys))
