"""The text of rulesets under each choice of wiring, and what a packet meets there."""

from __future__ import annotations

import pytest
from wiring_choices.choices import Choice
from wiring_choices.test_paths import N2, A, B, lab

from netlab.conformance.shorthand import peer, policy, rule
from netlab.ruleset.compile import compile_rulesets
from netlab.testing.tracer import Link, Packet, Trace, Tracer

_UNDERLAY = Link("underlay0")


def leaves(choice: Choice, destination: str) -> Trace:
    """Return what becomes of a packet of x/a that leaves its node by the underlay."""
    return Tracer(compile_rulesets(lab(choice))["node-1"]).verdict(Packet(A, destination, port=80, goes_by=_UNDERLAY))


@pytest.mark.parametrize(
    ("masquerade", "masqueraded"),
    [("none", [False, False]), ("outside", [False, True]), ("outside-and-nodes", [True, True])],
)
@pytest.mark.parametrize("mode", ["overlay", "routed"])
def test_a_node_masquerades_what_the_choice_says(mode: str, masquerade: str, masqueraded: list[bool]) -> None:
    """A packet to another node, and one to an outside host; never one to a pod of another node."""
    choice = Choice(mode, {"masquerade": masquerade, "outsideRoutes": True})

    assert masqueraded == [leaves(choice, to).masqueraded for to in (N2, "192.0.2.10")]
    assert not leaves(choice, B).masqueraded


def test_the_defaults_add_no_set_and_no_rule() -> None:
    """Nodes of a usual lab know nothing of these choices."""
    text = compile_rulesets(lab(Choice("overlay")))["node-1"].text()

    assert [] == [name for name in ("masq_outside", "masq_nodes", "inside4", "unpublished") if name in text]


def test_only_packets_that_open_a_connection_from_elsewhere_are_dropped() -> None:
    """With ``unpublished: drop``: replies, pods beside it and the control probe pass; so does a published port."""
    tracer = Tracer(compile_rulesets(lab(Choice("bridge", {}, {"unpublished": "drop"})))["node-1"])

    def verdict(packet: Packet) -> str:
        return tracer.verdict(packet).verdict

    assert "drop" == verdict(Packet("192.0.2.10", A, port=80))
    assert "drop" == verdict(Packet(N2, A, "ICMP"))
    assert "drop" == verdict(Packet("192.0.2.10", A, port=80, state="established"))
    assert "accept" == verdict(Packet("192.0.2.10", A, port=80, state="established", reply=True))
    assert "accept" == verdict(Packet("192.0.2.10", A, "253", state="untracked"))
    assert "accept" == verdict(Packet(A, "192.0.2.10", port=80))
    assert "accept" == verdict(Packet("100.64.0.1", A, port=80, from_node=True))


def test_selectors_match_a_node_by_its_chosen_address() -> None:
    """With ``hostNetworkPeers: match``: the node's own address and the one that pods see have one identity."""
    choice = Choice("overlay", {"remoteNodeSource": "tunnel"}, {"hostNetworkPeers": "match"})
    of = lab(choice, policy("x/p", "app=a", ingress=[rule("ingress", [peer("!app")])]))
    tracer = Tracer(compile_rulesets(of)["node-1"])

    assert ["accept", "accept", "drop"] == [
        tracer.verdict(Packet(source, A, port=80)).verdict for source in ("10.244.1.0", N2, B)
    ]
