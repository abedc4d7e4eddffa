"""Uses a lab on many machines as a program does: run inside of a machine of ``bed.py`` with ``NETLAB_ETCD``."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Mapping
from typing import Any

from netlab.errors import NetlabError
from netlab.machines import labs
from netlab.programs.client import Question

_SPORT, _DPORT = 4711, 4712


def _address(lab: Any, ref: str) -> str:
    return str(lab.find(ref).addresses[0])


def sniff(lab: Any, source: str, to: str, count: int) -> Any:
    """Send packets between two pods while both are sniffed; return how many were sent, and what was seen where."""
    from scapy.layers.inet import IP, UDP

    packet = IP(dst=_address(lab, to)) / UDP(sport=_SPORT, dport=_DPORT)
    with lab.sniff([source, to], f"udp dst port {_DPORT}", seconds=2.0, count=2 * count) as sniffer:
        sent = lab.send(source, packet, count=count)
    seen = sorted([one.sniffed_on, one.direction, one[IP].src, one[IP].dst] for one in sniffer.packets)
    return {"sent": sent, "seen": seen, "drops": sniffer.drops}


def send(lab: Any, source: str, to: str, count: int) -> Any:
    """Send packets from one pod to another."""
    from scapy.layers.inet import IP, UDP

    return lab.send(source, IP(dst=_address(lab, to)) / UDP(sport=_SPORT, dport=_DPORT), count=count)


def frame(lab: Any, source: str, to: str) -> Any:
    """Send an ARP request from a pod, which is sniffed; return the addresses that it has."""
    from scapy.layers.l2 import ARP, Ether

    with lab.sniff(source, "arp", seconds=2.0, count=1) as sniffer:
        lab.send(source, Ether(dst="ff:ff:ff:ff:ff:ff") / ARP(pdst=_address(lab, to)))
    (packet,) = sniffer.packets
    return {"from": packet[ARP].psrc, "to": packet[ARP].pdst, "mac": packet[Ether].src, "own": packet[ARP].hwsrc}


def run(lab: Any, ref: str, argv: list[str], seconds: float) -> Any:
    """Run a program in a pod; return how it ended."""
    found = lab.run(lab.find(ref), argv, seconds)
    return [found.status, found.stdout, found.stderr, found.refused]


def lookup(lab: Any, ref: str, name: str) -> Any:
    """Look up a name in a pod, as a scenario does."""
    return json.loads(lab.run(lab.find(ref), Question("lookup", (name, None, name)), 20).stdout)


def function(lab: Any, ref: str) -> Any:
    """Try to call a function in a pod."""
    return lab.run(lab.find(ref), lambda: None, 5)


def call(lab: Any, machine: str, what: str, arguments: dict[str, Any]) -> Any:
    """Call a machine with any arguments; return the answer."""
    from netlab.machines.calls import ask

    return [one.decode() for one in ask(lab.etcd.client, [machine], lab.name, what, arguments)]


_FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    "call": call,
    "frame": frame,
    "function": function,
    "lookup": lookup,
    "run": run,
    "send": send,
    "sniff": sniff,
}

if __name__ == "__main__":
    labs.use_etcd(os.environ["NETLAB_ETCD"])
    try:
        print(json.dumps(_FUNCTIONS[sys.argv[1]](labs.labs().open(), **json.load(sys.stdin))))
    except NetlabError as error:
        print(json.dumps({"error": str(error), "code": error.exit_code}))
