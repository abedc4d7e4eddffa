"""On labs with a fault: a lost probe is never denied, and a refused one is."""

from __future__ import annotations

import subprocess
from collections import Counter
from typing import Any

import pytest
from builders import flow, pod, policy, topology

from netlab.kernel import netns, raw_sockets
from netlab.probe import attempt, control, measure, schedule, sockets

FORWARD = "table inet t {\nchain c {\ntype filter hook forward priority 0;\n%s\n}\n}\n"


@pytest.fixture(autouse=True)
def _impatient(monkeypatch):
    """Missing packets are waited for only briefly."""
    monkeypatch.setattr(attempt, "WAITS", (0.02, 0.02, 0.05))


@pytest.mark.parametrize(
    ("rule", "service", "came"),
    [
        ("tcp dport 80 reject with tcp reset", "80/TCP", "TCP RST"),
        ("tcp dport 80 reject", "80/TCP", "ICMP port unreachable from 10.244.0.1"),
        ("udp dport 53 reject", "53/UDP", "ICMP port unreachable from 10.244.0.1"),
        ("icmp type echo-request reject with icmp admin-prohibited", "ICMP", "ICMP administratively prohibited"),
    ],
)
def test_an_answer_to_a_probe_that_never_arrived_is_a_rejection(lab, rule, service, came):
    """A router that rejects answers as a closed port does; only the arrival differs."""
    running = lab(pod("x/a"), pod("x/b"), nft={"node-1": FORWARD % rule})

    measured = running.probe("x/a", "x/b", service)

    assert "deny" == measured.verdict
    assert measured.reason.startswith(f"rejected on the way: {came}")


def test_a_dropped_probe_and_a_dropped_control_prove_nothing(lab):
    """A path that loses everything may lose the probe for any reason."""
    running = lab(pod("x/a"), pod("x/b"), nft={"node-1": FORWARD % "drop"})

    measured = running.probe("x/a", "x/b")

    assert ("inconclusive", "control lost: neither the probe nor a control packet sent after it arrived") == (
        measured.verdict,
        measured.reason,
    )


def test_a_destination_whose_link_is_down_is_not_known(lab):
    """The verdict is inconclusive, also where a policy would deny."""
    running = lab(pod("x/a"), pod("x/db", "app=db"), pod("x/c"), policy("x/deny-db", "app=db", ingress=[]))
    running.ip("x/db", "link", "set", "eth0", "down")

    measured = measure(running.cluster, [flow(running.cluster, "x/a", "x/db"), flow(running.cluster, "x/a", "x/c")])

    assert ["inconclusive", "allow"] == [m.verdict for m in measured]


def test_a_lost_answer_is_not_known(lab):
    """The probe arrived, so it is not denied; nothing came back, so it is not allowed."""
    running = lab(pod("x/a"), pod("x/b"), nft={"node-1": FORWARD % "tcp sport 80 drop"})

    measured = running.probe("x/a", "x/b")

    assert ("inconclusive", "arrived, but no answer came back") == (measured.verdict, measured.reason)


def test_a_source_without_a_route_is_denied(lab):
    """The source's own kernel refuses the packet at once."""
    running = lab(topology(hosts={"client": ["192.0.2.10"]}), pod("x/a"))
    running.ip("x/a", "route", "delete", "default")

    measured = running.probe("x/a", "host:client")

    assert ("deny", "not sent: no route from source (Network is unreachable)") == (measured.verdict, measured.reason)


def test_a_path_that_loses_some_packets_is_measured_again(lab):
    """The next attempt replaces a lost packet."""
    limited = "tcp dport 80 limit rate over 1/hour burst 1 packets accept\nmeta l4proto { tcp, 253 } drop"
    running = lab(pod("x/a"), pod("x/b"), nft={"node-1": FORWARD % ("tcp sport 80 accept\n" + limited)})

    assert "allow" == running.probe("x/a", "x/b").verdict


def test_a_slow_path_is_waited_for(lab, monkeypatch):
    """At 4 kbit/s a packet takes a tenth of a second: late answers count, and a late control still denies."""
    monkeypatch.setattr(attempt, "WAITS", (0.05, 0.1, 5.0))
    running = lab(pod("x/a"), pod("x/b"), pod("x/db", "app=db"), policy("x/deny-db", "app=db", ingress=[]))
    with netns.inside(running.namespace("x/a")):
        slow = ["tc", "qdisc", "add", "dev", "eth0", "root", "tbf", "rate", "4kbit", "burst", "64", "limit", "9000"]
        subprocess.run(slow, check=True)
    flows = [flow(running.cluster, "x/a", ref) for ref in ("x/b", "x/db")]

    assert ["allow", "deny"] == [m.verdict for m in measure(running.cluster, flows)]


def test_overflowed_buffers_never_deny(lab, monkeypatch):
    """With room for two packets and bursts of many, dropped probes are sent again or inconclusive."""
    monkeypatch.setattr(sockets, "RECEIVE_BUFFER", 1)
    monkeypatch.setattr(schedule, "PER_RECEIVER", 1000)
    pods = [pod(f"x/p{i:02}") for i in range(20)]
    running = lab(*pods)
    flows = [
        flow(running.cluster, f"x/p{i:02}", "x/p00", f"{port}/TCP") for port in range(80, 84) for i in range(1, 20)
    ]

    measured = list(measure(running.cluster, flows))

    assert not [m for m in measured if m.verdict == "deny"]
    assert any("receive buffer" in m.reason and "overflowed" in m.reason for m in measured)


def test_many_senders_to_one_receiver_fit_its_buffer(lab):
    """Bursts fit the default buffer of a socket for every set of flows."""
    running = lab(*[pod(f"x/p{i:02}") for i in range(12)])
    flows = [flow(running.cluster, f"x/p{i:02}", "x/p00", f"{p}/UDP") for p in range(1000, 1060) for i in range(1, 12)]

    assert Counter(allow=660) == Counter(m.verdict for m in measure(running.cluster, flows))


class TestWithoutAPath:
    """Bridge networks of two nodes are not joined."""

    WIRING = (topology(["n1", "n2"]), pod("x/a", node="n1"), pod("x/b", node="n2"))

    def test_two_live_ends_without_a_path_are_denied(self, lab):
        """Both ends carry traffic, and nothing arrives."""
        measured = lab(*self.WIRING).probe("x/a", "x/b")

        assert ("deny", "no path: bridge networks of n1 and n2 are not joined") == (measured.verdict, measured.reason)

    @pytest.mark.parametrize("dead", ["x/a", "x/b"])
    def test_a_dead_end_proves_nothing(self, lab, dead):
        """The wiring explains nothing where the end's own node does not reach it either."""
        running = lab(*self.WIRING)
        running.nft(f"node:{running.cluster.by_ref[dead].node}", DEAD_END)

        measured = running.probe("x/a", "x/b")

        assert "inconclusive" == measured.verdict
        assert "did not prove alive" in measured.reason

    def test_an_outside_host_has_no_route_to_a_pod(self, lab):
        """Its kernel has no route to the pod network."""
        running = lab(topology(["n1", "n2"], hosts={"client": ["192.0.2.10"]}), *self.WIRING[1:])

        measured = running.probe("host:client", "x/a")

        assert ("deny", "not sent: no route from source (Network is unreachable)") == (
            measured.verdict,
            measured.reason,
        )


DEAD_END = """
table inet t {
chain in {
type filter hook input priority 0;
meta l4proto 253 drop
}
chain out {
type filter hook output priority 0;
meta l4proto 253 drop
}
}
"""


# --- faults: each makes the verdict of its case wrong -------------------------------------------------------------


def _no_control(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(control.Controls, "follow", lambda self, burst: None)


def _no_control_is_awaited(monkeypatch: pytest.MonkeyPatch) -> None:
    def arrive_at_once(self: Any, pairs: Any) -> None:
        for evidence in pairs.values():
            for seen in evidence:
                seen.control = True

    monkeypatch.setattr(control.Controls, "_follow_directly", arrive_at_once)


def _an_arrival_counts_anywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    right = attempt.Attempt._arrived
    monkeypatch.setattr(
        attempt.Attempt,
        "_arrived",
        lambda self, probe, sockets, seen: right(self, probe, probe.destination.sockets, seen),
    )


def _probes_are_not_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    class OfControls(raw_sockets.Sender):
        def __init__(self, family: int) -> None:
            super().__init__(family)
            right = self.sendto
            # A control's protocol is 253; what an IPv4 packet carries is in the tenth byte of its header.
            self.sendto = lambda packet, to: right(packet, to) if packet[9] == 253 else None

    monkeypatch.setattr(sockets, "Sender", OfControls)


_POLICY = (policy("x/deny-b", "app=b", ingress=[]),)
# The probe is redirected; the control is not, as no ruleset of netlab translates it.
_REDIRECTED = """
table ip t {
chain raw {
type filter hook prerouting priority -300;
meta l4proto 253 notrack
}
chain c {
type nat hook prerouting priority -100;
ip daddr 10.244.0.3 dnat to 10.244.0.4
}
}
"""


@pytest.mark.parametrize(
    ("fault", "policies", "nft", "right"),
    [
        (_no_control, _POLICY, None, "deny"),
        (_no_control_is_awaited, (), FORWARD % "drop", "inconclusive"),
        (_an_arrival_counts_anywhere, (), _REDIRECTED, "deny"),
        (_probes_are_not_sent, (), None, "allow"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_a_wrong_attempt_is_found(lab, monkeypatch, fault, policies, nft, right):
    """The verdict of the case is right, and with the fault it is another."""
    running = lab(pod("x/a"), pod("x/b", "app=b"), pod("x/c"), *policies, nft=None if nft is None else {"node-1": nft})
    # Of a pair; the other one's destination is watched too.
    flows = [flow(running.cluster, "x/a", other) for other in ("x/b", "x/c")]
    before, _ = measure(running.cluster, flows)
    fault(monkeypatch)
    after, _ = measure(running.cluster, flows)

    assert right == before.verdict, before
    assert right != after.verdict, after
