"""Macvlan mode: every pod's interface is a child of its node's own, as the CNI and Docker ``macvlan`` plugins wire it.

Pods are machines on the underlay: packets go past the node, which neither routes them nor enforces policy. The driver
hands a child's frames to its siblings or to the wire, so node and own pods do not reach one another (mode "bridge",
Linux drivers/net/macvlan.c).
"""

from __future__ import annotations

from ipaddress import ip_interface

from netlab.cluster.types import Cluster, Host, Network, Node, Pod, address_of
from netlab.dataplane import names
from netlab.dataplane.build import Build
from netlab.kernel.state import InterfaceAddress, Link, Route

_BRIDGE_MODE = 4


def wire(cluster: Cluster, network: Network, build: Build) -> None:
    """Want every pod's interface on the underlay, and the network's prefixes on the link of every machine there."""
    machines: list[Node | Host] = [*cluster.nodes, *cluster.hosts]
    for machine in machines:
        for prefix in network.pod_cidrs:
            if address_of(machine, prefix.version) is not None:
                place = names.endpoint_namespace(cluster.name, machine)
                build.add(place, Route(prefix, names.UNDERLAY_DEVICE))
    for pod in cluster.pods:
        if pod.network == network.name:
            _attach(cluster, network, pod, build)


def _attach(cluster: Cluster, network: Network, pod: Pod, build: Build) -> None:
    inside = names.pod_namespace(cluster.name, pod)
    below = (names.node_namespace(cluster.name, pod.node), names.UNDERLAY_DEVICE)
    mac = names.mac_of(pod.addresses[0])
    build.add(inside, Link(names.POD_DEVICE, "macvlan", mac, parent=below, options={"mode": _BRIDGE_MODE}))
    for address in pod.addresses:
        (length,) = [p.prefixlen for p in network.pod_cidrs if p.version == address.version]
        build.add(inside, InterfaceAddress(names.POD_DEVICE, ip_interface(f"{address}/{length}")))
        near = [p for p in cluster.underlay_cidrs if p.version == address.version]
        build.add(inside, *(Route(prefix, names.POD_DEVICE) for prefix in near))
        for host in cluster.hosts:
            far = [a for a in host.addresses if a.version == address.version and not any(a in p for p in near)]
            build.add(inside, *(Route(names.single(a), names.POD_DEVICE) for a in far))
