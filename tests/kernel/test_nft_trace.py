"""nft's tracing: its text as events, and a real packet on the loopback of a namespace."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import sys
from collections.abc import Callable
from ipaddress import ip_address
from pathlib import Path

import pytest
from waiting import eventually

from netlab.errors import KernelError, NotFound
from netlab.kernel import netns, nft
from netlab.kernel.nft_trace import Event, Match, Monitor, parse, written

# As nft 1.0.6 prints it (with a blank at the end of some lines), and with a line that newer kernels add.
RECORDED = """\
trace id c77445dd inet netlab forward packet: iif "br-default" ip saddr 10.244.0.4 tcp dport 8080 tcp flags == syn\x20
trace id c77445dd inet netlab forward conntrack: ct direction original ct state new ct id 4077330212
trace id c77445dd inet netlab forward rule meta priority set ip saddr map @eg4 jump egress_class (verdict jump \
egress_class)
trace id c77445dd inet netlab egress_class verdict continue\x20
trace id c77445dd inet netlab deny_eg rule counter packets 0 bytes 0 drop (verdict drop)
trace id c77445dd inet netlab forward policy accept\x20
"""


def loopback(protocol: str = "UDP", port: int = 5000) -> Match:
    own = ip_address("127.0.0.1")
    return Match(protocol, [own], [own], [port])


@pytest.fixture
def space(spaces: Callable[..., list[str]]) -> str:
    """A namespace whose loopback is up and whose rules count packets to port 5000."""
    (name,) = spaces("trace")
    with netns.inside(name):
        subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    nft.run(name, "table inet t { chain c { type filter hook output priority 0\nudp dport 5000 counter drop\n}\n}")
    return name


def send(space: str, port: int) -> None:
    """Send a datagram on the loopback; a drop at output is EPERM for the sender."""
    with netns.inside(space), socket.socket(type=socket.SOCK_DGRAM) as sender, contextlib.suppress(PermissionError):
        sender.sendto(b"", ("127.0.0.1", port))


def test_lines_become_events() -> None:
    """Packet, rule with its verdict, end of a chain, policy; other lines are left out."""
    at = ("c77445dd", "inet", "netlab")
    expected = [
        Event(*at, "forward", "packet", 'iif "br-default" ip saddr 10.244.0.4 tcp dport 8080 tcp flags == syn'),
        Event(*at, "forward", "rule", "meta priority set ip saddr map @eg4 jump egress_class", "jump egress_class"),
        Event(*at, "egress_class", "verdict", "", "continue"),
        Event(*at, "deny_eg", "rule", "counter packets 0 bytes 0 drop", "drop"),
        Event(*at, "forward", "policy", "", "accept"),
    ]

    assert expected == list(parse(RECORDED))


@pytest.mark.parametrize(
    ("match", "text"),
    [
        (loopback("TCP", 80), "ip saddr { 127.0.0.1 } ip daddr { 127.0.0.1 } tcp dport { 80 }"),
        (loopback("ICMP"), "ip saddr { 127.0.0.1 } ip daddr { 127.0.0.1 } icmp type echo-request"),
        (
            Match("ICMP", [ip_address("fd00::1")], [ip_address("fd00::2")]),
            "ip6 saddr { fd00::1 } ip6 daddr { fd00::2 } icmpv6 type echo-request",
        ),
    ],
    ids=["port", "ping", "ping of IPv6"],
)
def test_a_match_is_an_expression_of_nft(match: Match, text: str) -> None:
    """Addresses and ports as sets, an echo request for ICMP."""

    assert text == written(match)


def test_only_the_matching_packet_is_traced(space: str) -> None:
    """``events`` returns all of its events, and none of another packet."""
    with Monitor(space, loopback()) as monitor:
        send(space, 5001)
        send(space, 5000)
        events = monitor.events()

    assert [("packet", ""), ("rule", "drop")] == [(e.kind, e.verdict) for e in events]
    assert "udp dport 5000" in events[0].text


def test_nothing_stays_of_a_monitor(space: str) -> None:
    """The table goes with it, also when the block fails."""
    before = nft.run(space, "list ruleset")
    with contextlib.suppress(RuntimeError), Monitor(space, loopback(), ("inet", "bridge")):
        during = nft.run(space, "list ruleset")
        raise RuntimeError

    assert "table bridge netlab_trace" in during
    assert before == nft.run(space, "list ruleset")


def test_what_nft_refuses_is_an_error(space: str) -> None:
    """At once its own words, and nothing stays."""
    with pytest.raises(KernelError) as caught:
        Monitor(space, loopback(), ("nosuch",))

    assert 3 == caught.value.exit_code
    assert "netlab_trace" not in nft.run(space, "list ruleset")


def test_a_namespace_that_is_not_there(space: str) -> None:
    """NotFound, before anything is started."""
    with pytest.raises(NotFound):
        Monitor(f"{space}-gone", loopback())


def test_nothing_stays_when_the_tracing_process_is_killed(space: str) -> None:
    """The kernel ends nft with its parent, and the table with nft."""
    program = (
        "import os, sys; from ipaddress import ip_address; from netlab.kernel.nft_trace import Match, Monitor; "
        "own = [ip_address('127.0.0.1')]; monitor = Monitor(sys.argv[1], Match('UDP', own, own, [5000])); "
        "print(monitor._nft.pid, flush=True); os.kill(os.getpid(), 9)"
    )
    done = subprocess.run([sys.executable, "-c", program, space], capture_output=True, text=True, check=False)

    assert -9 == done.returncode, done.stderr
    assert eventually(lambda: "netlab_trace" not in nft.run(space, "list ruleset"))
    assert not Path(f"/proc/{int(done.stdout)}/exe").exists()
