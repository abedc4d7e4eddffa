"""Edge cases of ports, peers and Services."""

from __future__ import annotations

from netlab.conformance.base_cluster import ADDRESSES, HOST
from netlab.conformance.cases import Cell
from netlab.conformance.cluster_policies.edge import (
    ALL_ENDS,
    ANYWHERE,
    DENY_ALL_IN,
    FAR,
    ONLY_Y,
    PODS_TO_A,
    Edge,
    Several,
    admin,
    baseline,
)
from netlab.conformance.cluster_policies.shorthand import OLD
from netlab.conformance.shorthand import document, pairs
from netlab.objects.types import Document

WEB: dict[str, tuple[str, ...]] = {"x/a": ("web=80/TCP",), "x/b": (), "y/a": ("web=81/TCP",), "y/b": ("web=80/UDP",)}
PORTS: Several = (
    Edge(
        29,
        "every TCP port is a range",
        (((admin("Deny ns *: 1-65535/TCP"),), {"80": PODS_TO_A, "65535": PODS_TO_A, "80/UDP": "", "ICMP": ""}),),
    ),
    Edge(
        29,
        "a range has both of its ends",
        (
            (
                (admin("Deny ns *: 80-90/UDP"),),
                {"79/UDP": "", "80/UDP": PODS_TO_A, "90/UDP": PODS_TO_A, "91/UDP": "", "85": ""},
            ),
        ),
    ),
    Edge(
        30,
        "a range of one port in v1alpha1",
        (((admin("Deny ns *: 80-80/TCP"),), {"80": PODS_TO_A, "81": ""}),),
        chosen=True,
        version=OLD,
    ),
    Edge(
        31,
        "a range that ends before it begins matches nothing in v1alpha1",
        (((admin("Deny ns *: 90-80/TCP"),), {"80": "", "85": "", "90": ""}),),
        chosen=True,
        version=OLD,
    ),
    Edge(
        34,
        "a rule without protocols matches everything",
        (((admin(DENY_ALL_IN),), dict.fromkeys(("80", "81/UDP", "80/SCTP", "ICMP"), PODS_TO_A)),),
    ),
    Edge(
        35,
        "a rule with protocols does not match ICMP",
        (((admin("Accept ns *: 80/TCP", DENY_ALL_IN),), {"80": "", "81": PODS_TO_A, "ICMP": PODS_TO_A}),),
    ),
    Edge(
        52,
        "a named port has the protocol of the container port",
        (
            (
                (admin(on="pods ns=z / pod=a", egress=["Deny ns *: web"]),),
                {"80": "z/a > x/a", "81": "z/a > y/a", "80/UDP": "z/a > y/b"},
            ),
        ),
        ports=WEB,
    ),
    Edge(
        53,
        "a named port is the destination's",
        (
            ((admin("Deny ns *: web", on="pods * / pod=b"),), {"80": "", "81": "", "80/UDP": "* > y/b"}),
            ((admin(egress=["Deny ns *: web"]),), {"80": "", "81": "x/a > y/a", "80/UDP": "x/a > y/b"}),
        ),
        ports={**WEB, "z/a": ()},
    ),
    Edge(
        53,
        "of two container ports of one name and protocol the first",
        (((admin("Deny ns *: web"),), {"80": PODS_TO_A, "81": "", "80/UDP": PODS_TO_A}),),
        chosen=True,
        ports={"x/a": ("web=80/TCP", "web=81/TCP", "web=80/UDP")},
    ),
    Edge(
        53,
        "a named port that no pod has matches nothing",
        (((admin("Deny ns *: nobody", "Accept ns *"),), {"80": "", "81": ""}),),
        chosen=True,
    ),
)

PEERS: Several = (
    Edge(
        37,
        "every IPv4 address: pods, nodes and hosts, and no IPv6",
        (((admin(egress=["Deny net 0.0.0.0/0"]),), {"80": "x/a > *", "ICMP": "x/a > *"}),),
        ends=ALL_ENDS,
        cells={Cell("x/a", ref, "TCP", 80, 6): "allow" for ref in ALL_ENDS if ref != "x/a"},
    ),
    Edge(
        37,
        "every IPv6 address, and no IPv4",
        (((admin(egress=["Deny net ::/0"]),), {"80": "", "ICMP": ""}),),
        ends=ALL_ENDS,
        cells={Cell("x/a", ref, "TCP", 80, 6): "deny" for ref in ALL_ENDS if ref != "x/a"},
    ),
    Edge(
        38,
        "Pass for pods also skips later policies about them",
        (
            (
                (admin(egress=["Pass ns *", "Deny net 0.0.0.0/0"]), admin(egress=["Deny ns ns=y"], at=20, name="q")),
                {"80": f"x/a > {HOST}, x/a > {FAR}, x/a > x/h, x/a > y/h"},
            ),
        ),
        ends=ALL_ENDS,
    ),
    Edge(
        40,
        "host bits of a network are masked in v1alpha1",
        (((admin(egress=["Deny net 10.244.1.77/24"]),), {"80": "x/a > y/*"}),),
        version=OLD,
    ),
    Edge(
        42,
        "one network in two peers",
        (((admin(egress=["Deny net 10.244.1.0/24 | net 10.244.1.0/24"]),), {"80": "x/a > y/*"}),),
    ),
    Edge(
        43,
        "no ingress peer is a node or an outside host",
        (
            (
                (admin(DENY_ALL_IN),),
                {"80": "* > x/a, ! */h > x/a, ! node:node-1 > x/a, ! node:node-2 > x/a"},
            ),
        ),
        ends=ALL_ENDS,
    ),
    Edge(
        44,
        "a node reaches its own pods under every ingress rule",
        (
            ((admin(DENY_ALL_IN, "Deny pods * / !none"),), {"80": "* > x/a, ! */h > x/a, ! node:node-1 > x/a"}),
            ((baseline(DENY_ALL_IN),), {"ICMP": "* > x/a, ! */h > x/a, ! node:node-1 > x/a"}),
        ),
        ends=ALL_ENDS,
    ),
    Edge(
        45,
        "nodes are the pod's own node too, and host-network pods",
        (
            ((admin(egress=["Deny nodes *"]),), {"80": "x/a > */h, x/a > node:node-1, x/a > node:node-2"}),
            ((admin(egress=["Deny nodes zone=b"]),), {"80": "x/a > y/h, ! x/a > node:node-1, x/a > node:node-2"}),
        ),
        ends=ALL_ENDS,
    ),
    Edge(
        46,
        "a host-network pod is no subject",
        (((admin(DENY_ALL_IN, on="pods * / pod=h", egress=[f"Deny ns * | nodes * | {ANYWHERE}"]),), {"80": ""}),),
        ends=ALL_ENDS,
    ),
    Edge(
        47,
        "a host-network pod is no peer by its labels",
        (((admin("Deny pods * / pod=h", egress=["Deny pods * / pod=h"]),), {"80": ""}),),
        ends=ALL_ENDS,
    ),
    Edge(
        49,
        "a pod reaches its own address",
        (
            (
                (admin(DENY_ALL_IN, egress=[f"Deny ns * | {ANYWHERE}"]),),
                {"80": "* > x/a, x/a > *, ! x/a > x/a"},
            ),
        ),
    ),
    Edge(
        55,
        "the fields of the experimental channel are read",
        (
            (
                (
                    admin(
                        egress=[
                            "Deny nodes zone=a",
                            "Accept names *.example.com",
                            "Deny net 192.0.2.0/24 198.51.100.0/24",
                        ]
                    ),
                    admin("Deny ns *: serve-81-tcp", name="q"),
                ),
                {"80": f"x/a > x/h, x/a > {FAR}", "81": f"* > x/a, ! */h > x/a, x/a > x/h, x/a > {FAR}"},
            ),
        ),
        ends=ALL_ENDS,
        chosen=True,
    ),
    Edge(
        58,
        "a wildcard stands for one or more labels, and not for none",
        (
            ((admin(egress=["Accept names *.example.com", f"Deny {ANYWHERE}"]),), {"80": f"x/a > *, ! x/a > {HOST}"}),
            ((admin(egress=["Accept names *.b.example.com", f"Deny {ANYWHERE}"]),), {"80": f"x/a > *, ! x/a > {HOST}"}),
            ((admin(egress=["Accept names example.com", f"Deny {ANYWHERE}"]),), {"80": f"x/a > *, ! x/a > {FAR}"}),
            ((admin(egress=["Accept names b.example.com", f"Deny {ANYWHERE}"]),), {"80": "x/a > *"}),
            ((admin(egress=["Accept names *.example.org.", f"Deny {ANYWHERE}"]),), {"80": f"x/a > *, ! x/a > {FAR}"}),
        ),
        ends=ALL_ENDS,
    ),
    Edge(
        59,
        "a domain name does not open DNS",
        (
            (
                (admin(egress=["Accept names *.example.com", f"Deny {ANYWHERE}"]),),
                {"53/UDP": f"x/a > *, ! x/a > {HOST}", "53": f"x/a > *, ! x/a > {HOST}"},
            ),
        ),
    ),
    Edge(
        61,
        "pods without a namespaceSelector are those of every namespace",
        (
            ((admin("Deny pods pod=b"),), {"80": "*/b > x/a"}),
            ((admin("Deny ns ns=z", on="pods pod=b"),), {"80": "z/* > */b"}),
        ),
    ),
    Edge(
        65,
        "a BaselineAdminNetworkPolicy decides before the others of its tier",
        (
            (
                (baseline("Accept ns ns=y").document(OLD), baseline(DENY_ALL_IN, at=0, name="a")),
                {"80": ONLY_Y},
            ),
            ((baseline(DENY_ALL_IN).document(OLD), baseline("Accept ns ns=y", at=0, name="a")), {"80": PODS_TO_A}),
        ),
        chosen=True,
    ),
    Edge(
        65,
        "an AdminNetworkPolicy and a ClusterNetworkPolicy share one order",
        (
            ((admin("Accept ns ns=y", at=0, name="a").document(OLD), admin(DENY_ALL_IN, at=2)), {"80": ONLY_Y}),
            ((admin("Accept ns ns=y", at=2).document(OLD), admin(DENY_ALL_IN, at=1)), {"80": PODS_TO_A}),
        ),
        chosen=True,
    ),
)


def _service(selector: str) -> Document:
    spec = {"selector": pairs(selector), "ports": [{"port": 80, "protocol": "TCP"}]}
    return document("Service", "x/s", spec)


_SERVED = {"x/a": "pod=a,app=one,both=yes", "x/b": "pod=b,app=two,both=yes"}
_TO_S = Cell("x/a", "service:x/s")

SERVICES: Several = (
    Edge(
        39,
        "a network of Service addresses matches nothing",
        (((_service("app=two"), admin(egress=["Deny net 10.96.0.0/12"])), {"80": ""}),),
        chosen=True,
        labels=_SERVED,
        cells={_TO_S: "allow"},
    ),
    Edge(
        50,
        "a pod to itself by its Service is subject to policy",
        (((_service("app=one"), admin(DENY_ALL_IN)), {"80": PODS_TO_A}),),
        chosen=True,
        labels=_SERVED,
        cells={_TO_S: "deny"},
    ),
    Edge(
        51,
        "policies judge the endpoint that a Service leads to",
        (((_service("app=two"), admin(DENY_ALL_IN, on="pods ns=x / pod=b")), {"80": "* > x/b"}),),
        labels=_SERVED,
        cells={_TO_S: "deny"},
    ),
    Edge(
        51,
        "of the endpoints of a Service some are denied",
        (((_service("both=yes"), admin(DENY_ALL_IN, on="pods ns=x / pod=b")), {"80": "* > x/b"}),),
        labels=_SERVED,
        cells={_TO_S: f"some: {ADDRESSES['x/a']} allow, {ADDRESSES['x/b']} deny"},
    ),
)
