"""On labs without faults: an answered probe is allowed; a probe that is lost while its control arrives is denied."""

from __future__ import annotations

import os
import socket
import threading
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from builders import cluster, flow, peer, pod, policy, rule, topology

from netlab.cluster.flows import every_pair
from netlab.dataplane.node_rulesets import rulesets
from netlab.dataplane.wanted import wanted
from netlab.errors import HostError, NotFound
from netlab.kernel import netns, nft
from netlab.policy.evaluate import evaluate
from netlab.probe import measure
from netlab.testing import FakeKernel

COUNTER = "table ip t {\nchain c {\ntype filter hook prerouting priority -400;\nip daddr 192.0.2.77 counter\n}\n}"
DENY_DB = policy("x/deny-db", "app=db", ingress=[])


@pytest.mark.parametrize(
    ("service", "answer"),
    [
        ("80/TCP", "TCP RST"),
        ("53/UDP", "ICMP port unreachable"),
        ("ICMP", "ICMP echo reply"),
        ("38412/SCTP", "a reply in the name of a silent program"),
    ],
)
def test_a_closed_port_that_answers_is_allowed(lab, service, answer):
    """Nothing listens in the pod; its kernel's answer, or the engine's where the kernel has no SCTP, is the proof."""
    running = lab(pod("x/a"), pod("x/b"))

    measured = running.probe("x/a", "x/b", service)

    assert ("allow", f"arrived and answered: {answer}") == (measured.verdict, measured.reason)


@pytest.mark.parametrize("service", ["80/TCP", "53/UDP", "ICMP", "38412/SCTP"])
def test_what_a_policy_drops_is_denied(lab, service):
    """The probe never arrives; the control, which no policy covers, does."""
    running = lab(pod("x/a"), pod("x/db", "app=db"), DENY_DB)

    measured = running.probe("x/a", "x/db", service)

    assert ("deny", "never arrived; a control packet sent after it did") == (measured.verdict, measured.reason)


def test_a_listening_program_answers_with_syn_ack(lab):
    """A server's SYN-ACK counts as an answer, and the source's kernel ends the connection by itself."""
    running = lab(pod("x/a"), pod("x/b"))
    with running.program("x/b", 80, socket.SOCK_STREAM) as server:
        measured = running.probe("x/a", "x/b")
        server.setblocking(False)
        with pytest.raises(BlockingIOError):
            server.accept()

    assert ("allow", "arrived and answered: TCP SYN-ACK") == (measured.verdict, measured.reason)


def test_a_silent_udp_program_does_not_hide_an_allowed_port(lab):
    """A program takes the datagram and does not reply; netlab replies in its place."""
    running = lab(pod("x/a"), pod("x/b"))
    with running.program("x/b", 53, socket.SOCK_DGRAM):
        measured = running.probe("x/a", "x/b", "53/UDP")

    assert ("allow", "arrived and answered: a reply in the name of a silent program") == (
        measured.verdict,
        measured.reason,
    )


@pytest.mark.parametrize("reply", [b"", b"?", b"no such name, and more than sixteen bytes of it", None])
def test_a_udp_programs_own_reply_is_an_answer(lab, reply):
    """Any reply from the probed port proves the path back; None echoes the probe."""
    running = lab(pod("x/a"), pod("x/b"))
    # The engine replies for a program as soon as it is silent, so the program must be quicker than one receive.
    with running.program("x/b", 53, socket.SOCK_DGRAM) as server:
        server.settimeout(5)

        def serve():
            data, asker = server.recvfrom(100)
            server.sendto(data if reply is None else reply, asker)

        thread = threading.Thread(target=serve)
        thread.start()
        measured = running.probe("x/a", "x/b", "53/UDP")
        thread.join()

    assert "allow" == measured.verdict


def test_every_pair_of_many_pods_is_as_the_documentation_says(lab):
    """Thirty pods, most of them closed to most others: every verdict is the evaluator's, in the order of the flows."""
    pods = [pod(f"x/p{i}", f"group={i % 3}", ports=["80", "53/UDP"]) for i in range(30)]
    running = lab(*pods, policy("x/closed", "", ingress=[rule(peer("group=1"), ports=["80"])]))
    flows = list(every_pair(running.cluster))

    measured = [(m.flow, m.verdict) for m in measure(running.cluster, flows)]

    assert [(f, evaluate(running.cluster, f).verdict) for f in flows] == measured
    assert Counter({"deny": 1450, "allow": 290}) == Counter(verdict for _, verdict in measured)


@pytest.mark.parametrize(
    ("source", "destination"),
    [
        ("x/a", "x/a"),
        ("x/a", "node:n1"),
        ("node:n1", "x/a"),
        ("node:n1", "node:n2"),
        ("x/a", "node:n2"),
        ("x/a", "x/onhost"),
        ("x/onhost", "x/a"),
        ("x/onhost", "node:n2"),
        ("x/a", "host:client"),
        ("node:n2", "host:client"),
        ("host:client", "node:n1"),
    ],
)
@pytest.mark.parametrize("service", ["80/TCP", "53/UDP", "ICMP"])
def test_every_kind_of_end_is_reached(lab, source, destination, service):
    """A pod itself, its node, another node, a host-network pod, and (masqueraded) a machine outside."""
    running = lab(
        topology(["n1", "n2"], hosts={"client": ["192.0.2.10"]}),
        pod("x/a", node="n1"),
        pod("x/c", node="n2"),
        pod("x/onhost", node="n1", host=True),
    )

    assert "allow" == running.probe(source, destination, service).verdict


def test_egress_to_a_machine_outside_is_denied(lab):
    """The control reaches the outside host without masquerade and proves the path."""
    running = lab(
        topology(hosts={"client": ["192.0.2.10"]}), pod("x/db", "app=db"), policy("x/in", "app=db", egress=[])
    )

    measured = running.probe("x/db", "host:client")

    assert ("deny", "never arrived; a control packet sent after it did") == (measured.verdict, measured.reason)


def test_a_pod_with_loopback_only_is_denied_both_ways(lab):
    """There is nothing to send from or to."""
    running = lab(pod("x/a"), pod("x/alone", network="none"))

    measured = [running.probe("x/a", "x/alone"), running.probe("x/alone", "x/a")]

    assert [("deny", "not sent: x/alone has a loopback interface only")] * 2 == [
        (m.verdict, m.reason) for m in measured
    ]


def test_no_packet_is_sent_to_an_address_that_no_machine_has(lab):
    """Any route could match it; a counter on the pod's node sees no packet."""
    running = lab(pod("x/a"), nft={"node-1": COUNTER})

    measured = running.probe("x/a", "192.0.2.77")
    listing = nft.run(running.namespace("node:node-1"), "list table ip t")

    assert ("deny", "not sent: no machine of the lab has 192.0.2.77") == (measured.verdict, measured.reason)
    assert "counter packets 0" in listing


def test_an_address_that_an_endpoint_has_is_measured(lab):
    """An endpoint by its address is probed as one by its name."""
    running = lab(pod("x/a"), pod("x/b", addresses=["10.244.0.99"]))
    address = str(running.cluster.by_ref["x/b"].addresses[0])

    assert "allow" == running.probe("x/a", address).verdict


def test_a_probe_never_belongs_to_an_earlier_connection(lab):
    """A policy that denies holds at once, although conntrack still has the connections of the earlier run."""
    pods = [pod("x/a"), pod("x/db", "app=db")]
    running = lab(*pods)
    resolved = replace(cluster(*pods, DENY_DB), name=running.cluster.name)
    flows = [flow(running.cluster, "x/a", "x/db", service) for service in ("80/TCP", "53/UDP", "ICMP")]
    with running.program("x/db", 53, socket.SOCK_DGRAM):
        before = [m.verdict for m in measure(running.cluster, flows)]
        (closed,) = rulesets(resolved).values()
        running.nft("node:node-1", closed.text())
        after = [m.verdict for m in measure(running.cluster, flows)]

    assert ["allow"] * 3 == before
    assert ["deny"] * 3 == after


def test_tunnels_leave_no_connection_entries(lab):
    """A flow inside a tunnel has an outer port of its own; an entry for each would fill the nodes' tables."""
    running = lab(topology(["n1", "n2"], mode="overlay"), pod("x/a", node="n1"), pod("x/c", node="n2"))
    flows = [flow(running.cluster, "x/a", "x/c", f"{port}/TCP") for port in range(100, 200)]
    measured = [m.verdict for m in measure(running.cluster, flows)]
    entries = []
    for node in ("node:n1", "node:n2"):
        with netns.inside(running.namespace(node)):
            entries.append(int(Path("/proc/sys/net/netfilter/nf_conntrack_count").read_text()))

    assert ["allow"] * 100 == measured
    # A connection that was answered with a reset only is forgotten at once (nf_conntrack_proto_tcp.c).
    assert [0, 0] == entries


def test_flows_are_measured_as_they_come(lab, monkeypatch):
    """Flows stream in blocks: a generator is not read to its end before the first measurement."""
    monkeypatch.setattr("netlab.probe.engine.BLOCK", 2)
    running = lab(pod("x/a"), pod("x/b"))
    taken = []

    def flows():
        for port in range(80, 90):
            taken.append(port)
            yield flow(running.cluster, "x/a", "x/b", f"{port}/TCP")

    measurements = measure(running.cluster, flows())
    first = next(measurements)
    read_ahead = len(taken)
    rest = list(measurements)

    assert (80, 2) == (first.flow.port, read_ahead)
    assert list(range(81, 90)) == [m.flow.port for m in rest]


def test_progress_rises_to_the_number_of_flows(lab):
    """The count never falls, and ends at the total."""
    running = lab(*[pod(f"x/p{i}") for i in range(14)], pod("x/alone", network="none"))
    flows = list(every_pair(running.cluster))
    reported = []

    list(measure(running.cluster, flows, progress=lambda done, total: reported.append((done, total))))

    assert sorted(reported) == reported
    assert len(reported) > 1
    assert (210, 210) == reported[-1]


def test_the_calling_thread_returns(lab):
    """Between measurements the caller is in its own network namespace, on all its processors."""
    running = lab(pod("x/a"), pod("x/b"))
    home, allowed = os.stat("/proc/thread-self/ns/net").st_ino, os.sched_getaffinity(0)

    for _ in measure(running.cluster, every_pair(running.cluster)):
        assert (home, allowed) == (os.stat("/proc/thread-self/ns/net").st_ino, os.sched_getaffinity(0))


def test_no_socket_outlives_the_measurements(lab):
    """A caller that stops early leaves nothing open either."""
    running = lab(pod("x/a"), pod("x/b"))
    before = len(os.listdir("/proc/self/fd"))

    measurements = measure(running.cluster, every_pair(running.cluster))
    next(measurements)
    measurements.close()  # type: ignore[attr-defined]

    assert before == len(os.listdir("/proc/self/fd"))


@pytest.mark.kernel
def test_a_lab_that_is_not_there_is_named():
    """Measuring a lab that does not run is an error, not a denial."""
    absent = cluster(pod("x/a"), pod("x/b"))

    with pytest.raises(NotFound, match=r"netlab\.absent"):
        list(measure(absent, every_pair(absent), lab="absent"))


def test_a_machine_without_packets_refuses_a_measurement():
    """Probing enters no namespace of this host for a lab that runs in memory."""
    built = cluster(pod("x/a"), pod("x/b"))
    machine = FakeKernel()
    machine.create(list(wanted(replace(built, name="in-memory"))))

    with pytest.raises(HostError, match="sends no packets"):
        list(measure(built, every_pair(built), lab="in-memory", inside=machine.inside))


def test_probing_enters_namespaces_by_the_machine_only(lab, monkeypatch):
    """Sockets, neighbours, counters, and the check for an address that a pod should not have."""
    running = lab(pod("x/a"), pod("x/b"))
    asked = [flow(running.cluster, "x/a", "x/b"), flow(running.cluster, "x/a", "x/b", family=6)]
    inside = netns.inside

    def refuse(name):
        raise AssertionError(f"{name} was entered past the machine")

    monkeypatch.setattr(netns, "inside", refuse)
    measured = list(measure(running.cluster, asked, inside=inside))

    assert ["allow", "deny"] == [one.verdict for one in measured]


def test_an_ipv6_flow_is_not_known(lab):
    """The reason says that no packet was sent."""
    running = lab(pod("x/a"), pod("x/b"))
    v6 = [f.__class__(f.source, f.destination, 6, "TCP", 80, f.address) for f in every_pair(running.cluster)]

    assert {"not sent: x/a has no IPv6 address", "not sent: x/b has no IPv6 address"} == {
        m.reason for m in measure(running.cluster, v6)
    }
