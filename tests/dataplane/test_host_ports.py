"""Published ports on the real kernel: from everywhere, in every mode whose pods a node reaches."""

from __future__ import annotations

import pytest
from builders import flow, peer, pod, policy, rule, topology

HOSTS = {"client": ["192.0.2.10"]}
PODS = (
    pod("x/web", node="a", ports=["8080:80"]),
    pod("x/near", node="a"),
    pod("x/far", node="b"),
)
# Client, address, and the source that the published pod sees: per mode where they differ.
ASKED = [
    ("outside host", "host:client", "100.64.0.1", {"": "192.0.2.10"}),
    ("other node", "node:b", "100.64.0.1", {"": "100.64.0.2"}),
    ("own node", "node:a", "100.64.0.1", {"": "100.64.0.1"}),
    ("own node's loopback", "node:a", "127.0.0.1", {"": "10.244.0.1", "routed": "100.64.0.1"}),
    ("pod on the same node", "x/near", "100.64.0.1", {"": "10.244.0.2", "bridge": "10.244.0.3"}),
    ("pod on another node", "x/far", "100.64.0.1", {"": "100.64.0.2", "routed": "10.244.1.2"}),
    ("the pod itself", "x/web", "100.64.0.1", {"": "10.244.0.1", "routed": "100.64.0.1"}),
]


@pytest.mark.parametrize("mode", ["bridge", "overlay", "routed"])
@pytest.mark.parametrize(("client", "address", "seen"), [a[1:] for a in ASKED], ids=[a[0] for a in ASKED])
def test_the_client_address_that_a_published_pod_sees(lab, connection, mode, client, address, seen):
    """The node's port leads to the pod. It sees the client's address, or its node's where answers must pass it."""
    running = lab(topology(["a", "b"], mode=mode, hosts=HOSTS), *PODS)

    who, asked = connection(running, client, address, 8080, "x/web", 80)

    assert (seen.get(mode, seen[""]), address) == (who, asked)


def test_a_port_may_be_published_on_one_address(lab, connection):
    """Two pods may share a port of a node by their hostIP; the destination address decides."""
    running = lab(
        topology(["a"], hosts=HOSTS),
        pod("x/inner", node="a", ports=["10.244.0.1:8080:80"]),
        pod("x/outer", node="a", ports=["100.64.0.1:8080:80"]),
        pod("x/near", node="a"),
    )

    assert "192.0.2.10" == connection(running, "host:client", "100.64.0.1", 8080, "x/outer", 80)[0]
    assert "10.244.0.3" == connection(running, "x/near", "10.244.0.1", 8080, "x/inner", 80)[0]


def test_networks_reach_one_another_by_published_ports_only(lab, connection):
    """A pod of one network reaches another's published port by the node, as in Docker."""
    networks = {"front": ("bridge", "10.1.0.0/16"), "back": ("routed", "10.2.0.0/16")}
    running = lab(
        topology(["a"], networks),
        pod("x/web", network="front", node="a"),
        pod("x/db", network="back", node="a", ports=["5432:5432"]),
    )

    assert "10.1.0.2" == connection(running, "x/web", "100.64.0.1", 5432, "x/db", 5432)[0]


@pytest.mark.parametrize("mode", ["bridge", "overlay", "routed"])
def test_what_was_built_is_what_was_wanted(lab, mode):
    """The hairpin setting of a port is read back too."""
    running = lab(topology(["a", "b"], mode=mode, hosts=HOSTS), *PODS)

    assert [] == running.drift()


@pytest.mark.parametrize("mode", ["bridge", "overlay", "routed"])
@pytest.mark.parametrize(
    "policies",
    [
        [],
        [policy("x/web", "app=web", ingress=[rule(peer("app=near"), ports=["http"])])],
        [policy("x/web", "app=web", ingress=[rule(peer(cidr="100.64.0.2/32"), peer(cidr="192.0.2.0/24"))])],
        [policy("x/web", "app=web", ingress=[], egress=[])],
        [policy("x/all", "", egress=[rule(peer("app=web"), ports=["http"])])],
        [policy("x/all", "", egress=[rule(peer(cidr="100.64.0.1/32"), ports=["8080"])])],
    ],
    ids=["open", "by label", "by address", "closed", "egress to the pod", "egress to the node"],
)
def test_packets_and_evaluator_agree_on_published_ports(lab, disagreements, mode, policies):
    """Policy sees packets after DNAT; masqueraded pods of other nodes have their node's address."""
    running = lab(
        topology(["a", "b"], mode=mode, hosts=HOSTS),
        pod("x/web", "app=web", node="a", ports=["http=8080:80"]),
        pod("x/near", "app=near", node="a"),
        pod("x/far", "app=near", node="b"),
        pod("x/on-node", node="b", host=True),
        *policies,
    )

    ports = [("TCP", 8080), ("TCP", 80), ("ICMP", None)]

    assert [] == disagreements(running, nodes=True, ports=ports)


def test_the_pod_behind_a_published_port_answers(lab):
    """A probe of the node's port arrives in the pod; where policy drops it, two controls prove the path."""
    open_, closed = (
        lab(
            topology(["a"], mode="bridge", hosts=HOSTS),
            pod("x/web", "app=web", node="a", ports=["8080:80", "53:53/UDP"]),
            *policies,
        )
        for policies in ([], [policy("x/web", "app=web", ingress=[])])
    )

    def measured(running, service):
        (found,) = running.probe([flow(running.cluster, "host:client", "node:a", service)])
        return found.verdict, found.reason

    assert ("allow", "arrived and answered: TCP RST") == measured(open_, "8080/TCP")
    assert ("allow", "arrived and answered: ICMP port unreachable") == measured(open_, "53/UDP")
    assert ("deny", "never arrived; a control packet sent after it did") == measured(closed, "8080/TCP")
    assert ("allow", "arrived and answered: TCP RST") == measured(closed, "81/TCP")
