"""The answers to the probes of CNIs by packets, in a lab for each CNI."""

from __future__ import annotations

import socket
import struct
import time
from collections.abc import Iterator
from contextlib import contextmanager

from netlab.conformance.cni_probes import PROBES, Probe
from netlab.conformance.cnis import NO_PATH, NONE, documents_of, size_text
from netlab.conformance.judges import change, flow_of
from netlab.dataplane import names
from netlab.errors import InputError
from netlab.kernel import netns
from netlab.lab.lab import Lab
from netlab.lab.temporary import temporary
from netlab.objects import decode
from netlab.objects.versions import STORED

# Seconds that a packet may take on a busy machine, and that an answer about the size of a path may take.
_ARRIVES, _LEARNS = 2.0, 2.0
_PORT = 8053
# ip(7).
_MTU_DISCOVER, _DO, _MTU = 10, 2, 14
_HEADERS = 28


def measured(profile: str, probes: tuple[Probe, ...] = PROBES) -> dict[str, str]:
    """Return the answer of each probe by its number, from packets in a lab with a profile.

    Raises:
      MissingLinksError: if this kernel cannot make the links of the lab.
    """
    found: dict[str, str] = {}
    for dual in (False, True):
        asked = [probe for probe in probes if probe.dual == dual]
        if not asked:
            continue
        objects, problems = decode(documents_of(asked[0], profile), server=STORED)
        if any(problem.severity == "error" for problem in problems):
            raise InputError(problems)
        with temporary(objects) as lab:
            for probe in asked:
                change(lab, documents_of(probe, profile))
                found[probe.number] = _answer(lab, probe)
    return {probe.number: found[probe.number] for probe in probes}


def _answer(lab: Lab, probe: Probe) -> str:
    if probe.cell.family not in lab.cluster.families:
        return NONE
    special = {"13": _open_connection, "15": _source_seen, "17": _sizes}.get(probe.number)
    return special(lab, probe) if special is not None else _verdict(lab, probe)


def _verdict(lab: Lab, probe: Probe) -> str:
    (found,) = lab.probe([flow_of(lab.cluster, probe.cell)])
    return found.verdict


def _open_connection(lab: Lab, probe: Probe) -> str:
    """Open a flow of datagrams that is answered, apply the policy, and send on."""
    with _bound(lab, probe.cell.source) as client, _bound(lab, probe.cell.destination, _PORT) as server:
        if not _asks(client, server):
            return "never opened"
        lab.apply(list(probe.changed))
        stays = _asks(client, server)
        with _bound(lab, probe.cell.source) as another:
            fresh = _asks(another, server)
    return "allow" if stays and fresh else "stays" if stays else "cut"


def _asks(client: socket.socket, server: socket.socket) -> bool:
    """Send a datagram and say whether it arrived and was answered."""
    client.sendto(b"?", server.getsockname())
    try:
        server.sendto(b"!", server.recvfrom(16)[1])
        client.recvfrom(16)
    except TimeoutError:
        return False
    return True


def _source_seen(lab: Lab, probe: Probe) -> str:
    """Send a datagram from the pod to the other node, and say which source it has there."""
    with _bound(lab, probe.cell.source) as client, _bound(lab, probe.cell.destination, _PORT) as server:
        try:
            client.sendto(b"?", server.getsockname())
            seen = server.recvfrom(16)[1][0]
        except OSError:
            return NO_PATH
        if seen == client.getsockname()[0]:
            return "pod"
    return "node" if seen in map(str, lab.cluster.node("node-1").addresses) else seen


def _sizes(lab: Lab, probe: Probe) -> str:
    """Send as much as the pod's kernel lets through unfragmented, and say what it learns of the path."""
    flow = flow_of(lab.cluster, probe.cell)
    with _bound(lab, probe.cell.source) as client, _bound(lab, probe.cell.destination, _PORT) as server:
        client.setsockopt(socket.IPPROTO_IP, _MTU_DISCOVER, _DO)
        try:
            client.connect((str(flow.address), _PORT))
            first = _mtu(client)
            client.send(bytes(first - _HEADERS))
            arrived = bool(server.recvfrom(65535))
        except TimeoutError:
            arrived = False
        except OSError:
            return NO_PATH
        if arrived:
            return size_text(first, first)
        until = time.monotonic() + _LEARNS
        while _mtu(client) == first and time.monotonic() < until:
            time.sleep(0.01)
        return size_text(first, _mtu(client)) if _mtu(client) < first else NO_PATH


def _mtu(client: socket.socket) -> int:
    """Return the size that the kernel knows of the path to the connected address: ``IP_MTU`` of ip(7)."""
    found: int = struct.unpack("i", client.getsockopt(socket.IPPROTO_IP, _MTU, 4))[0]
    return found


@contextmanager
def _bound(lab: Lab, ref: str, port: int = 0) -> Iterator[socket.socket]:
    """Yield a UDP socket in an endpoint's namespace, bound to its IPv4 address."""
    endpoint = lab.cluster.by_ref[ref]
    with netns.inside(names.endpoint_namespace(lab.name, endpoint)):
        made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    with made:
        made.bind((str(endpoint.addresses[0]), port))
        made.settimeout(_ARRIVES)
        yield made
