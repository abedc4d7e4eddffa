"""The cluster of all cases except upstream's: namespaces x, y and z on two nodes, dual-stack, with two outside hosts.

It is ``base_cluster`` with a host-network pod on each node, ``x/h`` and ``y/h``. Pods of y are on the second node.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from netlab.conformance.base_cluster import base_cluster
from netlab.conformance.cluster_policies.nodes import NODES, topology
from netlab.conformance.dual_stack import documents
from netlab.conformance.shorthand import document
from netlab.objects.types import Document

PODS = ("x/a", "x/b", "y/a", "y/b", "z/a")
HOST_PODS = {"x/h": NODES[0], "y/h": NODES[1]}
"""The host-network pods and their nodes."""


def cluster(
    mode: str,
    pods: Mapping[str, str] | None = None,
    namespaces: Mapping[str, str] | None = None,
    ports: Mapping[str, tuple[str, ...]] | None = None,
) -> tuple[Document, ...]:
    """Return the documents of the cluster.

    Args:
      mode: the mode of the pod network; it joins nodes.
      pods: labels of pods that differ from ``pod=NAME``, by reference; host-network pods too.
      namespaces: labels of namespaces that differ from ``ns=NAME``.
      ports: container ports of pods that differ from ``base_cluster.PORTS``, by reference.
    """
    _, *others = base_cluster(pods, namespaces, ports, members=PODS, mode=mode)
    labels = pods or {}
    return (
        topology(mode),
        *(_dual(one) for one in others),
        *(_host_pod(ref, labels.get(ref, "pod=h")) for ref in HOST_PODS),
    )


def _dual(one: Document) -> Document:
    """Return a document with IPv6 addresses; the same one for the same document, as reading it is cached there."""
    found: Document | None = one.memo.get("conformance.dual")
    if found is None:
        (found,) = documents([one])
        one.memo["conformance.dual"] = found
    return found


@cache
def _host_pod(ref: str, labels: str) -> Document:
    spec = {"hostNetwork": True, "nodeName": HOST_PODS[ref], "containers": [{"name": "c"}]}
    return document("Pod", ref, spec, labels=labels)
