"""Random sets of cluster-wide policies of all versions with NetworkPolicies. The same seed gives the same cases.

Names of policies are drawn, and priorities are few, so that many policies of a tier have the same one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import product
from random import Random

from netlab.conformance import random_cases
from netlab.conformance.base_cluster import ADDRESSES, HOST, HOST_ADDRESS
from netlab.conformance.cases import Case, Cell, Stage
from netlab.conformance.cluster_policies.clusters import HOST_PODS, PODS, cluster
from netlab.conformance.cluster_policies.shorthand import OLD, Policy, Version
from netlab.conformance.shorthand import Data
from netlab.objects.cluster_policies import ClusterTier
from netlab.objects.types import Document

_SOURCES = (*PODS, *HOST_PODS)
_DESTINATIONS = (*PODS, *HOST_PODS, HOST, "host:far", "node:node-1", "node:node-2")
_PRIORITIES = (0, 10, 10, 10, 20, 1000)
_ACTIONS = ("Accept", "Deny", "Deny", "Pass")
# A selector in shorthand, for pods and for namespaces; "*" is everything.
_PODS = ("*", "app=p", "app=q", "app=", "app", "!app", "app in (p,q)", "app notin (p)", "tier notin (db,web)", "pod=h")
_SPACES = ("*", "*", "team=1", "team=", "team", "!team", "team notin (1)", "kubernetes.io/metadata.name=x")
_NODES = ("*", "zone=a", "zone notin (a)", "kubernetes.io/hostname=node-1", "zone=none")
_NETWORKS = (
    *("0.0.0.0/0", "10.0.0.0/8", "10.244.0.0/24", "10.244.1.0/24", "192.0.2.0/24", "128.0.0.0/1", "100.64.0.1/32"),
    *("::/0", "fd00:10:244::/56", "fd00:10:244:1::/64", "fd00:100:64::2/128", "2001:db8::/32"),
    *(f"{address}/32" for address in (*(ADDRESSES[ref] for ref in PODS), HOST_ADDRESS)),
)
_NAMES = ("*.example.com", "example.com", "a.b.example.com", "*.b.example.com", "*.example.org", "api.example.com.")
_NUMBERS = ("80/TCP", "81/TCP", "80/UDP", "80/SCTP", "80-81/TCP", "81-65535/TCP", "1-80/UDP")
_NAMED = ("web", "dns", "nobody")
# Only v1alpha1 accepts it; it has no meaning, so the rule fails closed.
_UNKNOWN = ("1/ICMP",)
_PORTS_ASKED = (
    *(("TCP", 80), ("TCP", 81), ("TCP", 82), ("UDP", 53), ("UDP", 80), ("SCTP", 80), ("ICMP", None), ("ICMP", None)),
)
_SETTINGS = {
    "baseline": ("per-direction", "per-direction", "unselected-pods"),
    "baselineAdmin": ("first", "last"),
    "ownNode": ("allow", "allow", "enforce"),
}
# The number of ports that a case asks, each in one family.
_ASKED = 5


def cases(count: int, seed: int, mode: str) -> Iterator[Case]:
    """Yield ``count`` cases without expected verdicts; each depends on the seed and its own number only."""
    for number in range(count):
        rng = Random(f"cluster-policies-{seed}-{number}")  # noqa: S311
        yield Case(f"random/cluster-policies-{seed}-{number}", "random", (stage(rng, mode),))


def stage(rng: Random, mode: str) -> Stage:
    """Return a random cluster with policies, and cells for all pairs and some ports."""
    base = cluster(
        mode,
        {ref: rng.choice(random_cases.LABELS) for ref in PODS}
        | {ref: rng.choice(("pod=h", "app=p")) for ref in HOST_PODS},
        {ns: rng.choice(random_cases.SPACES) for ns in "xyz"},
        {ref: rng.choice(random_cases.SERVED) for ref in PODS},
    )
    in_force = policies(rng)
    beneath = [random_cases.policy_of(rng, f"{rng.choice('xyz')}/n{i}") for i in range(rng.choice((0, 0, 1, 1, 2)))]
    asked = [(*rng.choice(_PORTS_ASKED), rng.choice((4, 4, 6))) for _ in range(_ASKED)]
    cells = [Cell(*pair, *one) for pair in product(_SOURCES, _DESTINATIONS) for one in asked]
    settings = {name: rng.choice(values) for name, values in _SETTINGS.items()}
    first, *others = base
    return Stage("in force", (with_settings(first, settings), *others, *in_force, *beneath), dict.fromkeys(cells))


def with_settings(topology: Document, settings: Data) -> Document:
    """Return a Topology with settings of ``spec.policy``."""
    return replace(topology, data={**topology.data, "spec": {**topology.data["spec"], "policy": settings}})


def policies(rng: Random) -> Iterator[Document]:
    """Yield one to six policies with different names; at most one is a BaselineAdminNetworkPolicy."""
    singleton = False
    for name in rng.sample(["a", "b", "c", "d", "e", "f", "g", "h"], rng.randint(1, 6)):
        version: Version = rng.choice(("v1beta1", "v1alpha2", OLD))
        tier: ClusterTier = rng.choice(("Admin", "Admin", "Baseline"))
        if version == OLD and tier == "Baseline":
            version = "v1beta1" if singleton else OLD
            singleton = singleton or version == OLD
        yield _policy(rng, name, tier, version).document(version)


def _policy(rng: Random, name: str, tier: ClusterTier, version: Version) -> Policy:
    ingress = tuple(_rule(rng, tier, version, egress=False) for _ in range(rng.randint(0, 3)))
    egress = tuple(_rule(rng, tier, version, egress=True) for _ in range(rng.randint(0, 3)))
    return Policy(name, tier, rng.choice(_PRIORITIES), _pods(rng), ingress or None, egress or None)


def _rule(rng: Random, tier: ClusterTier, version: Version, *, egress: bool) -> str:
    singleton = version == OLD and tier == "Baseline"
    action = rng.choice(("Accept", "Deny") if singleton else _ACTIONS)
    names = action == "Accept" and not singleton
    peers = [_egress_peer(rng, names=names) if egress else _pods(rng) for _ in range(rng.choice((1, 1, 2, 3)))]
    selectors = all(peer.startswith(("ns", "pods")) for peer in peers)
    known = (*_NUMBERS, *(_NAMED if selectors else ()), *(_UNKNOWN if version == OLD else ()))
    ports = dict.fromkeys(rng.choice(known) for _ in range(rng.choice((0, 0, 1, 1, 2))))
    return f"{action} {' | '.join(peers)}{': ' if ports else ''}{','.join(ports)}"


def _pods(rng: Random) -> str:
    kind = rng.randrange(4)
    if kind == 0:
        return f"ns {rng.choice(_SPACES)}"
    if kind == 1:
        return f"pods {rng.choice(_PODS)}"
    return f"pods {rng.choice(_SPACES)} / {rng.choice(_PODS)}"


def _egress_peer(rng: Random, *, names: bool) -> str:
    kind = rng.randrange(8)
    if kind == 0:
        return f"nodes {rng.choice(_NODES)}"
    if kind in (1, 2):
        return f"net {' '.join(rng.sample(_NETWORKS, rng.randint(1, 3)))}"
    if kind == 3 and names:
        return f"names {' '.join(rng.sample(_NAMES, rng.randint(1, 2)))}"
    return _pods(rng)
