"""The tracer evaluates the text, and refuses what it does not know."""

import pytest

from netlab.ruleset import compile_rulesets
from netlab.testing.tracer import MatchedRule, Packet, TraceError, Tracer


@pytest.fixture(scope="module")
def text(build):
    """Return the text of a lab where db is isolated for ingress and allows web on 5432."""
    members = [
        build.pod("shop/web", "10.244.0.2", labels="app=web"),
        build.pod("shop/db", "10.244.0.3", labels="app=db"),
    ]
    rules = [build.rule(build.pods("app=web"), build.port(5432), build.port(6000, "UDP", 6100))]
    return compile_rulesets(build.cluster(members, [build.policy("shop/db", "app=db", ingress=rules)]))["node-1"].text()


def test_trace_of_an_allowed_packet(text):
    """A matched rule has its chain, and the comment of the element that it found."""
    trace = Tracer(text).verdict(Packet("10.244.0.2", "10.244.0.3", "TCP", 5432))

    assert "accept" == trace.verdict
    assert [
        MatchedRule(
            "forward",
            "meta priority set ip daddr map @in4 jump ingress_class",
            "shop/db selected by shop/db",
        ),
        MatchedRule("ingress_class", "ct mark set 0x0"),
        MatchedRule("ingress_class", "ct mark set ip saddr map @id4", "shop/web"),
        MatchedRule(
            "ingress_class",
            "meta priority . ct mark . meta l4proto . th dport @in_l3l4 return",
            "shop/db from shop/web by shop/db",
        ),
        MatchedRule("forward", "meta priority set none"),
    ] == list(trace.rules)


def test_trace_of_a_denied_packet(text):
    """The last rule is in the chain that counts and drops."""
    trace = Tracer(text).verdict(Packet("10.244.0.9", "10.244.0.3", "TCP", 5432))

    assert "drop" == trace.verdict
    assert MatchedRule("deny_in", "counter drop") == trace.rules[-1]


@pytest.mark.parametrize(
    ("packet", "verdict"),
    [
        pytest.param(("10.244.0.2", "10.244.0.3", "UDP", 6000), "accept", id="first port of the range"),
        pytest.param(("10.244.0.2", "10.244.0.3", "UDP", 6100), "accept", id="last port of the range"),
        pytest.param(("10.244.0.2", "10.244.0.3", "UDP", 6101), "drop", id="past the range"),
        pytest.param(("10.244.0.2", "10.244.0.3", "TCP", 6000), "drop", id="another protocol"),
        pytest.param(("10.244.0.2", "10.244.0.3", "ICMP"), "drop", id="ICMP has no ports"),
        pytest.param(("10.244.0.9", "10.244.0.3", "253"), "accept", id="control probe is not tracked"),
        pytest.param(("10.244.0.3", "10.244.0.2", "TCP", 1), "accept", id="not isolated"),
    ],
)
def test_verdict(text, packet, verdict):
    """Ports count with their protocol."""
    assert verdict == Tracer(text).verdict(Packet(*packet)).verdict


@pytest.mark.parametrize(
    ("old", "new", "what"),
    [
        pytest.param("counter drop", "counter reject", "reject", id="statement"),
        pytest.param("ct mark set 0x0", "ct mark set mark", "mark set mark", id="expression"),
        pytest.param("ct mark set 0x0", "ct mark set 0x0 and 0x1", "and 0x1", id="rest of a statement"),
        pytest.param("flags interval", "flags interval, timeout", "timeout", id="set flag"),
        pytest.param("\tset in_l3 {", "\tflowtable f {", "flowtable", id="object"),
        pytest.param("tcp . 5432", "tcp . 5432-5433", "a range", id="range in a set without intervals"),
        pytest.param(" : 0x", " : 0y", "0y", id="value"),
        pytest.param("udp . 6000-6100", "udp . 6000-6050", "overlap", id="overlap"),
        pytest.param(". meta l4proto . th dport @in_l4 ", ". th dport @in_l4 ", "ICMP", id="port without its protocol"),
        pytest.param("table inet netlab {", "table ip netlab {", "table ip", id="table"),
    ],
)
def test_an_unknown_text_is_an_error(text, old, new, what):
    """And never a verdict."""
    assert old in text
    changed = text.replace(old, new)
    if what == "overlap":
        line = next(line for line in changed.splitlines() if new in line)
        changed = changed.replace(line, f"{line},\n{line.replace('6000-6050', '6050-6100')}")

    with pytest.raises(TraceError, match=what):
        Tracer(changed).verdict(Packet("10.244.0.2", "10.244.0.3", "TCP", 1))
