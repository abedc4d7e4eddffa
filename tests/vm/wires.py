"""Namespaces, links and packets of the tests that run in the virtual machine: through iproute2, as its users do it."""

from __future__ import annotations

import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

from netlab.kernel import netns

WIRE = "wire"
PORT = 5000
# A packet that is on its way arrives far sooner, also where the processor is emulated.
SECONDS = 30.0
ETH_P_ALL = 3


def run(*command: str) -> str:
    """Run a program that has to succeed, and return what it prints."""
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert 0 == done.returncode, f"{' '.join(command)}: {done.stderr}"
    return done.stdout


def ip(namespace: str, words: str) -> None:
    """Run ``ip`` in a namespace."""
    run("ip", "-n", namespace, *words.split())


def tc(namespace: str, words: str) -> str:
    """Run ``tc`` in a namespace, and return what it prints."""
    return run("tc", "-n", namespace, *words.split())


def join(one: str, other: str) -> None:
    """Join two namespaces by a veth pair, WIRE, with the addresses 10.0.0.1 and 10.0.0.2."""
    ip(one, f"link add {WIRE} type veth peer name {WIRE} netns {other}")
    for number, namespace in enumerate((one, other), start=1):
        ip(namespace, f"address add 10.0.0.{number}/24 dev {WIRE}")
        ip(namespace, f"link set {WIRE} up")


def raise_link(namespace: str, link: str, address: str) -> None:
    """Give a link an address and raise it."""
    ip(namespace, f"address add {address} dev {link}")
    ip(namespace, f"link set {link} up")


@contextmanager
def opened(namespace: str, family: int, kind: int, protocol: int = 0) -> Iterator[socket.socket]:
    """Open a socket in a namespace, which waits SECONDS at most."""
    with netns.inside(namespace):
        made = socket.socket(family, kind, protocol)
    with made:
        made.settimeout(SECONDS)
        yield made


@contextmanager
def listening(namespace: str, address: str = "0.0.0.0", port: int = PORT) -> Iterator[socket.socket]:  # noqa: S104
    """Open a UDP socket that receives in a namespace."""
    with opened(namespace, socket.AF_INET, socket.SOCK_DGRAM) as receiver:
        receiver.bind((address, port))
        yield receiver


@contextmanager
def watching(namespace: str, link: str = WIRE) -> Iterator[socket.socket]:
    """Open a socket that sees each IPv4 packet, with its header, that comes or goes on a link."""
    with opened(namespace, socket.AF_PACKET, socket.SOCK_DGRAM, 0) as witness:
        witness.bind((link, ETH_P_ALL))
        yield witness


def send(namespace: str, address: str, text: bytes, port: int = PORT) -> None:
    """Send a UDP packet from a namespace."""
    with opened(namespace, socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.sendto(text, (address, port))


def sees(witness: socket.socket, protocol: int) -> bytes:
    """Return the first packet of an IP protocol that a witness sees; raises TimeoutError where none comes."""
    while True:
        packet = witness.recv(2048)
        if packet[0] >> 4 == 4 and packet[9] == protocol:
            return packet
