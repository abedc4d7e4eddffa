"""nft expressions for one side of a connection: the egress of the source pod or the ingress of the destination pod."""

from __future__ import annotations

from netlab.frozen import frozen
from netlab.objects.topology import TopologyPolicy
from netlab.objects.types import Direction
from netlab.ruleset.fragment import ip


@frozen
class Side:
    """A direction of policy for the IP families of a lab; ``way`` is the prefix of its sets and chains."""

    way: str
    direction: Direction
    families: tuple[int, ...]
    settings: TopologyPolicy

    @property
    def every_packet(self) -> bool:
        """Whether policy applies to every packet of a connection, not only to the first one."""
        return self.settings.established == "reevaluate"

    @property
    def mark(self) -> str:
        """The expression that holds the peer's identity: the connection's mark, or the packet's.

        Two packets of one connection may be here at once, on different processors. If policy applies to every packet,
        each packet needs a mark of its own.
        """
        return "meta mark" if self.every_packet else "ct mark"

    @property
    def port_expressions(self) -> list[tuple[str, str]]:
        """The ports to look up, each with the expression that must match first.

        The source port of a reply is the port that the connection was opened to.
        """
        if self.every_packet:
            return [("ct direction original ", "dport"), ("ct direction reply ", "sport")]
        return [("", "dport")]

    @property
    def identity_rules(self) -> list[str]:
        """The rules that look up the peer's identity."""
        peer = source_expression if self.way == "in" else self._destination
        rules = [f"{self.mark} set 0x0"]
        for f in self.families:
            rules += [
                f"{self.mark} set {peer(f, self.settings)} map @id{f}",
                f"{self.mark} 0x0 {self.mark} set {peer(f, self.settings)} map @cidr{f}",
            ]
        return rules

    @property
    def before_dnat(self) -> bool:
        """Whether the side's policies apply before a node translates the destination."""
        return self.way == "eg" and self.settings.service_egress == "pre-dnat"

    def _destination(self, family: int, settings: TopologyPolicy) -> str:
        return f"{ip(family)} daddr" if self.before_dnat else destination_expression(family, settings)

    def own_address(self, family: int) -> str:
        """Return the expression for the address of the side's pod."""
        return (destination_expression if self.way == "in" else source_expression)(family, self.settings)


def source_expression(family: int, settings: TopologyPolicy) -> str:
    """Return the expression for the address that opened the connection; for a reply it is the same address."""
    return f"ct original {ip(family)} saddr" if settings.established == "reevaluate" else f"{ip(family)} saddr"


def destination_expression(family: int, settings: TopologyPolicy) -> str:
    """Return the expression for the address that the connection goes to after DNAT, which is the source of replies."""
    return f"ct reply {ip(family)} saddr" if settings.established == "reevaluate" else f"{ip(family)} daddr"
