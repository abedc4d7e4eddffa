"""A product of cases: tiers, actions, directions, peers, ports, what comes after, and the NetworkPolicy beneath.

Each value of a dimension lists the ends and ports of ``clusters`` that it matches. Verdicts follow from these lists: of
the rules in their order, the first with the end and the port in its lists decides. No selector, prefix or port range is
evaluated.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import permutations, product

from netlab.conformance.base_cluster import ADDRESSES, HOST, HOST_ADDRESS
from netlab.conformance.cases import Case, Cell, Stage, Verdict
from netlab.conformance.cluster_policies.clusters import HOST_PODS, PODS, cluster
from netlab.conformance.cluster_policies.nodes import NODES
from netlab.conformance.cluster_policies.shorthand import OLD, Policy, Version
from netlab.conformance.shorthand import Data, policy
from netlab.frozen import frozen
from netlab.objects.cluster_policies import ClusterTier
from netlab.objects.types import Direction, Document

ProtocolPort = tuple[str, int | None]
PORTS_ASKED: tuple[ProtocolPort, ...] = (
    *(("TCP", 80), ("TCP", 81), ("TCP", 82), ("UDP", 80), ("SCTP", 80), ("ICMP", None)),
)
SUBJECTS = {"pods ns=x / pod=a": ("x/a",), "ns ns=x": ("x/a", "x/b")}
"""The subjects of policies, and the pods that they select."""
NODE_OF = {ref: NODES[1] if ref.startswith("y/") else NODES[0] for ref in PODS} | HOST_PODS
ENDS = (*PODS, *HOST_PODS, HOST, "host:far")
TIERS: tuple[ClusterTier, ...] = ("Admin", "Baseline")
DIRECTIONS: tuple[Direction, ...] = ("ingress", "egress")
WEB: dict[str, ProtocolPort] = {"x/a": ("TCP", 80), "x/b": ("TCP", 81), "y/a": ("TCP", 80), "y/b": ("UDP", 80)}
_SERVED = {ref: (f"web={number}/{protocol}",) for ref, (protocol, number) in WEB.items()} | {"z/a": ()}


def _of(text: str) -> frozenset[str]:
    return frozenset(text.split())


@frozen
class Peers:
    """The peers of a rule, as shorthand, and the ends that they match; ``selectors``: all of them select pods."""

    text: str
    ends: frozenset[str]
    selectors: bool = True


@frozen
class Ports:
    """The ports of a rule, as shorthand, and what they match; ``named``: each end's own port as well."""

    text: str
    matched: frozenset[ProtocolPort]
    named: bool = False

    def match(self, destination: str, port: ProtocolPort) -> bool:
        return port in self.matched or (self.named and WEB.get(destination) == port)


EVERYTHING = Peers("ns *", frozenset(PODS))
SELECTED = (
    Peers("ns ns=y", _of("y/a y/b")),
    Peers("pods * / pod=b", _of("x/b y/b")),
    Peers("pods ns notin (x) / pod=a | ns ns=none", _of("y/a z/a")),
)
OUTSIDE = (
    Peers("net 10.244.1.0/24", _of("y/a y/b"), selectors=False),
    Peers(f"net {HOST_ADDRESS}/32 {ADDRESSES['x/b']}/32 ::/0", _of(f"{HOST} x/b"), selectors=False),
    Peers("net 0.0.0.0/0", frozenset(ENDS), selectors=False),
    Peers("nodes zone=b", _of("y/h"), selectors=False),
    Peers("nodes * | pods ns=z / *", _of("x/h y/h z/a"), selectors=False),
    Peers("names *.example.com", _of(HOST), selectors=False),
)
PEERS: dict[Direction, tuple[Peers, ...]] = {"ingress": SELECTED, "egress": (*SELECTED, *OUTSIDE)}
PORTS = (
    Ports("", frozenset(PORTS_ASKED)),
    Ports("80/TCP", frozenset({("TCP", 80)})),
    Ports("81-65535/TCP", frozenset({("TCP", 81), ("TCP", 82)})),
    Ports("80/UDP,80/SCTP", frozenset({("UDP", 80), ("SCTP", 80)})),
    Ports("web", frozenset(), named=True),
    Ports("web,82/TCP", frozenset({("TCP", 82)}), named=True),
)


@frozen
class Ruled:
    """A policy with one rule, and what it means by lists."""

    tier: ClusterTier
    priority: int
    subject: str
    direction: Direction
    action: str
    peers: Peers
    ports: Ports = PORTS[0]
    name: str = "p"
    version: Version = "v1beta1"

    def document(self) -> Document:
        """Return the policy as a document."""
        rules = (f"{self.action} {self.peers.text}{f': {self.ports.text}' if self.ports.text else ''}",)
        ingress, egress = (rules, None) if self.direction == "ingress" else (None, rules)
        return Policy(self.name, self.tier, self.priority, self.subject, ingress, egress).document(self.version)

    @property
    def expressible(self) -> bool:
        """Whether the CRDs accept the rule."""
        if self.peers.text.startswith("names") and self.action != "Accept":
            return False
        return self.peers.selectors or not self.ports.named

    @property
    def old(self) -> bool:
        """Whether the kinds of v1alpha1 have such a rule."""
        return self.tier == "Admin" or (self.action != "Pass" and not self.peers.text.startswith("names"))

    def __str__(self) -> str:
        ports = self.ports.text or "everything"
        return f"{self.tier} {self.direction}: {self.action} {self.peers.text}, {ports}"


@frozen
class Beneath:
    """A NetworkPolicy on x/a and x/b: whether it isolates a direction, and whether it allows everything there."""

    name: str
    isolates: tuple[Direction, ...] = ()
    allows: bool = False

    def documents(self) -> tuple[Document, ...]:
        rules: dict[Direction, list[Data]] = {way: [{}] if self.allows else [] for way in self.isolates}
        made = policy("x/n", "pod in (a,b)", ingress=rules.get("ingress"), egress=rules.get("egress"))
        return (made,) if self.isolates else ()


def beneath(direction: Direction) -> tuple[Beneath, ...]:
    """Return the NetworkPolicies beneath a rule of a direction."""
    other: Direction = "egress" if direction == "ingress" else "ingress"
    return (
        Beneath("no NetworkPolicy"),
        Beneath("a NetworkPolicy allows", (direction,), allows=True),
        Beneath("a NetworkPolicy denies", (direction,)),
        Beneath("a NetworkPolicy for the other direction", (other,)),
    )


def verdict(policies: Sequence[Ruled], under: Beneath, cell: Cell) -> Verdict:
    """Return the verdict of a cell by the lists; ``policies`` are in the order in which they decide."""
    allowed = all(
        _side(policies, under, direction, end, other, cell)
        for direction, end, other in (
            ("egress", cell.source, cell.destination),
            ("ingress", cell.destination, cell.source),
        )
        if end in PODS
    )
    return "allow" if allowed else "deny"


def _side(policies: Sequence[Ruled], under: Beneath, direction: str, end: str, other: str, cell: Cell) -> bool:
    admin = _first(policies, "Admin", direction, end, other, cell)
    if admin in ("Accept", "Deny"):
        return admin == "Accept"
    if direction in under.isolates and end in ("x/a", "x/b"):
        # A NetworkPolicy allows what a pod and its own node send one another.
        return under.allows or (other in HOST_PODS and NODE_OF[other] == NODE_OF[end])
    return _first(policies, "Baseline", direction, end, other, cell) != "Deny"


def _first(policies: Sequence[Ruled], tier: ClusterTier, direction: str, end: str, other: str, cell: Cell) -> str:
    """Return the action of the first policy of a tier that matches; "" if none does."""
    for one in policies:
        if (
            (one.tier, one.direction) == (tier, direction)
            and end in SUBJECTS[one.subject]
            and other in one.peers.ends
            and one.ports.match(cell.destination, (cell.protocol, cell.port))
        ):
            return one.action
    return ""


def _pairs() -> Iterator[tuple[str, str]]:
    """Yield the pairs of ends that policies on x/a and x/b may concern."""
    for source, destination in product((*PODS, *HOST_PODS), ENDS):
        if source != destination and (source in ("x/a", "x/b") or destination in ("x/a", "x/b")):
            yield source, destination


PAIRS = tuple(_pairs())


def stage(name: str, policies: Sequence[Ruled], under: Beneath, mode: str) -> Stage:
    """Return the stage with these policies, and the verdict of every pair and port in it."""
    documents = (*cluster(mode, ports=_SERVED), *(one.document() for one in policies), *under.documents())
    cells = (Cell(*pair, *port) for pair in PAIRS for port in PORTS_ASKED)
    return Stage(name, documents, {cell: verdict(policies, under, cell) for cell in cells})


def followed(one: Ruled) -> Iterator[tuple[str, tuple[Ruled, ...]]]:
    """Yield the rule with what decides after it or before it, by name; policies are in their order."""
    yield "alone", (one,)
    last = Ruled(one.tier, 1000, one.subject, one.direction, "Deny", EVERYTHING, name="last")
    yield "before a Deny", (one, last)
    if one.tier == "Admin":
        base = Ruled("Baseline", 5, one.subject, one.direction, "Deny", EVERYTHING, name="base")
        yield "above a Baseline that denies", (one, base)
    else:
        passing = Ruled("Admin", 5, one.subject, one.direction, "Pass", EVERYTHING, name="passing")
        yield "below an Admin that passes", (passing, one)


def _rules() -> Iterator[tuple[Ruled, bool]]:
    """Yield every rule, and whether it is asked with everything around it; versions and subjects take turns."""
    versions: tuple[Version, ...] = ("v1beta1", OLD, "v1alpha2")
    number = 0
    for tier, direction, action in product(TIERS, DIRECTIONS, ("Accept", "Deny", "Pass")):
        for peers, ports in product(PEERS[direction], PORTS):
            subject = tuple(SUBJECTS)[number % len(SUBJECTS)]
            version = versions[number % len(versions)]
            one = Ruled(tier, 10, subject, direction, action, peers, ports)
            if not one.expressible:
                continue
            number += 1
            if version != OLD or one.old:
                one = Ruled(tier, 10, subject, direction, action, peers, ports, version=version)
            yield one, ports is PORTS[1]


def single(mode: str) -> Iterator[Case]:
    """Yield the cases with one rule: every peer with every port, and one port with all that may stand around it."""
    for one, whole in _rules():
        none, *others = beneath(one.direction)
        for name, policies in followed(one):
            if whole or name == "before a Deny":
                yield _case(one, name, policies, none, mode)
            for under in others if whole else ():
                yield _case(one, name, policies, under, mode)


def _case(one: Ruled, name: str, policies: Sequence[Ruled], under: Beneath, mode: str) -> Case:
    where = f"product/{one}, {name}, {under.name}"
    return Case(where, "product", (stage("in force", policies, under, mode),))


# The policies of the cases that change one into another; the numbers are their priorities.
BLOCKS = (
    Ruled("Admin", 1, "pods ns=x / pod=a", "ingress", "Accept", SELECTED[0], PORTS[1], name="b1"),
    Ruled("Admin", 2, "ns ns=x", "ingress", "Deny", EVERYTHING, name="b2"),
    Ruled("Admin", 3, "ns ns=x", "egress", "Pass", SELECTED[1], PORTS[4], name="b3"),
    Ruled("Admin", 4, "ns ns=x", "egress", "Deny", OUTSIDE[2], name="b4"),
    Ruled("Admin", 5, "ns ns=x", "egress", "Accept", OUTSIDE[5], name="b5"),
    Ruled("Baseline", 1, "ns ns=x", "ingress", "Deny", SELECTED[2], PORTS[2], name="b6"),
    Ruled("Baseline", 2, "pods ns=x / pod=a", "egress", "Deny", OUTSIDE[4], name="b7"),
)


def changed(mode: str) -> Iterator[Case]:
    """Yield the cases in which policies are added, replaced and deleted."""
    none, _, isolated, _ = beneath("ingress")
    for first, second in permutations(BLOCKS, 2):
        both = sorted((first, second), key=lambda one: one.priority)
        stages = (
            stage("one", [first], none, mode),
            stage("replaced by the other", [second], none, mode),
            stage("both", both, none, mode),
            stage("both, and a NetworkPolicy", both, isolated, mode),
            stage("neither", [], none, mode),
        )
        yield Case(f"product/changes: {first} -> {second}", "product/changes", stages)


def cases(mode: str) -> Iterator[Case]:
    """Yield the whole product."""
    yield from single(mode)
    yield from changed(mode)
