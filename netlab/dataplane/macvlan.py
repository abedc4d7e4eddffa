"""Pods on macvlan links of their node's interface, as the CNI and Docker ``macvlan`` plugins make them.

Pods are machines on the underlay. Their packets do not pass the node, which neither routes them nor enforces policy.
The driver gives a link's frames to its siblings or to the wire, so a node and its own pods do not reach one another
(mode "bridge", Linux drivers/net/macvlan.c).
"""

from __future__ import annotations

from ipaddress import ip_interface

from netlab.cluster.types import Cluster, Network, Pod
from netlab.dataplane import names
from netlab.dataplane.build import Build
from netlab.kernel.state import InterfaceAddress, Link, Route

_BRIDGE_MODE = 4


def attach(cluster: Cluster, network: Network, build: Build, mtu: int) -> None:
    """Add every pod's interface on the underlay, with the MTU ``mtu``."""
    for pod in build.pods(cluster):
        if pod.network == network.name:
            _attach(cluster, network, pod, build, mtu)


def _attach(cluster: Cluster, network: Network, pod: Pod, build: Build, mtu: int) -> None:
    inside = names.pod_namespace(cluster.name, pod)
    below = (names.node_namespace(cluster.name, pod.node), names.UNDERLAY_DEVICE)
    mac = names.mac_of(pod.addresses[0])
    link_mtu, route_mtu = build.mtus(network, mtu)
    build.add(inside, Link(names.POD_DEVICE, "macvlan", mac, link_mtu, parent=below, options={"mode": _BRIDGE_MODE}))
    for address in pod.addresses:
        (length,) = [p.prefixlen for p in network.pod_cidrs if p.version == address.version]
        build.add(inside, InterfaceAddress(names.POD_DEVICE, ip_interface(f"{address}/{length}")))
        near = [p for p in cluster.underlay_cidrs if p.version == address.version]
        build.add(inside, *(Route(prefix, names.POD_DEVICE, mtu=route_mtu) for prefix in near))
        for host in cluster.hosts:
            far = [a for a in host.addresses if a.version == address.version and not any(a in p for p in near)]
            build.add(inside, *(Route(names.single(a), names.POD_DEVICE, mtu=route_mtu) for a in far))
