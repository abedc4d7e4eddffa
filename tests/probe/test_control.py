"""A control follows each probe without an answer; packets decide the verdict, not the plan of the wiring."""

from __future__ import annotations

import pytest
from builders import cluster, flow, pod, policy, topology

from netlab.cluster.paths import Path
from netlab.kernel import nft
from netlab.probe import control, measure


@pytest.mark.parametrize(
    ("ref", "expected"),
    [
        ("x/a", "node:n2"),
        ("x/onhost", "node:n2"),
        ("node:n1", "node:n2"),
        ("node:n2", "node:n1"),
        ("host:client", "node:n1"),
    ],
)
def test_a_partner_and_its_endpoint_reach_one_another(ref, expected):
    """A pod's own node; for a machine on the underlay any other such machine."""
    built = cluster(
        topology(["n1", "n2"], hosts={"client": ["192.0.2.10"]}),
        pod("x/a", node="n2"),
        pod("x/onhost", node="n1", host=True),
    )
    found = control.partner(built, built.by_ref[ref], 4)

    assert found is not None
    assert expected == found.ref


def test_the_partner_of_a_single_node_is_a_pod_of_its_own():
    """No other machine is on the underlay. A pod in the node's namespace, or with no network, is no partner."""
    pods = pod("x/host", host=True), pod("x/none", network="none")
    alone, built = cluster(*pods), cluster(*pods, pod("x/a"))
    found = control.partner(built, built.by_ref["node:node-1"], 4)

    assert control.partner(alone, alone.by_ref["node:node-1"], 4) is None
    assert found is not None
    assert "x/a" == found.ref


def test_the_partner_of_a_macvlan_pod_is_a_pod_of_its_network():
    """Its own node does not reach it, nor does a pod of another network; a single pod has no partner."""
    lone = topology(["n1"], {"default": ("macvlan", "10.244.0.0/16"), "other": ("bridge", "10.245.0.0/16")})
    stranger, first, second = pod("x/s", network="other"), pod("x/a"), pod("x/b")
    alone, two = cluster(lone, stranger, first), cluster(lone, stranger, first, second)
    found = control.partner(two, two.by_ref["x/a"], 4)

    assert control.partner(alone, alone.by_ref["x/a"], 4) is None
    assert found is not None
    assert "x/b" == found.ref


LONE = topology(["n1"], mode="macvlan")


@pytest.mark.parametrize("sibling", [[], [pod("x/b")]])
def test_a_node_and_its_macvlan_pods_are_denied_though_nothing_else_is_there(lab, sibling):
    """An end without a partner proves alive by its own kernel, and the reason says so."""
    running = lab(LONE, pod("x/a"), *sibling)

    for ends in (("node:n1", "x/a"), ("x/a", "node:n1")):
        alone = "node:n1" if sibling else " and ".join(ends)
        measured = running.probe(*ends)

        assert "deny" == measured.verdict
        assert measured.reason.startswith("no path: macvlan network 'default' does not join x/a and its own node n1")
        assert f"(proven alive by the own kernel only: {alone})" in measured.reason


def test_an_end_without_partner_and_link_proves_nothing(lab, lost_soon):
    """Its kernel still delivers what it sends to itself."""
    running = lab(LONE, pod("x/a"))
    running.ip("x/a", "link", "set", "eth0", "down")
    lost_soon()
    measured = running.probe("node:n1", "x/a")

    assert "inconclusive" == measured.verdict
    assert "did not prove alive" in measured.reason


def test_an_end_without_partner_that_receives_nothing_proves_nothing(lab, lost_soon):
    """Its link is up, and its kernel drops what it sends to itself."""
    running = lab(LONE, pod("x/a"))
    running.nft("x/a", "table inet t { chain c { type filter hook input priority 0; drop; }; }")
    lost_soon()

    assert "inconclusive" == running.probe("node:n1", "x/a").verdict


APART = (topology(["n1", "n2"]), pod("x/a", node="n1"), pod("x/b", node="n2"))
COUNTED = """table inet t {
chain c {
type filter hook output priority 0;
ip daddr %s meta l4proto 253 counter
}
}"""


def test_a_control_follows_where_no_path_is_wired(lab):
    """It is sent from the source to the destination, as the probe was."""
    running = lab(*APART)
    running.nft("x/a", COUNTED % running.cluster.by_ref["x/b"].addresses[0])

    measured = running.probe("x/a", "x/b")

    assert ("deny", "no path: bridge networks of n1 and n2 are not joined") == (measured.verdict, measured.reason)
    assert measured.without_control
    assert "counter packets 1 " in nft.run(running.namespace("x/a"), "list table inet t")


@pytest.mark.parametrize("hosts", [{}, {"h": ["192.0.2.1"]}])
def test_a_wrong_plan_of_the_wiring_changes_no_verdict(lab, monkeypatch, hosts):
    """The plan has no path where the kernel has one: the control arrives, and so do allowed probes."""
    running = lab(
        topology(["n1"], hosts=hosts),
        pod("x/a"),
        pod("x/b"),
        pod("x/db", "app=db"),
        policy("x/deny-db", "app=db", ingress=[]),
    )
    monkeypatch.setattr(control, "path", lambda *ends: Path(False, "the plan says so"))
    flows = [flow(running.cluster, "x/a", ref) for ref in ("x/b", "x/db")]

    measured = list(measure(running.cluster, flows))

    assert ["allow", "deny"] == [m.verdict for m in measured]
    assert "never arrived; a control packet sent after it did" == measured[1].reason


def test_a_path_that_the_plan_lacks_is_measured(lab):
    """A user added a route from an outside host to the pods: packets arrive, so the measurement is allow."""
    running = lab(topology(["n1"], hosts={"h": ["192.0.2.1"]}), pod("x/a"))
    assert "not sent: no route from source (Network is unreachable)" == running.probe("host:h", "x/a").reason

    node = str(running.cluster.by_ref["node:n1"].addresses[0])
    running.ip("host:h", "route", "add", "10.244.0.0/16", "via", node)

    assert "allow" == running.probe("host:h", "x/a").verdict


@pytest.mark.parametrize(("source", "destination"), [("x/a", "x/alone"), ("x/alone", "x/a")])
def test_the_kernel_confirms_that_an_end_has_no_address(lab, source, destination):
    """With an address that netlab did not give, the verdict is inconclusive."""
    running = lab(pod("x/a"), pod("x/alone", network="none"))
    before = running.probe(source, destination)
    running.ip("x/alone", "address", "add", "10.9.9.9/32", "dev", "lo")
    after = running.probe(source, destination)

    reason = "not sent: x/alone has a loopback interface only"
    assert ("deny", reason) == (before.verdict, before.reason)
    assert ("inconclusive", f"{reason}, but its network namespace has 10.9.9.9") == (after.verdict, after.reason)
