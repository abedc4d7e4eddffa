"""The floor of bring-up: one process, straight-line code, the same objects, requests packed by hand in batches."""

from __future__ import annotations

import os
from collections.abc import Sequence
from ipaddress import IPv4Network
from pathlib import Path

from benchmarks import private, wire

_PREFIX = IPv4Network("10.244.0.0/16")
_UNDERLAY = IPv4Network("100.64.0.0/16")
_DIRECTORY = Path("/run/floor")
# The settings of netlab in a namespace of a pod or node, and further ones of a node.
POD = (("ipv6/conf/all/disable_ipv6", "1"), ("ipv4/icmp_ratemask", "0"))
_NODE = (
    ("ipv4/conf/all/rp_filter", "0"),
    ("ipv4/conf/default/rp_filter", "0"),
    ("ipv4/ip_forward", "1"),
    ("ipv4/conf/all/send_redirects", "0"),
    ("ipv4/conf/default/send_redirects", "0"),
    ("bridge/bridge-nf-call-iptables", "1"),
    ("bridge/bridge-nf-call-ip6tables", "1"),
)


class Floor:
    """Pods and nodes as netlab makes them; ``up`` makes them, ``down`` removes them."""

    def __init__(self, pods: int, nodes: int, directory: Path = _DIRECTORY) -> None:
        self._pods, self._nodes = pods, nodes
        self._directory = directory
        self._pinned: list[str] = []
        self._open: list[tuple[int, wire.Socket]] = []

    def up(self) -> None:
        """Make namespaces, bridges, links, addresses, routes, neighbours, and write the settings."""
        self._directory.mkdir(exist_ok=True)
        with private.back_home():
            _, underlay = self._namespace("underlay", POD)
            nodes = [self._namespace(f"node-{i}", (*POD, *_NODE)) for i in range(self._nodes)]
            pods = [self._namespace(f"pod-{i}", POD) for i in range(self._pods)]
        _wire_underlay(underlay, nodes)
        gateway, gateway_mac = _PREFIX[1].packed, _mac(_PREFIX[1].packed)
        for i, (_, node) in enumerate(nodes):
            own = range(i, self._pods, self._nodes)
            requests = [wire.bridge("br-default", 3, gateway_mac), wire.address(3, gateway, _PREFIX.prefixlen)]
            for j in own:
                mac = b"\x0a\x59" + j.to_bytes(4, "big")
                pod_mac = _mac(_PREFIX[j + 2].packed)
                requests.append(wire.veth(f"veth{j:08x}", 100 + j, mac, "eth0", 2, pod_mac, pods[j][0], master=3))
            requests += [wire.neighbour(3, _PREFIX[j + 2].packed, _mac(_PREFIX[j + 2].packed)) for j in own]
            node.send(requests)
        for j, (_, pod) in enumerate(pods):
            pod.send(
                [
                    wire.raised(1),
                    wire.raised(2),
                    wire.address(2, _PREFIX[j + 2].packed, _PREFIX.prefixlen),
                    wire.route(2, gateway),
                    wire.neighbour(2, gateway, gateway_mac),
                ]
            )

    def down(self) -> None:
        """Unpin and close all namespaces; the kernel frees them soon after."""
        while self._open:
            fd, netlink = self._open.pop()
            os.close(fd)
            netlink.close()
        while self._pinned:
            private.unpin(self._pinned.pop())

    def _namespace(self, name: str, settings: Sequence[tuple[str, str]]) -> tuple[int, wire.Socket]:
        target = str(self._directory / name)
        os.close(os.open(target, os.O_CREAT | os.O_RDONLY | os.O_CLOEXEC))
        fd = private.new_network()
        private.pin(target)
        self._pinned.append(target)
        for setting, value in settings:
            written = os.open(f"/proc/sys/net/{setting}", os.O_WRONLY | os.O_CLOEXEC)
            os.write(written, value.encode())
            os.close(written)
        opened = fd, wire.Socket()
        self._open.append(opened)
        return opened


def _wire_underlay(underlay: wire.Socket, nodes: Sequence[tuple[int, wire.Socket]]) -> None:
    requests = [wire.raised(1), wire.bridge("underlay", 2, b"\x0a\x59\0\0\0\1")]
    for i, (fd, _) in enumerate(nodes):
        mac = b"\x0a\x5a" + i.to_bytes(4, "big")
        own = _mac(_UNDERLAY[i + 1].packed)
        requests.append(wire.veth(f"port{i:08x}", 100 + i, mac, "underlay0", 2, own, fd, master=2))
    underlay.send(requests)
    for i, (_, node) in enumerate(nodes):
        node.send([wire.raised(1), wire.raised(2), wire.address(2, _UNDERLAY[i + 1].packed, _UNDERLAY.prefixlen)])


def _mac(address: bytes) -> bytes:
    return b"\x0a\x58" + address
