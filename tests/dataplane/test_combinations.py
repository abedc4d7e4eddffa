"""Attachments and transports that no mode combines, on the kernel: packets agree with the evaluator."""

from __future__ import annotations

import pytest
from builders import peer, pod, policy, rule, topology

from netlab import modes
from netlab.modes import attachments, transports
from netlab.modes.traits import Mode

_MODES = [
    Mode("bridge-by-routes", attachments.BRIDGE, transports.ROUTES, masquerade="outside-and-nodes"),
    Mode("bridges-on-one-link", attachments.BRIDGE, transports.FLAT_VXLAN, masquerade="outside-and-nodes"),
    Mode("veth-by-vxlan", attachments.VETH, transports.VXLAN, masquerade="outside-and-nodes"),
    Mode("veth-alone", attachments.VETH, transports.NONE, masquerade="outside-and-nodes"),
]


@pytest.mark.parametrize("mode", _MODES, ids=lambda mode: mode.name)
def test_packets_agree_in_a_combination_that_no_mode_has(lab, disagreements, monkeypatch, mode):
    """Every pair of a dual-stack lab with a policy, nodes and outside hosts included; what is built stays as wanted."""
    monkeypatch.setitem(modes.MODES, mode.name, mode)
    running = lab(
        topology(
            ["a", "b"],
            mode=mode.name,
            cidrs=["10.244.0.0/16", "fd00:10:244::/56"],
            hosts={"client": ["192.0.2.10", "2001:db8::10"]},
        ),
        pod("x/a", "app=a", node="a"),
        pod("x/near", "app=near", node="a", ports=["8080:80"]),
        pod("x/b", "app=b", node="b"),
        pod("x/on-node", node="b", host=True),
        policy("x/only-a", "app=b", ingress=[rule(peer("app=a"))]),
    )

    assert [] == running.drift()
    assert [] == disagreements(running, nodes=True)
