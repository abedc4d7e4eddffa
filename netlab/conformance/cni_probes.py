"""The probes that tell CNIs apart: small inputs, each with one question. ``docs/cnis.md`` has the answers.

Each has two nodes, one outside host and few pods. The pods ``shop/subject`` and ``shop/client`` are on the first node,
``shop/far`` is on the second. Addresses are fixed, so that ipBlocks can name them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from netlab.conformance.cases import Cell
from netlab.conformance.shorthand import block, document, peer, pod, policy, port, rule
from netlab.frozen import frozen
from netlab.objects.types import Document

PODS, PODS_6 = "10.244.0.0/16", "fd00:10:244::/56"
CLIENT, NODE_2, OUTSIDE = "10.244.0.11", "100.64.0.2", "192.0.2.10"
SUBJECT = "shop/subject"
NODE_PORT = 30080
DEFAULT_DENY = {"net.beta.kubernetes.io/network-policy": '{"ingress": {"isolation": "DefaultDeny"}}'}


@frozen
class Probe:
    """One question: its number in the table, what it asks, the objects, and the cell.

    ``changed`` are policies that are applied while a connection is open; the question is whether it stays.
    """

    number: str
    title: str
    cell: Cell
    policies: tuple[Document, ...] = ()
    dual: bool = False
    changed: tuple[Document, ...] = ()
    annotated: bool = False

    @property
    def documents(self) -> tuple[Document, ...]:
        """The objects: the topology, the pods and the policies."""
        return (*base(dual=self.dual, annotated=self.annotated), *self.policies)


def base(*, dual: bool = False, annotated: bool = False) -> tuple[Document, ...]:
    """Return the topology, the namespace and the pods of a probe."""
    cidrs = [PODS, *([PODS_6] if dual else [])]
    hosts = [{"name": "out", "addresses": [OUTSIDE, *(["2001:db8::10"] if dual else [])]}]
    nodes = [{"name": "node-1"}, {"name": "node-2"}]
    spec: dict[str, Any] = {"networks": [{"name": "default", "podCIDRs": cidrs}], "nodes": nodes, "hosts": hosts}
    space = document("Namespace", "shop", labels="team=shop")
    if annotated:
        space.data["metadata"]["annotations"] = dict(DEFAULT_DENY)
    serves = ("http=80/TCP", "s=80/SCTP")
    return (
        document("Topology", "probe", spec),
        space,
        _pod("subject", 10, serves, "node-1"),
        _pod("client", 11, serves, "node-1"),
        _pod("far", 256 + 10, serves, "node-2"),
        _pod("db-1", 20, ("web=80/TCP",), "node-1", "db"),
        _pod("db-2", 21, ("web=8080/TCP",), "node-1", "db"),
    )


def _pod(name: str, number: int, ports: Sequence[str], node: str, app: str = "") -> Document:
    return pod(f"shop/{name}", f"app={app or name}", f"10.244.{number >> 8}.{number & 255}", ports, node)


def _ingress(*rules: dict[str, Any]) -> tuple[Document, ...]:
    return (policy("shop/p", "app=subject", ingress=rules),)


def _egress(*rules: dict[str, Any]) -> tuple[Document, ...]:
    return (policy("shop/p", "app=subject", egress=rules),)


def _from(*peers: dict[str, Any], ports: Sequence[str] = ()) -> dict[str, Any]:
    return rule("ingress", peers, ports)


_X = peer("app=client")
_FROM_CLIENT = "shop/client"
_OUT, _NODE_1, _NODE_2 = "host:out", "node:node-1", "node:node-2"

PROBES: tuple[Probe, ...] = (
    Probe("1", "ingress denied, pod to pod", Cell(_FROM_CLIENT, SUBJECT), _ingress()),
    Probe(
        "2",
        "ingress of TCP 80 from a pod, ping from this pod",
        Cell(_FROM_CLIENT, SUBJECT, "ICMP", None),
        _ingress(_from(_X, ports=["80"])),
    ),
    Probe(
        "3",
        "ingress from the ipBlock of one pod, this pod connects",
        Cell(_FROM_CLIENT, SUBJECT),
        _ingress(_from(block(f"{CLIENT}/32"))),
    ),
    Probe(
        "4",
        "ingress from ipBlock 0.0.0.0/0, a pod connects",
        Cell(_FROM_CLIENT, SUBJECT),
        _ingress(_from(block("0.0.0.0/0"))),
    ),
    Probe(
        "5",
        "ingress from the ipBlock of another node's address, this node connects",
        Cell(_NODE_2, SUBJECT),
        _ingress(_from(block(f"{NODE_2}/32"))),
    ),
    Probe(
        "6",
        "ingress from the ipBlock of all pods, another node connects",
        Cell(_NODE_2, SUBJECT),
        _ingress(_from(block(PODS))),
    ),
    Probe("7", "egress denied, pod to its own node", Cell(SUBJECT, _NODE_1), _egress()),
    Probe(
        "7 node port",
        "egress denied, pod to a port of its own node in the range of node ports",
        Cell(SUBJECT, _NODE_1, "TCP", NODE_PORT),
        _egress(),
    ),
    Probe("8", "ingress denied, own node to pod", Cell(_NODE_1, SUBJECT), _ingress()),
    Probe("9", "egress denied, pod to an outside host", Cell(SUBJECT, _OUT), _egress()),
    Probe(
        "10",
        "ingress of port 80 with endPort 90, connection to 85",
        Cell(_FROM_CLIENT, SUBJECT, "TCP", 85),
        _ingress({"from": [_X], "ports": [port("80-90/TCP")]}),
    ),
    Probe(
        "11",
        "egress to a named port with other numbers on other pods",
        Cell(SUBJECT, "shop/db-2", "TCP", 8080),
        _egress(rule("egress", [peer("app=db")], ["web"])),
    ),
    Probe(
        "11 other",
        "egress to a named port only, connection to another port",
        Cell(SUBJECT, "shop/db-2", "TCP", 81),
        _egress(rule("egress", [peer("app=db")], ["web"])),
    ),
    Probe(
        "12",
        "address in the exception of one ipBlock, and in another ipBlock of the rule",
        Cell(_OUT, SUBJECT),
        _ingress(_from(block("192.0.2.0/24", f"{OUTSIDE}/32"), block("192.0.2.0/28"))),
    ),
    Probe(
        "13",
        "open connection, then ingress denied",
        Cell(_FROM_CLIENT, SUBJECT),
        changed=_ingress(),
    ),
    Probe(
        "14",
        "ingress of SCTP allowed by a rule",
        Cell(_FROM_CLIENT, SUBJECT, "SCTP", 80),
        _ingress(_from(_X, ports=["80/SCTP"])),
    ),
    Probe("15", "pod to another node, source address there", Cell(SUBJECT, _NODE_2)),
    Probe("16", "outside host to the address of a pod, no policy", Cell(_OUT, SUBJECT)),
    Probe("17", "1500 bytes that must not be fragmented, pod to a pod of another node", Cell(SUBJECT, "shop/far")),
    Probe("18", "IPv6, pod to pod, no policy", Cell(_FROM_CLIENT, SUBJECT, family=6), dual=True),
)
"""In the order of the table. A probe with a name of two words refines the one before."""
