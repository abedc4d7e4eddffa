"""NetworkPolicy, as a value after the API server's defaulting: its rules, their peers and ports."""

from __future__ import annotations

from dataclasses import field

from netlab.frozen import frozen
from netlab.objects.selectors import LabelSelector
from netlab.objects.types import Address, Direction, Meta, Prefix, Protocol, Source


@frozen
class IPBlock:
    """``ipBlock``: addresses in ``cidr`` that are in none of ``excepts``; host bits are already masked."""

    cidr: Prefix
    excepts: tuple[Prefix, ...] = ()

    def contains(self, address: Address) -> bool:
        """Say whether the block matches the address; a block of the other family never does."""
        if address.version != self.cidr.version or address not in self.cidr:
            return False
        return not any(address.version == e.version and address in e for e in self.excepts)


@frozen
class Peer:
    """One item of ``from`` or ``to``: either ``ip_block`` alone, or one or both selectors (which AND).

    ``namespace_selector`` None means the policy's own namespace; ``pod_selector`` None means every pod.
    """

    pod_selector: LabelSelector | None = None
    namespace_selector: LabelSelector | None = None
    ip_block: IPBlock | None = None


@frozen
class PolicyPort:
    """One item of ``ports`` after defaulting: ``port`` None is every port, a string is a container port's name."""

    protocol: Protocol = "TCP"
    port: int | str | None = None
    end_port: int | None = None


@frozen
class Rule:
    """One ingress or egress rule; empty ``peers`` match every peer, empty ``ports`` every port and protocol.

    ``path`` is the rule's field path (``spec.ingress[0]``), ``line`` where it stands.
    """

    peers: tuple[Peer, ...] = ()
    ports: tuple[PolicyPort, ...] = ()
    path: str = ""
    line: int = 0


@frozen
class NetworkPolicy:
    """A NetworkPolicy after the API server's defaulting; ``policy_types`` holds the directions in which it isolates.

    Rules of a direction that is not in ``policy_types`` are kept (a warning names them) but have no effect: use
    ``rules(direction)``, which leaves them out.
    """

    meta: Meta
    pod_selector: LabelSelector
    policy_types: frozenset[Direction]
    ingress: tuple[Rule, ...] = ()
    egress: tuple[Rule, ...] = ()
    source: Source = field(default_factory=Source, compare=False)

    def isolates(self, direction: Direction) -> bool:
        return direction in self.policy_types

    def rules(self, direction: Direction) -> tuple[Rule, ...]:
        """Return the rules that count in a direction; none where the policy does not isolate in it."""
        if direction not in self.policy_types:
            return ()
        return self.ingress if direction == "ingress" else self.egress
