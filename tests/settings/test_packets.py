"""Settings of ``spec.policy`` proven by packets that are no probe, and by what rejected probes get as answers."""

from __future__ import annotations

import socket
import struct
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import pytest
from settings.random_settings import topology_with

from netlab.cluster.flows import Flow
from netlab.cluster.types import address_of
from netlab.conformance.shorthand import Data, block, document, peer, policy, rule
from netlab.dataplane.names import endpoint_namespace
from netlab.kernel import netns
from netlab.lab.lab import Lab
from netlab.lab.temporary import temporary
from netlab.objects import Document, decode
from netlab.policy.evaluate import evaluate

NODES = {"bridge": ("node-1", "node-1"), "overlay": ("node-1", "node-2"), "routed": ("node-1", "node-1")}
DENY_ALL = policy("x/p", "pod=b", ingress=[], types=["Ingress"])
DENY_OUT = policy("x/q", "pod=a", egress=[], types=["Egress"])
_ICMP = {"echo request": 8, "timestamp": 13, "information": 15}


def documents(settings: Mapping[str, str], mode: str, *policies: Document) -> tuple[Document, ...]:
    """Return a cluster of pods x/a and x/b, on two nodes if the mode is ``overlay``."""
    pods = [
        document("Pod", f"x/{name}", {"nodeName": node}, labels=f"pod={name}")
        for name, node in zip("ab", NODES[mode], strict=True)
    ]
    return (topology_with(settings, mode), *pods, *policies)


@contextmanager
def running(settings: Mapping[str, str], mode: str, *policies: Document) -> Iterator[Lab]:
    """Yield a lab of ``documents``."""
    objects, problems = decode(documents(settings, mode, *policies))
    assert [] == [problem for problem in problems if problem.severity == "error"]
    with temporary(objects) as lab:
        yield lab


def socket_in(lab: Lab, ref: str, kind: int, protocol: int = 0) -> socket.socket:
    """Return an IPv4 socket of an endpoint, with a timeout."""
    with netns.inside(endpoint_namespace(lab.name, lab.cluster.by_ref[ref])):
        made = socket.socket(socket.AF_INET, kind, protocol)
    made.settimeout(0.3)
    return made


def received(sock: socket.socket) -> bytes | None:
    """Return the next packet, None if none comes."""
    try:
        return sock.recv(2048)
    except TimeoutError:
        return None


def asked(lab: Lab, source: str, destination: str, *ports: tuple[str, int | None]) -> list[tuple[str, str]]:
    """Return the measured verdict and reason for each protocol and port; the evaluator expects the same verdicts."""
    end = lab.cluster.by_ref[destination]
    flows = [Flow(lab.cluster.by_ref[source], end, 4, *port, address_of(end, 4)) for port in ports]
    measured = list(lab.probe(flows))
    assert [evaluate(lab.cluster, flow).verdict for flow in flows] == [m.verdict for m in measured], measured
    return [(m.verdict, m.reason) for m in measured]


# --- rejectWith -----------------------------------------------------------------------------------------------------

UNREACHABLE, PROHIBITED = "ICMP port unreachable", "ICMP administratively prohibited"
ANSWERS = {
    "admin-prohibited": (PROHIBITED, PROHIBITED, PROHIBITED),
    "port-unreachable": (UNREACHABLE, UNREACHABLE, UNREACHABLE),
    "tcp-reset": ("TCP RST", UNREACHABLE, UNREACHABLE),
}


@pytest.mark.kernel
@pytest.mark.parametrize("mode", NODES)
@pytest.mark.parametrize("value", ANSWERS)
def test_a_rejected_probe_is_denied_whatever_answers_it(value: str, mode: str) -> None:
    """Its answer looks like that of a closed port, but the destination did not receive it: on ingress and on egress."""
    ports = (("TCP", 80), ("UDP", 80), ("SCTP", 80))
    answers = [f"rejected on the way: {answer}" for answer in ANSWERS[value]]
    settings = {"deny": "reject", "rejectWith": value}
    # Pod x/b may neither receive nor send.
    with running(settings, mode, DENY_ALL, policy("x/q", "pod=b", egress=[], types=["Egress"])) as lab:
        both = [asked(lab, *pair, *ports) for pair in (("x/a", "x/b"), ("x/b", "x/a"))]

    for found in both:
        assert ["deny"] * 3 == [verdict for verdict, _ in found]
        assert [True] * 3 == [r.startswith(a) for a, (_, r) in zip(answers, found, strict=True)], found


@pytest.mark.kernel
@pytest.mark.parametrize("value", ANSWERS)
def test_a_closed_port_is_allowed_where_a_rejected_one_is_denied(value: str) -> None:
    """Both answer with a reset or an ICMP error. A probe of the closed port arrives, and one of the other does not."""
    opening = policy("x/p", "pod=b", ingress=[rule("ingress", [peer("pod=a")], ["81", "81/UDP"])])
    with running({"deny": "reject", "rejectWith": value}, "bridge", opening) as lab:
        found = asked(lab, "x/a", "x/b", ("TCP", 81), ("TCP", 80), ("UDP", 81), ("UDP", 80))

    assert ["allow", "deny", "allow", "deny"] == [verdict for verdict, _ in found], found


@pytest.mark.kernel
@pytest.mark.parametrize("value", ANSWERS)
def test_packets_to_the_own_node_are_rejected_by_its_own_address(value: str) -> None:
    """The node that rejects is the destination, so even the sender of the answer is that of a closed port."""
    settings = {"deny": "reject", "rejectWith": value, "ownNode": "enforce"}
    with running(settings, "bridge", DENY_OUT) as lab:
        found = asked(lab, "x/a", "node:node-1", ("TCP", 80), ("UDP", 80), ("SCTP", 80))

    answers = [f"rejected on the way: {answer}" for answer in ANSWERS[value]]
    assert ["deny"] * 3 == [verdict for verdict, _ in found]
    assert [True] * 3 == [r.startswith(a) for a, (_, r) in zip(answers, found, strict=True)], found


@pytest.mark.kernel
def test_a_program_is_refused_at_once() -> None:
    """A connection that ``tcp-reset`` rejects ends with "connection refused"."""
    with running({"deny": "reject", "rejectWith": "tcp-reset"}, "bridge", DENY_ALL) as lab:
        address = str(lab.cluster.by_ref["x/b"].addresses[0])
        with socket_in(lab, "x/a", socket.SOCK_STREAM) as client, pytest.raises(ConnectionRefusedError):
            client.connect((address, 80))


# --- icmp -----------------------------------------------------------------------------------------------------------


def icmp_packet(kind: int) -> bytes:
    """Return an ICMP query with a payload of 12 zero bytes, which is also the body of a timestamp request."""
    body = struct.pack(">HH12x", 1, 1)
    words = struct.unpack(f">{len(body) // 2}H", body)
    total = (kind << 8) + sum(words)
    total = (total & 0xFFFF) + (total >> 16)
    return struct.pack(">BBH", kind, 0, ~total & 0xFFFF) + body


def arrives(lab: Lab, kind: int) -> bool:
    """Say whether an ICMP query of a kind arrives at pod x/b from x/a."""
    address = str(lab.cluster.by_ref["x/b"].addresses[0])
    with (
        socket_in(lab, "x/b", socket.SOCK_RAW, socket.IPPROTO_ICMP) as listener,
        socket_in(lab, "x/a", socket.SOCK_RAW, socket.IPPROTO_ICMP) as sender,
    ):
        sender.sendto(icmp_packet(kind), (address, 0))
        while (packet := received(listener)) is not None:
            if packet[(packet[0] & 15) * 4] == kind:
                return True
        return False


KINDS_THAT_ARRIVE = [
    ("rules-without-ports", [], set()),
    ("rules-without-ports", [rule("ingress", [peer("pod=a")], ["80"])], set()),
    ("rules-without-ports", [rule("ingress", [peer("pod=a")])], {"echo request", "timestamp"}),
    ("basic-always", [], {"echo request"}),
    ("basic-always", [rule("ingress", [peer("pod=a")], ["80"])], {"echo request"}),
    ("basic-always", [rule("ingress", [peer("pod=a")])], {"echo request", "timestamp"}),
    ("allow", [], {"echo request", "timestamp"}),
]


@pytest.mark.kernel
@pytest.mark.parametrize(("value", "rules", "kinds"), KINDS_THAT_ARRIVE, ids=range(len(KINDS_THAT_ARRIVE)))
def test_other_kinds_of_icmp_follow_the_rules(value: str, rules: Sequence[Data], kinds: set[str]) -> None:
    """Echo requests are basic, and a timestamp request is not: it follows rules without ports."""
    one = policy("x/p", "pod=b", ingress=list(rules), types=["Ingress"])
    with running({"icmp": value}, "bridge", one) as lab:
        assert kinds == {name for name in ("echo request", "timestamp") if arrives(lab, _ICMP[name])}


@pytest.mark.kernel
@pytest.mark.parametrize("established", ["keep", "reevaluate"])
def test_a_ping_gets_its_reply(established: str) -> None:
    """Where policy applies to every packet, the reply to an echo request passes too."""
    with running({"icmp": "basic-always", "established": established}, "overlay", DENY_ALL, DENY_OUT) as lab:
        assert ["allow", "allow"] == [
            v for s, d in ("ab", "ba") for v, _ in asked(lab, f"x/{s}", f"x/{d}", ("ICMP", None))
        ]


# --- multicast ------------------------------------------------------------------------------------------------------

GROUP = "239.1.2.3"


def hears(lab: Lab) -> bool:
    """Say whether pod x/b receives a datagram that x/a sends to a multicast group."""
    own = {ref: socket.inet_aton(str(lab.cluster.by_ref[ref].addresses[0])) for ref in ("x/a", "x/b")}
    with socket_in(lab, "x/b", socket.SOCK_DGRAM) as listener, socket_in(lab, "x/a", socket.SOCK_DGRAM) as sender:
        listener.bind((GROUP, 5000))
        listener.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, socket.inet_aton(GROUP) + own["x/b"])
        sender.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, own["x/a"])
        # The bridge may learn of the membership a moment later.
        for _ in range(3):
            sender.sendto(b"to the group", (GROUP, 5000))
            if received(listener) == b"to the group":
                return True
            time.sleep(0.05)
        return False


@pytest.mark.kernel
@pytest.mark.parametrize("policies", [(), (DENY_ALL, DENY_OUT)], ids=["open", "denied"])
@pytest.mark.parametrize(("value", "heard"), [("judge", False), ("allow", True)])
def test_pods_of_one_bridge_hear_each_others_multicast_only_if_it_is_allowed(
    value: str, heard: bool, policies: Sequence[Document]
) -> None:
    """With ``judge`` a bridge passes none, as policy cannot look up its receivers; with ``allow`` all passes."""
    with running({"multicast": value}, "bridge", *policies) as lab:
        assert heard == hears(lab)


# --- sctp -----------------------------------------------------------------------------------------------------------


@pytest.mark.kernel
@pytest.mark.parametrize("mode", NODES)
def test_sctp_of_pods_is_lost_without_policies_too(mode: str) -> None:
    """TCP of the same pods passes, and so does SCTP of a node to an outside host."""
    with running({"sctp": "drop"}, mode) as lab:
        pairs = [("x/a", "x/b"), ("x/a", "node:node-1"), ("node:node-1", "x/a"), ("x/a", "host:out")]
        found = [[v for v, _ in asked(lab, *pair, ("SCTP", 80), ("TCP", 80))] for pair in pairs]
        beside = [v for v, _ in asked(lab, "node:node-1", "host:out", ("SCTP", 80))]

    assert [["deny", "allow"]] * 4 == found
    assert ["allow"] == beside


# --- ipBlockNodes ---------------------------------------------------------------------------------------------------


@pytest.mark.kernel
@pytest.mark.parametrize(
    ("cidr", "of_node", "of_pod"),
    [
        ("100.64.0.0/16", "allow", "deny"),
        ("10.244.0.0/16", "deny", "allow"),
        ("0.0.0.0/0", "allow", "allow"),
    ],
)
def test_no_ip_block_means_a_node(cidr: str, of_node: str, of_pod: str) -> None:
    """With ``ignore`` neither the range of the nodes' addresses nor 0.0.0.0/0 does; pods still match."""
    opening = policy("x/p", "pod=a", ingress=[rule("ingress", [block(cidr)])])
    for value, wanted in (("match", of_node), ("ignore", "deny")):
        with running({"ipBlockNodes": value}, "overlay", opening) as lab:
            found = asked(lab, "node:node-2", "x/a", ("TCP", 80)) + asked(lab, "x/b", "x/a", ("TCP", 80))

        assert [wanted, of_pod] == [verdict for verdict, _ in found]
