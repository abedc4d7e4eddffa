"""Large packets in the wiring of each CNI: they arrive, or a router says what does not fit."""

from __future__ import annotations

import contextlib
import errno
import socket
import struct
from typing import Any

import pytest
from sizes import HANGS
from wirings import CASES, THINGS, wired

from netlab.dataplane import names
from netlab.kernel import netns

# linux/in.h; IP_PMTUDISC_DO: every packet has "do not fragment".
IP_MTU_DISCOVER, DF, IP_MTU = 10, 2, 14
IP_UDP = 20 + 8


@pytest.mark.parametrize("name", [name for name in CASES if name != "docker"])
def test_a_large_transfer_between_nodes_arrives_whole(name, lab):
    """A pod of another node is found, and segments are cut to what the path carries."""
    running = lab(wired(CASES[name][0]), *THINGS)

    assert PAYLOAD == received(running, "x/a", "x/c")


PAYLOAD = bytes(range(256)) * 1024


def within(running: Any, ref: str) -> contextlib.AbstractContextManager[None]:
    return netns.inside(names.endpoint_namespace(running.name, running.cluster.by_ref[ref]))


def received(running: Any, client: str, server: str) -> bytes:
    """Return what a server receives of ``PAYLOAD``."""
    with within(running, server):
        listener = socket.create_server(("", 80))
    with within(running, client):
        caller = socket.socket()
    found = bytearray()
    with listener, caller:
        caller.settimeout(HANGS)
        caller.connect((str(running.cluster.by_ref[server].addresses[0]), 80))
        accepted, _ = listener.accept()
        with accepted:
            accepted.settimeout(HANGS)
            for start in range(0, len(PAYLOAD), 1 << 14):
                caller.sendall(PAYLOAD[start : start + (1 << 14)])
                while len(found) < min(start + (1 << 14), len(PAYLOAD)):
                    found += accepted.recv(1 << 16)
    return bytes(found)


def test_pods_of_canal_learn_the_mtu_of_the_tunnel(lab):
    """A pod's link has 1500, its node's tunnel 1450: the node answers a full packet with DF, and the pod remembers."""
    running = lab(wired(CASES["canal"][0]), *THINGS)
    to = (str(running.cluster.by_ref["x/c"].addresses[0]), 53)
    with within(running, "x/c"):
        receiver = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    with within(running, "x/a"):
        sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        errors = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
    with receiver, sender, errors:
        receiver.bind(("", 53))
        for one in (receiver, errors):
            one.settimeout(HANGS)
        sender.setsockopt(socket.IPPROTO_IP, IP_MTU_DISCOVER, DF)
        sender.connect(to)
        sender.send(bytes(1500 - IP_UDP))
        answer = errors.recv(600)
        kind, code, mtu = struct.unpack(">BB4xH", answer[20:28])
        # The answer left an error on the socket.
        assert errno.EMSGSIZE == sender.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        with pytest.raises(OSError, match="Message too long"):
            sender.send(bytes(1500 - IP_UDP))
        sender.send(bytes(1450 - IP_UDP))

        assert (3, 4, 1450) == (kind, code, mtu)
        assert 1450 == sender.getsockopt(socket.IPPROTO_IP, IP_MTU)
        assert 1450 - IP_UDP == len(receiver.recv(2000))
