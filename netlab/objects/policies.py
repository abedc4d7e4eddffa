"""NetworkPolicy as a value, with the API server's defaults: its rules, their peers and ports."""

from __future__ import annotations

from dataclasses import field

from netlab.frozen import frozen
from netlab.objects.selectors import LabelSelector
from netlab.objects.types import Address, Direction, Meta, Prefix, Protocol, Source


@frozen
class IPBlock:
    """``ipBlock``: the addresses in ``cidr`` that are in none of ``excepts``. Host bits are masked."""

    cidr: Prefix
    excepts: tuple[Prefix, ...] = ()

    def contains(self, address: Address) -> bool:
        """Say whether the block matches the address; a block of the other family never does."""
        if address.version != self.cidr.version or address not in self.cidr:
            return False
        return not any(address.version == e.version and address in e for e in self.excepts)


@frozen
class Peer:
    """One item of ``from`` or ``to``: an ``ip_block``, or one or both selectors, which are ANDed.

    ``namespace_selector`` None selects the policy's namespace, ``pod_selector`` None every pod.
    """

    pod_selector: LabelSelector | None = None
    namespace_selector: LabelSelector | None = None
    ip_block: IPBlock | None = None


@frozen
class PolicyPort:
    """One item of ``ports`` with defaults. ``port`` None stands for every port; a string is a container port's name."""

    protocol: Protocol = "TCP"
    port: int | str | None = None
    end_port: int | None = None


@frozen
class Rule:
    """One ingress or egress rule; empty ``peers`` match every peer, empty ``ports`` every port and protocol.

    ``path`` is the rule's field path (``spec.ingress[0]``), ``line`` its line.
    """

    peers: tuple[Peer, ...] = ()
    ports: tuple[PolicyPort, ...] = ()
    path: str = ""
    line: int = 0


@frozen
class NetworkPolicy:
    """A NetworkPolicy with the API server's defaults; ``policy_types`` has the directions in which it isolates pods.

    ``ingress`` and ``egress`` may have rules of a direction that is not in ``policy_types``. These have no effect, so
    use ``rules(direction)``.
    """

    meta: Meta
    pod_selector: LabelSelector
    policy_types: frozenset[Direction]
    ingress: tuple[Rule, ...] = ()
    egress: tuple[Rule, ...] = ()
    source: Source = field(default_factory=Source, compare=False)

    @property
    def ref(self) -> str:
        """The kind, the namespace and the name, as messages write them."""
        return f"NetworkPolicy {self.meta.key}"

    def isolates(self, direction: Direction) -> bool:
        """Say whether the policy isolates its pods in a direction."""
        return direction in self.policy_types

    def rules(self, direction: Direction) -> tuple[Rule, ...]:
        """Return the rules of a direction, none if the policy does not isolate pods in it."""
        if direction not in self.policy_types:
            return ()
        return self.ingress if direction == "ingress" else self.egress
