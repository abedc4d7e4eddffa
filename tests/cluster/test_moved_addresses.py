"""Warnings about exported addresses that the lab cannot keep, with the ipBlocks that match differently."""

from __future__ import annotations

from builders import cluster, node, objects, peer, pod, policy, rule, source, topology

from netlab.cluster import try_resolve


def warnings_of(*things: object) -> list[str]:
    _, problems = try_resolve(objects(*things), warn=True)
    assert {"warning"} >= {p.severity for p in problems}
    return [str(p) for p in problems]


def test_a_kept_address_has_no_warning() -> None:
    """Default ranges hold exported addresses, so ipBlocks match as on the cluster."""
    block = policy("x/p", "", ingress=[rule(peer(cidr="10.42.0.0/16"))])

    assert [] == warnings_of(node("n", addresses=["10.0.1.11"]), pod("x/a", node="n", addresses=["10.42.0.5"]), block)


def test_pods_that_a_written_pod_cidr_does_not_hold() -> None:
    """One warning at the first pod. It does not name ipBlocks that match both addresses or neither."""
    blocks = ["10.42.0.5/32", "10.0.0.0/8", "192.0.2.0/24", "10.244.0.0/16"]
    found = warnings_of(
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
    """An ipBlock may differ by its except."""
    found = warnings_of(
        topology(underlay=["192.0.2.0/24"]),
        node("n", addresses=["10.0.1.11"], source=source(4)),
        policy("x/p", "", egress=[rule(peer(cidr="0.0.0.0/0", but=["10.0.0.0/8"]))]),
    )

    assert [
        "test.yaml:4: Node n: status.addresses: node n has 10.0.1.11 on the cluster and 192.0.2.1 in the "
        "lab; an ipBlock that holds only one of the two addresses can make verdicts differ from the cluster's: "
        "0.0.0.0/0 in NetworkPolicy x/p, spec.egress[0].to[0]"
    ] == found


def test_a_warning_names_the_first_addresses() -> None:
    """The others are counted."""
    pods = [pod(f"x/{i:02}", addresses=[f"10.9.0.{i + 2}"]) for i in range(12)]
    (found,) = warnings_of(topology(), *pods)

    assert found.endswith("pod x/04 has 10.9.0.6 on the cluster and 10.244.0.6 in the lab and 7 more")


def test_a_pod_without_an_address_of_its_own_has_no_warning() -> None:
    """Host-network pods have the node's address; pods in mode none and finished pods have none."""
    things = [
        pod("x/a", node="n", host=True, addresses=["10.0.1.11"], host_addresses=["10.0.1.11"]),
        pod("x/b", node="n", network="none", addresses=["10.42.0.5"]),
        pod("x/c", node="n", phase="Failed", addresses=["10.42.0.6"]),
    ]

    assert [] == warnings_of(*things)
    assert "10.0.1.11" == str(cluster(*things).by_ref["x/a"].addresses[0])
