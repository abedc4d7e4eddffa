"""A router between two veths, in namespaces of its own; packets are sent through it one by one."""

from __future__ import annotations

import contextlib
import os
import socket
import struct
import subprocess
import time
from collections.abc import Iterable, Sequence
from ipaddress import IPv4Address

from benchmarks import machine, private, wire
from benchmarks.pods import CLIENTS, SERVERS
from netlab.kernel.netlink import Netlink
from netlab.kernel.rtnl import read_links

_GATEWAYS = bytes((169, 254, 1, 1)), bytes((169, 254, 2, 1))
_OUT, _IN = b"\x0a\x5d\0\0\0\1", b"\x0a\x5d\0\0\0\2"
# The receiver's interface has another MAC, so its kernel drops the router's packets at once.
_NOBODY = b"\x0a\x5d\0\0\0\3"
_NETLINK_NETFILTER, _CT_DELETE = 12, (1 << 8) | 2

Flow = tuple[IPv4Address, IPv4Address, int, int]
"""Source, destination and both UDP ports."""


class Router:
    """Forwards between clients and servers under a ruleset; ``close`` ends it."""

    def __init__(self, ruleset: str) -> None:
        with private.back_home():
            self._router = private.new_network()
            here = wire.Socket()
            for name in ("ipv4/ip_forward", "ipv6/conf/all/disable_ipv6"):
                private.setting(name, "1")
            for name in ("ipv4/conf/all/rp_filter", "ipv4/conf/default/rp_filter", "ipv4/conf/all/send_redirects"):
                private.setting(name, "0")
            self._ends = [private.new_network() for _ in _GATEWAYS]
            for index, end in enumerate(self._ends):
                here.send([wire.veth(f"side{index}", 2 + index, _IN, "end", 2, _OUT, end)])
            self._sockets = [self._end(end) for end in self._ends]
            private.join(self._router)
            requests = [wire.raised(1)]
            for index, (gateway, prefix) in enumerate(zip(_GATEWAYS, (CLIENTS, SERVERS), strict=True)):
                requests.append(wire.address(2 + index, bytes((169, 254, 1 + index, 254)), 24))
                requests.append(wire.neighbour(2 + index, gateway, _NOBODY))
                requests.append(wire.route(2 + index, gateway, prefix.network_address.packed, prefix.prefixlen))
            here.send(requests)
            here.close()
            for fd in (self._router, *self._ends):
                private.join(fd)
                _settle()
            private.join(self._router)
            self.load_seconds = self._load(ruleset)

    def push(self, flows: Sequence[Flow]) -> float:
        """Send one packet of each flow from the clients' side; return the seconds for each.

        Raises:
          ConnectionError: when the ruleset stopped one.
        """
        frames = [_frame(flow) for flow in flows]
        before = self._arrived()
        send = self._sockets[0].send
        began = time.perf_counter()
        for frame in frames:
            send(frame)
        took = time.perf_counter() - began
        arrived = self._arrived() - before
        if arrived != len(frames):
            raise ConnectionError(f"{arrived} of {len(frames)} packets came through")
        return took / len(frames)

    def answer(self, flows: Iterable[Flow]) -> None:
        """Send one packet of each flow the other way: it is established then."""
        for source, destination, here, there in flows:
            self._sockets[1].send(_frame((destination, source, there, here)))

    def forget(self) -> None:
        """Remove every connection that the router tracks."""
        with private.back_home():
            private.join(self._router)
            sock = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, _NETLINK_NETFILTER)
        with sock:
            sock.send(struct.pack("=IHHIIBBH", 20, _CT_DELETE, 0x5, 1, 0, socket.AF_UNSPEC, 0, 0))
            error = -struct.unpack_from("=i", sock.recv(4096), 16)[0]
        if error:
            raise OSError(error, os.strerror(error), "conntrack flush")

    def change(self, script: str) -> float:
        """Run an nft script in the router; return the seconds."""
        with private.back_home():
            private.join(self._router)
            return self._load(script)

    def close(self) -> None:
        for sock in self._sockets:
            sock.close()
        for fd in (self._router, *self._ends):
            os.close(fd)

    def _end(self, fd: int) -> socket.socket:
        private.join(fd)
        netlink = wire.Socket()
        private.setting("ipv6/conf/all/disable_ipv6", "1")
        netlink.send([wire.raised(2)])
        netlink.close()
        sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW | socket.SOCK_CLOEXEC, 0)
        sock.bind(("end", 0))
        return sock

    def _load(self, ruleset: str) -> float:
        command = [machine.program("nft") or "nft", "-f", "-"]
        began = time.perf_counter()
        if ruleset:
            subprocess.run(command, input=ruleset, text=True, check=True)
        return time.perf_counter() - began

    def _arrived(self) -> int:
        """Return the number of packets that reached the servers' end."""
        with private.back_home():
            private.join(self._ends[1])
            with open("/proc/thread-self/net/dev") as file:
                line = next(line for line in file if line.strip().startswith("end:"))
        return int(line.split(":")[1].split()[1])


def _settle() -> None:
    """Wait until the links of this namespace carry traffic: the kernel drops it until its link watch has run."""
    with contextlib.closing(Netlink()) as netlink:
        for _ in range(5000):
            if all(found.ready for found in read_links(netlink) if found.link.up):
                return
            time.sleep(0.001)
    raise TimeoutError("the links of the router never carried traffic")


def _frame(flow: Flow) -> bytes:
    source, destination, here, there = flow
    payload = struct.pack("!HHHHQ", here, there, 16, 0, 0)
    head = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 36, 0, 0, 64, 17, 0, source.packed, destination.packed)
    total = sum(struct.unpack("!10H", head))
    total = (total & 0xFFFF) + (total >> 16)
    head = head[:10] + struct.pack("!H", ~(total + (total >> 16)) & 0xFFFF) + head[12:]
    return _IN + _OUT + b"\x08\x00" + head + payload
