"""Edge cases of reading: objects that the API server accepts, and what they mean."""

from __future__ import annotations

from typing import Any

from netlab.conformance.cluster_policies.edge import ENDS, PODS_TO_A, A, Edge, Several, admin
from netlab.conformance.cluster_policies.nodes import NODES
from netlab.conformance.cluster_policies.shorthand import OLD, Policy, peer
from netlab.conformance.shorthand import Data, document
from netlab.objects.cluster_policy_decoder import API_GROUP
from netlab.objects.types import Document

_PODS_OF_ALL: Data = {"namespaces": {}}


def _old(action: str, number: Data, direction: str = "ingress") -> Document:
    """Return an AdminNetworkPolicy on x/a with one rule about all pods."""
    rule = {"action": action, "from" if direction == "ingress" else "to": [_PODS_OF_ALL], "ports": [number]}
    spec = {"priority": 10, "subject": peer(A), direction: [rule]}
    return document("AdminNetworkPolicy", "p", spec, apiVersion=f"{API_GROUP}/{OLD}")


def _with(given: Policy, **more: Any) -> Document:
    """Return a policy with more fields beside its spec, or more of its metadata."""
    made = given.document()
    return document("ClusterNetworkPolicy", given.name, made.data["spec"], apiVersion=made.data["apiVersion"], **more)


_DENY = admin("Deny ns ns=y")
_NODE = document(
    "Node",
    NODES[0],
    {},
    status={
        "addresses": [{"type": "Hostname", "address": NODES[0]}, {"type": "InternalDNS", "address": "out.example"}]
    },
)

READING: Several = (
    Edge(
        32,
        "a portNumber without a protocol is TCP",
        (((_old("Deny", {"portNumber": {"port": 80}}),), {"80": PODS_TO_A, "80/UDP": "", "ICMP": ""}),),
    ),
    Edge(
        32,
        "a portRange without a protocol is TCP",
        (((_old("Deny", {"portRange": {"start": 80, "end": 81}}),), {"81": PODS_TO_A, "81/UDP": "", "ICMP": ""}),),
    ),
    Edge(
        33,
        "protocol ICMP fails closed",
        (
            (
                (_old("Deny", {"portNumber": {"protocol": "ICMP", "port": 1}}),),
                dict.fromkeys(("80", "80/UDP", "ICMP"), PODS_TO_A),
            ),
            (
                (_old("Deny", {"portNumber": {"protocol": "ICMP", "port": 1}}, "egress"),),
                dict.fromkeys(("80", "80/UDP", "ICMP"), "x/a > *"),
            ),
            (
                (_old("Allow", {"portNumber": {"protocol": "ICMP", "port": 1}}), admin("Deny ns *", at=20, name="q")),
                dict.fromkeys(("80", "ICMP"), PODS_TO_A),
            ),
            (
                (_old("Pass", {"portNumber": {"protocol": "ICMP", "port": 1}}), admin("Accept ns *", at=20, name="q")),
                dict.fromkeys(("80", "ICMP"), PODS_TO_A),
            ),
        ),
        chosen=True,
    ),
    Edge(
        33,
        "protocol ICMP fails closed for pods, and not for nodes and hosts",
        (
            (
                (_old("Deny", {"portNumber": {"protocol": "ICMP", "port": 1}}),),
                {"80": "* > x/a, ! */h > x/a, ! node:node-1 > x/a, ! node:node-2 > x/a"},
            ),
        ),
        ends=(*ENDS, "x/h", "y/h"),
        chosen=True,
    ),
    Edge(
        48,
        "the names of a node are no addresses",
        (((_NODE, admin(egress=["Deny nodes zone=a"])), {"80": "x/a > x/h"}),),
        ends=(*ENDS, "x/h", "y/h"),
    ),
    Edge(
        68,
        "a namespace of the policy has no meaning",
        (((_with(_DENY, metadata={"name": "p", "namespace": "x"}),), {"80": "y/* > x/a"}),),
    ),
    Edge(
        73,
        "conditions of the status have no meaning",
        (
            ((_with(_DENY, status={"conditions": []}),), {"80": "y/* > x/a"}),
            ((_with(_DENY, status={}),), {"80": "y/* > x/a"}),
        ),
    ),
)
