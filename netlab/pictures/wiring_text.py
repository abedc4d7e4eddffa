"""The names and lines of text in a picture of the wiring."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Hashable, Iterator
from typing import Literal

from netlab.cluster.types import Cluster, Host, Network, Node
from netlab.dataplane import names
from netlab.pictures.merged import name_range
from netlab.pictures.texts import workload_name
from netlab.pictures.wires import Interface, Wires

Unit = Literal["workload", "namespace", "namespaces alike", "network"]
"""What a box of pods stands for: all of them that are wired alike."""


def box_names(cluster: Cluster, unit: Unit) -> dict[str, str]:
    """Return the name of the box of each namespace's pods: several namespaces may have one box."""
    if unit == "namespace":
        return {pod.namespace: pod.namespace for pod in cluster.pods}
    if unit != "namespaces alike":
        return {}
    parts: dict[str, Counter[str]] = defaultdict(Counter)
    for pod in cluster.pods:
        parts[pod.namespace][workload_name(pod)] += 1
    alike: dict[Hashable, list[str]] = defaultdict(list)
    for namespace, of in parts.items():
        alike[frozenset(of.items())].append(namespace)
    return {namespace: name_range(names) for names in alike.values() for namespace in names}


def network_line(network: Network) -> str:
    """Return a network's name, mode and prefixes, and what a reader of policies must know about it."""
    traits = network.traits
    parts = [f"mode {traits.name}", " ".join(map(str, network.pod_cidrs))]
    if traits.attachment.by_plugins:
        parts.append(f"{plugins_of(network)} make the links of its pods")
    if not traits.attachment.enforced:
        parts.append("policies are not enforced")
    return f"network {network.name}: {', '.join(filter(None, parts))}"


def plugins_of(network: Network) -> str:
    """Return the names of the plugins that make the links of a network's pods."""
    types = [str(one.get("type", "")) for one in network.conflist.plugins] if network.conflist else []
    return f"plugins {', '.join(types)}".rstrip()


def tunnel_facts(one: Interface) -> tuple[str, ...]:
    """Return what both ends of a tunnel have in common as text, () for an interface that is no tunnel's."""
    options = one.link.options
    if one.link.kind == "vxlan":
        return (f"VXLAN VNI {options['id']}, UDP {options['dstport']}",)
    return ("IPIP",) if one.link.kind == "ipip" else ()


def tunnel_lines(cluster: Cluster, wires: Wires) -> Iterator[str]:
    """Yield a line for each tunnel: the nodes that it joins."""
    joined: dict[tuple[str, str], list[str]] = defaultdict(list)
    for node in cluster.nodes:
        for one in wires.of(names.node_namespace(cluster.name, node.name)):
            if facts := tunnel_facts(one):
                joined[one.name, ", ".join(facts)].append(node.name)
    for (name, fact), nodes in joined.items():
        if len(nodes) > 1:
            yield f"{name} ({fact}) joins {name_range(nodes)}"


def impaired_pairs(cluster: Cluster, wires: Wires) -> list[tuple[str, str, str]]:
    """Return the pairs of machines whose link is impaired, each once, with what happens to packets."""
    found: dict[tuple[str, str], str] = {}
    machines: tuple[Node | Host, ...] = (*cluster.nodes, *cluster.hosts)
    refs = {names.endpoint_namespace(cluster.name, machine): machine.ref for machine in machines}
    ports: dict[str, str] = {}
    of_underlay = wires.of(names.underlay_namespace(cluster.name))
    for port in of_underlay:
        machine = wires.peer(port)
        if machine is not None:
            ports[port.name] = refs[machine.end[0]]
    for port in of_underlay:
        for source, text in port.by_source:
            one, other = sorted((ports[port.name], ports[source]))
            found[one, other] = text
    return [(one, other, text) for (one, other), text in found.items()]


def addresses_of(interface: Interface) -> str:
    return " ".join((*map(str, interface.addresses), interface.size))
