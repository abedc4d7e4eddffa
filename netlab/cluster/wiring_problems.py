"""Choices of a network's wiring that do not fit one another, or the number of nodes."""

from __future__ import annotations

from dataclasses import replace

from netlab.cluster.nodes import topology_problem
from netlab.errors import Problem
from netlab.modes.wiring import NOTHING
from netlab.objects.topology import Topology, TopologyNetwork


def without_misfits(topology: Topology, nodes: int) -> tuple[Topology, list[Problem]]:
    """Return the Topology with no wiring for networks whose choices do not fit, and a problem for each of them.

    ``nodes`` is the number of nodes. The mode of every network must be known.
    """
    problems: list[Problem] = []
    networks: list[TopologyNetwork] = []
    for network in topology.networks:
        why, path = _misfit(network, nodes, topology.node_ports)
        if why:
            problems.append(topology_problem(topology, f"{network.path}.wiring{path}", why))
            network = replace(network, wiring=NOTHING, profile="")
        networks.append(network)
    return (replace(topology, networks=tuple(networks)), problems) if problems else (topology, [])


def _misfit(network: TopologyNetwork, nodes: int, node_ports: tuple[int, int]) -> tuple[str, str]:
    """Return why the choices do not fit and the path of the choice below ``wiring``; "" if they fit."""
    try:
        traits = network.traits
    except ValueError as error:
        return str(error), ""
    low, high = node_ports
    if traits.transport.tunnel == "vxlan" and low <= traits.tunnel_port <= high:
        why = f"must not be a port of nodePortRange {low}-{high}, as nodes take packets of VXLAN there"
        return f"{traits.tunnel_port}: {why}", ".tunnelPort"
    for cidr in network.pod_cidrs if "podCIDRs" not in network.unwritten else ():
        if cidr.version not in traits.transport.families:
            return f"{traits.transport.name} carries no IPv{cidr.version}, as of {cidr}", ".transport"
    answered = traits.transport.joins_nodes or traits.masquerades("nodes") or traits.attachment.reaches != "all"
    if nodes > 1 and not answered:
        # A node has a network of its own with the same range, and no route to pods of another node.
        why = "nodes have no route to pods of other nodes, so they cannot answer packets that keep the pod's address"
        return f"{why}: use outside-and-nodes, one node, or a transport that joins nodes", ".masquerade"
    return "", ""
