"""Random clusters and policies, for every judge. The same seed gives the same cases."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from random import Random

from netlab import modes
from netlab.conformance.base_cluster import ADDRESSES, HOST, HOST_ADDRESS, base_cluster
from netlab.conformance.cases import Case, Cell, Stage
from netlab.conformance.shorthand import Data, block, peer, policy, rule
from netlab.objects.types import Document

PODS = ("x/a", "x/b", "x/c", "y/a", "y/b", "z/a")
LABELS = ("", "app=p", "app=q", "app=", "app=p,tier=db", "tier=web", "app=q,tier=")
SPACES = ("", "team=1", "team=2", "team=", "env=test,team=1")
_SELECTORS = (
    *("", "app=p", "app=q", "app=", "app", "!app", "app in (p,q)", "app notin (p)", "tier notin (db,web)"),
    *("app=p,tier", "!tier,app notin (q)", "tier=db,app in (p)"),
)
_SPACE_SELECTORS = (
    *("", "team=1", "team=", "team", "!team", "team notin (1)", "team in (1,2)", "env,team=1"),
    *("kubernetes.io/metadata.name=x", "kubernetes.io/metadata.name notin (x,y)"),
)
_NETWORKS = (
    "0.0.0.0/0",
    "10.0.0.0/8",
    "10.244.0.0/16",
    "10.244.0.0/24",
    "10.244.1.0/24",
    "192.0.2.0/24",
    "128.0.0.0/1",
)
_SINGLE = tuple(f"{address}/32" for address in (*(ADDRESSES[ref] for ref in PODS), HOST_ADDRESS))
_EXCEPTS = {
    "0.0.0.0/0": ("10.0.0.0/8", "10.244.1.0/24", "192.0.2.10/32", "128.0.0.0/2"),
    "10.0.0.0/8": ("10.244.0.0/16", "10.244.0.0/24", *_SINGLE[:3]),
    "10.244.0.0/16": ("10.244.0.0/24", "10.244.1.0/24", *_SINGLE[:3]),
}
_PORTS = ("web", "dns", "80", "81", "53", "80-81", "81-65535", "1-80", "")
SERVED = ((), ("web=80/TCP",), ("web=81/TCP", "dns=53/UDP"), ("dns=80/UDP", "web=82/TCP", "web=80/TCP"), ("80/SCTP",))
_PORTS_ASKED = (
    *(("TCP", 80), ("TCP", 81), ("TCP", 82), ("TCP", 53), ("UDP", 53), ("UDP", 80)),
    *(("SCTP", 80), ("SCTP", 81), ("ICMP", None)),
)
# The number of ports that a case asks.
_ASKED = 4


def cases(count: int, seed: int, mode: str = modes.ONE_NODE) -> Iterator[Case]:
    """Yield ``count`` cases without expected verdicts; each depends on the seed and its own number only."""
    for number in range(count):
        yield Case(f"random/{seed}-{number}", "random", (stage(Random(f"{seed}-{number}"), mode),))  # noqa: S311


def stage(rng: Random, mode: str) -> Stage:
    """Return a random cluster with policies, and cells for all pairs and some ports."""
    base = base_cluster(
        {ref: rng.choice(LABELS) for ref in PODS},
        {ns: rng.choice(SPACES) for ns in "xyz"},
        {ref: rng.choice(SERVED) for ref in PODS},
        members=PODS,
        mode=mode,
    )
    policies = tuple(policy_of(rng, f"{rng.choice('xyz')}/p{i}") for i in range(rng.randint(1, 5)))
    asked = rng.sample(_PORTS_ASKED, _ASKED)
    pairs = [*product(PODS, (*PODS, HOST)), *(("node:node-1", ref) for ref in PODS)]
    cells = [Cell(source, destination, *port) for source, destination in pairs for port in asked]
    return Stage("in force", (*base, *policies), dict.fromkeys(cells))


def policy_of(rng: Random, ref: str) -> Document:
    """Return a random NetworkPolicy."""
    rules = {d: [_rule(rng, d) for _ in range(rng.randint(0, 2))] for d in ("ingress", "egress")}
    types = rng.choice((None, ["Ingress"], ["Egress"], ["Ingress", "Egress"], ["Egress", "Ingress"], []))
    return policy(ref, rng.choice(_SELECTORS), ingress=rules["ingress"], egress=rules["egress"], types=types)


def _rule(rng: Random, direction: str) -> Data:
    peers = [_peer(rng) for _ in range(rng.choice((0, 1, 1, 2, 3)))]
    ports = [_port(rng) for _ in range(rng.choice((0, 0, 1, 1, 2)))]
    return rule(direction, peers, ports)


def _peer(rng: Random) -> Data:
    kind = rng.randrange(5)
    if kind == 0:
        return block(rng.choice(_SINGLE))
    if kind == 1:
        network = rng.choice(_NETWORKS)
        holes = _EXCEPTS.get(network, ())
        return block(network, *rng.sample(holes, min(len(holes), rng.randint(0, 2))))
    pods = rng.choice(_SELECTORS) if kind in (2, 4) else None
    return peer(pods, rng.choice(_SPACE_SELECTORS) if kind in (3, 4) else None)


def _port(rng: Random) -> str:
    protocol = rng.choice(("", "", "/TCP", "/UDP", "/SCTP"))
    return f"{rng.choice(_PORTS)}{protocol}"
