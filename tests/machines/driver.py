"""Builds the part of a lab on one machine, changes it and asks its pods: run inside of a machine of ``bed.py``.

It is what an agent does with the parts of a lab, without a store: every machine resolves the same documents.
"""

from __future__ import annotations

import contextlib
import errno
import json
import select
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from machines import measuring

from netlab import load
from netlab.cluster import Cluster, resolve
from netlab.dataplane import names
from netlab.dataplane.part import Part, parts
from netlab.kernel.machine import this_host
from netlab.kernel.state import ForwardingEntry, Link
from netlab.lab.lab import Lab
from netlab.objects import apply
from netlab.objects.system_objects import system_document
from netlab.store.etcd_client import EtcdClient, below, plain
from netlab.store.etcd_settings import settings

_SECONDS = 1.0
_IP_MTU_DISCOVER, _IPV6_MTU_DISCOVER, _PMTUDISC_DO = 10, 23, 2


def part_of(cluster: Cluster, own: str, machines: Mapping[str, str], placed: Mapping[str, str], mtu: int) -> Part:
    """Return the part of a machine of the lab."""
    addresses = {name: ip_address(text) for name, text in machines.items()}
    return parts(cluster, addresses, 77, placed=placed, machine_mtu=mtu)[own]


def up(
    files: Sequence[str], own: str, machines: dict[str, str], placed: dict[str, str], kernel: str = "", mtu: int = 1500
) -> Any:
    """Build or change the part of a machine; return its changes and the addresses of all pods."""
    objects, _ = load(files)
    cluster = resolve(objects)
    with Lab.up(objects, machine=this_host(kernel), part=part_of(cluster, own, machines, placed, mtu)) as lab:
        lines = list(lab.changes.steps)
        return {"lines": lines, "pods": _pods(lab)}


def edit(lab: str, file: str, own: str, machines: dict[str, str], placed: dict[str, str]) -> Any:
    """Replace the documents of a lab, and the part of this machine, without reading what the machine has."""
    objects, _ = load([file])
    part = part_of(resolve(objects), own, machines, placed, 1500)
    with Lab.open(lab) as opened:
        changes = opened.edit(lambda _: objects.documents, part=part)
        return {"lines": list(changes.steps), "seconds": changes.seconds, "pods": _pods(opened)}


def programs(lab: str, pod: str) -> Any:
    """Give the lab its system objects and names; return the folders of the programs that run here."""
    from netlab.lab import dns

    with Lab.open(lab) as opened:
        # What ``add_system`` does, which a part alone refuses.
        opened.edit(lambda now: apply(now, [system_document()]), part=opened.part)
        dns.prepare(opened, pod)
        files = opened.records.store.folder(lab).glob("programs/*/")
        return sorted(file.name for file in files)


def _pods(lab: Lab) -> dict[str, list[str]]:
    return {pod.ref: list(map(str, pod.addresses)) for pod in lab.cluster.pods}


def drift(lab: str) -> Any:
    """Return what differs from the lab's record on this machine."""
    with Lab.open(lab) as opened:
        return opened.drift()


def entries(lab: str) -> Any:
    """Return the addresses of the machines to which the tunnel of this machine sends frames."""
    items = this_host().read(names.underlay_namespace(lab)).items
    return sorted({str(one.dst) for one in items if isinstance(one, ForwardingEntry)})


def frames(lab: str, node: str, to: list[str]) -> Any:
    """Send a frame from a node's interface on the underlay to each MAC; return their number."""
    with this_host().inside(names.node_namespace(lab, node)):
        one = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
    with one:
        one.bind((names.UNDERLAY_DEVICE, 0))
        source = one.getsockname()[4]
        return len([one.send(bytes.fromhex(mac.replace(":", "")) + source + b"\x88\xb5" + bytes(50)) for mac in to])


def ask(lab: str, questions: list[tuple[str, str, int]]) -> Any:
    """Connect from pods of this machine to addresses and ports; return for each whether an answer came.

    No program listens: the kernel of a pod refuses a connection, and a policy drops it.
    """
    machine, sockets = this_host(), []
    for source, address, port in questions:
        with machine.inside(names.own_namespace(lab, *source.split("/"))):
            one = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_STREAM)
        one.setblocking(False)
        one.connect_ex((address, port))
        sockets.append(one)
    answers: dict[socket.socket, int] = {}
    deadline = time.monotonic() + _SECONDS
    while len(answers) < len(sockets) and (left := deadline - time.monotonic()) > 0:
        waiting = [one for one in sockets if one not in answers]
        for one in select.select([], waiting, [], left)[1]:
            answers[one] = one.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    return [answers.get(one) in (0, errno.ECONNREFUSED) for one in sockets]


def echo(lab: str, source: str, address: str) -> Any:
    """Send an echo request as large as a pod's MTU, unfragmented; return the MTU and whether the answer came."""
    machine, six = this_host(), ":" in address
    space = names.own_namespace(lab, *source.split("/"))
    (mtu,) = {i.mtu for i in machine.read(space).items if isinstance(i, Link) and i.name == names.POD_DEVICE}
    with machine.inside(space):
        kind, protocol = (socket.AF_INET6, socket.IPPROTO_ICMPV6) if six else (socket.AF_INET, socket.IPPROTO_ICMP)
        one = socket.socket(kind, socket.SOCK_RAW, protocol)
    with one:
        if six:
            one.setsockopt(socket.IPPROTO_IPV6, _IPV6_MTU_DISCOVER, _PMTUDISC_DO)
        else:
            one.setsockopt(socket.IPPROTO_IP, _IP_MTU_DISCOVER, _PMTUDISC_DO)
        size = mtu - (40 if six else 20)
        packet = struct.pack("!BBHHH", 128 if six else 8, 0, 0, 4711, 1) + bytes(size - 8)
        if not six:
            total = sum(struct.unpack(f"!{size // 2}H", packet))
            packet = packet[:2] + struct.pack("!H", ~((total & 0xFFFF) + (total >> 16)) & 0xFFFF) + packet[4:]
        one.settimeout(_SECONDS)
        one.sendto(packet, (address, 0))
        with contextlib.suppress(TimeoutError):
            while True:
                body = one.recv(2**16)
                if body[0 if six else 20] == (129 if six else 0):
                    return {"mtu": mtu, "answered": len(body) == (size if six else mtu)}
    return {"mtu": mtu, "answered": False}


def state(lab: str) -> Any:
    """Return what the network namespaces of a lab have on this machine, by name: links, addresses, routes and rules."""
    machine, found = this_host(), {}
    for file in sorted(Path("/run/netns").glob(f"netlab.{lab}.*")):
        items = sorted(map(repr, machine.read(file.name).items))
        listed = ["nsenter", f"--net={file}", "nft", "list", "ruleset"]
        rules = subprocess.run(listed, check=True, capture_output=True, text=True).stdout
        # nft lists the elements of a set in any order.
        found[file.name] = [*items, *sorted(rules.replace(",", " ").split())]
    return found


def inodes(lab: str) -> Any:
    """Return the inode of each network namespace of a lab on this machine: another one is another namespace."""
    return {file.name: file.stat().st_ino for file in Path("/run/netns").glob(f"netlab.{lab}.*")}


def reaches(url: str) -> Any:
    """Return the names of the members of the etcd at an address."""
    found = EtcdClient(settings([url])).call("cluster/member/list", {})
    return sorted(member["name"] for member in found["members"])


def keys(url: str, prefix: str) -> Any:
    """Return the keys of etcd with a prefix."""
    found = EtcdClient(settings([url])).call("kv/range", {**below(prefix), "keys_only": True}).get("kvs", ())
    return [plain(kv["key"]).decode() for kv in found]


_FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    **measuring.FUNCTIONS,
    "up": up,
    "drift": drift,
    "entries": entries,
    "edit": edit,
    "programs": programs,
    "ask": ask,
    "echo": echo,
    "frames": frames,
    "reaches": reaches,
    "keys": keys,
    "state": state,
    "inodes": inodes,
}

if __name__ == "__main__":
    print(json.dumps(_FUNCTIONS[sys.argv[1]](**json.load(sys.stdin))))
