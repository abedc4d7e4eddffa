"""Edge cases of tiers, priorities and actions."""

from __future__ import annotations

from netlab.conformance.base_cluster import HOST
from netlab.conformance.cluster_policies.clusters import HOST_PODS
from netlab.conformance.cluster_policies.edge import (
    A_TO_PODS,
    ANYWHERE,
    DENY_ALL_IN,
    ENDS,
    ISOLATED,
    ONLY_Y,
    PODS_TO_A,
    A,
    Edge,
    Several,
    admin,
    baseline,
    np,
)
from netlab.conformance.cluster_policies.shorthand import Policy

TIERS: Several = (
    Edge(
        1,
        "a selected pod is not isolated",
        (((admin("Deny ns ns=y: 81/TCP"),), {"80": "", "81": "y/* > x/a", "80/UDP": "", "ICMP": ""}),),
    ),
    Edge(2, "Admin accepts what a NetworkPolicy denies", (((admin("Accept ns ns=y"), ISOLATED), {"80": ONLY_Y}),)),
    Edge(
        2,
        "Admin denies what a NetworkPolicy allows",
        (((admin("Deny ns ns=y"), np("x/n", ingress="pod")), {"80": "y/* > x/a"}),),
    ),
    Edge(
        3,
        "Accept for egress leaves the other side to its NetworkPolicy",
        (((admin(egress=[f"Accept {ANYWHERE}"]), np("y/n", ingress="")), {"80": "* > y/a"}),),
    ),
    Edge(
        4,
        "Accept for egress leaves the other side to its Admin policies",
        (
            (
                (admin(egress=["Accept ns *"], at=1), admin("Deny ns ns=x", on="pods ns=y / pod=a", at=2, name="q")),
                {"80": "x/* > y/a"},
            ),
        ),
    ),
    Edge(
        5,
        "Accept for ingress leaves the source to its NetworkPolicy",
        (((admin("Accept ns *", on="ns ns=y"), np("x/n", egress="")), {"80": "x/a > *"}),),
    ),
    Edge(6, "Pass, and a NetworkPolicy denies", (((admin("Pass ns *"), ISOLATED), {"80": PODS_TO_A}),)),
    Edge(7, "Pass, and Baseline denies", (((admin("Pass ns *"), baseline("Deny ns ns=y")), {"80": "y/* > x/a"}),)),
    Edge(8, "Pass, and nothing after it matches", (((admin("Pass ns *"), baseline("Deny ns ns=none")), {"80": ""}),)),
    Edge(
        9,
        "Pass skips the Admin policies after it",
        (
            ((admin("Pass ns *"), admin(DENY_ALL_IN, at=20, name="q")), {"80": ""}),
            (
                (admin("Pass ns *"), admin(DENY_ALL_IN, at=20, name="q"), np("x/n", ingress="pod=b")),
                {"80": "* > x/a, ! */b > x/a"},
            ),
        ),
    ),
    Edge(
        10,
        "Baseline is not asked about a pod that a NetworkPolicy isolates",
        (((baseline(DENY_ALL_IN), np("x/n", ingress="pod=b")), {"80": "* > x/a, ! */b > x/a"}),),
    ),
    Edge(
        11,
        "Baseline accepts nothing that a NetworkPolicy denies",
        (((baseline("Accept ns *"), ISOLATED), {"80": PODS_TO_A}),),
    ),
    Edge(
        12,
        "a NetworkPolicy for ingress settles ingress only",
        (((baseline(DENY_ALL_IN, egress=["Deny ns *"]), np("x/n", ingress="pod")), {"80": A_TO_PODS}),),
        chosen=True,
    ),
    Edge(
        12,
        "a NetworkPolicy for egress settles egress only",
        (
            (
                (baseline(DENY_ALL_IN, egress=["Deny ns *"]), np("x/n", egress="pod")),
                {"80": f"{PODS_TO_A}, x/a > {HOST}"},
            ),
        ),
        chosen=True,
    ),
    Edge(
        12,
        "a NetworkPolicy for egress settles what the pod sends to its own node",
        (
            ((baseline(egress=["Deny nodes *"]), np("x/n", egress="pod")), {"80": "x/a > y/h, x/a > host:out"}),
            ((admin(egress=["Deny nodes *"]), np("x/n", egress="pod")), {"80": "x/a > */h, x/a > host:out"}),
        ),
        ends=(*ENDS, *HOST_PODS),
        chosen=True,
    ),
    Edge(
        13,
        "Baseline accepts nothing for a pod that may open nothing",
        (((baseline(egress=["Accept ns *"]), np("x/n", egress="")), {"80": "x/a > *"}),),
    ),
    Edge(
        14,
        "Pass in Baseline allows",
        (
            ((baseline("Pass ns ns=y", DENY_ALL_IN),), {"80": ONLY_Y}),
            ((baseline("Pass ns ns=y", at=1), baseline(DENY_ALL_IN, at=2, name="later")), {"80": ONLY_Y}),
        ),
    ),
    Edge(
        15,
        "two policies of one priority are both in force",
        (
            (
                (admin("Deny ns ns=y: 80/TCP"), admin("Deny ns ns=z: 81/TCP", name="q")),
                {"80": "y/* > x/a", "81": "z/* > x/a"},
            ),
        ),
    ),
    Edge(
        16,
        "of equal priorities the first name decides",
        (
            ((admin("Accept ns ns=y", name="a"), admin(DENY_ALL_IN, name="b")), {"80": ONLY_Y}),
            ((admin("Accept ns ns=y", name="b"), admin(DENY_ALL_IN, name="a")), {"80": PODS_TO_A}),
        ),
        chosen=True,
    ),
    Edge(
        17,
        "priorities of the two tiers are not compared",
        (
            ((admin("Accept ns ns=y: 80/TCP", at=10), baseline(DENY_ALL_IN, at=10)), {"80": ONLY_Y, "81": PODS_TO_A}),
            ((admin("Accept ns ns=y: 80/TCP", at=99), baseline(DENY_ALL_IN, at=0)), {"80": ONLY_Y, "81": PODS_TO_A}),
        ),
    ),
    Edge(
        18,
        "the lower number decides first",
        (
            ((admin("Accept ns ns=y", at=50), admin(DENY_ALL_IN, at=5, name="q")), {"80": PODS_TO_A}),
            ((admin("Accept ns ns=y", at=5), admin(DENY_ALL_IN, at=50, name="q")), {"80": ONLY_Y}),
            ((admin("Accept ns ns=y", at=0), admin(DENY_ALL_IN, at=1000, name="a")), {"80": ONLY_Y}),
        ),
    ),
    Edge(
        19,
        "the first rule decides",
        (
            ((admin("Accept ns ns=y", "Deny ns ns=y"),), {"80": ""}),
            ((admin("Deny ns ns=y", "Accept ns ns=y"),), {"80": "y/* > x/a"}),
            ((admin("Pass ns ns=y", "Deny ns ns=y"),), {"80": ""}),
        ),
    ),
    Edge(
        20,
        "without ingress rules ingress is untouched",
        (
            ((admin(egress=["Deny ns *"]),), {"80": A_TO_PODS}),
            ((Policy("p", "Admin", 10, A, (), ("Deny ns *",)),), {"80": A_TO_PODS}),
            ((Policy("p", "Admin", 10, A, ("Deny ns *",), ()),), {"80": PODS_TO_A}),
        ),
    ),
)
