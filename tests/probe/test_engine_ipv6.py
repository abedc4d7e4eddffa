"""IPv6 on labs without faults: probed as IPv4, with verdicts of its own."""

from __future__ import annotations

import socket
from ipaddress import ip_network

import pytest
from builders import flow, peer, pod, policy, rule, topology

from netlab.cluster.flows import every_pair
from netlab.cluster.types import address_of
from netlab.kernel import netns
from netlab.policy.evaluate import evaluate
from netlab.probe import measure

RULE = "tcp dport 81 reject with icmpv6 admin-prohibited"
REJECT = f"table ip6 t {{\nchain c {{\ntype filter hook forward priority 0;\n{RULE}\n}}\n}}"
DUAL, ONLY = ("10.244.0.0/16", "fd00:10:244::/64"), ("fd00:10:244::/64",)


def six(running, source, destination, service="80/TCP"):
    """Measure one flow over IPv6."""
    (measured,) = measure(running.cluster, [flow(running.cluster, source, destination, service, family=6)])
    return measured.verdict, measured.reason


@pytest.mark.parametrize("cidrs", [DUAL, ONLY], ids=["dual stack", "IPv6 only"])
@pytest.mark.parametrize(
    ("service", "answer"),
    [
        ("80/TCP", "TCP RST"),
        ("53/UDP", "ICMPv6 port unreachable"),
        ("ICMP", "ICMPv6 echo reply"),
        ("38412/SCTP", "a reply in the name of a silent program"),
    ],
)
def test_a_closed_port_that_answers_is_allowed(lab, cidrs, service, answer):
    """The kernel answers for the closed port at once, as no address is tentative."""
    running = lab(topology(["node-1"], cidrs=cidrs), pod("x/a"), pod("x/b"))

    assert ("allow", f"arrived and answered: {answer}") == six(running, "x/a", "x/b", service)


@pytest.mark.parametrize("service", ["80/TCP", "53/UDP", "ICMP", "38412/SCTP"])
def test_what_a_policy_drops_is_denied(lab, service):
    """The probe never arrives; the control, which no policy covers, does."""
    deny = policy("x/deny-db", "app=db", ingress=[])
    running = lab(topology(["node-1"], cidrs=DUAL), pod("x/a"), pod("x/db", "app=db"), deny)

    found = six(running, "x/a", "x/db", service)

    assert ("deny", "never arrived; a control packet sent after it did") == found


def test_a_rejecting_rule_is_named_by_its_answer(lab):
    """An ICMPv6 error that quotes the probe is no answer of its destination."""
    running = lab(topology(["node-1"], cidrs=ONLY, hosts={"far": ["2001:db8::7"]}), pod("x/a"))
    running.nft("node:node-1", REJECT)

    found = six(running, "x/a", "host:far", "81/TCP")

    assert ("deny", "rejected on the way: ICMPv6 administratively prohibited from fd00:10:244::1") == found


@pytest.mark.parametrize(
    ("family", "cidr", "excepted", "expected"),
    [
        (4, "0.0.0.0/0", (), "allow"),
        (6, "0.0.0.0/0", (), "deny"),
        (4, "::/0", (), "deny"),
        (6, "::/0", (), "allow"),
        (6, "::/0", ("2001:db8::/64",), "deny"),
        (6, "::/0", ("2001:db8:1::/64",), "allow"),
        (6, "2001:db8::/64", ("2001:db8::7/128",), "deny"),
    ],
)
def test_an_ip_block_is_of_one_family(lab, family, cidr, excepted, expected):
    """Every address of one family is none of the other: what only 0.0.0.0/0 allows is denied over IPv6."""
    egress = policy("x/out", egress=[rule(peer(cidr=cidr, but=excepted))])
    hosts = {"far": ["192.0.2.7", "2001:db8::7"]}
    running = lab(topology(["node-1"], cidrs=DUAL, hosts=hosts), pod("x/a"), egress)
    (measured,) = measure(running.cluster, [flow(running.cluster, "x/a", "host:far", family=family)])

    assert expected == measured.verdict


HOSTS = {"far": ["192.0.2.7", "2001:db8::7"], "six": ["2001:db8:1::6"]}
POLICIES = [
    policy("x/web", "app=web", ingress=[rule(peer("app=client"), ports=["http"]), rule(peer(cidr="2001:db8::/32"))]),
    policy("x/client", "app=client", egress=[rule(peer("app=web"), ports=["http"]), rule(peer(cidr="192.0.2.0/24"))]),
    policy("y/all", ingress=[rule(peer(cidr="fd00:10:244::/64", but=["fd00:10:244::3/128"]))]),
]


@pytest.mark.parametrize("cidrs", [DUAL, ONLY], ids=["dual stack", "IPv6 only"])
def test_every_pair_of_two_nodes_is_as_the_documentation_says(lab, cidrs):
    """Ingress, egress, ipBlocks, named ports; pods on a bridge, of the host network and without a network; hosts."""
    things = [
        topology(["node-1", "node-2"], cidrs=cidrs, hosts=HOSTS),
        pod("x/client", "app=client", node="node-1"),
        pod("x/web", "app=web", node="node-1", ports=["http=80"]),
        pod("y/near", node="node-1"),
        pod("y/other", node="node-2"),
        pod("y/host", node="node-2", host=True),
        pod("y/none", node="node-2", network="none"),
        *POLICIES,
    ]
    running = lab(*things)
    services = [("TCP", 80), ("UDP", 53), ("ICMP", None)]
    flows = list(every_pair(running.cluster, services, nodes=True))
    found = list(measure(running.cluster, flows))
    differ = [
        (m.flow.source.ref, m.flow.target, m.flow.family, m.flow.protocol, m.verdict, m.reason)
        for m in found
        if m.verdict != evaluate(running.cluster, m.flow).verdict
    ]

    assert [] == differ
    assert {(ip_network(cidr).version, answer) for cidr in cidrs for answer in ("allow", "deny")} == {
        (m.flow.family, m.verdict) for m in found
    }


def test_no_policy_stops_neighbour_discovery(lab):
    """A real connection between two pods that deny everything else; the kernel finds the neighbour."""
    deny = policy("x/deny", ingress=[], egress=[])
    hole = policy("x/hole", ingress=[rule(ports=["80"])], egress=[rule(ports=["80"])])
    running = lab(topology(["node-1"], cidrs=ONLY), pod("x/a"), pod("x/b"), deny, hole)
    with netns.inside(running.namespace("x/b")):
        server = socket.create_server(("::", 80), family=socket.AF_INET6)
    with server, netns.inside(running.namespace("x/a")):
        address = str(running.cluster.by_ref["x/b"].addresses[0])
        with socket.create_connection((address, 80), timeout=2) as client:
            peer_name = client.getpeername()[0]

    assert address == peer_name


def test_the_outside_sees_the_node(lab):
    """A packet that leaves a bridge network has its node's address, in IPv6 too."""
    running = lab(topology(["node-1"], cidrs=DUAL, hosts={"far": ["2001:db8::7"]}), pod("x/a"))
    with netns.inside(running.namespace("host:far")):
        server = socket.create_server(("::", 80), family=socket.AF_INET6)
    with server, netns.inside(running.namespace("x/a")), socket.create_connection(("2001:db8::7", 80), timeout=2):
        connection, (seen, *_) = server.accept()
        connection.close()

    assert str(address_of(running.cluster.node("node-1"), 6)) == seen
