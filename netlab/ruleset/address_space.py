"""Views: what a node can meet, and with it what a rule's peers mean there.

A node meets its own pods and those of other nodes, bridge networks aside: a bridge network is each node's own and may
repeat its addresses on every node, so another node's address in it means nothing there.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from netlab.objects.types import Protocol
from netlab.ruleset.peers import Member, NamedPort, Signature


class AddressSpace:
    """The identities that a node can meet, by what they carry.

    ``carriers`` has, for every peer or named port, the identities that carry it. ``names`` has, for comments, the
    endpoints and ipBlocks of every identity.
    """

    def __init__(self) -> None:
        self.carriers: dict[Member, dict[Signature, None]] = {}
        self.names: dict[Signature, dict[str, None]] = {}
        self._ports: dict[tuple[str, Protocol], dict[NamedPort, None]] = {}

    def resolved(self, name: str, protocol: Protocol) -> Iterator[tuple[int, Signature]]:
        """Yield every number that a named port stands for, with each identity for which it does."""
        for member in self._ports.get((name, protocol), ()):
            for signature in self.carriers[member]:
                yield member.number, signature

    def move(self, name: str, old: Iterable[Signature], new: Iterable[Signature]) -> set[Member]:
        """Take a name's old identities away and give it the new ones; return what is carried by others than before."""
        before, after = dict.fromkeys(old), dict.fromkeys(new)
        changed: set[Member] = set()
        for signature in before:
            if signature in after:
                continue
            names = self.names[signature]
            del names[name]
            if not names:
                del self.names[signature]
                changed |= signature
                for member in signature:
                    self._drop(member, signature)
        for signature in after:
            if signature in before:
                continue
            if signature not in self.names:
                changed |= signature
                for member in signature:
                    self._carry(member, signature)
            self.names.setdefault(signature, {})[name] = None
        return changed

    def _carry(self, member: Member, signature: Signature) -> None:
        self.carriers.setdefault(member, {})[signature] = None
        if isinstance(member, NamedPort):
            self._ports.setdefault((member.name, member.protocol), {})[member] = None

    def _drop(self, member: Member, signature: Signature) -> None:
        carriers = self.carriers[member]
        del carriers[signature]
        if not carriers:
            del self.carriers[member]
            if isinstance(member, NamedPort):
                del self._ports[member.name, member.protocol][member]
