"""Address spaces: the identities that a node can meet.

A node meets its own pods and those of other nodes. Bridge networks are the exception: each node has a bridge network of
its own, which may repeat the addresses of other nodes, so a node does not meet the bridge pods of other nodes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from netlab.objects.types import Protocol
from netlab.ruleset.peers import Member, NamedPort, Signature


class AddressSpace:
    """The identities that the nodes of one address space can meet.

    ``identities`` has, for each member of a signature (a peer or a named port), the identities that have it. ``names``
    has, for comments, the endpoints and ipBlocks of each identity.
    """

    def __init__(self) -> None:
        self.identities: dict[Member, dict[Signature, None]] = {}
        self.names: dict[Signature, dict[str, None]] = {}
        self._ports: dict[tuple[str, Protocol], dict[NamedPort, None]] = {}

    def resolved(self, name: str, protocol: Protocol) -> Iterator[tuple[int, Signature]]:
        """Yield every number of a named port, with each identity whose pods give the name that number."""
        for member in self._ports.get((name, protocol), ()):
            for signature in self.identities[member]:
                yield member.number, signature

    def move(self, name: str, old: Iterable[Signature], new: Iterable[Signature]) -> set[Member]:
        """Replace the identities of an endpoint or ipBlock; return the members whose identities changed."""
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
                    self._remove(member, signature)
        for signature in after:
            if signature in before:
                continue
            if signature not in self.names:
                changed |= signature
                for member in signature:
                    self._add(member, signature)
            self.names.setdefault(signature, {})[name] = None
        return changed

    def _add(self, member: Member, signature: Signature) -> None:
        self.identities.setdefault(member, {})[signature] = None
        if isinstance(member, NamedPort):
            self._ports.setdefault((member.name, member.protocol), {})[member] = None

    def _remove(self, member: Member, signature: Signature) -> None:
        identities = self.identities[member]
        del identities[signature]
        if not identities:
            del self.identities[member]
            if isinstance(member, NamedPort):
                del self._ports[member.name, member.protocol][member]
