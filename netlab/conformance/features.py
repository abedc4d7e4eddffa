"""The features whose cases the suite has: NetworkPolicy, and cluster-wide policies.

A new feature is a value here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from netlab import modes
from netlab.conformance import edges, product, random_cases, service_cases, upstream
from netlab.conformance.base_cluster import base_cluster
from netlab.conformance.cases import Case, Unjudged
from netlab.conformance.cluster_policies import clusters, random_sets
from netlab.conformance.cluster_policies import edges as cluster_edges
from netlab.conformance.cluster_policies import product as cluster_product
from netlab.conformance.cluster_policies import upstream as cluster_upstream
from netlab.frozen import frozen
from netlab.objects.types import Document

Cases = Callable[[str], Iterator[Case]]
"""Yields the cases of a set in a mode of the pod network."""
RandomCases = Callable[[int, int, str], Iterator[Case]]
"""Yields so many cases of a seed in a mode of the pod network."""


@frozen
class Feature:
    """The cases of a feature.

    - ``mode``: the mode in which they are asked by default; ``joins_nodes``: other modes must join nodes too.
    - ``sets``: the sets of named cases, each by the beginning of their names.
    - ``random`` and ``with_services``: random cases, and those with Services.
    - ``base``: the documents of the lab that the packets judge begins with.
    """

    name: str
    mode: str
    joins_nodes: bool
    sets: Mapping[str, Cases]
    random: RandomCases
    with_services: RandomCases
    base: Callable[[str], Sequence[Document]]
    unjudged: tuple[Unjudged, ...]


def _base(mode: str) -> Sequence[Document]:
    return base_cluster(mode=mode)


def _sets_with_services(count: int, seed: int, mode: str) -> Iterator[Case]:
    return service_cases.cases(count, seed, mode, random_sets.stage)


NETWORK_POLICY = Feature(
    "network-policy",
    modes.ONE_NODE,
    joins_nodes=False,
    sets={"upstream/": upstream.cases, "edge/": edges.cases, "product/": product.cases},
    random=random_cases.cases,
    with_services=service_cases.cases,
    base=_base,
    unjudged=edges.UNJUDGED,
)
CLUSTER_NETWORK_POLICY = Feature(
    "cluster-network-policy",
    modes.SEVERAL_NODES,
    joins_nodes=True,
    sets={
        "upstream/": cluster_upstream.cases,
        "edge/": cluster_edges.cases,
        "product/": cluster_product.cases,
    },
    random=random_sets.cases,
    with_services=_sets_with_services,
    base=clusters.cluster,
    unjudged=cluster_edges.UNJUDGED,
)
FEATURES = {feature.name: feature for feature in (NETWORK_POLICY, CLUSTER_NETWORK_POLICY)}
"""The features by name; the first is the default of ``netlab conformance``."""
