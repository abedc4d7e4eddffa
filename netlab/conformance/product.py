"""A product of cases: every target with every peer and port, in both directions, stacked and changed.

Each value of a dimension lists the pods and ports of ``netlab.conformance.base_cluster`` that it matches. Verdicts
follow from these lists by set operations. No selector, prefix or port range is evaluated.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import permutations, product

from netlab import modes
from netlab.conformance.base_cluster import ADDRESSES, HOST, HOST_ADDRESS, base_cluster
from netlab.conformance.cases import Case, Cell, Stage, Verdict
from netlab.conformance.shorthand import Data, block, peer, policy, rule
from netlab.frozen import frozen
from netlab.objects.types import Document

PODS = ("x/a", "x/b", "x/c", "y/a", "y/b", "z/a")
ENDPOINTS = (*PODS, HOST)
PORTS_ASKED = (("TCP", 80), ("TCP", 81), ("TCP", 82), ("UDP", 80), ("UDP", 81), ("SCTP", 80), ("ICMP", None))
DIRECTIONS = ("ingress", "egress")

# The names of container ports, with another number on x/b and y/a than elsewhere; z/a has the name for UDP only.
WEB = {"x/a": 80, "x/b": 81, "x/c": 80, "y/a": 81, "y/b": 80}
_SERVED = {ref: (f"web={number}/TCP", "dns=80/UDP") for ref, number in WEB.items()} | {"z/a": ("web=80/UDP",)}
_LABELS = {"x/c": "pod=c,tier=", "y/b": "pod=b,tier=db"}
_A, _B = ADDRESSES["x/a"], ADDRESSES["x/b"]

ProtocolPort = tuple[str, int | None]


@frozen
class Target:
    """A ``podSelector`` of policies in namespace x, and the pods that it selects."""

    selector: str
    pods: frozenset[str]


@frozen
class Peers:
    """Peers of a rule (none: all ends), and the ends that they match."""

    name: str
    peers: tuple[Data, ...]
    ends: frozenset[str]


@frozen
class Ports:
    """Items of ``ports`` (none: all), and what they match: ports of every end, or of single ends."""

    items: tuple[str, ...]
    matched: frozenset[ProtocolPort]
    of_end: frozenset[tuple[str, ProtocolPort]] = frozenset()

    def match(self, destination: str, port: ProtocolPort) -> bool:
        return port in self.matched or (destination, port) in self.of_end


def _of(text: str) -> frozenset[str]:
    return frozenset(text.split())


TARGETS = (
    Target("", _of("x/a x/b x/c")),
    Target("pod=a", _of("x/a")),
    Target("pod notin (a)", _of("x/b x/c")),
    Target("tier", _of("x/c")),
    Target("pod=nobody", frozenset()),
)
_ALL = frozenset(ENDPOINTS)
PEERS = (
    Peers("anyone", (), _ALL),
    Peers("pods of the namespace", (peer(""),), _of("x/a x/b x/c")),
    Peers("pod=b", (peer("pod=b"),), _of("x/b")),
    Peers("no label tier", (peer("!tier"),), _of("x/a x/b")),
    Peers("every namespace", (peer(ns=""),), frozenset(PODS)),
    Peers("namespace y", (peer(ns="ns=y"),), _of("y/a y/b")),
    Peers("namespaces but y", (peer(ns="ns notin (y)"),), _of("x/a x/b x/c z/a")),
    Peers("namespaces without a label team", (peer(ns="!team"),), frozenset(PODS)),
    Peers("pod=b and namespace y", (peer("pod=b", "ns=y"),), _of("y/b")),
    Peers("pod=b or namespace y", (peer("pod=b"), peer(ns="ns=y")), _of("x/b y/a y/b")),
    Peers("tier is empty, anywhere", (peer("tier=", ""),), _of("x/c")),
    Peers("tier is not db, anywhere", (peer("tier notin (db)", ""),), _of("x/a x/b x/c y/a z/a")),
    Peers("one address", (block(f"{_B}/32"),), _of("x/b")),
    Peers("every address", (block("0.0.0.0/0"),), _ALL),
    Peers("every address but the pods'", (block("0.0.0.0/0", "10.244.0.0/16"),), _of(HOST)),
    Peers("host bits", (block("10.244.1.77/24"),), _of("y/a y/b")),
    Peers("two excepts", (block("10.244.0.0/16", f"{_A}/32", "10.244.1.0/24"),), _of("x/b x/c z/a")),
    Peers("an except and its opposite", (block("10.244.0.0/16", f"{_B}/32"), peer("pod=b")), frozenset(PODS)),
    Peers("overlapping blocks", (block("10.244.0.0/16"), block("10.244.0.0/24")), frozenset(PODS)),
    Peers("the machine outside", (block(f"{HOST_ADDRESS}/32"),), _of(HOST)),
    Peers("nobody", (peer("pod=nobody"),), frozenset()),
)  # fmt: skip
_TCP, _UDP = frozenset({("TCP", 80), ("TCP", 81), ("TCP", 82)}), frozenset({("UDP", 80), ("UDP", 81)})
_NAMED = frozenset((ref, ("TCP", number)) for ref, number in WEB.items())
PORTS = (
    Ports((), frozenset(PORTS_ASKED)),
    Ports(("80",), frozenset({("TCP", 80)})),
    Ports(("80/UDP",), frozenset({("UDP", 80)})),
    Ports(("80/SCTP",), frozenset({("SCTP", 80)})),
    Ports(("",), _TCP),
    Ports(("/UDP",), _UDP),
    Ports(("80-81",), frozenset({("TCP", 80), ("TCP", 81)})),
    Ports(("81-65535",), frozenset({("TCP", 81), ("TCP", 82)})),
    Ports(("80-80/UDP", "81/UDP"), _UDP),
    Ports(("80-81", "81-82"), _TCP),
    Ports(("web",), frozenset(), _NAMED),
    Ports(("web/UDP",), frozenset(), frozenset({("z/a", ("UDP", 80))})),
    Ports(("web", "82"), frozenset({("TCP", 82)}), _NAMED),
    Ports(("nobody-has-it",), frozenset()),
)


@frozen
class Grant:
    """A policy with one rule: the pods that it isolates and the traffic that it allows; peers None: it has no rule."""

    direction: str
    target: Target
    peers: Peers | None = PEERS[0]
    ports: Ports = PORTS[0]

    def document(self, name: str) -> Document:
        """Return the policy as a document."""
        rules = [] if self.peers is None else [rule(self.direction, self.peers.peers, self.ports.items)]
        if self.direction == "ingress":
            return policy(f"x/{name}", self.target.selector, ingress=rules)
        return policy(f"x/{name}", self.target.selector, egress=rules)

    def isolates(self, end: str, direction: str) -> bool:
        return direction == self.direction and end in self.target.pods

    def allows(self, other: str, destination: str, port: ProtocolPort) -> bool:
        return self.peers is not None and other in self.peers.ends and self.ports.match(destination, port)

    def __str__(self) -> str:
        if self.peers is None:
            return f"{self.direction} of {self.target.selector or 'all'}: nothing"
        ports = " or ".join(item or "{}" for item in self.ports.items) or "everything"
        return f"{self.direction} of {self.target.selector or 'all'}: {self.peers.name}, {ports}"


def verdicts(grants: Sequence[Grant], source: str, destination: str) -> Iterator[tuple[Cell, Verdict]]:
    """Yield the verdict of each port by set membership: each isolated side needs a policy that allows the other end."""
    sides = [
        (other, isolating)
        for end, other, direction in ((source, destination, "egress"), (destination, source, "ingress"))
        if (isolating := [grant for grant in grants if grant.isolates(end, direction)])
    ]
    for port in PORTS_ASKED:
        allowed = all(any(grant.allows(other, destination, port) for grant in isolating) for other, isolating in sides)
        yield Cell(source, destination, *port), "allow" if allowed else "deny"


def stage(name: str, grants: Sequence[Grant], mode: str = modes.ONE_NODE) -> Stage:
    """Return the stage with these policies, and the verdict of every pair and port in it."""
    base = base_cluster(_LABELS, ports=_SERVED, members=PODS, mode=mode)
    # Only some modes route packets from outside to the pods' addresses.
    sources = ENDPOINTS if modes.of(mode).outside_routes else PODS
    documents = (*base, *(grant.document(f"p{i}") for i, grant in enumerate(grants)))
    found = dict(
        cell
        for source, destination in product(sources, ENDPOINTS)
        if source != destination
        for cell in verdicts(grants, source, destination)
    )
    return Stage(name, documents, found)


def single(mode: str = modes.ONE_NODE) -> Iterator[Case]:
    """Yield the cases with one policy: every target with every peer, and every peer with every port."""
    for direction in DIRECTIONS:
        for target, peers in product(TARGETS, PEERS):
            yield _case("product/peers", [Grant(direction, target, peers, PORTS[1])], mode)
        for peers, ports in product(PEERS, PORTS):
            if ports is not PORTS[1]:
                yield _case("product/ports", [Grant(direction, TARGETS[1], peers, ports)], mode)


def _case(feature: str, grants: Sequence[Grant], mode: str) -> Case:
    name = " + ".join(map(str, grants))
    return Case(f"{feature}: {name}", feature, (stage("in force", grants, mode),))


# The policies of the cases that stack two, or change one into another.
BLOCKS = (
    Grant("ingress", TARGETS[0], None),
    Grant("ingress", TARGETS[1], PEERS[2], PORTS[1]),
    Grant("ingress", TARGETS[1], PEERS[8], PORTS[10]),
    Grant("ingress", TARGETS[2], PEERS[16], PORTS[6]),
    Grant("egress", TARGETS[0], None),
    Grant("egress", TARGETS[0], PEERS[5], PORTS[10]),
    Grant("egress", TARGETS[1], PEERS[14], PORTS[0]),
    Grant("egress", TARGETS[2], PEERS[0], PORTS[5]),
)


def stacked(mode: str = modes.ONE_NODE) -> Iterator[Case]:
    """Yield the cases with two policies, in both orders."""
    return (_case("product/stacking", pair, mode) for pair in permutations(BLOCKS, 2))


def changed(mode: str = modes.ONE_NODE) -> Iterator[Case]:
    """Yield the cases in which policies are added, replaced and deleted."""
    for first, second in permutations(BLOCKS, 2):
        stages = (
            stage("one", [first], mode),
            stage("replaced by the other", [second], mode),
            stage("both", [second, first], mode),
            stage("none", [], mode),
        )
        yield Case(f"product/changes: {first} -> {second}", "product/changes", stages)


def cases(mode: str = modes.ONE_NODE) -> Iterator[Case]:
    """Yield the whole product."""
    yield from single(mode)
    yield from stacked(mode)
    yield from changed(mode)
