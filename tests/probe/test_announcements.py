"""Bridges learn the port of each end before the first probe, and again before they forget it."""

from __future__ import annotations

from builders import flow, pod, policy, topology

from netlab.cluster.flows import every_pair
from netlab.dataplane import names
from netlab.kernel import nft
from netlab.probe import announcements, measure
from netlab.probe.worker_state import Shared

THREE = (pod("x/a"), pod("x/db", "app=db"), pod("x/c"), policy("x/deny-db", "app=db", ingress=[]))


# A flooded copy runs through these hooks at every port, whatever becomes of it there.
COPIES = """table bridge t {
chain c {
type filter hook forward priority -400;
oifname %s counter
}
}"""


def test_no_probe_is_flooded_to_other_pods(lab):
    """A pod that never sent a packet is probed, and no copy passes the rules for its neighbour on the bridge."""
    running = lab(*THREE)
    running.nft("node:node-1", COPIES % names.port_name(running.cluster.by_ref["x/c"]))
    measured = running.probe("x/a", "x/db")

    assert "deny" == measured.verdict
    assert "counter packets 0 " in nft.run(running.namespace("node:node-1"), "list table bridge t")


def test_each_end_is_announced_once_in_a_while(lab):
    """Each end and each node, one packet each, and again only when a bridge is about to forget."""
    running = lab(topology(["n1", "n2"]), *THREE)
    shared = Shared(running.cluster, running.cluster.name, 0, running.kernel.inside)
    asked: dict = {}  # type: ignore[type-arg]
    for one in every_pair(running.cluster):
        shared.probes.probe_of(one, asked)
    announced: dict = {}  # type: ignore[type-arg]
    due = [
        sorted(end.endpoint.ref for end, _ in announcements.due(shared, asked.values(), announced, now))
        for now in (0.0, announcements.REPEAT_SECONDS - 1, announcements.REPEAT_SECONDS)
    ]
    shared.sockets.close()

    everything = ["node:n1", "node:n2", "x/a", "x/c", "x/db"]
    assert [everything, [], everything] == due


def test_an_end_without_a_partner_is_probed(lab):
    """A node that is alone on its underlay has no other machine."""
    running = lab(*THREE)
    flows = [flow(running.cluster, "node:node-1", "x/a"), flow(running.cluster, "x/a", "node:node-1")]

    assert ["allow", "allow"] == [m.verdict for m in measure(running.cluster, flows)]
