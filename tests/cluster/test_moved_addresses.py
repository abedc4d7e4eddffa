"""Exported addresses that the lab cannot keep are told, with the ipBlocks whose meaning that changes."""

from __future__ import annotations

from builders import cluster, node, objects, peer, pod, policy, rule, source, topology

from netlab.cluster import try_resolve


def told(*things: object) -> list[str]:
    _, problems = try_resolve(objects(*things), warn=True)
    assert {"warning"} >= {p.severity for p in problems}
    return [str(p) for p in problems]


def test_what_is_kept_is_not_told() -> None:
    """A range that nobody wrote follows the export, and a block of it means what it meant."""
    block = policy("x/p", "", ingress=[rule(peer(cidr="10.42.0.0/16"))])

    assert [] == told(node("n", addresses=["10.0.1.11"]), pod("x/a", node="n", addresses=["10.42.0.5"]), block)


def test_pods_that_a_written_pod_cidr_does_not_hold() -> None:
    """One warning for all, at the first; a block that holds old and new addresses, or neither, is not named."""
    blocks = ["10.42.0.5/32", "10.0.0.0/8", "192.0.2.0/24", "10.244.0.0/16"]
    found = told(
        topology(cidrs=["10.244.0.0/16"]),
        pod("x/a", addresses=["10.42.0.5"], source=source(3, status__podIPs=7)),
        pod("x/b", addresses=["10.42.0.6", "fd00::6"]),
        pod("x/c", addresses=["10.244.9.9"]),
        policy("x/p", "", ingress=[rule(*(peer(cidr=b) for b in blocks))], egress=[rule(peer(cidr="10.42.0.0/24"))]),
    )

    assert [
        "test.yaml:7: Pod x/a: status.podIPs: pod x/a has 10.42.0.5 on the cluster and 10.244.0.2 in the "
        "lab, pod x/b has 10.42.0.6 on the cluster and 10.244.0.3 in the lab, pod x/b has fd00::6 on the cluster and "
        "no IPv6 address in the lab; an ipBlock that holds only one of the two addresses can make verdicts differ from "
        "the cluster's: 10.42.0.5/32 in NetworkPolicy x/p, spec.ingress[0].from[0], "
        "10.244.0.0/16 in NetworkPolicy x/p, spec.ingress[0].from[3], "
        "10.42.0.0/24 in NetworkPolicy x/p, spec.egress[0].to[0]"
    ] == found


def test_nodes_that_a_written_underlay_does_not_hold() -> None:
    """A block with an except tells them apart too."""
    found = told(
        topology(underlay=["192.0.2.0/24"]),
        node("n", addresses=["10.0.1.11"], source=source(4)),
        policy("x/p", "", egress=[rule(peer(cidr="0.0.0.0/0", but=["10.0.0.0/8"]))]),
    )

    assert [
        "test.yaml:4: Node n: status.addresses: node n has 10.0.1.11 on the cluster and 192.0.2.1 in the "
        "lab; an ipBlock that holds only one of the two addresses can make verdicts differ from the cluster's: "
        "0.0.0.0/0 in NetworkPolicy x/p, spec.egress[0].to[0]"
    ] == found


def test_of_many_the_first_are_named() -> None:
    """The rest is counted."""
    pods = [pod(f"x/{i:02}", addresses=[f"10.9.0.{i + 2}"]) for i in range(12)]
    (found,) = told(topology(), *pods)

    assert found.endswith("pod x/04 has 10.9.0.6 on the cluster and 10.244.0.6 in the lab and 7 more")


def test_a_pod_without_an_address_of_its_own_is_not_told() -> None:
    """Host-network pods have their node's, pods without a network none, finished ones take no part."""
    things = [
        pod("x/a", node="n", host=True, addresses=["10.0.1.11"], host_addresses=["10.0.1.11"]),
        pod("x/b", node="n", network="none", addresses=["10.42.0.5"]),
        pod("x/c", node="n", phase="Failed", addresses=["10.42.0.6"]),
    ]

    assert [] == told(*things)
    assert "10.0.1.11" == str(cluster(*things).by_ref["x/a"].addresses[0])
