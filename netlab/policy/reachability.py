"""The allowed flows of a cluster as graphs: of endpoints, and of workloads."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from netlab.cluster.flows import Flow, every_pair
from netlab.cluster.types import Cluster, Endpoint, Pod
from netlab.policy.evaluate import evaluate

if TYPE_CHECKING:
    import networkx as nx


def reachability(cluster: Cluster, flows: Iterable[Flow] | None = None) -> nx.DiGraph:
    """Return the allowed pairs as a directed graph of endpoint references; ``flows`` is every pair by default.

    A node of the graph has ``kind`` (pod, node, host) and ``workload``. An edge has ``allowed``:
    each (family, protocol, port) that the source may open on the destination, in the order of ``flows``. The graph's
    attributes ``some`` and ``unknown`` have, by pair, the (family, protocol, port) with that verdict.
    """
    import networkx as nx

    graph = nx.DiGraph(name=cluster.name, some={}, unknown={})
    for endpoint in cluster.by_ref.values():
        graph.add_node(endpoint.ref, kind=type(endpoint).__name__.lower(), workload=workload_of(endpoint))
    for flow in every_pair(cluster) if flows is None else flows:
        if flow.destination is None or (verdict := evaluate(cluster, flow).verdict) == "deny":
            continue
        edge = (flow.source.ref, flow.destination.ref)
        if verdict != "allow":
            graph.graph[verdict].setdefault(edge, []).append((flow.family, flow.protocol, flow.port))
            continue
        if not graph.has_edge(*edge):
            graph.add_edge(*edge, allowed=[])
        graph.edges[edge]["allowed"].append((flow.family, flow.protocol, flow.port))
    return graph


def workload_reachability(cluster: Cluster, flows: Iterable[Flow] | None = None) -> nx.DiGraph:
    """Return the same graph by workload: an edge means that a flow between pods of two workloads is allowed.

    An edge has the number of ``allowed`` flows and of all flows (``asked``). The edge of a workload to itself is about
    flows between its pods. The graph's attribute ``unknown`` has, by pair of workloads, the number of flows with an
    unknown verdict.
    """
    import networkx as nx

    graph = nx.DiGraph(name=cluster.name, unknown={})
    graph.add_nodes_from(dict.fromkeys(map(workload_of, cluster.by_ref.values())))
    tally: dict[tuple[str, str], list[int]] = {}
    for flow in every_pair(cluster) if flows is None else flows:
        if flow.destination is None:
            continue
        edge = (workload_of(flow.source), workload_of(flow.destination))
        counts = tally.setdefault(edge, [0, 0])
        verdict = evaluate(cluster, flow).verdict
        counts[0] += verdict == "allow"
        counts[1] += 1
        if verdict == "unknown":
            graph.graph["unknown"][edge] = graph.graph["unknown"].get(edge, 0) + 1
    graph.add_edges_from((*edge, {"allowed": yes, "asked": asked}) for edge, (yes, asked) in tally.items() if yes)
    return graph


def workload_of(endpoint: Endpoint) -> str:
    """Return ``KIND NAMESPACE/NAME`` of an endpoint's workload, or of the endpoint itself if it has no workload."""
    if isinstance(endpoint, Pod):
        return endpoint.workload or f"Pod {endpoint.ref}"
    return f"{type(endpoint).__name__} {endpoint.name}"
