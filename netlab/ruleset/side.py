"""One side of a connection as rules see it: the sender's egress or the receiver's ingress."""

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
        """Whether every packet of a connection is judged, and not only the one that opens it."""
        return self.settings.established == "reevaluate"

    @property
    def mark(self) -> str:
        """The register that holds the peer's identity.

        It is the connection's, but where every packet is judged: two of one connection may be in here at once, on
        different processors, so each has its own.
        """
        return "meta mark" if self.every_packet else "ct mark"

    @property
    def ports(self) -> list[tuple[str, str]]:
        """Which port is looked up, each with what has to match first: a reply comes from its connection's port."""
        if self.every_packet:
            return [("ct direction original ", "dport"), ("ct direction reply ", "sport")]
        return [("", "dport")]

    @property
    def identity(self) -> list[str]:
        """The rules that look up the peer's identity."""
        peer = opener if self.way == "in" else target
        rules = [f"{self.mark} set 0x0"]
        for f in self.families:
            rules += [
                f"{self.mark} set {peer(f, self.settings)} map @id{f}",
                f"{self.mark} 0x0 {self.mark} set {peer(f, self.settings)} map @cidr{f}",
            ]
        return rules

    def own(self, family: int) -> str:
        """Return the address of the pod whose side this is."""
        return (target if self.way == "in" else opener)(family, self.settings)


def opener(family: int, settings: TopologyPolicy) -> str:
    """Return the machine that opened the connection: a reply counts as what it answers, where it is judged."""
    return f"ct original {ip(family)} saddr" if settings.established == "reevaluate" else f"{ip(family)} saddr"


def target(family: int, settings: TopologyPolicy) -> str:
    """Return the machine that the connection goes to: after DNAT, the one that replies come from."""
    return f"ct reply {ip(family)} saddr" if settings.established == "reevaluate" else f"{ip(family)} daddr"
