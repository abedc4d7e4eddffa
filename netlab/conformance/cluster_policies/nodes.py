"""The nodes of every case of cluster-wide policies, and the machines outside."""

from __future__ import annotations

from functools import cache

from netlab.conformance.shorthand import document
from netlab.objects.types import Document

NODES = ("node-1", "node-2")
ZONES = ("a", "b")
HOSTS = {
    "out": (("192.0.2.10", "2001:db8::c000:20a"), ("api.example.com", "a.b.example.com")),
    "far": (("198.51.100.20", "2001:db8::c633:6414"), ("example.com", "www.eu.example.org")),
}
"""The machines outside, by name: the addresses, and the names in DNS."""


@cache
def topology(mode: str) -> Document:
    """Return the Topology, dual-stack; nodes are labelled with their zones, and as a kubelet does."""
    labels = [
        {"kubernetes.io/hostname": name, "kubernetes.io/os": "linux", "zone": zone}
        for name, zone in zip(NODES, ZONES, strict=True)
    ]
    nodes = [{"name": name, "labels": one} for name, one in zip(NODES, labels, strict=True)]
    network = {"name": "default", "mode": mode, "podCIDRs": ["10.244.0.0/16", "fd00:10:244::/56"]}
    hosts = [{"name": name, "addresses": list(ips), "hostnames": list(names)} for name, (ips, names) in HOSTS.items()]
    return document("Topology", "conformance", {"networks": [network], "nodes": nodes, "hosts": hosts})
